package distill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// object is a JSON object with its keys in their order and its values as they
// were sent: what no rule touches goes out as it came in.
type object []member

type member struct {
	key   string
	value json.RawMessage
}

func parseObject(raw []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if first, err := dec.Token(); err != nil {
		return nil, err
	} else if first != json.Delim('{') {
		return nil, errors.New("is no JSON object")
	}
	var o object
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		o = append(o, member{key.(string), value}) // a key always is a string
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return o, nil
}

// get gives the value of a key, nil where there is none.
func (o object) get(key string) json.RawMessage {
	for _, m := range o {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// text gives the value of a key where it is a string.
func (o object) text(key string) string {
	var text string
	if json.Unmarshal(o.get(key), &text) != nil {
		return ""
	}
	return text
}

// with gives the object with another value at a key that it has; nil takes it out.
func (o object) with(key string, value json.RawMessage) object {
	out := make(object, 0, len(o))
	for _, m := range o {
		if m.key == key {
			if value == nil {
				continue
			}
			m.value = value
		}
		out = append(out, m)
	}
	return out
}

func (o object) raw() json.RawMessage {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.Write(quoted(m.key))
		buf.WriteByte(':')
		buf.Write(m.value)
	}
	buf.WriteByte('}')
	return buf.Bytes()
}

// list gives the elements of an array; ok is false where it is none.
func list(raw json.RawMessage) (elements []json.RawMessage, ok bool) {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		return nil, false
	}
	return elements, true
}

func rawList(elements []json.RawMessage) json.RawMessage {
	return slices.Concat([]byte("["), bytes.Join(rawBytes(elements), []byte(",")), []byte("]"))
}

func rawBytes(elements []json.RawMessage) [][]byte {
	out := make([][]byte, len(elements))
	for i, element := range elements {
		out[i] = element
	}
	return out
}

// quoted is a text as JSON, with nothing escaped that need not be.
func quoted(text string) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// describing are the keys of a JSON Schema that decide nothing.
var describing = []string{"description", "title", "examples", "$comment"}

// Where a JSON Schema holds others: by name, or one or a list of them.
var (
	schemasByName = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	schemas       = []string{
		"items", "prefixItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else",
		"anyOf", "oneOf", "allOf", "unevaluatedItems", "unevaluatedProperties",
	}
)

// bareSchema takes out of a JSON Schema what only describes. What is no schema
// comes back as it was, without white space.
func bareSchema(raw json.RawMessage) json.RawMessage {
	o, err := parseObject(raw)
	if err != nil {
		if elements, ok := list(raw); ok {
			for i := range elements {
				elements[i] = bareSchema(elements[i])
			}
			return rawList(elements)
		}
		return compact(raw)
	}
	out := make(object, 0, len(o))
	for _, m := range o {
		switch {
		case slices.Contains(describing, m.key):
			continue
		case slices.Contains(schemas, m.key):
			m.value = bareSchema(m.value)
		case slices.Contains(schemasByName, m.key):
			m.value = bareByName(m.value)
		default:
			m.value = compact(m.value)
		}
		out = append(out, m)
	}
	return out.raw()
}

func bareByName(raw json.RawMessage) json.RawMessage {
	byName, err := parseObject(raw)
	if err != nil {
		return compact(raw)
	}
	for i := range byName {
		byName[i].value = bareSchema(byName[i].value)
	}
	return byName.raw()
}

func compact(raw json.RawMessage) json.RawMessage {
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil {
		return raw
	}
	return buf.Bytes()
}

// where puts a place before an error of JSON.
func where(place string, err error) error { return fmt.Errorf("%s: %w", place, err) }
