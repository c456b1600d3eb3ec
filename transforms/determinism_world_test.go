package transforms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// record is an event and when it was appended to its topic.
type record struct {
	lake.Event
	at time.Time
}

// change is what happens to a lake at once, and what kind of thing it is.
type change struct {
	kind    string
	records []record
}

// history is a fleet and what was said of it: a first load, then a change of
// every kind that a table may have to be computed again for. What is said names
// examples, so it is made from those that the first load gives; read builds
// them. One seed gives one history.
func history(t *testing.T, seed uint64, conversations int, read func([]record) []saidExample) []change {
	t.Helper()
	h := &historian{world: newWorld(seed)}
	first := h.fleet(conversations)
	later := h.holdBack(first)
	first = slices.DeleteFunc(first, func(e lake.Event) bool { return later[e.ID] != "" })
	changes := []change{{"first load", h.records(first)}}
	h.examples = read(changes[0].records)
	if len(h.examples) < 20 {
		t.Fatalf("%d examples: too few to say much of", len(h.examples))
	}
	add := func(kind string, events ...lake.Event) {
		changes = append(changes, change{kind, h.records(events)})
	}
	add("order of shingles", h.shingleLevels())
	add("old conversations go on", h.goOn(changes[0].records)...)
	add("late events", h.held...)
	add("redelivered, and read again by a better parser", h.redelivered(changes[0].records)...)
	add("outcomes, feedback, judgements", h.evidence()...)
	add("generated examples", h.generated()...)
	add("reviews", h.reviews()...)
	add("scenarios, results, training, assignments, prices", h.others()...)
	add("a dataset version, subjects held out", h.versions()...)
	add("thresholds", h.config("thresholds", "quality", `{"step_credit":1,"least_score":0.45,"repeated_calls":1}`))
	add("boilerplate", h.boilerplate())
	add("a subject and a person are erased", h.erasures()...)
	return changes
}

// saidExample is what the makers of follow-ups know of an example.
type saidExample struct {
	ID       string         `json:"id"`
	Subject  string         `json:"subject"`
	Hash     string         `json:"hash"`
	Fate     string         `json:"fate"`
	Events   []string       `json:"events"`
	Messages []lake.Message `json:"messages"`
	Shingles []int64        `json:"shingles"`
}

func readExamples(t *testing.T, session *duck.Session) []saidExample {
	t.Helper()
	lines, err := session.Strings(t.Context(), `
		select to_json({'id': examples.example_id, 'subject': examples.subject_id, 'hash': content_hash, 'fate': fate,
			'events': origin_event_ids, 'messages': messages, 'shingles': said})::varchar
		from curated.examples as examples join curated.funnel using (example_id) join curated.example_sketches using (example_id)
		order by examples.example_id`)
	if err != nil {
		t.Fatal(err)
	}
	examples := make([]saidExample, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &examples[i]); err != nil {
			t.Fatal(err)
		}
	}
	return examples
}

// historian makes the changes.
type historian struct {
	*world
	copies   int          // conversations that repeat an earlier one
	held     []lake.Event // of the first load, but late
	examples []saidExample
}

// records are appended a little after they happened, in order.
func (h *historian) records(events []lake.Event) []record {
	out := make([]record, len(events))
	for i, event := range events {
		out[i] = record{event, event.Time.Add(time.Duration(1+h.IntN(5000)) * time.Millisecond)}
	}
	return out
}

// fleet is conversations, copies of them, word for word or nearly, and documents.
func (h *historian) fleet(conversations int) []lake.Event {
	var events []lake.Event
	for range conversations {
		seed := h.Uint64()
		original := newWorld(seed)
		original.serial, original.at = h.serial, h.at
		said := original.conversation()
		if h.chance(50) {
			h.putTask(said)
		}
		events = append(events, said...)
		for range h.IntN(3) { // copies of one, some with other words here and there
			again := newWorld(seed)
			h.copies++
			again.serial, again.at, again.tag = h.serial, h.at.Add(time.Hour), "x"+strconv.Itoa(h.copies)
			if h.chance(60) {
				again.edits = rand.New(rand.NewPCG(h.Uint64(), 1))
			}
			repeated := again.conversation()
			if h.chance(20) {
				nameAlike(repeated, said[0].Subject)
			}
			events = append(events, repeated...)
		}
		h.serial, h.at = original.serial+1, original.at
		if h.chance(40) {
			events = append(events, h.swarm(said[0].Subject)...)
		}
	}
	for _, kind := range []string{"constitution", "rules", "methodology", "tool_description"} {
		events = append(events, h.event("weir.document.added.v1", "file://test/"+kind, "document:"+kind, &lake.Document{
			Kind: kind, Title: kind, Text: "# " + kind + "\n\nYou must never " + h.text() + "\n\n## Steps\n\n1. " + h.text() + "\n2. " + h.text() + "\n3. " + h.text(),
		}))
	}
	return events
}

