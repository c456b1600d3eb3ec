package llm

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
	"github.com/weir-lake/weir/lake"
)

// draft is a message that grows block by block.
type draft struct {
	lake.Message
	parts     []string
	reasoning []string
	touching  bool // the last block was text too
}

// text adds a block of text. In an assistant's message, blocks that touch each
// other are one text that the API cut up (for citations).
func (d *draft) text(text string) {
	switch {
	case d.Content == "" || d.Role == "assistant" && d.touching:
	default:
		d.Content += "\n\n"
	}
	d.Content += text
	d.touching = true
}

func (d *draft) think(text string) {
	d.touching = false
	if text != "" {
		d.reasoning = append(d.reasoning, text)
	}
}

func (d *draft) call(call lake.ToolCall) {
	d.touching = false
	d.ToolCalls = append(d.ToolCalls, call)
}

// part keeps a block that is not text.
func (d *draft) part(raw []byte) {
	d.touching = false
	if text := rawjson.Shrink(raw); text != "" {
		d.parts = append(d.parts, text)
	}
}

// aside keeps what is said about a text, such as its citations, without
// parting the text.
func (d *draft) aside(kind, raw string) {
	if raw != "" && raw != "[]" && raw != "{}" {
		d.parts = append(d.parts, `{"type":`+strconv.Quote(kind)+`,"`+kind+`":`+rawjson.Shrink([]byte(raw))+`}`)
	}
}

func (d *draft) empty() bool {
	return d.Content == "" && d.reasoning == nil && d.ToolCalls == nil && d.parts == nil
}

func (d *draft) message() lake.Message {
	m := d.Message
	if len(d.parts) > 0 {
		m.Parts = "[" + strings.Join(d.parts, ",") + "]"
	}
	if m.Role == "assistant" {
		var tagged string
		tagged, m.Content = cutThinking(m.Content)
		if tagged != "" {
			d.reasoning = append(d.reasoning, tagged)
		}
	}
	m.Reasoning = strings.Join(d.reasoning, "\n\n")
	return m
}

// thinkTag is reasoning in a text's head, as open models and clients write it.
var thinkTag = regexp.MustCompile(`(?s)^\s*<(?:think|thinking)>(.*?)</(?:think|thinking)>\s*`)

// cutThinking parts the tagged reasoning at the head of a text from the rest.
func cutThinking(text string) (reasoning, rest string) {
	var found []string
	for rest = text; ; {
		match := thinkTag.FindStringSubmatchIndex(rest)
		if match == nil {
			return strings.Join(found, "\n\n"), rest
		}
		if inner := strings.TrimSpace(rest[match[2]:match[3]]); inner != "" {
			found = append(found, inner)
		}
		rest = rest[match[1]:]
	}
}

// content adds a field that is a text or an array of blocks in OpenAI's
// shapes (chat and responses).
func (d *draft) content(raw json.RawMessage) {
	if text, ok := rawjson.Text(raw); ok {
		d.text(text)
		return
	}
	blocks := rawjson.List(raw)
	if blocks == nil && rawjson.Parse(raw) != nil {
		blocks = []json.RawMessage{raw}
	}
	for _, block := range blocks {
		if text, ok := rawjson.Text(block); ok {
			d.text(text)
			continue
		}
		o := rawjson.Parse(block)
		switch o.String("type") {
		case "text", "input_text", "output_text", "summary_text":
			d.text(o.String("text"))
			d.aside("annotations", o.Raw("annotations"))
		case "refusal":
			d.text(o.String("refusal"))
			d.aside("refusal", "true")
		case "thinking", "reasoning", "reasoning_text":
			d.think(o.String("thinking", "reasoning", "text"))
		case "redacted_thinking", "tool_use", "tool_call":
			// Tool calls of a chat message stand in tool_calls; clients repeat
			// them here.
		default:
			d.part(block)
		}
	}
}

// arguments gives tool-call arguments as JSON text: APIs send a string that
// holds it, or the object itself.
func arguments(raw json.RawMessage) string {
	if text, ok := rawjson.Text(raw); ok {
		return text
	}
	return rawjson.Compact(raw)
}

// freeText wraps a custom tool's input, which is no JSON, into arguments.
func freeText(input string) string {
	return string(rawjson.Marshal(map[string]string{"input": input}))
}

// rest gives the fields of a request without those that have a column, shrunk;
// "" when nothing is left.
func rest(o rawjson.Object, known string, more map[string]any) string {
	left := map[string]any{}
	for key, raw := range o {
		if strings.Contains(known, " "+key+" ") {
			continue
		}
		if text := rawjson.Shrink(raw); text != "" {
			left[key] = json.RawMessage(text)
		}
	}
	for key, value := range more {
		left[key] = value
	}
	if len(left) == 0 {
		return ""
	}
	return string(rawjson.Marshal(left))
}

// keepReply puts fields of the reply that have no column into Params, as
// "_response".
func (c *Call) keepReply(reply rawjson.Object, known string) {
	c.Keep("_response", rest(reply, known, nil))
}

// Keep adds a field of JSON text to Params.
func (c *Call) Keep(key, raw string) {
	if raw == "" || raw == "{}" {
		return
	}
	params := rawjson.Parse([]byte(c.Params))
	if params == nil {
		params = rawjson.Object{}
	}
	params[key] = json.RawMessage(raw)
	c.Params = string(rawjson.Marshal(params))
}

// errorText finds the words of an error in a reply's error field, which is an
// object, a text or a number by provider.
func errorText(reply rawjson.Object) string {
	if !reply.Has("error") {
		return ""
	}
	if o := reply.Object("error"); o != nil {
		text := o.String("message", "detail")
		if kind := o.ID("type", "code", "status"); kind != "" && text != "" {
			return kind + ": " + text
		} else if text != "" || kind != "" {
			return text + kind
		}
	}
	return cmp.Or(reply.ID("error"), reply.Raw("error"))
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func sum(numbers ...*int64) *int64 {
	var total *int64
	for _, n := range numbers {
		if n != nil {
			if total == nil {
				total = new(int64)
			}
			*total += *n
		}
	}
	return total
}
