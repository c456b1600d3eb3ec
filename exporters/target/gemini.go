package target

import (
	"encoding/json"

	"github.com/weir-lake/weir/exporters/canonical"
)

// gemini is the supervised tuning form of Gemini on Vertex AI. Turns of user
// and model are lists of parts. Calls have no ids: results stand in the order
// of their calls. A result is an object; another text is put into one, as
// {"output": text}. Every model turn is trained: the form has no mask.
//
// Not seen in the documentation, and so chosen: results are the user's turn.
// Limits of Gemini 2.5 Flash: 131,072 tokens an example, 1,000,000 examples,
// 1 GB; a validation file of 5,000 examples. (Vertex AI, supervised tuning,
// copies of 2025 and 2026.)
func gemini() *Target {
	return &Target{
		Name: "gemini", Doc: "Gemini on Vertex AI, supervised tuning with tools", Provider: "google",
		Model: "gemini-2.5-flash", MinLines: 1, MaxTokens: 131_072,
		Alternates: true,
		loss:       lossAll,
		fits:       []pass{userFirst, objectArguments, wrapResults},
		encode:     encodeGemini,
		check:      checkGemini,
	}
}

type (
	geminiLine struct {
		SystemInstruction *geminiTurn  `json:"systemInstruction,omitempty"`
		Contents          []geminiTurn `json:"contents"`
		Tools             []geminiTool `json:"tools,omitempty"`
	}
	geminiTurn struct {
		Role  string       `json:"role"`
		Parts []geminiPart `json:"parts"`
	}
	geminiPart struct {
		Text     *string         `json:"text,omitempty"`
		Call     *geminiCall     `json:"functionCall,omitempty"`
		Response *geminiResponse `json:"functionResponse,omitempty"`
	}
	geminiCall struct {
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	}
	geminiResponse struct {
		Name     string          `json:"name"`
		Response json.RawMessage `json:"response"`
	}
	geminiTool struct {
		Functions []chatDefinition `json:"functionDeclarations"`
	}
)

func encodeGemini(e *canonical.Example) ([]byte, error) {
	system, turns := inTurns(e.Messages)
	var line geminiLine
	if system != "" {
		line.SystemInstruction = &geminiTurn{"system", []geminiPart{{Text: &system}}}
	}
	names := map[string]string{} // of tools, by id of the call
	for _, turn := range turns {
		out := geminiTurn{Role: "user"}
		if turn.isReply {
			out.Role = "model"
		}
		for _, m := range turn.messages {
			if m.Role == "tool" {
				response, err := asObject(m.Content, "output")
				if err != nil {
					return nil, err
				}
				out.Parts = append(out.Parts, geminiPart{Response: &geminiResponse{names[m.ToolCallID], response}})
				continue
			}
			if m.Content != "" {
				out.Parts = append(out.Parts, geminiPart{Text: &m.Content})
			}
			for _, call := range m.ToolCalls {
				names[call.ID] = call.Name
				out.Parts = append(out.Parts, geminiPart{Call: &geminiCall{call.Name, json.RawMessage(call.Arguments)}})
			}
		}
		line.Contents = append(line.Contents, out)
	}
	if len(e.Tools) > 0 {
		var tool geminiTool
		for _, t := range chatTools(e.Tools) {
			tool.Functions = append(tool.Functions, t.Function)
		}
		line.Tools = []geminiTool{tool}
	}
	return encodeLine(line)
}

// asObject gives a text that is a JSON object as it is, another under a key.
func asObject(text, key string) (json.RawMessage, error) {
	if isObject(text) {
		return json.RawMessage(text), nil
	}
	return encodeLine(map[string]string{key: text})
}

func checkGemini(c *checker, line object) {
	c.keys(line, "", "systemInstruction", "system_instruction", "contents", "tools")
	for _, key := range []string{"systemInstruction", "system_instruction"} {
		if value, ok := line[key]; ok {
			system, isObject := value.(object)
			if !isObject {
				c.add(ruleType, key, "is no object")
				continue
			}
			c.keys(system, key, "role", "parts")
			if system["role"] != nil {
				c.text(system, key, "role")
			}
			c.geminiParts(system, key, "system")
		}
	}
	hasTools := c.geminiTools(line)
	contents := c.list(line, "", "contents")
	open, caller := []string{}, ""
	for i, turn := range contents {
		at := index("contents", i)
		role := c.role(turn, at, "user", "model")
		c.keys(turn, at, "role", "parts")
		calls, answers := c.geminiParts(turn, at, role)
		if len(calls) > 0 && !hasTools {
			c.add(ruleTool, "tools", "is missing, and %s calls", at)
		}
		for _, name := range answers {
			if len(open) == 0 || open[0] != name {
				c.add(ruleAnswer, at, "answers %q, which is not the next open call of the turn before", name)
				break
			}
			open = open[1:]
		}
		if len(open) > 0 {
			c.add(ruleAnswer, caller, "calls, and is not fully answered in the next turn")
		}
		open, caller = calls, at
	}
	c.turnOrder(contents, "contents", "model")
}

// geminiParts checks the parts of a turn and gives the names of the tools that
// it calls, and of those that it answers.
func (c *checker) geminiParts(turn object, path, role string) (calls, answers []string) {
	if turn == nil {
		return nil, nil
	}
	for i, part := range c.list(turn, path, "parts") {
		at := index(path+".parts", i)
		if len(part) != 1 {
			c.add(ruleContent, at, "has %d keys; a part is one of text, fileData, functionCall, functionResponse", len(part))
			continue
		}
		c.keys(part, at, "text", "fileData", "functionCall", "functionResponse")
		if _, ok := part["text"]; ok {
			c.text(part, at, "text")
		}
		for key, wanted := range map[string]string{"fileData": "user", "functionCall": "model", "functionResponse": "user"} {
			value, ok := part[key]
			if !ok {
				continue
			}
			inner, isObject := value.(object)
			at := at + "." + key
			if !isObject {
				c.add(ruleType, at, "is no object")
				continue
			}
			if role != wanted {
				c.add(ruleRole, at, "stands in a turn of %s", role)
			}
			body := "args"
			switch key {
			case "fileData":
				c.text(inner, at, "mimeType")
				c.text(inner, at, "fileUri")
				continue
			case "functionCall":
				calls = append(calls, c.text(inner, at, "name"))
			case "functionResponse":
				answers = append(answers, c.text(inner, at, "name"))
				body = "response"
			}
			c.keys(inner, at, "name", body)
			if _, ok := inner[body].(object); !ok {
				c.add(ruleCall, at+"."+body, "is no object")
			}
		}
	}
	return calls, answers
}

func (c *checker) geminiTools(line object) bool {
	value, ok := line["tools"]
	if !ok {
		return false
	}
	for i, tool := range c.objects(value, "tools") {
		at := index("tools", i)
		c.keys(tool, at, "functionDeclarations")
		for j, function := range c.list(tool, at, "functionDeclarations") {
			at := index(at+".functionDeclarations", j)
			if function == nil {
				continue
			}
			c.keys(function, at, "name", "description", "parameters", "response")
			if _, ok := function["description"]; ok {
				c.text(function, at, "description")
			}
			if name := c.text(function, at, "name"); !isName(name) {
				c.add(ruleTool, at+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
			}
			if parameters, ok := function["parameters"]; ok {
				if _, ok := parameters.(object); !ok {
					c.add(ruleTool, at+".parameters", "is no object")
				}
			}
		}
	}
	return true
}
