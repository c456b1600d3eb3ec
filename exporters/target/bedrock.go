package target

import (
	"encoding/json"
	"regexp"

	"github.com/weir-lake/weir/exporters/canonical"
)

// bedrockNova is the converse form of Amazon Bedrock for Nova 2, with tools;
// an older copy of the guide says that tool sections may fail a job of Nova 1.
// A result that is no JSON object is a text block, an empty one an empty
// object. Reasoning is a block before the text. Some texts are reserved and fail the job wherever they stand. Every
// assistant turn is trained: the form has no mask.
//
// Limits on records were not seen. (Nova user guide, copies of 2025 and 2026.)
func bedrockNova() *Target {
	return &Target{
		Name: "bedrock-nova", Doc: "Amazon Bedrock, Nova 2, converse form with tools", Provider: "bedrock",
		Model: "amazon.nova-2-lite-v1:0", MinLines: 1,
		Alternates: true, HasReasoning: true,
		loss:   lossAll,
		fits:   []pass{userFirst, objectArguments, emptyResults, toolParameters, noReserved, callIDsOf(isToolUseID, "call_%d")},
		encode: encodeConverse,
		check:  checkConverse,
	}
}

var toolUseID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func isToolUseID(id string) bool { return toolUseID.MatchString(id) }

// emptyResults says where an empty result is put into an object: the form has
// no empty text.
func emptyResults(e *canonical.Example, losses Losses) Rule {
	for _, m := range e.Messages {
		if m.Role == "tool" && m.Content == "" {
			losses.add(RuleResultWrapped)
		}
	}
	return ""
}

type (
	converseLine struct {
		SchemaVersion string          `json:"schemaVersion"`
		System        []converseBlock `json:"system,omitempty"`
		Messages      []converseTurn  `json:"messages"`
		ToolConfig    *converseConfig `json:"toolConfig,omitempty"`
	}
	converseTurn struct {
		Role    string          `json:"role"`
		Content []converseBlock `json:"content"`
	}
	converseBlock struct {
		Reasoning  *converseReasoning `json:"reasoningContent,omitempty"`
		Text       string             `json:"text,omitempty"`
		JSON       json.RawMessage    `json:"json,omitempty"` // in results only
		ToolUse    *converseUse       `json:"toolUse,omitempty"`
		ToolResult *converseResult    `json:"toolResult,omitempty"`
	}
	converseReasoning struct {
		Text converseText `json:"reasoningText"`
	}
	converseText struct {
		Text string `json:"text"`
	}
	converseUse struct {
		ID    string          `json:"toolUseId"`
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
	}
	converseResult struct {
		ID      string          `json:"toolUseId"`
		Content []converseBlock `json:"content"`
	}
	converseConfig struct {
		Tools []converseTool `json:"tools"`
	}
	converseTool struct {
		Spec converseSpec `json:"toolSpec"`
	}
	converseSpec struct {
		Name        string         `json:"name"`
		Description string         `json:"description,omitempty"`
		InputSchema converseSchema `json:"inputSchema"`
	}
	converseSchema struct {
		JSON json.RawMessage `json:"json"`
	}
)

func encodeConverse(e *canonical.Example) ([]byte, error) {
	system, turns := inTurns(e.Messages)
	line := converseLine{SchemaVersion: "bedrock-conversation-2024"}
	if system != "" {
		line.System = []converseBlock{{Text: system}}
	}
	for _, turn := range turns {
		out := converseTurn{Role: "user"}
		if turn.isReply {
			out.Role = "assistant"
		}
		for _, m := range turn.messages {
			if m.Role == "tool" {
				out.Content = append(out.Content, converseBlock{ToolResult: &converseResult{m.ToolCallID, []converseBlock{resultBlock(m.Content)}}})
				continue
			}
			if m.Reasoning != "" {
				out.Content = append(out.Content, converseBlock{Reasoning: &converseReasoning{converseText{m.Reasoning}}})
			}
			if m.Content != "" {
				out.Content = append(out.Content, converseBlock{Text: m.Content})
			}
			for _, call := range m.ToolCalls {
				out.Content = append(out.Content, converseBlock{ToolUse: &converseUse{call.ID, call.Name, json.RawMessage(call.Arguments)}})
			}
		}
		line.Messages = append(line.Messages, out)
	}
	if len(e.Tools) > 0 {
		line.ToolConfig = &converseConfig{}
		for _, tool := range e.Tools {
			line.ToolConfig.Tools = append(line.ToolConfig.Tools, converseTool{converseSpec{tool.Name, tool.Description, converseSchema{json.RawMessage(tool.Parameters)}}})
		}
	}
	return encodeLine(line)
}