// nameAlike gives a chat the conversation id of one under another subject.
func nameAlike(events []lake.Event, conversation string) {
	for _, event := range events {
		if message, ok := event.Data.(*lake.ChatMessage); ok {
			message.ConversationID = conversation
		}
	}
}

// putTask makes the first prompt of a chat a long task, of which there are few:
// some put in other words here and there.
func (h *historian) putTask(events []lake.Event) {
	for _, event := range events {
		message, ok := event.Data.(*lake.ChatMessage)
		if !ok || message.Kind != lake.KindPrompt {
			continue
		}
		task := newWorld(uint64(h.IntN(3)))
		if h.chance(50) {
			task.edits = rand.New(rand.NewPCG(h.Uint64(), 1))
		}
		message.Content = ""
		for range 12 {
			message.Content += task.text() + ". "
		}
		return
	}
}

func (h *historian) swarm(subject string) []lake.Event {
	granted, strength := h.chance(50), float64(h.IntN(1000))/999
	return []lake.Event{
		h.event("weir.swarm.act.v1", "weir://swarm", subject, &lake.Swarm{Kind: "claim", Agent: "scout", Resource: "lock", Granted: &granted}),
		h.event("weir.swarm.act.v1", "weir://swarm", subject, &lake.Swarm{Kind: "trace", Agent: "writer", Content: h.text(), Strength: &strength}),
		h.event("weir.swarm.act.v1", "weir://swarm", subject, &lake.Swarm{Kind: "handoff", Agent: "writer", Recipient: "judge"}),
	}
}

// holdBack picks events of the first load that come late, names a person in
// others, and gives outputs their usage.
func (h *historian) holdBack(events []lake.Event) map[string]string {
	late := map[string]string{}
	for _, event := range events {
		if h.chance(4) {
			late[event.ID] = event.Subject
			h.held = append(h.held, event)
		}
		message, ok := event.Data.(*lake.ChatMessage)
		if ok && h.chance(2) {
			message.PersonIDs = []string{"person:" + string(rune('a'+h.IntN(5)))}
		}
		if ok && message.Kind == lake.KindOutput {
			tokens := int64(1 + h.IntN(5000))
			message.InputTokens, message.OutputTokens = &tokens, &tokens
		}
	}
	return late
}

// goOn adds a prompt and an answer to some old sessions and group chats, and
// calls that go on from old ones.
func (h *historian) goOn(old []record) []lake.Event {
	var events []lake.Event
	seen := map[string]bool{}
	for _, r := range slices.Backward(old) {
		if seen[r.Subject] || !h.chance(8) {
			continue
		}
		seen[r.Subject] = true
		switch data := r.Data.(type) {
		case *lake.ChatMessage:
			for i, kind := range []string{lake.KindPrompt, lake.KindOutput} {
				m := &lake.ChatMessage{ConversationID: data.ConversationID, Kind: kind, Content: h.text(), MessageID: h.id("m"), Position: data.Position + int64(i+1)*1000}
				if kind == lake.KindOutput {
					m.Agent, m.ResponseID = data.Agent, h.id("r")
				}
				events = append(events, h.event(r.Type, r.Source, r.Subject, m))
			}
		case *lake.GatewayCall:
			history := slices.Concat(data.Messages, data.Output, []lake.Message{{Role: "user", Content: h.text()}})
			events = append(events, h.event(r.Type, r.Source, r.Subject, &lake.GatewayCall{
				ResponseID: h.id("r"), ConversationID: data.ConversationID, Model: data.Model, Status: "success", Messages: history,
				Output: []lake.Message{{Role: "assistant", Content: h.text()}}, Tools: data.Tools,
			}))
		}
	}
	return events
}

// redelivered gives copies of old records: equal ones, and what a corrected
// parser made of them, at times under another subject.
func (h *historian) redelivered(old []record) []lake.Event {
	var events []lake.Event
	for _, r := range old {
		switch {
		case h.chance(3):
			events = append(events, r.Event)
		case h.chance(3):
			again := r.Event
			again.ParserVersion++
			switch data := r.Data.(type) {
			case *lake.ChatMessage:
				changed := *data
				changed.Content = h.text()
				again.Data = &changed
			case *lake.Outcome, *lake.GatewayCall:
				again.Subject += "-moved"
			}
			events = append(events, again)
		}
	}
	return events
}

