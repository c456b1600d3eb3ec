package distill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// Forms of requests.
const (
	ChatCompletions = "openai"    // OpenAI's chat completions, and all who speak their language
	Responses       = "responses" // OpenAI's Responses
	Messages        = "anthropic" // Anthropic's Messages
)

// Forms lists them in the order of the documentation.
func Forms() []string { return []string{ChatCompletions, Responses, Messages} }

// ErrForm says that a request is none whose form is known.
var ErrForm = errors.New("is no request of a known form")

// Request shortens a request as Example does the example that a log of it
// gives: the texts are the same to the byte. Form is one of Forms; empty: it is
// told by the request. A request that no rule touches comes back as it is; in
// others keys keep their order and all values that no rule touches their bytes.
//
// Text blocks of one prompt are one text, as they are in the lake, and become
// one block where a rule changes them; what else their last block says
// (cache_control) stays.
func (r *Rules) Request(raw []byte, form string) ([]byte, Fired, error) {
	request, err := parseObject(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	if form == "" {
		if form = formOf(request); form == "" {
			return nil, nil, lake.WithHint(fmt.Errorf("request: %w", ErrForm), "--format "+strings.Join(Forms(), " or --format "))
		}
	}
	s := shortener{rules: r, fired: Fired{}}
	switch form {
	case ChatCompletions:
		request = s.list(request, "messages")
	case Responses:
		request = s.list(s.field(s.list(request, "instructions"), "instructions"), "input")
	case Messages:
		request = s.list(s.field(request, "system"), "messages")
	default:
		return nil, nil, lake.WithHint(fmt.Errorf("request: form %q: %w", form, ErrForm), "--format "+strings.Join(Forms(), " or --format "))
	}
	for _, key := range []string{"tools", "functions"} {
		request = s.tools(request, key)
	}
	if s.err != nil {
		return nil, nil, fmt.Errorf("request: %w", s.err)
	}
	if len(s.fired) == 0 {
		return raw, s.fired, nil
	}
	return request.raw(), s.fired, nil
}

// formOf tells the form of a request as the lake's reader of gateway logs does.
func formOf(request object) string {
	messages, _ := list(request.get("messages"))
	switch {
	case messages == nil && (request.get("input") != nil || request.get("instructions") != nil):
		return Responses
	case messages == nil:
		return ""
	case request.get("system") != nil, request.get("anthropic_version") != nil, strings.HasPrefix(request.text("model"), "claude"):
		return Messages
	}
	tools, _ := list(request.get("tools"))
	for _, raw := range tools {
		if tool, err := parseObject(raw); err == nil && tool.get("input_schema") != nil {
			return Messages
		}
	}
	for _, raw := range messages {
		message, err := parseObject(raw)
		if err != nil {
			continue
		}
		blocks, _ := list(message.get("content"))
		for _, raw := range blocks {
			block, err := parseObject(raw)
			if kind := block.text("type"); err == nil && (kind == "tool_use" || kind == "tool_result") {
				return Messages
			}
		}
	}
	return ChatCompletions
}

// shortener shortens one request; what is wrong with it first is its error.
type shortener struct {
	rules *Rules
	fired Fired
	err   error
}

// list shortens the prompts among the messages of a list.
func (s *shortener) list(o object, key string) object {
	elements, ok := list(o.get(key))
	if !ok {
		return o
	}
	kept := make([]json.RawMessage, 0, len(elements))
	changed := false
	for i, raw := range elements {
		message, err := parseObject(raw)
		if err != nil {
			if _, isText := textOf(raw); !isText && s.err == nil {
				s.err = where(fmt.Sprintf("%s[%d]", key, i), err)
			}
			kept = append(kept, raw)
			continue
		}
		if kind := message.text("type"); !isSystem(message.text("role")) || kind != "" && kind != "message" {
			kept = append(kept, raw)
			continue
		}
		content, gone, did := s.content(message.get("content"))
		changed = changed || did
		switch {
		case gone:
		case did:
			kept = append(kept, message.with("content", content).raw())
		default:
			kept = append(kept, raw)
		}
	}
	if !changed {
		return o
	}
	return o.with(key, rawList(kept))
}

// field shortens the prompt that a key of the request holds.
func (s *shortener) field(o object, key string) object {
	raw := o.get(key)
	if raw == nil {
		return o
	}
	if elements, ok := list(raw); ok && key == "instructions" && len(elements) > 0 {
		return o // messages; list has been there
	}
	content, gone, changed := s.content(raw)
	switch {
	case gone:
		return o.with(key, nil)
	case changed:
		return o.with(key, content)
	}
	return o
}

// content shortens a text or a list of blocks. gone: nothing is left of it.
func (s *shortener) content(raw json.RawMessage) (_ json.RawMessage, gone, changed bool) {
	if text, ok := textOf(raw); ok {
		after, changed := s.rules.prompt(text, s.fired)
		return quoted(after), changed && after == "", changed
	}
	blocks, ok := list(raw)
	if !ok {
		return raw, false, false
	}
	text, last := "", -1
	for i, raw := range blocks {
		part, ok := blockText(raw)
		if !ok {
			continue
		}
		if text != "" {
			text += "\n\n" // as the lake joins them
		}
		text += part
		last = i
	}
	if last < 0 {
		return raw, false, false
	}
	after, changed := s.rules.prompt(text, s.fired)
	if !changed {
		return raw, false, false
	}
	kept := make([]json.RawMessage, 0, len(blocks))
	for i, raw := range blocks {
		switch _, isText := blockText(raw); {
		case !isText:
			kept = append(kept, raw)
		case i == last && after != "":
			block, err := parseObject(raw)
			if err != nil {
				kept = append(kept, quoted(after)) // a block that is a text
				continue
			}
			kept = append(kept, block.with("text", quoted(after)).raw())
		}
	}
	return rawList(kept), len(kept) == 0, true
}

func textOf(raw json.RawMessage) (string, bool) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

func blockText(raw json.RawMessage) (string, bool) {
	if text, ok := textOf(raw); ok {
		return text, true
	}
	block, err := parseObject(raw)
	if err != nil {
		return "", false
	}
	switch block.text("type") {
	case "text", "input_text", "output_text":
		return textOf(block.get("text"))
	}
	return "", false
}

// tools shortens declarations, in the forms of all APIs.
func (s *shortener) tools(request object, key string) object {
	elements, ok := list(request.get(key))
	if !ok || len(elements) == 0 {
		return request
	}
	choice := request.get("tool_choice")
	if choice == nil {
		choice = request.get("function_call")
	}
	forced, changed := forcedTool(string(choice)), false
	kept := make([]json.RawMessage, 0, len(elements))
	for i, raw := range elements {
		declared, err := parseObject(raw)
		if err != nil {
			s.err = where(fmt.Sprintf("%s[%d]", key, i), err)
			return request
		}
		after, ok := s.tool(declared, raw, forced)
		changed = changed || !ok || !bytes.Equal(after, raw)
		if ok {
			kept = append(kept, after)
		}
	}
	switch {
	case !changed:
		return request
	case len(kept) > 0:
		return request.with(key, rawList(kept))
	}
	// Without tools the rest is refused.
	for _, key := range []string{key, "tool_choice", "function_call", "parallel_tool_calls"} {
		request = request.with(key, nil)
	}
	return request
}

// tool shortens one declaration, raw where nothing changes.
func (s *shortener) tool(declared object, raw json.RawMessage, forced string) (json.RawMessage, bool) {
	inner, wrap := declared, ""
	for _, key := range []string{"function", "custom"} {
		if o, err := parseObject(declared.get(key)); err == nil {
			inner, wrap = o, key
			break
		}
	}
	parameters := ""
	for _, key := range []string{"parameters", "input_schema", "parametersJsonSchema"} {
		if inner.get(key) != nil {
			parameters = key
			break
		}
	}
	tool := lake.Tool{Name: inner.text("name"), Description: inner.text("description"), Parameters: string(compact(inner.get(parameters)))}
	after, kept := s.rules.tool(tool, forced, s.fired)
	if !kept {
		return nil, false
	}
	if after == tool {
		return raw, true
	}
	if after.Description == "" {
		inner = inner.with("description", nil)
	} else if inner.get("description") == nil {
		inner = append(inner, member{"description", quoted(after.Description)})
	} else {
		inner = inner.with("description", quoted(after.Description))
	}
	if after.Parameters != tool.Parameters {
		inner = inner.with(parameters, json.RawMessage(after.Parameters))
	}
	if wrap == "" {
		return inner.raw(), true
	}
	return declared.with(wrap, inner.raw()).raw(), true
}
