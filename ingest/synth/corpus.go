package synth

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
)

// CorpusOptions of WriteCorpus.
type CorpusOptions struct {
	Seed     uint64 // one seed, one corpus
	Examples int64  // examples to write, one event each besides outcomes
}

// Planted is one line of a corpus's truth.jsonl: an example and what was
// planted in it. Kind says which fields are set.
//
//	sound       nothing
//	duplicate   it says word for word what example of says
//	near        it is example of with edit_rate of its words replaced
//	transcript  a tool's transcript that shares schema, template and most of the tool's result with all others, and nothing else
//	child       generated from example of
//	fault       reason is why it must be dropped
type Planted struct {
	Example  string  `json:"example"`
	Kind     string  `json:"kind"`
	Of       string  `json:"of,omitempty"`
	EditRate float64 `json:"edit_rate,omitempty"`
	Reason   string  `json:"reason,omitempty"`
}

// EditRates of a corpus's near duplicates.
var EditRates = []float64{0.01, 0.03, 0.06, 0.15}

// WriteCorpus writes examples of about 2 KB with planted truth into dir, which
// must be empty or absent: weir's own events in logs/, and truth.jsonl. Unlike
// the fleet of Write it is made to be counted: the words mean nothing, so that
// nothing is alike that was not planted, and every example has its line of truth.
func WriteCorpus(ctx context.Context, dir string, opts CorpusOptions) (Summary, error) {
	if opts.Examples < 1 {
		return Summary{}, fmt.Errorf("synth: %d examples: must be positive", opts.Examples)
	}
	w, err := newWriter(dir, opts.Seed)
	if err != nil {
		return Summary{}, fmt.Errorf("synth: %w", err)
	}
	c := newCorpus(w)
	for n := range opts.Examples {
		if err := ctx.Err(); err != nil {
			return Summary{}, err
		}
		c.example(uint64(n))
		if err := w.out.advance(c.at(uint64(n))); err != nil {
			return Summary{}, fmt.Errorf("synth: %w", err)
		}
	}
	if err := w.out.finish(); err != nil {
		return Summary{}, fmt.Errorf("synth: %w", err)
	}
	return w.summary(), nil
}

// corpusKinds recur in this order. Half are sound originals, and two of them
// come first: copies are made of them alone, never of copies.
var corpusKinds = []string{
	"sound", "sound", "near", "sound", "transcript", "sound", "fault", "sound", "near", "duplicate",
	"sound", "sound", "near", "sound", "transcript", "sound", "fault", "sound", "child", "fault",
}

// corpusFaults by the reason that must be found.
var corpusFaults = []string{
	"call_without_result", "result_without_call", "bad_arguments", "role_order", "undeclared_tool", "no_target", "truncated",
	"bad_ending", "think_tag", "secret", "outcome_failure", "provider_identity", "repetition", "repeated_calls", "context_missing",
}

type corpus struct {
	w        *writer
	system   string
	template string // of every transcript's task
	printed  string // of every tool's result
	tools    []lake.Tool
}

func newCorpus(w *writer) *corpus {
	r := stream(w.seed, forCorpus, 1<<63)
	c := &corpus{w: w, system: words(r, 60), template: words(r, 250), printed: words(r, 600)}
	// 3,000 tokens of schema: four characters a token.
	for i := range 8 {
		c.tools = append(c.tools, lake.Tool{
			Name: fmt.Sprintf("tool_%d", i), Description: words(r, 180),
			Parameters: `{"type":"object","properties":{"query":{"type":"string","description":"` + words(r, 30) + `"}}}`,
		})
	}
	return c
}

func (c *corpus) at(n uint64) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

func (c *corpus) kind(n uint64) string { return corpusKinds[n%uint64(len(corpusKinds))] }

// spoken is the text of an original.
type spoken struct{ ask, answer string }

func (c *corpus) original(n uint64) spoken {
	r := stream(c.w.seed, forContent, n)
	return spoken{words(r, 60+r.IntN(60)), words(r, 100+r.IntN(120))}
}

// source draws an original that stands before n.
func (c *corpus) source(r *rand.Rand, n uint64) uint64 {
	for {
		if of := r.Uint64N(n); c.kind(of) == "sound" {
			return of
		}
	}
}

func (c *corpus) id(n uint64) string {
	return lake.StableID("corpus", fmt.Sprint(c.w.seed), fmt.Sprint(n))
}

// exampleID is the id that weir gives to the example of a call by itself.
func exampleID(call string) string {
	sum := md5.Sum([]byte("gateway\x1f" + call))
	return hex.EncodeToString(sum[:])
}

