package target

import (
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Readers of each target's lines, as its trainer understands them: what is
// trained has weight 1, what is not 0. They share nothing with the encoders but
// the names of the keys.

type anyMap = map[string]any

// parsed is a line as it was read. Of a preference pair the example ends on the
// better answer, and worse takes its place from where on they part.
type parsed struct {
	canonical.Example
	worse []lake.Message
}

func parse(target *Target, line []byte) parsed {
	var top anyMap
	dec := json.NewDecoder(strings.NewReader(string(line)))
	dec.UseNumber()
	if err := dec.Decode(&top); err != nil {
		panic(err) // the checker took it
	}
	p := parsers[target.Name](top)
	for i := range p.Messages {
		if m := &p.Messages[i]; m.Role == "developer" {
			m.Role = "system" // the form's only name for it
		}
	}
	switch target.loss {
	case lossAll:
		for i := range p.Messages {
			train(&p.Messages[i], true)
		}
	case lossLast, lossLastAnswer:
		for i := range p.Messages {
			train(&p.Messages[i], i == len(p.Messages)-1)
		}
	}
	return p
}

var parsers = map[string]func(anyMap) parsed{
	"openai": parseChat, "azure": parseChat, "fireworks": parseChat, "together": parseChat, "mistral": parseChat,
	"trl": parseChat, "axolotl": parseChat, "mlx": parseChat,
	"trl-completion": func(line anyMap) parsed {
		line["messages"] = append(line["prompt"].([]any), line["completion"].([]any)...)
		return parseChat(line)
	},
	"gemini": parseGemini, "bedrock-nova": parseConverse,
	"bedrock-claude": func(line anyMap) parsed {
		return parsed{Example: canonical.Example{Messages: append(systemOf(line["system"]), messagesOf(line["messages"])...)}}
	},
	"llama-factory": func(line anyMap) parsed { return parsed{Example: shareGPTExample(line, list(line["conversations"]))} },
	"ms-swift": func(line anyMap) parsed {
		return parsed{Example: canonical.Example{Messages: parseSwift(list(line["messages"])), Tools: toolsOf(line["tools"])}}
	},
	"openai-dpo": parseChoice, "azure-dpo": parseChoice, "fireworks-dpo": parseChoice, "together-dpo": parseChoice,
	"trl-dpo": func(line anyMap) parsed {
		return pairOf(messagesOf(line["prompt"]), messagesOf(line["chosen"]), messagesOf(line["rejected"]), toolsOf(line["tools"]))
	},
	"axolotl-dpo": func(line anyMap) parsed {
		one := func(key string) []lake.Message { return messagesOf([]any{line[key]}) }
		return pairOf(messagesOf(line["messages"]), one("chosen"), one("rejected"), nil)
	},
	"llama-factory-dpo": func(line anyMap) parsed {
		context := shareGPTExample(line, list(line["conversations"]))
		one := func(key string) []lake.Message {
			return shareGPTExample(anyMap{}, []anyMap{line[key].(anyMap)}).Messages
		}
		return pairOf(context.Messages, one("chosen"), one("rejected"), context.Tools)
	},
	"ms-swift-dpo": func(line anyMap) parsed {
		better := parseSwift(list(line["messages"]))
		from := len(better) - 1
		for from > 0 && better[from].Role != "user" {
			from--
		}
		p := parsed{Example: canonical.Example{Messages: better, Tools: toolsOf(line["tools"])}}
		p.worse = append(append(p.worse, better[:from+1]...), parseSwift(list(line["rejected_response"]))...)
		return p
	},
	"openai-rft": func(line anyMap) parsed {
		p := parseChat(line)
		reply := lake.Message{Role: "assistant", Content: line["reference_answer"].(string), ToolCalls: callsOf(line["reference_tools"])}
		p.Messages = append(p.Messages, reply)
		if format, ok := line["response_format"]; ok {
			p.ResponseFormat = textOf(format)
		}
		return p
	},
}

func train(m *lake.Message, trained bool) {
	if m.Role != "assistant" {
		return
	}
	weight := 0.0
	if trained {
		weight = 1
	}
	m.Weight = &weight
}

func pairOf(context, better, worse []lake.Message, tools []lake.Tool) parsed {
	p := parsed{Example: canonical.Example{Messages: append(context[:len(context):len(context)], better...), Tools: tools}}
	p.worse = append(context[:len(context):len(context)], worse...)
	return p
}

// list reads a list of objects, which may stand in a text.
func list(value any) []anyMap {
	if text, ok := value.(string); ok {
		value = jsonOf(text)
	}
	elements, _ := value.([]any)
	var objects []anyMap
	for _, element := range elements {
		objects = append(objects, element.(anyMap))
	}
	return objects
}

func jsonOf(text string) any {
	var value any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&value); err != nil {
		return nil
	}
	return value
}

