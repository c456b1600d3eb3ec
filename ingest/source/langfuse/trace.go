package langfuse

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/genai"
	"github.com/weir-lake/weir/ingest/source/llm"
	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// generation is the type of the observations that are calls of a model. Some
// tracers have no type for tools: those are found by the calls that they answer.
const generation = "GENERATION"

// trace is a trace and its observations.
type trace struct {
	rawjson.Object
	id           string
	observations []*observation // in the order of their start
}

// observation is a node of a trace's tree.
type observation struct {
	rawjson.Object
	id         string
	parent     *observation
	start, end time.Time
	attributes rawjson.Object // OpenTelemetry's, where it came that way
	inner      int            // generations below it
}

func (o *observation) typeName() string { return strings.ToUpper(o.String("type")) }

// arrange orders the observations and links them to their parents.
func (t *trace) arrange() {
	byID := map[string]*observation{}
	for _, o := range t.observations {
		byID[o.id] = o
		o.start, o.end = o.Time("startTime"), o.Time("endTime")
		o.attributes = o.Object.Object("metadata").Object("attributes")
	}
	slices.SortStableFunc(t.observations, func(a, b *observation) int { return a.start.Compare(b.start) })
	for _, o := range t.observations {
		o.parent = byID[o.ID("parentObservationId")]
	}
	for _, o := range t.observations { // damaged links may go round in circles
		steps := 0
		for up := o.parent; up != nil; up = up.parent {
			if steps++; steps > maxDepth {
				o.parent = nil
				break
			}
		}
	}
	for _, o := range t.observations {
		if o.typeName() != generation {
			continue
		}
		// What an agent or a tool does below a call is not within the call.
		for up := o.parent; up != nil && up.typeName() != "AGENT" && up.typeName() != "TOOL"; up = up.parent {
			up.inner++
		}
	}
}

// maxDepth is how deep observations may nest.
const maxDepth = 1000

// call is a call and the observation that tells of it.
type call struct {
	llm.Call
	of      *observation
	request []lake.Message // what was sent, as far as the log tells
	known   bool           // the log tells what was sent
	reply   *lake.Message
}

// calls are the trace's calls, in the order of their start.
//
// A generation around another is a wrapper: the inner one counts, with its
// usage, and takes from the wrapper the request and the reply where its own are
// only a text and the wrapper's have roles and calls.
//
// Each call then gets its whole request. Calls with the same parent follow each
// other: a request that begins with a tool's answer goes on from the call
// before, and one that is not told is what came before, with the answers that
// the tools beside it gave. Generations that follow each other without a tool's
// answer and without a request are the pieces of one reply: the last of them
// holds it, each keeps its usage.
func (t *trace) calls() []*call {
	var calls []*call
	threads := map[*observation]*thread{}
	for _, o := range t.observations {
		if o.typeName() != generation || o.inner > 0 {
			continue
		}
		c := t.call(o)
		beside := o.thread()
		if threads[beside] == nil {
			threads[beside] = &thread{trace: t, parent: beside, used: map[*observation]bool{}}
		}
		threads[beside].add(c)
		calls = append(calls, c)
	}
	for _, c := range calls {
		c.Messages = c.request
		c.take()
	}
	return calls
}

// thread is what a generation's calls follow each other in: the first above it
// that is no wrapper.
func (o *observation) thread() *observation {
	up := o.parent
	for up != nil && up.typeName() == generation {
		up = up.parent
	}
	return up
}

// wrapper is the generation around this one alone.
func (o *observation) wrapper() *observation {
	if up := o.parent; up != nil && up.typeName() == generation && up.inner == 1 {
		return up
	}
	return nil
}

// structured says that a body is more than a text.
func structured(raw json.RawMessage) bool {
	return rawjson.Parse(raw) != nil || rawjson.List(raw) != nil
}

// fromWrapper are attributes that a wrapper knows better than what it wraps.
var fromWrapper = []string{"llm.provider", "llm.system", "gen_ai.system", "gen_ai.provider.name", "gen_ai.response.id", "llm.tools.", "gen_ai.tool.definitions"}

