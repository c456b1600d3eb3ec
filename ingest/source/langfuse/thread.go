package langfuse

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// thread is the calls with one parent, in their order.
type thread struct {
	trace   *trace
	parent  *observation
	last    *call
	history []lake.Message        // the last call's request and reply
	used    map[*observation]bool // tools whose answers are in the history
}

// maxHistory bounds what is put before a request that does not tell it, since
// each call repeats it. A call beyond it keeps what the log has.
const maxHistory = 1000

// add completes the request of the thread's next call.
func (th *thread) add(c *call) {
	switch {
	case len(th.history) > maxHistory && !c.known:
		return
	case c.known && th.last != nil && len(th.history) <= maxHistory && th.goesOn(c.request):
		c.request = append(slices.Clone(th.history), c.request...)
		c.PreviousResponseID = "" // nothing is elsewhere any more
	case c.known:
		c.request = th.withSystem(c)
	case th.last != nil:
		results := th.results(c.of.start)
		if len(results) == 0 && th.last.reply != nil && c.reply != nil && th.last.Status == "success" {
			th.join(c)
			return
		}
		c.request = append(slices.Clone(th.history), results...)
	default:
		c.request = th.opening()
	}
	th.keep(c)
}

// join makes the last call's reply the beginning of c's: one reply that was
// logged in pieces, of which each keeps its usage.
func (th *thread) join(c *call) {
	before := th.last
	c.request = before.request
	whole := lake.Message{Role: "assistant", Content: before.reply.Content, Reasoning: before.reply.Reasoning}
	if more := c.reply.Content; more != "" && whole.Content != "" {
		whole.Content += "\n\n" + more
	} else {
		whole.Content += more
	}
	if more := c.reply.Reasoning; more != "" && whole.Reasoning != "" {
		whole.Reasoning += "\n\n" + more
	} else {
		whole.Reasoning += more
	}
	whole.ToolCalls = append(slices.Clone(before.reply.ToolCalls), c.reply.ToolCalls...)
	whole.Parts = before.reply.Parts
	if whole.Parts == "" {
		whole.Parts = c.reply.Parts
	} else if c.reply.Parts != "" {
		whole.Parts = whole.Parts[:len(whole.Parts)-1] + "," + c.reply.Parts[1:]
	}
	before.reply = nil
	before.Keep("_continued_by", string(rawjson.Marshal(c.of.id)))
	c.reply = &whole
	th.keep(c)
}

func (th *thread) keep(c *call) {
	if len(c.Tools) == 0 && th.last != nil {
		c.Tools = th.last.Tools
	}
	th.last, th.history = c, slices.Clone(c.request)
	if c.reply != nil {
		th.history = append(th.history, *c.reply)
	}
}

// goesOn says that a request holds only what is new: it begins with the answer
// to a call of the history, and none of its messages makes that call.
func (th *thread) goesOn(request []lake.Message) bool {
	first := request[0]
	if first.Role != "tool" || first.ToolCallID == "" {
		return false
	}
	return slices.ContainsFunc(th.history, func(m lake.Message) bool {
		return slices.ContainsFunc(m.ToolCalls, func(call lake.ToolCall) bool { return call.ID == first.ToolCallID })
	})
}

// results are the answers of the tools beside the calls that began before a
// time and are not in the history yet, in the order of the calls.
func (th *thread) results(before time.Time) []lake.Message {
	answered := map[int]bool{}
	open := th.open()
	found := make([]*lake.Message, len(open))
	for _, o := range th.trace.observations {
		if o.typeName() == generation || o.parent != th.parent || !o.start.Before(before) || th.used[o] {
			continue
		}
		id := o.attributes.ID("gen_ai.tool.call.id", "ai.toolCall.id", "tool_call.id")
		for i, call := range open {
			if !answered[i] && (call.ID == id || id == "" && call.Name == o.String("name")) {
				answered[i], th.used[o] = true, true
				m := toolMessage(o)
				m.ToolCallID, m.Name = call.ID, call.Name
				found[i] = &m
				break
			}
		}
	}
	var results []lake.Message
	for _, m := range found {
		if m != nil {
			results = append(results, *m)
		}
	}
	return results
}

// open are the calls of the history that are not answered.
func (th *thread) open() []lake.ToolCall {
	var open []lake.ToolCall
	for _, m := range th.history {
		open = append(open, m.ToolCalls...)
		if m.Role == "tool" {
			if at := slices.IndexFunc(open, func(call lake.ToolCall) bool { return call.ID == m.ToolCallID }); at >= 0 {
				open = slices.Delete(open, at, at+1)
			}
		}
	}
	return open
}

// toolMessage is a tool's answer as its observation has it: text, or JSON in a
// text that the model saw unwrapped.
func toolMessage(o *observation) lake.Message {
	output := o.Object["output"]
	if text, ok := rawjson.Text(output); ok {
		if inner, ok := rawjson.Text([]byte(text)); ok {
			output = rawjson.Marshal(inner)
		} else if wrapped := rawjson.Parse(output); len(wrapped) == 1 && wrapped.List("content") != nil {
			output = rawjson.Marshal(wrapped)
		}
	}
	m := lake.Message{Role: "tool"}
	content := rawjson.Object{"role": rawjson.Marshal("tool"), "content": output}
	if list := genai.Messages(rawjson.Marshal(content), "tool"); len(list) > 0 {
		m.Content = list[0].Content
	}
	if strings.EqualFold(o.String("level"), "ERROR") {
		failed := true
		m.IsError = &failed
	}
	return m
}

// withSystem gives a request the instructions that only an observation above it
// has: the first whose conversation opens with the same words.
func (th *thread) withSystem(c *call) []lake.Message {
	if isSystem(c.request[0]) {
		return c.request
	}
	for up := th.parent; up != nil; up = up.parent {
		above := genai.Messages(up.Object["input"], "user")
		if system := leading(above); len(system) > 0 && len(above) > len(system) && above[len(system)].Content == c.request[0].Content &&
			above[len(system)].Role == c.request[0].Role {
			return append(slices.Clone(system), c.request...)
		}
	}
	return c.request
}

// opening is the request of a first call that does not tell it: what the
// nearest observation above was asked.
func (th *thread) opening() []lake.Message {
	for up := th.parent; up != nil; up = up.parent {
		if messages := genai.Messages(up.Object["input"], "user"); len(messages) > 0 {
			return messages
		}
	}
	return genai.Messages(th.trace.Object["input"], "user")
}

func leading(messages []lake.Message) []lake.Message {
	n := 0
	for n < len(messages) && isSystem(messages[n]) {
		n++
	}
	return messages[:n]
}

func isSystem(m lake.Message) bool { return m.Role == "system" || m.Role == "developer" }
