// Package rawjson reads JSON objects whose fields may be missing or of another
// type than expected: logs of other people's programs. A field that does not
// have the asked type reads as absent; nothing here returns an error, and the
// raw text of every field stays at hand. Start at Parse.
package rawjson

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Object is a JSON object, its fields unread. Methods take several keys where
// a field has several names; the first that holds a value of the asked type
// wins. A nil Object has no fields.
type Object map[string]json.RawMessage

// Parse reads a JSON object, or a string that holds one. It returns nil when
// raw is anything else.
func Parse(raw []byte) Object {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		text, _ := Text(raw)
		raw = bytes.TrimSpace([]byte(text))
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var object Object
	if json.Unmarshal(raw, &object) != nil {
		return nil
	}
	return object
}

// List reads a JSON array, or a string that holds one. It returns nil when raw
// is anything else.
func List(raw []byte) []json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		text, _ := Text(raw)
		raw = bytes.TrimSpace([]byte(text))
	}
	if len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// Text reads a JSON string; ok is false when raw is anything else.
func Text(raw []byte) (text string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}

// Compact gives JSON text without white space between tokens, and "" for
// nothing, null, and what is no JSON.
func Compact(raw []byte) string {
	var buf bytes.Buffer
	if json.Compact(&buf, raw) != nil || buf.String() == "null" {
		return ""
	}
	return buf.String()
}

// Canonical gives JSON text with sorted keys, so that the same value written
// by two programs is the same text. What is no JSON comes back as it is.
func Canonical(raw []byte) []byte {
	value, ok := decode(raw)
	if !ok {
		return raw
	}
	return Marshal(value)
}

// Marshal encodes a value that JSON can hold, keys sorted, without HTML
// escapes.
func Marshal(value any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return nil
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func decode(raw []byte) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil || dec.More() {
		return nil, false
	}
	return value, true
}

// Has says whether a field is there and is not null.
func (o Object) Has(key string) bool {
	raw, ok := o[key]
	return ok && !bytes.Equal(raw, []byte("null"))
}

// Object reads a field that is an object, or a string that holds one.
func (o Object) Object(keys ...string) Object {
	for _, key := range keys {
		if object := Parse(o[key]); object != nil {
			return object
		}
	}
	return nil
}

// List reads a field that is an array, or a string that holds one.
func (o Object) List(keys ...string) []json.RawMessage {
	for _, key := range keys {
		if list := List(o[key]); list != nil {
			return list
		}
	}
	return nil
}

// Objects reads the objects of a field that is an array.
func (o Object) Objects(keys ...string) []Object {
	var objects []Object
	for _, raw := range o.List(keys...) {
		if object := Parse(raw); object != nil {
			objects = append(objects, object)
		}
	}
	return objects
}

// String reads a field that is a string and not empty.
func (o Object) String(keys ...string) string {
	for _, key := range keys {
		if text, ok := Text(o[key]); ok && text != "" {
			return text
		}
	}
	return ""
}

// Strings reads the strings of a field that is an array, and a field that is
// one string.
func (o Object) Strings(keys ...string) []string {
	for _, key := range keys {
		var texts []string
		for _, raw := range List(o[key]) {
			if text, ok := Text(raw); ok && text != "" {
				texts = append(texts, text)
			}
		}
		if texts != nil {
			return texts
		}
		if text, ok := Text(o[key]); ok && text != "" && List(o[key]) == nil {
			return []string{text}
		}
	}
	return nil
}

// ID reads a field that names something: a string, or a number as its text.
func (o Object) ID(keys ...string) string {
	for _, key := range keys {
		if text := o.String(key); text != "" {
			return text
		}
		if raw := o[key]; len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
			return string(raw)
		}
	}
	return ""
}

// Int reads a whole number, also one in a string; nil when there is none.
func (o Object) Int(keys ...string) *int64 {
	for _, key := range keys {
		number := o.Float(key)
		if number == nil || math.Abs(*number) > 1<<53 || *number != math.Trunc(*number) {
			continue
		}
		whole := int64(*number)
		return &whole
	}
	return nil
}

// Float reads a number, also one in a string; nil when there is none.
func (o Object) Float(keys ...string) *float64 {
	for _, key := range keys {
		text := string(o[key])
		if inner, ok := Text(o[key]); ok {
			text = strings.TrimSpace(inner)
		}
		number, err := strconv.ParseFloat(text, 64)
		if err == nil && !math.IsInf(number, 0) && !math.IsNaN(number) {
			return &number
		}
	}
	return nil
}

// Bool reads a boolean, also one in a string; nil when there is none.
func (o Object) Bool(keys ...string) *bool {
	for _, key := range keys {
		text := string(o[key])
		if inner, ok := Text(o[key]); ok {
			text = strings.ToLower(inner)
		}
		if text == "true" || text == "false" {
			value := text == "true"
			return &value
		}
	}
	return nil
}

// Raw gives a field's JSON text, compacted; "" when absent or null.
func (o Object) Raw(keys ...string) string {
	for _, key := range keys {
		if text := Compact(o[key]); text != "" {
			return text
		}
	}
	return ""
}

// Time reads a time: RFC 3339, the same without a zone (UTC), or a number of
// seconds, milliseconds or microseconds since 1970 by its size, also in a
// string. The zero time means that there is none.
func (o Object) Time(keys ...string) time.Time {
	for _, key := range keys {
		text, ok := Text(o[key])
		if !ok {
			text = string(o[key])
		}
		if t := ParseTime(text); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999 -0700",
	time.RFC1123, // HTTP's Date
	time.RFC1123Z,
}

// ParseTime reads a time as Object.Time does, to the microsecond.
func ParseTime(text string) time.Time {
	text = strings.TrimSpace(text)
	if number, err := strconv.ParseFloat(text, 64); err == nil {
		return epoch(number)
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1 && t.Year() < 10000 {
			return t.UTC().Truncate(time.Microsecond)
		}
	}
	return time.Time{}
}

// epoch tells the unit by the size: seconds stay below 1e11 until the year
// 5138, milliseconds above it from 1973 on.
func epoch(number float64) time.Time {
	switch {
	case !(number > 0) || number >= 1e17:
		return time.Time{}
	case number >= 1e14:
		return time.UnixMicro(int64(number)).UTC()
	case number >= 1e11:
		return time.UnixMilli(int64(number)).UTC()
	}
	seconds, fraction := math.Modf(number)
	return time.Unix(int64(seconds), int64(math.Round(fraction*1e6))*1000).UTC()
}

// First finds the first JSON object in the head of a file, to tell the file's
// format by: the object that the head begins with, or that a list begins with,
// else the first line that is one. It returns nil when there is none, as when
// the first object is longer than the head.
func First(head []byte) Object {
	head = bytes.TrimLeft(head, "\ufeff \t\r\n[")
	var first json.RawMessage
	if json.NewDecoder(bytes.NewReader(head)).Decode(&first) == nil {
		if o := Parse(first); o != nil {
			return o
		}
	}
	for line := range bytes.Lines(head) {
		if o := Parse(line); len(line) > 0 && line[len(line)-1] == '\n' && o != nil {
			return o
		}
	}
	return nil
}