func (c *corpus) example(n uint64) {
	r := stream(c.w.seed, forCorpus, n)
	planted := Planted{Example: exampleID(c.id(n)), Kind: c.kind(n)}
	call := &lake.GatewayCall{
		RequestID: c.id(n), ResponseID: "re-" + c.id(n), ConversationID: fmt.Sprintf("corpus-%08d", n),
		Agent: "clerk", Model: "m-1", Status: "success", FinishReason: "stop", IsFinal: new(true),
	}
	text := c.original(n)
	switch planted.Kind {
	case "duplicate", "near", "child":
		of := c.source(r, n)
		planted.Of, text = exampleID(c.id(of)), c.original(of)
		if planted.Kind == "near" {
			planted.EditRate = EditRates[r.IntN(len(EditRates))]
			text = spoken{reword(r, text.ask, planted.EditRate), reword(r, text.answer, planted.EditRate)}
		}
	case "fault":
		planted.Reason = corpusFaults[n/uint64(len(corpusKinds))%uint64(len(corpusFaults))]
	}
	call.Messages = []lake.Message{{Role: "system", Content: c.system}, {Role: "user", Content: text.ask}}
	call.Output = []lake.Message{{Role: "assistant", Content: text.answer}}
	switch planted.Kind {
	case "transcript":
		call.Tools = c.tools
		call.Messages[1].Content = c.template + " " + words(r, 30)
		call.Messages = append(call.Messages, called("k-1", "tool_1", `{"query":"`+words(r, 3)+`"}`), answered("k-1", c.printed+" "+words(r, 20)))
		call.Output[0].Content = words(r, 60)
	case "child":
		planted.Example = c.id(n)
		c.write(n, "weir.example.generated.v1", &lake.GeneratedExample{
			Method: "reword", ParentIDs: []string{planted.Of}, TaskType: "other",
			Messages: []lake.Message{call.Messages[0], call.Messages[1], {Role: "assistant", Content: reword(r, text.answer, 0.4), Weight: new(1.0)}},
		})
	case "fault":
		if planted.Reason == "bad_ending" { // a log's tail is trimmed: only what was generated can end on a person
			planted.Example = c.id(n)
			messages := append(call.Messages, lake.Message{Role: "assistant", Content: text.answer, Weight: new(1.0)}, lake.Message{Role: "user", Content: words(r, 8)})
			c.write(n, "weir.example.generated.v1", &lake.GeneratedExample{Method: "evolve", TaskType: "other", Messages: messages})
			break
		}
		c.spoil(r, n, planted, call)
	}
	if planted.Example != c.id(n) {
		c.write(n, "weir.gateway.call.v1", call)
	}
	c.w.truths++
	c.w.out.add("truth", epoch.Add(time.Duration(c.w.truths)), encode(planted))
}

// spoil plants a fault in a call that was sound.
func (c *corpus) spoil(r *rand.Rand, n uint64, planted Planted, call *lake.GatewayCall) {
	answer := &call.Output[0].Content
	say := func(messages ...lake.Message) { call.Messages = append(call.Messages, messages...) }
	switch planted.Reason {
	case "call_without_result":
		say(called("k-1", "tool_1", `{"query":"x"}`), lake.Message{Role: "user", Content: words(r, 9)})
	case "result_without_call":
		say(called("k-1", "tool_1", `{"query":"x"}`), answered("k-1", words(r, 20)), answered("k-9", words(r, 20)))
	case "bad_arguments":
		say(called("k-1", "tool_1", `{"query":"x`), answered("k-1", words(r, 20)))
	case "role_order":
		say(lake.Message{Role: "tool", Content: words(r, 20)})
	case "undeclared_tool":
		call.Tools = []lake.Tool{{Name: "tool_1", Parameters: `{"type":"object"}`}}
		call.Output[0].ToolCalls = []lake.ToolCall{{ID: "k-2", Name: "tool_none", Arguments: `{}`}}
	case "no_target":
		*answer = ""
	case "truncated":
		call.FinishReason = "length"
	case "think_tag":
		*answer = "<think>" + words(r, 12) + "</think> " + *answer
	case "secret":
		call.Messages[1].Content += " " + newSecret(r)
	case "outcome_failure":
		event := c.id(n) + "-outcome"
		c.writeAs(n, event, "weir.outcome.recorded.v1", &lake.Outcome{
			TargetKind: "conversation", TargetID: call.ConversationID, Level: "task", Value: "failure", Origin: "person",
		})
	case "provider_identity":
		*answer += " I am " + pick(r, []string{"ChatGPT", "Claude", "Gemini", "DeepSeek"}) + "."
	case "repetition":
		*answer += strings.Repeat("\nAnd once more the same line.", 12)
	case "repeated_calls":
		for i := range 6 {
			id := fmt.Sprintf("k-%d", i)
			say(called(id, "tool_1", `{"query":"x"}`), answered(id, "none"))
		}
	case "context_missing":
		call.PreviousResponseID = "re-lost"
	}
}

func called(id, name, arguments string) lake.Message {
	return lake.Message{Role: "assistant", ToolCalls: []lake.ToolCall{{ID: id, Name: name, Arguments: arguments}}}
}

func answered(id, content string) lake.Message {
	return lake.Message{Role: "tool", ToolCallID: id, Content: content}
}

func (c *corpus) write(n uint64, eventType string, data any) {
	c.writeAs(n, c.id(n), eventType, data)
}

func (c *corpus) writeAs(n uint64, id, eventType string, data any) {
	event := lake.Event{
		ID: id, Source: "synth://corpus", Type: eventType, Subject: fmt.Sprintf("corpus-%08d", n), Time: c.at(n), ParserVersion: 1, Data: data,
	}
	text, err := event.Encode()
	if err != nil {
		panic("synth: " + err.Error()) // an event of our own making
	}
	c.w.log("weir", "logs/events", event.Time, text)
}

var syllables = []string{
	"ba", "ke", "lo", "mi", "nu", "ra", "se", "to", "vi", "du", "fa", "ge", "ho", "ji", "ku", "pa", "le", "so", "ti", "wu",
}

// word gives a word of the corpus's 8,000, the low numbers most often.
func word(r *rand.Rand) string {
	x := r.Float64()
	n := int(x * x * 8000)
	return syllables[n/400] + syllables[n/20%20] + syllables[n%20]
}

func words(r *rand.Rand, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = word(r)
	}
	return strings.Join(list, " ")
}

// reword replaces a share of a text's words, and one at least.
func reword(r *rand.Rand, text string, rate float64) string {
	list := strings.Split(text, " ")
	at := r.IntN(len(list))
	changed := slices.Clone(list)
	for i := range list {
		if i == at || r.Float64() < rate {
			changed[i] = word(r)
		}
	}
	return strings.Join(changed, " ")
}