func (t *trace) call(o *observation) *call {
	attributes := rawjson.Object{}
	for key, value := range o.attributes {
		attributes[key] = value
	}
	input, output := o.Object["input"], o.Object["output"]
	if w := o.wrapper(); w != nil {
		if structured(w.Object["input"]) && !structured(input) {
			input = w.Object["input"]
		}
		if structured(w.Object["output"]) && !structured(output) {
			output = w.Object["output"]
		}
		for key, value := range w.attributes {
			if slices.ContainsFunc(fromWrapper, func(prefix string) bool { return strings.HasPrefix(key, prefix) }) && !attributes.Has(key) {
				attributes[key] = value
			}
		}
	}
	t.describe(o, attributes)
	span := genai.Span{
		TraceID: t.id, ID: o.id, ParentID: o.ID("parentObservationId"), Name: o.String("name"), Start: o.start, End: o.end, Attributes: attributes,
		Failed: strings.EqualFold(o.String("level"), "ERROR"), Message: o.String("statusMessage"),
	}
	c := &call{Call: span.Calls()[0], of: o}
	c.Messages, c.Output = nil, nil
	var body rawjson.Object
	if rawjson.Compact(output) != "" {
		c.reply, body = genai.Reply(output)
	}
	c.ResponseID = cmp.Or(c.ResponseID, body.ID("id"))
	c.ResponseModel = cmp.Or(c.ResponseModel, body.String("model"))
	c.Model = cmp.Or(c.Model, o.String("model"))
	metadata := o.Object.Object("metadata")
	c.Provider = cmp.Or(c.Provider, genai.Provider(metadata.String("ls_provider")))
	c.API = genai.API(c.Provider, c.ResponseID)
	c.FinishReason = cmp.Or(finish(body), finish(rawjson.Parse(output)), c.FinishReason)
	c.known = !isStub(input)
	if c.known {
		c.request = genai.Messages(input, "user")
		c.known = len(c.request) > 0
	}
	request := rawjson.Parse(input)
	for _, raw := range []json.RawMessage{
		request["tools"], request.Object("config")["tools"], metadata["tools"], o.Object.Object("modelParameters")["tools"], o.Object["toolDefinitions"],
	} {
		if len(c.Tools) == 0 {
			c.Tools = genai.Tools(raw)
		}
	}
	for raw := c.of.parent; raw != nil && len(c.Tools) == 0; raw = raw.parent {
		c.Tools = genai.Tools(raw.attributes["gen_ai.tool.definitions"])
	}
	if used := usage(o); used.Raw != "" {
		c.Usage = used
	}
	if cost := o.Float("totalCost"); cost != nil && (c.Usage.Raw != "" || *cost > 0) {
		c.CostUSD = cost
	}
	if first := o.Time("completionStartTime"); first.After(o.start) {
		ms := float64(first.Sub(o.start).Microseconds()) / 1000
		c.TimeToFirstTokenMS = &ms
	}
	t.whose(c)
	return c
}

func finish(o rawjson.Object) string {
	for _, choice := range o.Objects("choices", "candidates") {
		return choice.String("finish_reason", "finishReason")
	}
	return o.String("finish_reason", "finishReason")
}

// isStub says that an input tells nothing of the request: it is missing, or the
// name of a message's field where a message should be, as one tracer writes a
// message that it takes for a list.
func isStub(raw json.RawMessage) bool {
	text := rawjson.Compact(raw)
	if text == "" || text == `""` || text == "{}" || text == "[]" {
		return true
	}
	o := rawjson.Parse(raw)
	content := o.String("content")
	return len(o) == 1 && (content == "role" || content == "content")
}

// describe adds what Langfuse knows of a call to its attributes, under the
// names that package genai reads.
func (t *trace) describe(o *observation, attributes rawjson.Object) {
	put := func(name string, raw json.RawMessage) {
		if text := rawjson.Compact(raw); text != "" && text != `""` && text != "[]" && text != "{}" && !attributes.Has(name) {
			attributes[name] = raw
		}
	}
	for key, value := range o.Object.Object("modelParameters") {
		switch key {
		case "tools", "system_instruction", "http_options", "messages", "model", "user":
		case "toolChoice", "tool_choice":
			put("gen_ai.request.tool_choice", value)
		case "is_stream", "stream":
			put("gen_ai.request.is_stream", value)
		case "finishReason":
			put("ai.response.finishReason", value)
		default:
			put("gen_ai.request."+key, value)
		}
	}
	for key, value := range o.Object.Object("metadata") {
		if key != "attributes" && key != "resourceAttributes" && key != "scope" && key != "tools" && key != "tags" {
			put("langfuse.metadata."+key, value)
		}
	}
	for _, key := range []string{"promptName", "promptVersion", "version", "level"} {
		put("langfuse."+key, o.Object[key])
	}
	for _, key := range []string{"name", "environment", "release"} {
		put("langfuse.trace."+key, t.Object[key])
	}
}

// whose says whose call it is: session, trace, people, agent.
func (t *trace) whose(c *call) {
	session := t.ID("sessionId")
	c.ConversationID = cmp.Or(session, t.id)
	if session != "" {
		c.TaskID = cmp.Or(c.TaskID, t.id)
	}
	c.Annotate(c.of.Object.Object("metadata"))
	c.Annotate(t.Object.Object("metadata"))
	c.Annotate(rawjson.Object{"user_id": t.Object["userId"]})
	c.Tag(t.Strings("tags")...)
	for o := c.of; o != nil && c.Agent == ""; o = o.parent {
		c.Agent = o.attributes.String("gen_ai.agent.name", "agent_name", "agent.name")
	}
	if strings.HasPrefix(t.String("environment"), "langfuse-") && c.Purpose == "" {
		c.Purpose = "judge" // Langfuse's own evaluators
	}
}

// take puts the reply into the call.
func (c *call) take() {
	if c.reply == nil {
		return
	}
	reply := *c.reply
	reply.Role, reply.Name, reply.EventID, reply.Model = "assistant", "", c.ResponseID, cmp.Or(c.ResponseModel, c.Model)
	if c.Status == "failure" {
		c.Keep("_partial_output", string(rawjson.Marshal([]lake.Message{reply})))
		return
	}
	c.Output = []lake.Message{reply}
}
