package lake

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// SchemaVersion is the version of the payload structs that this binary writes.
// It grows when a field is added; fields are never renamed or retyped.
const SchemaVersion = 1

// MaxEventBytes is the largest event on the wire. Topics take records of this
// size; larger things travel by hash.
const MaxEventBytes = 16 << 20

// Event is a CloudEvents 1.0 event in structured mode: the value of a Kafka
// record. Data points at a payload struct, such as *ChatMessage.
type Event struct {
	ID            string    // stable: see StableID
	Source        string    // URI of the origin: claude-code://project/session
	Type          string    // weir.<family>.<what>.v1
	Subject       string    // the unit that a split never cuts through
	Time          time.Time // when it happened, UTC
	SchemaVersion int64     // SchemaVersion of the writer; 0 means this binary's
	ParserVersion int64     // version of the source's parser; a higher one wins
	Data          any
	Extra         string // JSON object of the fields that this binary does not know
}

// StableID is the id of an event: md5 over its source kind and native ids,
// joined by a byte that no id holds. Paths and file names do not belong in it.
func StableID(parts ...string) string {
	h := md5.New()
	for i, part := range parts {
		if i > 0 {
			h.Write([]byte{0x1f})
		}
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

type wireEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype,omitempty"`
	SchemaVersion   int64     `json:"schemaversion,omitempty"`
	ParserVersion   int64     `json:"parserversion,omitempty"`
	Data            any       `json:"data"`
}

// Encode gives the event as CloudEvents JSON, without a newline.
func (e Event) Encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID, err)
	}
	version := e.SchemaVersion
	if version == 0 {
		version = SchemaVersion
	}
	wire := wireEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, Subject: e.Subject,
		Time: e.Time.UTC().Truncate(time.Microsecond), DataContentType: "application/json",
		SchemaVersion: version, ParserVersion: e.ParserVersion, Data: e.Data,
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire); err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID, err)
	}
	text := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if e.Extra == "" {
		return text, nil
	}
	text, err := withExtra(text, e.Extra)
	if err != nil {
		return nil, fmt.Errorf("event %s: extra: %w", e.ID, err)
	}
	return text, nil
}

func (e Event) check() error {
	switch {
	case e.ID == "":
		return fmt.Errorf("id: %w", ErrIncomplete)
	case e.Subject == "":
		return fmt.Errorf("subject: %w", ErrIncomplete)
	case e.Time.IsZero():
		return fmt.Errorf("time: %w", ErrIncomplete)
	case e.Type == "":
		return fmt.Errorf("type: %w", ErrIncomplete)
	}
	if _, ok := PayloadOf(e.Type); !ok {
		return fmt.Errorf("type %q: %w", e.Type, ErrUnknownType)
	}
	return nil
}

// Payload is one event type and the table that its rows go to.
type Payload struct {
	Type   string // weir.chat.message.v1; a family with free kinds ends in .* (weir.swarm.*.v1)
	Family string // chat: the topic is weir.chat
	Table  string // events.chat_messages
	Doc    string // one row is …
	New    func() any

	goType   reflect.Type
	columns  []Column
	shredder *shredder
	known    knownFields
}

// Columns are the columns of the payload's table: the envelope, then the data.
func (p *Payload) Columns() []Column {
	return append(slices.Clone(envelopeColumns), p.columns...)
}

// Topic is the Kafka topic of the payload's family.
func (p *Payload) Topic() string { return "weir." + p.Family }

// Payloads lists every event type, in the order of the documentation. Where a
// family has several tables, its first is the primary one: the sink commits it
// last, so its offset is the family's.
func Payloads() []*Payload { return payloads }

// PayloadOf finds the payload of an event type.
func PayloadOf(eventType string) (*Payload, bool) {
	for _, p := range payloads {
		if prefix, suffix, free := strings.Cut(p.Type, "*"); p.Type == eventType ||
			free && len(eventType) > len(p.Type)-1 && strings.HasPrefix(eventType, prefix) && strings.HasSuffix(eventType, suffix) {
			return p, true
		}
	}
	return nil, false
}

// Topics lists the topics of all families, sorted.
func Topics() []string {
	var topics []string
	for _, p := range payloads {
		if !slices.Contains(topics, p.Topic()) {
			topics = append(topics, p.Topic())
		}
	}
	slices.Sort(topics)
	return topics
}

func payload[T any](family, eventType, table, doc string) *Payload {
	p := &Payload{Type: eventType, Family: family, Table: "events." + table, Doc: doc, New: func() any { return new(T) }}
	p.goType = reflect.TypeFor[T]()
	p.columns = structColumns(p.goType, 0)
	p.shredder = newShredder(reflect.TypeFor[envelope](), p.goType)
	p.known = newKnownFields(p.columns)
	return p
}

var payloads = []*Payload{
	payload[ChatMessage]("chat", "weir.chat.message.v1", "chat_messages", "a message, or a part of a model output, of a conversation or group chat"),
	payload[Checkpoint]("checkpoint", "weir.checkpoint.saved.v1", "checkpoints", "a saved state of a task"),
	payload[GatewayCall]("gateway", "weir.gateway.call.v1", "gateway_calls", "one LLM call, one choice"),
	payload[Document]("document", "weir.document.added.v1", "documents", "a constitution, system prompt, rule set, tool description or essay"),
	payload[GeneratedExample]("example", "weir.example.generated.v1", "generated_examples", "an augmented or synthetic example"),
	payload[Judgement]("judgement", "weir.judgement.scored.v1", "judgements", "one automatic score"),
	payload[Review]("review", "weir.review.decided.v1", "reviews", "one human decision"),
	payload[Swarm]("swarm", "weir.swarm.*.v1", "swarm", "a trace left or read, a claim, a proposal, a vote, a decision, a help, a hand-off or a lesson"),
	payload[TrainingRun]("training", "weir.training.state.v1", "training_runs", "a state change of a training run"),
	payload[ModelDecision]("training", "weir.model.decided.v1", "model_decisions", "a decision on a model: promoted, retired or tainted"),
	payload[Outcome]("outcome", "weir.outcome.*.v1", "outcomes", "what became of a task, turn or step"),
	payload[Feedback]("feedback", "weir.feedback.*.v1", "feedback", "a person's reaction"),
	payload[Scenario]("scenario", "weir.eval.scenario.v1", "eval_scenarios", "a scenario of an eval suite"),
	payload[EvalResult]("eval", "weir.eval.result.v1", "eval_results", "one model on one scenario, one trial"),
	payload[DatasetVersion]("dataset", "weir.dataset.version.v1", "dataset_versions", "a dataset version that was built"),
	payload[DatasetMembers]("dataset", "weir.dataset.members.v1", "dataset_members", "up to 5,000 members of a dataset version"),
	payload[Assignment]("experiment", "weir.experiment.assigned.v1", "assignments", "a unit's arm in an A/B test"),
	payload[Erasure]("erasure", "weir.erasure.requested.v1", "erasures", "a request to forget a subject or a person"),
	payload[Config]("config", "weir.config.set.v1", "configs", "a version of configuration that decides rows"),
	payload[DeadLetter]("deadletter", "weir.deadletter.record.v1", "dead_letters", "a record that could not be understood"),
}
