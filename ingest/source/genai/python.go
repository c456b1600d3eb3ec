package genai

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// pythonMessage reads a message that a Python program wrote as it prints its
// objects: role='user' content='…' name=None tool_calls=[{'id': …}] …
// Fields after the first one that cannot be read are left out.
func pythonMessage(text string) (rawjson.Object, bool) {
	if !strings.HasPrefix(text, "role=") {
		return nil, false
	}
	o := rawjson.Object{}
	p := python{text: text}
	for p.at < len(p.text) {
		name, ok := p.name()
		if !ok {
			break
		}
		value, ok := p.value(0)
		if !ok {
			break
		}
		switch name {
		case "role", "name", "content", "tool_call_id", "tool_calls", "reasoning_content":
			o[name] = rawjson.Marshal(value)
		case "tool_name":
			if value != nil && !o.Has("name") {
				o["name"] = rawjson.Marshal(value)
			}
		case "tool_call_error":
			if failed, ok := value.(bool); ok {
				o["is_error"] = rawjson.Marshal(failed)
			}
		}
		p.blanks()
	}
	return o, o.String("role") != "" && (o.Has("content") || o.Has("tool_calls"))
}

// python reads literals as Python prints them.
type python struct {
	text string
	at   int
}

func (p *python) blanks() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n') {
		p.at++
	}
}

func (p *python) name() (string, bool) {
	end := strings.IndexByte(p.text[p.at:], '=')
	if end <= 0 || strings.ContainsAny(p.text[p.at:p.at+end], " '\"[{(") {
		return "", false
	}
	name := p.text[p.at : p.at+end]
	p.at += end + 1
	return name, true
}

func (p *python) take(c byte) bool {
	p.blanks()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value reads a literal: text, number, constant, list, dict, or a call such as
// Metrics(a=1), whose fields become an object.
func (p *python) value(depth int) (any, bool) {
	p.blanks()
	if p.at >= len(p.text) || depth > maxPython {
		return nil, false
	}
	switch c := p.text[p.at]; {
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c == '[' || c == '(':
		return p.list(c, depth)
	case c == '{':
		return p.dict(depth)
	}
	end := strings.IndexAny(p.text[p.at:], " ,)]}(\n")
	if end < 0 {
		end = len(p.text) - p.at
	}
	word := p.text[p.at : p.at+end]
	p.at += end
	switch word {
	case "":
		return nil, false
	case "None":
		return nil, true
	case "True", "False":
		return word == "True", true
	}
	if p.at < len(p.text) && p.text[p.at] == '(' {
		return p.call(depth)
	}
	if _, err := strconv.ParseFloat(word, 64); err == nil && json.Valid([]byte(word)) {
		return json.RawMessage(word), true
	}
	return word, true
}

// maxPython is how deep literals may nest.
const maxPython = 64

func (p *python) list(open byte, depth int) (any, bool) {
	closing := byte(']')
	if open == '(' {
		closing = ')'
	}
	p.at++
	list := []any{}
	for !p.take(closing) {
		item, ok := p.value(depth + 1)
		if !ok {
			return nil, false
		}
		list = append(list, item)
		if !p.take(',') && !(p.at < len(p.text) && p.text[p.at] == closing) {
			return nil, false
		}
	}
	return list, true
}

func (p *python) dict(depth int) (any, bool) {
	p.at++
	dict := map[string]any{}
	for !p.take('}') {
		key, ok := p.value(depth + 1)
		name, text := key.(string)
		if !ok || !text || !p.take(':') {
			return nil, false
		}
		if dict[name], ok = p.value(depth + 1); !ok {
			return nil, false
		}
		if !p.take(',') && !(p.at < len(p.text) && p.text[p.at] == '}') {
			return nil, false
		}
	}
	return dict, true
}

func (p *python) call(depth int) (any, bool) {
	p.at++
	fields := map[string]any{}
	for !p.take(')') {
		name, ok := p.name()
		if !ok {
			return nil, false
		}
		if fields[name], ok = p.value(depth + 1); !ok {
			return nil, false
		}
		if !p.take(',') && !(p.at < len(p.text) && p.text[p.at] == ')') {
			return nil, false
		}
	}
	return fields, true
}

func (p *python) quoted(quote byte) (any, bool) {
	var b strings.Builder
	for i := p.at + 1; i < len(p.text); i++ {
		c := p.text[i]
		if c == quote {
			p.at = i + 1
			return strings.ToValidUTF8(b.String(), "\ufffd"), true
		}
		if c != '\\' || i+1 == len(p.text) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c = p.text[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'x', 'u', 'U':
			digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+digits >= len(p.text) {
				return nil, false
			}
			code, err := strconv.ParseUint(p.text[i+1:i+1+digits], 16, 32)
			if err != nil {
				return nil, false
			}
			b.WriteRune(rune(code))
			i += digits
		case '\\', '\'', '"':
			b.WriteByte(c)
		default: // Python keeps the backslash of what is no escape
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return nil, false
}
