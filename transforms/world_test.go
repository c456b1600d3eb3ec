package transforms

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/weir-lake/weir/lake"
)

// world invents the events of a small fleet: sessions with parallel calls,
// refusals, compactions and holes, calls that branch, group chats, checkpoints
// that forget, and what is said about them.
type world struct {
	*rand.Rand
	at     time.Time
	serial int
	tag    string     // of a copy's ids, that they are not the original's
	edits  *rand.Rand // of a near copy: other words here and there
}

func newWorld(seed uint64) *world {
	return &world{Rand: rand.New(rand.NewPCG(seed, seed)), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (w *world) chance(percent int) bool { return w.IntN(100) < percent }

func (w *world) id(prefix string) string {
	w.serial++
	return prefix + w.tag + strconv.Itoa(w.serial)
}

func (w *world) text() string {
	words := []string{"eel", "mill", "ford", "reed", "lock", "sluice", "weir", "barge", "pike", "dam", "bank", "otter"}
	text := ""
	for range 4 + w.IntN(6) {
		word := words[w.IntN(len(words))]
		if w.edits != nil && w.edits.IntN(20) == 0 {
			word = "heron"
		}
		text += word + " "
	}
	return text + strconv.Itoa(w.serial)
}

func (w *world) event(eventType, source, subject string, data any) lake.Event {
	w.at = w.at.Add(time.Duration(1+w.IntN(600)) * time.Second)
	if message, ok := data.(*lake.ChatMessage); ok {
		message.OrderedAt = w.at
	}
	return lake.Event{ID: w.id("e"), Source: source, Type: eventType, Subject: subject, Time: w.at, Data: data}
}

// conversation is one subject of any kind.
func (w *world) conversation() []lake.Event {
	var events []lake.Event
	subject := w.id("s")
	switch w.IntN(4) {
	case 0:
		events = w.session(subject)
	case 1:
		events = w.calls(subject)
	case 2:
		events = w.group(subject)
	default:
		events = w.checkpoints(subject)
	}
	if w.chance(30) {
		outcome := &lake.Outcome{TargetKind: "conversation", TargetID: subject, Level: "task", Value: "success", Origin: "tests"}
		if w.chance(40) {
			outcome.Value = "failure"
		}
		events = append(events, w.event("weir.outcome.recorded.v1", "weir://tests", subject, outcome))
	}
	if w.chance(20) {
		value := 1.0
		events = append(events, w.event("weir.feedback.given.v1", "weir://tests", subject, &lake.Feedback{UnitKind: "conversation", UnitID: subject, Kind: "thumb", Value: &value}))
	}
	return events
}

func (w *world) session(subject string) []lake.Event {
	var events []lake.Event
	position, last := int64(0), ""
	say := func(m *lake.ChatMessage) {
		m.ConversationID, m.MessageID, m.ParentID, m.Position = subject, w.id("m"), last, position
		last, position = m.MessageID, position+1000
		if !w.chance(2) || m.ParentID == "" { // else the line is lost: a hole
			events = append(events, w.event("weir.chat.message.v1", "claude-code://test/"+subject, subject, m))
		}
	}
	for range 1 + w.IntN(5) {
		say(&lake.ChatMessage{Kind: lake.KindPrompt, Role: "user", Content: w.text()})
		if w.chance(10) {
			say(&lake.ChatMessage{Kind: lake.KindInterrupt, Role: "user", Content: "[stopped]"})
			continue
		}
		w.sessionReply(say)
		if w.chance(15) {
			say(&lake.ChatMessage{Kind: lake.KindSummary, Role: "user", Content: "So far: " + w.text()})
		}
	}
	return events
}

func (w *world) sessionReply(say func(*lake.ChatMessage)) {
	for range w.IntN(3) {
		response := w.id("r")
		calls := make([]lake.ToolCall, 1+w.IntN(2))
		for i := range calls {
			calls[i] = lake.ToolCall{ID: w.id("k"), Name: "read", Arguments: fmt.Sprintf(`{"n":%d}`, w.serial)}
			say(&lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Agent: "main", Model: "m-1", ResponseID: response, ToolCalls: calls[i : i+1]})
		}
		w.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
		for _, call := range calls {
			kind := lake.KindToolResult
			if w.chance(8) {
				kind = lake.KindRefusal
			}
			if w.chance(10) { // the result is logged late
				say(&lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Agent: "main", Model: "m-1", ResponseID: w.id("r"), Content: w.text()})
			}
			say(&lake.ChatMessage{Kind: kind, Role: "user", ToolCallID: call.ID, Content: w.text()})
		}
		if w.chance(10) {
			say(&lake.ChatMessage{Kind: lake.KindQueued, Role: "user", Content: w.text()})
		}
	}
	say(&lake.ChatMessage{Kind: lake.KindOutput, Role: "assistant", Agent: "main", Model: "m-1", ResponseID: w.id("r"), Content: w.text()})
}