// textOf gives JSON as text, and a text as it is.
func textOf(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := encodeLine(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func toolOf(function anyMap) lake.Tool {
	tool := lake.Tool{Name: function["name"].(string)}
	tool.Description, _ = function["description"].(string)
	if parameters, ok := function["parameters"]; ok {
		tool.Parameters = textOf(parameters)
	}
	return tool
}

func toolsOf(value any) []lake.Tool {
	var tools []lake.Tool
	for _, tool := range list(value) {
		if function, ok := tool["function"].(anyMap); ok {
			tool = function
		}
		tools = append(tools, toolOf(tool))
	}
	return tools
}

func callsOf(value any) []lake.ToolCall {
	var calls []lake.ToolCall
	for _, call := range list(value) {
		id, _ := call["id"].(string)
		function := call["function"].(anyMap)
		calls = append(calls, lake.ToolCall{ID: id, Name: function["name"].(string), Arguments: textOf(function["arguments"])})
	}
	return calls
}

func systemOf(text any) []lake.Message {
	if text, _ := text.(string); text != "" {
		return []lake.Message{{Role: "system", Content: text}}
	}
	return nil
}

func messagesOf(value any) []lake.Message {
	var messages []lake.Message
	for _, m := range list(value) {
		out := lake.Message{Role: m["role"].(string)}
		out.Content, _ = m["content"].(string)
		out.Reasoning, _ = m["reasoning_content"].(string)
		out.ToolCallID, _ = m["tool_call_id"].(string)
		if out.Role != "tool" { // there it is the tool's, which the call has
			out.Name, _ = m["name"].(string)
		}
		out.ToolCalls = callsOf(m["tool_calls"])
		train(&out, m["weight"] != json.Number("0") && m["train"] != false)
		messages = append(messages, out)
	}
	return messages
}

func parseChat(line anyMap) parsed {
	p := parsed{Example: canonical.Example{Messages: messagesOf(line["messages"]), Tools: toolsOf(line["tools"])}}
	if parallel, ok := line["parallel_tool_calls"].(bool); ok {
		p.ParallelToolCalls = &parallel
	}
	return p
}

func parseChoice(line anyMap) parsed {
	input := parseChat(line["input"].(anyMap))
	p := pairOf(input.Messages, messagesOf(line["preferred_output"]), messagesOf(line["non_preferred_output"]), input.Tools)
	p.ParallelToolCalls = input.ParallelToolCalls
	return p
}

func shareGPTExample(line anyMap, turns []anyMap) canonical.Example {
	system, _ := line["system"].(string)
	e := canonical.Example{Messages: systemOf(system), Tools: toolsOf(line["tools"])}
	for _, turn := range turns {
		reasoning, value := cutThought(turn["value"].(string))
		m := lake.Message{Role: "assistant", Content: value, Reasoning: reasoning}
		switch turn["from"] {
		case "human":
			m = lake.Message{Role: "user", Content: turn["value"].(string)}
		case "observation":
			m = lake.Message{Role: "tool", Content: turn["value"].(string)}
		case "function_call":
			m.Content, m.ToolCalls = "", namedCallsOf(value)
		}
		e.Messages = append(e.Messages, m)
	}
	return e
}

func namedCallsOf(text string) []lake.ToolCall {
	value := jsonOf(text)
	if one, ok := value.(anyMap); ok {
		value = []any{one}
	}
	var calls []lake.ToolCall
	for _, call := range list(value) {
		calls = append(calls, lake.ToolCall{Name: call["name"].(string), Arguments: textOf(call["arguments"])})
	}
	return calls
}

// parseSwift joins a text and the calls behind it.
func parseSwift(messages []anyMap) []lake.Message {
	var out []lake.Message
	open := false // the last message is the assistant's, and calls may follow
	for _, m := range messages {
		content := m["content"].(string)
		switch role := m["role"].(string); role {
		case "tool_call":
			if !open {
				out = append(out, lake.Message{Role: "assistant"})
				train(&out[len(out)-1], m["loss"] != false)
			}
			last := &out[len(out)-1]
			last.ToolCalls, open = append(last.ToolCalls, namedCallsOf(content)...), true
		case "assistant":
			reasoning, rest := cutThought(content)
			out = append(out, lake.Message{Role: role, Content: rest, Reasoning: reasoning})
			train(&out[len(out)-1], m["loss"] != false)
			open = true
		default:
			out = append(out, lake.Message{Role: strings.TrimSuffix(role, "_response"), Content: content})
			open = false
		}
	}
	return out
}

func parseGemini(line anyMap) parsed {
	var p parsed
	if system, ok := line["systemInstruction"].(anyMap); ok {
		p.Messages = systemOf(list(system["parts"])[0]["text"])
	}
	for _, turn := range list(line["contents"]) {
		reply := lake.Message{Role: "assistant"}
		for _, part := range list(turn["parts"]) {
			text, _ := part["text"].(string)
			switch {
			case part["functionResponse"] != nil:
				p.Messages = append(p.Messages, lake.Message{Role: "tool", Content: textOf(part["functionResponse"].(anyMap)["response"])})
			case turn["role"] == "user":
				p.Messages = append(p.Messages, lake.Message{Role: "user", Content: text})
			case part["functionCall"] != nil:
				call := part["functionCall"].(anyMap)
				reply.ToolCalls = append(reply.ToolCalls, lake.ToolCall{Name: call["name"].(string), Arguments: textOf(call["args"])})
			default:
				reply.Content = text
			}
		}
		if turn["role"] == "model" {
			p.Messages = append(p.Messages, reply)
		}
	}
	for _, tool := range list(line["tools"]) {
		p.Tools = append(p.Tools, toolsOf(tool["functionDeclarations"])...)
	}
	return p
}

func parseConverse(line anyMap) parsed {
	var p parsed
	for _, block := range list(line["system"]) {
		p.Messages = append(p.Messages, systemOf(block["text"])...)
	}
	for _, turn := range list(line["messages"]) {
		reply := lake.Message{Role: "assistant"}
		for _, block := range list(turn["content"]) {
			text, _ := block["text"].(string)
			use, _ := block["toolUse"].(anyMap)
			result, _ := block["toolResult"].(anyMap)
			reasoning, _ := block["reasoningContent"].(anyMap)
			switch {
			case result != nil:
				content := list(result["content"])[0]
				m := lake.Message{Role: "tool", ToolCallID: result["toolUseId"].(string)}
				if m.Content, _ = content["text"].(string); content["json"] != nil {
					m.Content = textOf(content["json"])
				}
				p.Messages = append(p.Messages, m)
			case turn["role"] == "user":
				p.Messages = append(p.Messages, lake.Message{Role: "user", Content: text})
			case reasoning != nil:
				reply.Reasoning = reasoning["reasoningText"].(anyMap)["text"].(string)
			case use != nil:
				reply.ToolCalls = append(reply.ToolCalls, lake.ToolCall{ID: use["toolUseId"].(string), Name: use["name"].(string), Arguments: textOf(use["input"])})
			default:
				reply.Content = text
			}
		}
		if turn["role"] == "assistant" {
			p.Messages = append(p.Messages, reply)
		}
	}
	config, _ := line["toolConfig"].(anyMap)
	for _, tool := range list(config["tools"]) {
		spec := tool["toolSpec"].(anyMap)
		one := toolOf(spec)
		one.Parameters = textOf(spec["inputSchema"].(anyMap)["json"])
		p.Tools = append(p.Tools, one)
	}
	return p
}