func resultBlock(text string) converseBlock {
	switch {
	case text == "":
		return converseBlock{JSON: json.RawMessage("{}")}
	case isObject(text):
		return converseBlock{JSON: json.RawMessage(text)}
	default:
		return converseBlock{Text: text}
	}
}

func checkConverse(c *checker, line object) {
	c.keys(line, "", "schemaVersion", "system", "messages", "toolConfig")
	c.text(line, "", "schemaVersion")
	if _, ok := line["system"]; ok {
		for i, block := range c.list(line, "", "system") {
			c.converseText(block, index("system", i))
		}
	}
	hasTools := c.converseTools(line)
	messages := c.messages(line)
	used, open, caller := map[string]bool{}, map[string]bool{}, ""
	for i, turn := range messages {
		at := index("messages", i)
		role := c.role(turn, at, "user", "assistant")
		c.keys(turn, at, "role", "content")
		if turn == nil {
			continue
		}
		calls := map[string]bool{}
		for j, block := range c.list(turn, at, "content") {
			c.converseBlock(block, index(at+".content", j), role, used, calls, open)
		}
		if len(calls) > 0 && !hasTools {
			c.add(ruleTool, "toolConfig", "is missing, and %s calls", at)
		}
		if len(open) > 0 {
			c.add(ruleAnswer, caller, "calls, and is not fully answered in the next turn")
		}
		open, caller = calls, at
	}
	c.turnOrder(messages, "messages", "assistant")
}

// converseText checks what has a text and nothing else.
func (c *checker) converseText(block object, path string) {
	c.keys(block, path, "text")
	text := c.text(block, path, "text")
	if value, ok := block["text"].(string); ok && value == "" {
		c.add(ruleContent, path+".text", "is empty")
	}
	if reservedIn(text) != "" {
		c.add(ruleReserved, path+".text", "has %q, which the provider reserves: the job would fail", reservedIn(text))
	}
}

