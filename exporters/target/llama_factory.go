package target

import (
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// llamaFactory is LLaMA-Factory's sharegpt form, with the dataset_info.json
// that declares the files as weir_train and weir_validation. What the input
// says and what the model says take turns; one turn has a text or calls, and
// the results of parallel calls are one observation. Every reply is trained.
// All tags are declared: those that are left out are read as none, and the
// rows that use them are skipped. Reasoning stands in the text, between the
// tags of the trainer's default template. Rows that do not fit are skipped without an
// error, so the checker is strict.
//
// The trainer cuts at cutoff_len, 2,048 tokens by default. (LLaMA-Factory
// 0.9.6 source, 2026-08.)
func llamaFactory() *Target {
	return &Target{
		Name: "llama-factory", Doc: "LLaMA-Factory sharegpt datasets with dataset_info.json", Provider: "local",
		Model: "Qwen/Qwen3-4B-Instruct-2507", MinLines: 1,
		Alternates: true, oneFile: true, HasReasoning: true,
		loss:     lossAll,
		fits:     []pass{userFirst, replyAfterTool, objectArguments, textOrCalls, plainThoughts, joinResults, toolParameters, toolProperties},
		sidecars: func() []Sidecar { return datasetInfo(false) },
		encode:   encodeShareGPT,
		check:    checkShareGPT,
	}
}

// joinResults makes the results of parallel calls one message. They stand in
// the order of the calls.
func joinResults(e *canonical.Example, losses Losses) Rule {
	var messages []lake.Message
	for i, m := range e.Messages {
		if i > 0 && m.Role == "tool" && e.Messages[i-1].Role == "tool" {
			losses.add(RuleResultsJoined)
			last := &messages[len(messages)-1]
			last.Content += "\n" + m.Content
			continue
		}
		messages = append(messages, m)
	}
	e.Messages = messages
	return ""
}

// toolProperties gives schemas their properties: most of the trainer's tool
// formats read the key without asking.
func toolProperties(e *canonical.Example, losses Losses) Rule {
	for i := range e.Tools { // toolParameters made copies
		tool := &e.Tools[i]
		var schema map[string]json.RawMessage
		if json.Unmarshal([]byte(tool.Parameters), &schema) != nil {
			return RuleBadSchema
		}
		if _, has := schema["properties"]; has {
			continue
		}
		losses.add(RuleToolParameters)
		separator := ","
		if len(schema) == 0 {
			separator = ""
		}
		tool.Parameters = strings.TrimSuffix(strings.TrimSpace(tool.Parameters), "}") + separator + `"properties":{}}`
	}
	return ""
}

type (
	shareGPTLine struct {
		Conversations []shareGPTTurn `json:"conversations"`
		System        string         `json:"system"`
		Tools         string         `json:"tools"`
	}
	shareGPTTurn struct {
		From  string `json:"from"`
		Value string `json:"value"`
	}
	// namedCall is a call as a text of the conversation.
	namedCall struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
)

func encodeShareGPT(e *canonical.Example) ([]byte, error) {
	line, err := shareGPTOf(e.Messages, e.Tools)
	if err != nil {
		return nil, err
	}
	return encodeLine(line)
}

func shareGPTOf(messages []lake.Message, tools []lake.Tool) (line shareGPTLine, err error) {
	for _, m := range messages {
		switch {
		case m.Role == "system":
			line.System = m.Content
		case m.Role == "user":
			line.Conversations = append(line.Conversations, shareGPTTurn{"human", m.Content})
		case m.Role == "tool":
			line.Conversations = append(line.Conversations, shareGPTTurn{"observation", m.Content})
		case len(m.ToolCalls) == 0:
			line.Conversations = append(line.Conversations, shareGPTTurn{"gpt", thought(m) + m.Content})
		default:
			var calls []namedCall
			for _, call := range m.ToolCalls {
				calls = append(calls, namedCall{call.Name, json.RawMessage(call.Arguments)})
			}
			var value any = calls
			if len(calls) == 1 {
				value = calls[0]
			}
			text, err := encodeLine(value)
			if err != nil {
				return line, err
			}
			line.Conversations = append(line.Conversations, shareGPTTurn{"function_call", thought(m) + string(text)})
		}
	}
	if len(tools) > 0 {
		var list []chatDefinition
		for _, tool := range tools {
			list = append(list, chatDefinition{tool.Name, tool.Description, json.RawMessage(tool.Parameters)})
		}
		text, err := encodeLine(list)
		if err != nil {
			return line, err
		}
		line.Tools = string(text)
	}
	return line, nil
}

// datasetInfo declares the files: of conversations, or of pairs.
func datasetInfo(ranking bool) []Sidecar {
	kind, columns := "", ""
	if ranking {
		kind, columns = `"ranking":true,`, `,"chosen":"chosen","rejected":"rejected"`
	}
	set := func(file string) string {
		return `{"file_name":"` + file + `","formatting":"sharegpt",` + kind +
			`"columns":{"messages":"conversations","system":"system","tools":"tools"` + columns + `},` +
			`"tags":{"role_tag":"from","content_tag":"value","user_tag":"human","assistant_tag":"gpt",` +
			`"observation_tag":"observation","function_tag":"function_call","system_tag":"system"}}`
	}
	text := `{"weir_train":` + set("train.jsonl") + `,"weir_validation":` + set("validation.jsonl") + `}`
	return []Sidecar{{Name: "dataset_info.json", JSON: []byte(text)}}
}

func checkShareGPT(c *checker, line object) {
	c.keys(line, "", "conversations", "system", "tools")
	hasTools := c.shareGPTOpening(line)
	turns := c.list(line, "", "conversations")
	c.shareGPTTurns(turns, hasTools)
	if len(turns)%2 == 1 {
		c.add(ruleEnding, index("conversations", len(turns)-1), "is the last message and no reply: the row would be skipped")
	}
}

// shareGPTOpening checks what stands beside the conversation, and tells whether
// tools are declared.
func (c *checker) shareGPTOpening(line object) bool {
	if value, ok := line["system"]; ok && value != nil {
		c.text(line, "", "system")
	}
	return c.shareGPTTools(line)
}

func (c *checker) shareGPTTurns(turns []object, hasTools bool) {
	for i, turn := range turns {
		at := index("conversations", i)
		wanted := "human or observation"
		if i%2 == 1 {
			wanted = "gpt or function_call"
		}
		from := c.shareGPTTurn(turn, at, wanted, hasTools)
		if from == "observation" && (i == 0 || turns[i-1]["from"] != "function_call") {
			c.add(ruleAnswer, at, "is an observation that follows no call")
		}
	}
}

// shareGPTTurn checks a turn at a place of wanted, and gives whose it is.
func (c *checker) shareGPTTurn(turn object, at, wanted string, hasTools bool) string {
	if turn == nil {
		return ""
	}
	c.keys(turn, at, "from", "value")
	from, value := c.text(turn, at, "from"), c.text(turn, at, "value")
	switch from {
	case "human", "observation", "gpt", "function_call":
		if !strings.Contains(wanted, from) {
			c.add(ruleOrder, at+".from", "is %q at a place of %s: the row would be skipped", from, wanted)
		}
	default:
		c.add(ruleRole, at+".from", "is %q; known are human, observation, gpt, function_call", from)
	}
	if from == "function_call" {
		_, value = cutThought(value)
		c.namedCalls(value, at+".value", true)
		if !hasTools {
			c.add(ruleTool, "tools", "is missing, and %s calls", at)
		}
	}
	return from
}

func (c *checker) shareGPTTools(line object) bool {
	value, ok := line["tools"]
	if !ok || value == nil || value == "" {
		return false
	}
	text, ok := value.(string)
	if !ok {
		c.add(ruleType, "tools", "is no string of JSON")
		return true
	}
	if value = c.inText(text, "tools"); value == nil {
		return true
	}
	for i, tool := range c.objects(value, "tools") {
		at := index("tools", i)
		if name := c.text(tool, at, "name"); !isName(name) {
			c.add(ruleTool, at+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		parameters, _ := tool["parameters"].(object)
		if _, ok := parameters["properties"].(object); !ok {
			c.add(ruleTool, at+".parameters.properties", "is no object, and the trainer's templates read it")
		}
	}
	return true
}

// namedCalls checks a text that is a call, or a list of calls.
func (c *checker) namedCalls(text, path string, list bool) {
	value := c.inText(text, path)
	if value == nil {
		return
	}
	if _, isList := value.([]any); !isList || !list {
		value = []any{value}
	}
	for _, call := range c.objects(value, path) {
		if name := c.text(call, path, "name"); !isName(name) {
			c.add(ruleCall, path, "names no tool of 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		if _, ok := call["arguments"].(object); !ok {
			c.add(ruleCall, path, "has arguments that are no object")
		}
	}
}
