package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Finding is a fault in a line that the provider would refuse or misread.
type Finding struct {
	Line int    `json:"line"`           // 1-based; 0: the file as a whole
	Path string `json:"path,omitempty"` // messages[2].tool_calls[0].id
	Rule string `json:"rule"`           // short name of the rule
	What string `json:"what"`           // what is wrong, for a person
}

func (f Finding) String() string {
	text := ""
	if f.Line > 0 {
		text = strconv.Itoa(f.Line) + ": "
	}
	if f.Path != "" {
		text += f.Path + ": "
	}
	return text + f.What + " (" + f.Rule + ")"
}

// Rules of the checkers.
const (
	ruleJSON     = "json"
	ruleType     = "type"
	ruleMissing  = "missing"
	ruleKey      = "unknown_key"
	ruleRole     = "role"
	ruleName     = "name"
	ruleContent  = "content"
	ruleImages   = "images"
	ruleWeight   = "weight"
	ruleCall     = "tool_call"
	ruleAnswer   = "tool_answer"
	ruleTool     = "tool"
	ruleOrder    = "order"
	ruleEnding   = "ending"
	ruleTrained  = "nothing_trained"
	ruleMixed    = "mixed_formats"
	ruleBlank    = "blank_line"
	ruleBOM      = "bom"
	ruleTooFew   = "too_few_lines"
	ruleTooMany  = "too_many_lines"
	ruleTooLarge = "too_large"
	ruleReserved = "reserved_text"
	ruleLength   = "line_length"
	maxLineBytes = 64 << 20
)

type object = map[string]any

// CheckLine checks one line by the target's rules.
func (t *Target) CheckLine(line []byte) []Finding {
	found, _ := t.checkLine(line)
	return found
}

// checkLine checks a line and gives it as it was read; nil: it is no object.
func (t *Target) checkLine(line []byte) ([]Finding, object) {
	c := &checker{target: t}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		c.add(ruleJSON, "", "is no JSON: %v", err)
		return c.findings, nil
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		c.add(ruleJSON, "", "has more than one JSON value")
		return c.findings, nil
	}
	top, ok := value.(object)
	if !ok {
		c.add(ruleJSON, "", "is no JSON object")
		return c.findings, nil
	}
	t.check(c, top)
	return c.findings, top
}

// checker collects what is wrong with a line. Its methods check one thing each
// that several targets share.
type checker struct {
	target   *Target
	findings []Finding
}

func (c *checker) add(rule, path, format string, args ...any) {
	c.findings = append(c.findings, Finding{Path: path, Rule: rule, What: fmt.Sprintf(format, args...)})
}

// within runs checks whose paths begin at a key of the line.
func (c *checker) within(key string, check func()) {
	before := len(c.findings)
	check()
	for i := before; i < len(c.findings); i++ {
		if f := &c.findings[i]; f.Path == "" {
			f.Path = key
		} else {
			f.Path = key + "." + f.Path
		}
	}
}

// flag checks a boolean that may be missing.
func (c *checker) flag(o object, key string) {
	if value, ok := o[key]; ok {
		if _, ok := value.(bool); !ok {
			c.add(ruleType, key, "is no boolean")
		}
	}
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// field puts a key behind a path.
func field(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func number(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

// keys reports keys that the provider does not know.
func (c *checker) keys(o object, path string, known ...string) {
	var unknown []string
	for key := range o {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		c.add(ruleKey, field(path, key), "is no key that the provider knows")
	}
}

// text reads a required string.
func (c *checker) text(o object, path, key string) string {
	value, ok := o[key]
	if !ok {
		c.add(ruleMissing, field(path, key), "is missing")
		return ""
	}
	text, ok := value.(string)
	if !ok {
		c.add(ruleType, field(path, key), "is no string")
	}
	return text
}

func (c *checker) objects(value any, path string) []object {
	list, ok := value.([]any)
	if !ok {
		c.add(ruleType, path, "is no list")
		return nil
	}
	objects := make([]object, 0, len(list))
	for i, element := range list {
		o, ok := element.(object)
		if !ok {
			// A nil stands for it: the places of what follows must stay right.
			c.add(ruleType, index(path, i), "is no object")
			o = nil
		}
		objects = append(objects, o)
	}
	return objects
}

// list reads a required list of objects that is not empty.
func (c *checker) list(o object, path, key string) []object {
	value, ok := o[key]
	if !ok {
		c.add(ruleMissing, field(path, key), "is missing")
		return nil
	}
	if list, isList := value.([]any); isList && len(list) == 0 {
		c.add(ruleMissing, field(path, key), "is empty")
	}
	return c.objects(value, field(path, key))
}

func (c *checker) messages(line object) []object { return c.list(line, "", "messages") }

func (c *checker) role(m object, path string, known ...string) string {
	if m == nil {
		return "" // reported as no object
	}
	before := len(c.findings)
	role := c.text(m, path, "role")
	if len(c.findings) == before && !slices.Contains(known, role) {
		c.add(ruleRole, path+".role", "is %q; known are %s", role, strings.Join(known, ", "))
	}
	return role
}

func (c *checker) name(m object, path string) {
	value, ok := m["name"]
	if !ok {
		return
	}
	if name, ok := value.(string); !ok || !isName(name) {
		c.add(ruleName, path+".name", "is not 1 to %d letters, digits, _ or -", maxNameBytes)
	}
}

// weight reads a message's weight: 0 or 1, an integer.
func (c *checker) weight(m object, path string) (weight int, has bool) {
	value, has := m["weight"]
	if !has {
		return 0, false
	}
	if n, ok := value.(json.Number); ok && (n == "0" || n == "1") {
		return int(n[0] - '0'), true
	}
	c.add(ruleWeight, path+".weight", "is neither 0 nor 1")
	return 0, true
}