// converseBlock checks a block of a turn. used are all ids of calls so far,
// calls those of this turn, open those of the turn before without an answer.
func (c *checker) converseBlock(block object, path, role string, used, calls, open map[string]bool) {
	if block == nil {
		return // reported
	}
	if len(block) != 1 {
		c.add(ruleContent, path, "has %d keys; a block is one of text, toolUse, toolResult and the media", len(block))
		return
	}
	c.keys(block, path, "text", "toolUse", "toolResult", "image", "video", "document", "reasoningContent")
	if _, ok := block["text"]; ok {
		c.converseText(block, path)
	}
	if value, ok := block["reasoningContent"]; ok {
		at := path + ".reasoningContent"
		reasoning, _ := value.(object)
		if role != "assistant" {
			c.add(ruleContent, at, "stands in a turn of %s; only assistants reason", role)
		}
		c.keys(reasoning, at, "reasoningText", "redactedContent")
		text, ok := reasoning["reasoningText"].(object)
		if !ok {
			c.add(ruleType, at+".reasoningText", "is no object")
		} else {
			c.converseText(text, at+".reasoningText")
		}
	}
	if value, ok := block["toolUse"]; ok {
		at := path + ".toolUse"
		use, _ := value.(object)
		c.keys(use, at, "toolUseId", "name", "input")
		if role != "assistant" {
			c.add(ruleCall, at, "stands in a turn of %s; only assistants call", role)
		}
		if name := c.text(use, at, "name"); !isName(name) {
			c.add(ruleCall, at+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		if _, ok := use["input"].(object); !ok {
			c.add(ruleCall, at+".input", "is no object")
		}
		id := c.text(use, at, "toolUseId")
		if used[id] {
			c.add(ruleCall, at+".toolUseId", "%q is another call's too", id)
		}
		used[id], calls[id] = true, true
	}
	if value, ok := block["toolResult"]; ok {
		at := path + ".toolResult"
		result, _ := value.(object)
		c.keys(result, at, "toolUseId", "content", "status")
		id := c.text(result, at, "toolUseId")
		if !open[id] || role != "user" {
			c.add(ruleAnswer, at+".toolUseId", "%q is no open call of the turn before", id)
		}
		delete(open, id)
		for i, part := range c.list(result, at, "content") {
			at := index(at+".content", i)
			if _, isJSON := part["json"]; isJSON {
				c.keys(part, at, "json")
			} else if part != nil {
				c.converseText(part, at)
			}
		}
	}
}

func (c *checker) converseTools(line object) bool {
	value, ok := line["toolConfig"]
	if !ok {
		return false
	}
	config, _ := value.(object)
	c.keys(config, "toolConfig", "tools")
	for i, tool := range c.list(config, "toolConfig", "tools") {
		at := index("toolConfig.tools", i)
		c.keys(tool, at, "toolSpec")
		at += ".toolSpec"
		spec, _ := tool["toolSpec"].(object)
		c.keys(spec, at, "name", "description", "inputSchema")
		if _, ok := spec["description"]; ok {
			c.text(spec, at, "description")
		}
		if name := c.text(spec, at, "name"); !isName(name) {
			c.add(ruleTool, at+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		schema, _ := spec["inputSchema"].(object)
		c.keys(schema, at+".inputSchema", "json")
		if _, ok := schema["json"].(object); !ok {
			c.add(ruleTool, at+".inputSchema.json", "is no object")
		}
	}
	return true
}

// bedrockClaude is the form for Claude 3 Haiku on Amazon Bedrock: text in
// strict turns, no tools, no key beside those. Every assistant turn is trained.
//
// Limits: 32 to 10,000 records, 32,000 tokens each; training file 10 GB,
// validation file 1,000 records and 1 GB. (Bedrock user guide, copy of 2026.)
func bedrockClaude() *Target {
	return &Target{
		Name: "bedrock-claude", Doc: "Amazon Bedrock, Claude 3 Haiku, text only", Provider: "bedrock",
		Model: "anthropic.claude-3-haiku-20240307-v1:0:200k", MinLines: 32, MaxTokens: 32_000,
		Alternates: true,
		loss:       lossAll,
		fits:       []pass{userFirst, withoutTools},
		encode: func(e *canonical.Example) ([]byte, error) {
			line := struct {
				System   string          `json:"system,omitempty"`
				Messages []claudeMessage `json:"messages"`
			}{}
			for _, m := range e.Messages {
				if m.Role == "system" {
					line.System = m.Content
					continue
				}
				line.Messages = append(line.Messages, claudeMessage{m.Role, m.Content})
			}
			return encodeLine(line)
		},
		check: checkClaude,
	}
}

type claudeMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func checkClaude(c *checker, line object) {
	c.keys(line, "", "system", "messages")
	if _, ok := line["system"]; ok {
		c.text(line, "", "system")
	}
	messages := c.messages(line)
	for i, m := range messages {
		at := index("messages", i)
		c.role(m, at, "user", "assistant")
		if m == nil {
			continue
		}
		c.keys(m, at, "role", "content")
		c.text(m, at, "content")
	}
	c.turnOrder(messages, "messages", "assistant")
}