func (w *world) calls(subject string) []lake.Event {
	var events []lake.Event
	native := ""
	if w.chance(50) {
		native = subject
	}
	call := func(history []lake.Message) lake.Message {
		output := lake.Message{Role: "assistant", Content: w.text()}
		if w.chance(40) {
			output.ToolCalls = []lake.ToolCall{{ID: w.id("k"), Name: "find", Arguments: `{"q":"eel"}`}}
		}
		of := subject
		if native == "" {
			of = w.id("s") // no native id: each call is a subject of its own
		}
		events = append(events, w.event("weir.gateway.call.v1", "openai://test/chat", of, &lake.GatewayCall{
			ResponseID: w.id("r"), ConversationID: native, Model: "m-2", Status: "success", Messages: history, Output: []lake.Message{output},
			Tools: []lake.Tool{{Name: "find", Parameters: `{"type":"object"}`}},
		}))
		return output
	}
	answer := func(history []lake.Message, output lake.Message) []lake.Message {
		history = append(history[:len(history):len(history)], output)
		for _, made := range output.ToolCalls {
			history = append(history, lake.Message{Role: "tool", ToolCallID: made.ID, Content: w.text()})
		}
		if len(output.ToolCalls) == 0 || w.chance(10) {
			history = append(history, lake.Message{Role: "user", Content: w.text()})
		}
		if w.chance(10) { // a client's insertion
			history = append(history, lake.Message{Role: "assistant", Content: "Loaded " + w.text()}, lake.Message{Role: "user", Content: "Go on."})
		}
		return history
	}
	history := []lake.Message{{Role: "system", Content: "You help."}, {Role: "user", Content: w.text()}}
	for range 1 + w.IntN(4) {
		output := call(history)
		if w.chance(20) {
			call(answer(history, output)) // a branch that goes no further
		}
		history = answer(history, output)
	}
	return events
}

func (w *world) group(subject string) []lake.Event {
	agents := []string{"scout", "writer", "judge"}
	events := []lake.Event{w.event("weir.chat.message.v1", "groupchat://test/"+subject, subject, &lake.ChatMessage{ConversationID: subject, Kind: lake.KindPrompt, Name: "Ada", Content: w.text()})}
	for i := range 2 + w.IntN(8) {
		m := &lake.ChatMessage{ConversationID: subject, Kind: lake.KindOutput, Agent: agents[w.IntN(3)], ResponseID: w.id("r"), Model: "m-3", Content: w.text(), Position: int64(i+1) * 1000}
		if w.chance(15) {
			m.Kind, m.Agent, m.ResponseID = lake.KindEnvironment, "terminal", ""
		}
		events = append(events, w.event("weir.chat.message.v1", "groupchat://test/"+subject, subject, m))
	}
	return events
}

func (w *world) checkpoints(subject string) []lake.Event {
	var events []lake.Event
	var messages []lake.Message
	summary, parent := "", ""
	for i := range 1 + w.IntN(5) {
		messages = append(messages[:len(messages):len(messages)],
			lake.Message{Role: "user", EventID: w.id("h"), Content: w.text()},
			lake.Message{Role: "assistant", EventID: w.id("a"), Content: w.text(), Model: "m-4"})
		if w.chance(25) && len(messages) > 4 {
			messages, summary = messages[len(messages)-2:], "So far: "+w.text()
		}
		step, id := int64(i), w.id("p")
		events = append(events, w.event("weir.checkpoint.saved.v1", "langgraph://test", subject, &lake.Checkpoint{
			TaskID: subject, CheckpointID: id, ParentCheckpointID: parent, Step: &step, Messages: messages, Summary: summary,
		}))
		parent = id
	}
	return events
}
