package target

import (
	"encoding/json"
	"regexp"
	"slices"

	"github.com/weir-lake/weir/exporters/canonical"
)

// mistral is the form of Mistral's API and of mistral-finetune. A reply has
// text or calls; ids of calls are nine letters and digits; after a tool's
// result the assistant speaks; tools need a description and a JSON Schema
// (Draft 7), and what is called must be declared. Where a line declares tools,
// its last message alone is trained, whatever the weights say; and a line
// cannot end on more than one call, so that parallel calls are not learnt.
//
// The checker is stricter than mistral-finetune's in four things: results name
// their call, what is called is declared, keys are known (all of which the
// provider's guide asks for), and no assistant comes first (it takes some). Limits: 512 MB a training file, and the
// validation file at most 1 MB and 5 % of it. (platform-docs-public,
// deprecated section, 2026-08; mistral-finetune, 2026-06.)
func mistral() *Target {
	return &Target{
		Name: "mistral", Doc: "Mistral supervised fine-tuning, chat with tools", Provider: "mistral",
		Model: "open-mistral-7b", MinLines: 1,
		loss: lossLastWithTools,
		fits: []pass{
			systemFirst, userFirst, declaredOnly, replyAfterTool, objectArguments, textOrCalls,
			toolDescriptions, toolParameters, draft7Tools, callIDsOf(isMistralID, "call%05d"),
		},
		encode: openAI().encode,
		check:  checkMistral,
	}
}

var mistralID = regexp.MustCompile(`^[a-zA-Z0-9]{9}$`)

func isMistralID(id string) bool { return mistralID.MatchString(id) }

// draft7Tools refuses parameters that are no JSON Schema.
func draft7Tools(e *canonical.Example, _ Losses) Rule {
	for _, tool := range e.Tools {
		var schema any
		if json.Unmarshal([]byte(tool.Parameters), &schema) != nil || !isSchema(schema) {
			return RuleBadSchema
		}
	}
	return ""
}

var schemaTypes = []string{"array", "boolean", "integer", "null", "number", "object", "string"}

// isSchema tells whether a value is a JSON Schema, by the keywords that tools
// use: type, properties, items, required, enum and the combining ones.
func isSchema(value any) bool {
	if _, isBool := value.(bool); isBool {
		return true
	}
	schema, ok := value.(object)
	if !ok {
		return false
	}
	for key, value := range schema {
		list, isList := value.([]any)
		switch key {
		case "type":
			if !isList {
				list = []any{value}
			}
			ok = len(list) > 0 && !slices.ContainsFunc(list, func(name any) bool {
				text, _ := name.(string)
				return !slices.Contains(schemaTypes, text)
			})
		case "required":
			ok = isList && !slices.ContainsFunc(list, func(name any) bool { _, isText := name.(string); return !isText })
		case "enum":
			ok = isList
		case "properties", "patternProperties", "definitions":
			ok = areSchemas(value)
		case "allOf", "anyOf", "oneOf":
			ok = isList && len(list) > 0 && !slices.ContainsFunc(list, func(one any) bool { return !isSchema(one) })
		case "items":
			ok = isSchema(value) || isList && !slices.ContainsFunc(list, func(one any) bool { return !isSchema(one) })
		case "additionalProperties", "not", "contains", "propertyNames":
			ok = isSchema(value)
		}
		if !ok {
			return false
		}
	}
	return true
}

func areSchemas(value any) bool {
	schemas, ok := value.(object)
	for _, one := range schemas {
		ok = ok && isSchema(one)
	}
	return ok
}

func checkMistral(c *checker, line object) {
	c.keys(line, "", "messages", "tools")
	hasTools := c.tools(line, 0)
	declared := c.mistralTools(line)
	messages := c.messages(line)
	trained, systems, before := false, 0, ""
	for i, m := range messages {
		at := index("messages", i)
		role := c.role(m, at, "system", "user", "assistant", "tool")
		c.keys(m, at, "role", "content", "tool_calls", "tool_call_id", "weight", "name")
		c.content(m, at, role)
		c.calls(m, at, role, hasTools)
		c.mistralCalls(m, at, declared)
		weight, has := c.weight(m, at)
		if has && role != "assistant" {
			c.add(ruleWeight, at+".weight", "stands on a %s message; only assistant messages have one", role)
		}
		trained = trained || role == "assistant" && (!has || weight == 1 || hasTools && i == len(messages)-1)
		if role == "system" {
			if systems++; systems == 2 {
				c.add(ruleOrder, at, "is the second system message")
			}
		}
		if before == "tool" && role != "tool" && role != "assistant" && role != "" {
			c.add(ruleOrder, at, "is a %s message after a tool's; the assistant must speak", role)
		}
		before = role
	}
	if n := len(messages); n > 0 {
		first := slices.IndexFunc(messages, func(m object) bool { return m["role"] != "system" })
		if first >= 0 && messages[first]["role"] == "assistant" {
			c.add(ruleOrder, index("messages", first), "is an assistant message before any user's")
		}
		if calls, _ := messages[n-1]["tool_calls"].([]any); len(calls) > 1 {
			c.add(ruleCall, index("messages", n-1)+".tool_calls", "are %d calls at the end of the line; at most one", len(calls))
		}
	}
	c.answers(messages, true)
	c.ending(messages, trained)
}

// mistralTools checks what this provider wants of declarations beside the
// others, and gives the names; nil: there are none.
func (c *checker) mistralTools(line object) map[string]bool {
	list, _ := line["tools"].([]any)
	declared := map[string]bool{}
	for i, element := range list {
		tool, _ := element.(object)
		function, ok := tool["function"].(object)
		if !ok {
			continue // reported
		}
		at := index("tools", i) + ".function"
		if name, ok := function["name"].(string); ok {
			declared[name] = true
		}
		if _, ok := function["description"]; !ok {
			c.add(ruleMissing, at+".description", "is missing")
		}
		parameters, ok := function["parameters"]
		if !ok {
			c.add(ruleMissing, at+".parameters", "is missing")
		} else if _, isObject := parameters.(object); isObject && !isSchema(parameters) {
			c.add(ruleTool, at+".parameters", "is no JSON Schema")
		}
	}
	return declared
}

func (c *checker) mistralCalls(m object, path string, declared map[string]bool) {
	list, _ := m["tool_calls"].([]any)
	content, has := m["content"]
	if text, isText := content.(string); len(list) > 0 && has && content != nil && (!isText || text != "") {
		c.add(ruleContent, path+".content", "stands beside calls; a message has one of the two")
	} else if isText && text == "" && len(list) == 0 && m["role"] != "tool" {
		c.add(ruleContent, path+".content", "is empty")
	}
	for i, element := range list {
		call, _ := element.(object)
		at := index(path+".tool_calls", i)
		if id, ok := call["id"].(string); ok && !isMistralID(id) {
			c.add(ruleCall, at+".id", "%q is not nine letters and digits", id)
		}
		function, _ := call["function"].(object)
		if name, ok := function["name"].(string); ok && len(declared) > 0 && !declared[name] {
			c.add(ruleTool, at+".function.name", "%q is not declared in tools", name)
		}
	}
}
