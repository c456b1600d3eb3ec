package target

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// content checks a message's content: a text, or a list of text and image
// parts. Only an assistant that calls may do without.
func (c *checker) content(m object, path, role string) {
	at := path + ".content"
	value, has := m["content"]
	if !has || value == nil {
		_, calls := m["tool_calls"]
		_, legacy := m["function_call"]
		if role == "assistant" && (calls || legacy) || m == nil {
			return
		}
		c.add(ruleContent, at, "is missing")
		return
	}
	if _, ok := value.(string); ok {
		return
	}
	list, ok := value.([]any)
	if !ok {
		c.add(ruleContent, at, "is neither a string nor a list of parts")
		return
	}
	if len(list) == 0 {
		c.add(ruleContent, at, "is an empty list")
	}
	images := 0
	for i, part := range c.objects(list, at) {
		images += c.part(part, index(at, i), role)
	}
	most := maxImages
	if c.target.MaxImages > 0 {
		most = c.target.MaxImages
	}
	if images > most {
		c.add(ruleImages, at, "has %d images; at most %d", images, most)
	}
}

// reasoning checks the keys in which chat forms carry it.
func (c *checker) reasoning(m object, path string) {
	for _, key := range []string{"reasoning_content", "reasoning", "thinking"} {
		if value, has := m[key]; has && value != nil {
			c.text(m, path, key)
		}
	}
}

// maxImages a message, by OpenAI's and Together's guides.
const maxImages = 10

// part checks a part of a content list and counts its images.
func (c *checker) part(part object, path, role string) int {
	if part == nil {
		return 0
	}
	switch kind := c.text(part, path, "type"); kind {
	case "text":
		c.text(part, path, "text")
	case "image_url":
		if role != "user" {
			c.add(ruleImages, path, "is an image in a message of role %s; only users may send images", role)
		}
		image, ok := part["image_url"].(object)
		if !ok {
			c.add(ruleType, path+".image_url", "is no object")
			return 1
		}
		c.text(image, path+".image_url", "url")
		return 1
	default:
		c.add(ruleContent, path+".type", "is %q; known are text and image_url", kind)
	}
	return 0
}

// oneForm checks that the contents of a line are all texts or all lists of
// parts, that images are data and that nothing with an image is trained.
func (c *checker) oneForm(messages []object) {
	form := ""
	for i, m := range messages {
		at := index("messages", i)
		var now string
		switch content := m["content"].(type) {
		case string:
			now = "texts"
		case []any:
			now = "lists"
			c.imageData(m, content, at)
		default:
			continue
		}
		if form != "" && now != form {
			c.add(ruleContent, at+".content", "is not of one form with those before: all are strings or all are lists")
		}
		form = now
	}
}

func (c *checker) imageData(m object, parts []any, path string) {
	for i, part := range parts {
		o, _ := part.(object)
		image, ok := o["image_url"].(object)
		if !ok {
			continue
		}
		at := index(path+".content", i)
		if url, _ := image["url"].(string); !isImageData(url) {
			c.add(ruleImages, at+".image_url.url", "is no base64 data URI of a JPEG, PNG or WEBP image")
		}
		if m["weight"] == json.Number("1") {
			c.add(ruleWeight, path+".weight", "is 1 on a message with an image")
		}
	}
}

func isImageData(url string) bool {
	for _, kind := range []string{"jpeg", "png", "webp"} {
		if strings.HasPrefix(url, "data:image/"+kind+";base64,") {
			return true
		}
	}
	return false
}