// sample picks some examples.
func (h *historian) sample(percent int) []saidExample {
	return slices.DeleteFunc(slices.Clone(h.examples), func(saidExample) bool { return !h.chance(percent) })
}

// elsewhere is the subject that something said of an example stands under:
// mostly its own.
func (h *historian) elsewhere(subject string) string {
	if h.chance(25) {
		return h.id("elsewhere-")
	}
	return subject
}

func (h *historian) evidence() []lake.Event {
	var events []lake.Event
	for _, e := range h.sample(50) {
		target := []string{e.ID, e.Subject, e.Events[h.IntN(len(e.Events))]}[h.IntN(3)]
		outcome := &lake.Outcome{TargetKind: "example", TargetID: target, Level: []string{"task", "step", "turn"}[h.IntN(3)], Value: []string{"success", "failure"}[h.IntN(2)], Origin: "tests"}
		events = append(events, h.event("weir.outcome.recorded.v1", "weir://tests", h.elsewhere(e.Subject), outcome))
		for range h.IntN(4) {
			rating, passed := float64(h.IntN(100))/99, h.chance(50)
			events = append(events,
				h.event("weir.feedback.given.v1", "weir://tests", h.elsewhere(e.Subject), &lake.Feedback{UnitKind: "conversation", UnitID: target, Kind: "rating", Value: &rating}),
				h.event("weir.judgement.scored.v1", "weir://judge", h.elsewhere(e.Subject), &lake.Judgement{TargetKind: "example", TargetID: e.ID, Rubric: "help", Score: &rating, Passed: &passed, ContentHash: e.Hash}))
		}
	}
	for _, e := range h.sample(20) { // the step that a failed task failed by
		for _, o := range []lake.Outcome{{Level: "task", TargetID: e.Subject}, {Level: "step", TargetID: e.Events[h.IntN(len(e.Events))]}} {
			o.Value, o.Origin = "failure", "label"
			events = append(events, h.event("weir.outcome.recorded.v1", "weir://tests", h.elsewhere(e.Subject), &o))
		}
	}
	return events
}

// generated are children and grandchildren, by methods that are compared
// differently.
func (h *historian) generated() []lake.Event {
	var events []lake.Event
	for _, e := range h.sample(40) {
		parent := e.ID
		for range 1 + h.IntN(4) {
			messages := slices.Clone(e.Messages)
			if h.chance(50) {
				messages[len(messages)-1].Content += " " + h.text()
			}
			method := []string{"paraphrase", "template_reword", "persona_swap", "evolve", "back_translate"}[h.IntN(5)]
			event := h.event("weir.example.generated.v1", "weir://augment/"+method, e.Subject, &lake.GeneratedExample{Method: method, ParentIDs: []string{parent}, Messages: messages})
			events = append(events, event)
			if h.chance(30) {
				parent = event.ID
			}
		}
	}
	return events
}

func (h *historian) reviews() []lake.Event {
	var events []lake.Event
	for _, e := range h.sample(50) {
		for _, reviewer := range []string{"ann", "bob"}[:1+h.IntN(2)] {
			hash := e.Hash
			if h.chance(10) {
				hash = "stale"
			}
			verdict := []string{"accept", "accept", "reject", "edit", "skip", "withdraw"}[h.IntN(6)]
			events = append(events, h.event("weir.review.decided.v1", "weir://review", e.Subject, &lake.Review{ExampleID: e.ID, ContentHash: hash, Reviewer: reviewer, Verdict: verdict}))
			if verdict == "edit" {
				edited := slices.Clone(e.Messages)
				edited[len(edited)-1].Content = h.text()
				events = append(events, h.event("weir.example.generated.v1", "weir://review", e.Subject, &lake.GeneratedExample{Method: "edit", ParentIDs: []string{e.ID}, Messages: edited}))
			}
		}
	}
	return events
}