// tools checks the declared tools and tells whether the line declares any.
// most is how many there may be, 0 for no limit.
func (c *checker) tools(line object, most int) bool {
	value, ok := line["tools"]
	if !ok {
		return false
	}
	if text, isText := value.(string); isText && c.target.calls.toolsInOne {
		if value = c.inText(text, "tools"); value == nil {
			return true
		}
	}
	names := map[string]bool{}
	tools := c.objects(value, "tools")
	if most > 0 && len(tools) > most {
		c.add(ruleTool, "tools", "has %d tools; at most %d", len(tools), most)
	}
	for i, tool := range tools {
		at := index("tools", i)
		if tool == nil {
			continue
		}
		if kind := c.text(tool, at, "type"); kind != "function" {
			c.add(ruleTool, at+".type", "is %q, not function", kind)
		}
		function, ok := tool["function"].(object)
		if !ok {
			c.add(ruleTool, at+".function", "is no object")
			continue
		}
		if !c.target.calls.anyKey {
			c.keys(tool, at, "type", "function")
			c.keys(function, at+".function", "name", "description", "parameters", "strict")
		}
		at += ".function"
		name := c.text(function, at, "name")
		if !isName(name) {
			c.add(ruleTool, at+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		if names[name] {
			c.add(ruleTool, at+".name", "%q is declared twice", name)
		}
		names[name] = true
		if description, ok := function["description"]; ok {
			if _, ok := description.(string); !ok {
				c.add(ruleType, at+".description", "is no string")
			}
		}
		if parameters, ok := function["parameters"]; ok {
			if _, ok := parameters.(object); !ok {
				c.add(ruleTool, at+".parameters", "is no object")
			}
		}
	}
	return true
}

// calls checks the calls of a message.
func (c *checker) calls(m object, path, role string, hasTools bool) {
	value, ok := m["tool_calls"]
	if !ok {
		return
	}
	at := path + ".tool_calls"
	if role != "assistant" {
		c.add(ruleCall, at, "stands on a %s message; only assistants call", role)
	}
	calls := c.objects(value, at)
	if list, isList := value.([]any); isList && len(list) == 0 {
		c.add(ruleCall, at, "is empty")
	}
	if !hasTools && len(calls) > 0 {
		c.add(ruleTool, "tools", "is missing, and %s calls", path)
	}
	ids := map[string]bool{}
	for i, call := range calls {
		at := index(at, i)
		if call == nil {
			continue
		}
		if _, has := call["id"]; has || !c.target.calls.anyID {
			id := c.text(call, at, "id")
			if ids[id] {
				c.add(ruleCall, at+".id", "%q is another call's too", id)
			}
			ids[id] = true
		}
		if kind := c.text(call, at, "type"); kind != "function" {
			c.add(ruleCall, at+".type", "is %q, not function", kind)
		}
		function, ok := call["function"].(object)
		if !ok {
			c.add(ruleCall, at+".function", "is no object")
			continue
		}
		if !c.target.calls.anyKey {
			c.keys(call, at, "id", "type", "function")
			c.keys(function, at+".function", "name", "arguments")
		}
		if name := c.text(function, at+".function", "name"); !isName(name) {
			c.add(ruleCall, at+".function.name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
		}
		c.arguments(function, at+".function")
	}
}

// arguments checks the arguments of a call: a text, or an object where the
// target has objects.
func (c *checker) arguments(function object, path string) {
	value, has := function["arguments"]
	_, isObject := value.(object)
	switch text, isText := value.(string); c.target.calls.arguments {
	case "object":
		if !isObject {
			c.add(ruleCall, path+".arguments", "is no object")
		}
	case "either":
		if isText && c.inText(text, path+".arguments") == nil {
			return
		}
		if !isObject && !isText {
			c.add(ruleCall, path+".arguments", "is neither an object nor a string")
		}
	default:
		if !has || !isText {
			c.text(function, path, "arguments")
		}
	}
}

// inText reads JSON that stands in a string; nil where it is none.
func (c *checker) inText(text, path string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil || dec.More() || value == nil {
		c.add(ruleType, path, "is a string that is no JSON")
		return nil
	}
	return value
}

// answers checks that tool messages follow the message that called, one a
// call, and that no call but the last message's stays without one. Where ids
// are not needed, a tool message without one answers any open call.
func (c *checker) answers(messages []object, needsIDs bool) {
	open, caller := map[string]bool{}, ""
	for i, m := range messages {
		at := index("messages", i)
		if role, _ := m["role"].(string); role == "tool" {
			if _, has := m["tool_call_id"]; !has && !needsIDs {
				dropOne(open)
				continue
			}
			id := c.text(m, at, "tool_call_id")
			if id != "" && !open[id] {
				c.add(ruleAnswer, at+".tool_call_id", "%q is no open call of the message before", id)
			}
			delete(open, id)
			continue
		}
		if len(open) > 0 {
			c.add(ruleAnswer, caller, "calls, and is not fully answered before %s", at)
		}
		open, caller = map[string]bool{}, at
		for _, id := range callIDs(m) {
			open[id] = true
		}
	}
	if n := len(messages); n > 0 && len(open) > 0 && caller != index("messages", n-1) {
		c.add(ruleAnswer, caller, "calls, and only some calls are answered")
	}
}

// dropOne closes the least of the open calls.
func dropOne(open map[string]bool) {
	for _, id := range slices.Sorted(maps.Keys(open)) {
		delete(open, id)
		return
	}
}

func callIDs(m object) []string {
	list, _ := m["tool_calls"].([]any)
	var ids []string
	for _, element := range list {
		call, _ := element.(object)
		if id, ok := call["id"].(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// ending checks that there is something to learn and that it comes last.
func (c *checker) ending(messages []object, trained bool) {
	if len(messages) == 0 {
		return
	}
	if !trained {
		c.add(ruleTrained, "messages", "no assistant message is trained")
	}
	if role, _ := messages[len(messages)-1]["role"].(string); role != "assistant" {
		c.add(ruleEnding, index("messages", len(messages)-1), "is the last message and no assistant's")
	}
}

// alternates checks that one system message at most stands first and that user
// and assistant take turns. Tool messages stand between.
func (c *checker) alternates(messages []object) {
	before := ""
	for i, m := range messages {
		at := index("messages", i)
		role, _ := m["role"].(string)
		switch {
		case role == "system" && i > 0:
			c.add(ruleOrder, at, "is a system message that is not first")
		case role == "assistant" && (before == "" || before == "system"):
			c.add(ruleOrder, at, "is an assistant message before any user's")
		case role == before && role != "tool" && role != "":
			c.add(ruleOrder, at, "is the second %s message in a row", role)
		case role == "tool" && before != "assistant" && before != "tool":
			c.add(ruleOrder, at, "is a tool message that follows no call")
		}
		before = role
	}
}

// isBlank tells whether a line has nothing but white space.
func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// systemFirst checks that one system message at most stands first.
func (c *checker) systemFirst(messages []object) {
	for i, m := range messages {
		if i > 0 && m["role"] == "system" {
			c.add(ruleOrder, index("messages", i), "is a system message that is not first")
		}
	}
}