func (h *historian) others() []lake.Event {
	var events []lake.Event
	for i, e := range h.sample(20) {
		for _, message := range e.Messages {
			if message.Role == "user" {
				events = append(events, h.event("weir.eval.scenario.v1", "weir://tests", "scenario:"+e.ID, &lake.Scenario{Suite: "asked", ScenarioID: e.ID, Prompt: message.Content}))
				break
			}
		}
		for trial := range int64(3) {
			for _, arm := range []string{"control", "tuned"} {
				score := float64(h.IntN(1000)) / 999
				events = append(events, h.event("weir.eval.result.v1", "weir://tests", "scenario:"+e.ID, &lake.EvalResult{
					Suite: "asked", ScenarioID: e.ID, Experiment: "e", Arm: arm, Metric: "m", Trial: trial, Score: &score, Scores: fmt.Sprintf(`{"a":%v,"b":%v}`, score/3, score/7),
				}))
			}
		}
		events = append(events, h.event("weir.experiment.assigned.v1", "weir://tests", e.Subject, &lake.Assignment{Experiment: "e", UnitKind: "conversation", UnitID: e.Subject, Arm: []string{"control", "tuned"}[i%2]}))
	}
	return append(events,
		h.event("weir.training.state.v1", "weir://tests", "run-1", &lake.TrainingRun{RunID: "run-1", ResultModel: "m-9", Dataset: "d", DatasetVersion: "1", State: "succeeded"}),
		h.event("weir.model.decided.v1", "weir://tests", "model:m-9", &lake.ModelDecision{RunID: "run-1", Model: "m-9", Decision: "promoted", Alias: "production", Reason: "passed"}),
		h.config("prices", "ours", `[{"model_prefix":"m","input_usd_per_mtok":0.7,"output_usd_per_mtok":1.3}]`))
}

func (h *historian) versions() []lake.Event {
	var members []lake.DatasetMember
	held, _ := json.Marshal([]string{h.examples[0].Subject, h.examples[1].Subject})
	for _, e := range h.sample(50) {
		if e.Fate == "train" || e.Fate == "validation" {
			members = append(members, lake.DatasetMember{ExampleID: e.ID, ContentHash: e.Hash, SubjectID: e.Subject, Side: e.Fate})
		}
	}
	return []lake.Event{
		h.event("weir.dataset.version.v1", "weir://tests", "dataset:d", &lake.DatasetVersion{Dataset: "d", Version: "1", ContentHash: "h", MemberCount: int64(len(members))}),
		h.event("weir.dataset.members.v1", "weir://tests", "dataset:d", &lake.DatasetMembers{Dataset: "d", Version: "1", ContentHash: "h", Members: members}),
		h.config("test_subjects", "", string(held)),
		h.config("test_share", "", "0.1"),
	}
}

func (h *historian) config(kind, name, content string) lake.Event {
	return h.event("weir.config.set.v1", "weir://tests", "config:"+kind, &lake.Config{Kind: kind, Name: name, Content: content, Hash: lake.StableID(kind, content)})
}

func (h *historian) countShingles() map[int64]int {
	count := map[int64]int{}
	for _, e := range h.examples {
		for _, shingle := range e.Shingles {
			count[shingle]++
		}
	}
	return count
}

// shingleLevels freezes the order of shingles: what follows is compared by it.
func (h *historian) shingleLevels() lake.Event {
	frozen := levels{Examples: int64(len(h.examples))}
	digits := bytes.Repeat([]byte{'0'}, levelSlots)
	for shingle, n := range h.countShingles() {
		digits[shingle%levelSlots] = max(digits[shingle%levelSlots], byte('0'+min(n/2, 7)))
	}
	frozen.Levels = string(digits)
	content, _ := json.Marshal(frozen)
	return h.config("shingle_levels", "", string(content))
}

// boilerplate freezes the shingles that most examples share.
func (h *historian) boilerplate() lake.Event {
	count := h.countShingles()
	var shingles []int64
	for shingle, n := range count {
		if n > 4 {
			shingles = append(shingles, shingle)
		}
	}
	slices.Sort(shingles)
	content, _ := json.Marshal(shingles[:min(40, len(shingles))])
	return h.config("boilerplate", "", string(content))
}

// erasures name in RequestID whom to forget: the hash is the lake's own.
func (h *historian) erasures() []lake.Event {
	var events []lake.Event
	forget := func(kind, who string) {
		events = append(events, h.event("weir.erasure.requested.v1", "weir://tests", "erasure:"+h.id(""), &lake.Erasure{Kind: kind, RequestID: who}))
	}
	forget("subject", h.examples[len(h.examples)/2].Subject)
	forget("subject", h.examples[len(h.examples)/3].Subject)
	forget("person", "person:a")
	return events
}

// forLake gives the erasure as the lake with this key has it.
func forLake(event lake.Event, key []byte) lake.Event {
	if erasure, ok := event.Data.(*lake.Erasure); ok {
		hashed := *erasure
		hashed.KeyedHash = lake.KeyedHash(key, erasure.Kind, erasure.RequestID)
		hashed.RequestID = strings.TrimPrefix(event.Subject, "erasure:")
		event.Data = &hashed
	}
	return event
}
