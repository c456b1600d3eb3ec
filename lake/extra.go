package lake

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// attributesKey is the field of Extra that holds unknown attributes of the
// envelope.
const attributesKey = "_attributes"

// knownFields are the names of a struct's fields, with those of the structs in
// them.
type knownFields map[string]knownFields

func newKnownFields(columns []Column) knownFields {
	known := knownFields{}
	for _, column := range columns {
		known[column.Name] = nil
		if column.Type == Struct {
			known[column.Name] = newKnownFields(column.Fields)
		}
	}
	return known
}

// unknownFields keeps what a newer producer sent.
type unknownFields struct {
	fields     map[string]json.RawMessage // by path
	looksKnown bool                       // the name of one differs from a known one in case only
}

// collect finds the unknown fields of an object that lies at a path.
func (u *unknownFields) collect(known knownFields, path, object []byte) error {
	return splitObject(object, func(key string, raw []byte) error {
		inner, ok := known[key]
		switch {
		case !ok:
			u.fields[string(path)+pathName(key)] = raw
			u.looksKnown = u.looksKnown || known.has(key)
		case inner == nil:
		case raw[0] == '{':
			return u.collect(inner, append(append(path, key...), '.'), raw)
		case raw[0] == '[':
			return splitArray(raw, func(i int, raw []byte) error {
				if raw[0] != '{' {
					return nil
				}
				at := append(append(path, key...), '[')
				at = append(strconv.AppendInt(at, int64(i), 10), ']', '.')
				return u.collect(inner, at, raw)
			})
		}
		return nil
	})
}

// has tells whether encoding/json would take a name for a field.
func (known knownFields) has(name string) bool {
	for field := range known {
		if strings.EqualFold(field, name) {
			return true
		}
	}
	return false
}

// prune gives an object without the fields that are unknown at any level.
func (known knownFields) prune(object []byte) ([]byte, error) {
	return editObject(object, func(key string, raw []byte) ([]byte, error) {
		inner, ok := known[key]
		switch {
		case !ok:
			return nil, nil
		case inner == nil:
		case raw[0] == '{':
			return inner.prune(raw)
		case raw[0] == '[':
			return editArray(raw, func(_ int, raw []byte) ([]byte, error) {
				if raw[0] != '{' {
					return raw, nil
				}
				return inner.prune(raw)
			})
		}
		return raw, nil
	})
}

// extra gives the fields as a JSON object, or "" where there are none.
func (u *unknownFields) extra(attributes map[string]json.RawMessage) (string, error) {
	if len(attributes) > 0 {
		text, err := addFields([]byte("{}"), attributes)
		if err != nil {
			return "", err
		}
		u.fields[attributesKey] = text
	}
	if len(u.fields) == 0 {
		return "", nil
	}
	text, err := addFields([]byte("{}"), u.fields) // not json.Marshal, which escapes < and >
	return string(text), err
}

// withExtra puts the fields that DecodeEvent did not know back where they were
// on the wire, so that an event of a newer producer passes through this binary
// whole. What has lost its place (a message that held it is gone) goes into
// data under its path.
func withExtra(text []byte, extra string) ([]byte, error) {
	var fields, attributes map[string]json.RawMessage
	if err := json.Unmarshal([]byte(extra), &fields); err != nil {
		return nil, err
	}
	if raw, ok := fields[attributesKey]; ok {
		if err := json.Unmarshal(raw, &attributes); err != nil {
			return nil, err
		}
		delete(fields, attributesKey)
	}
	text, err := editObject(text, func(key string, raw []byte) ([]byte, error) {
		if key != "data" {
			return raw, nil
		}
		var homeless map[string]json.RawMessage
		raw, homeless, err := putFields(raw, fields)
		if err != nil {
			return nil, err
		}
		return addFields(raw, homeless)
	})
	if err != nil {
		return nil, err
	}
	return addFields(text, attributes)
}

// putFields puts fields into an object by their paths, and gives those for which
// there is no place.
func putFields(object []byte, fields map[string]json.RawMessage) (_ []byte, homeless map[string]json.RawMessage, err error) {
	own := map[string]json.RawMessage{}
	below := map[string]map[string]json.RawMessage{} // by the field that they are in
	homeless = map[string]json.RawMessage{}
	for path, raw := range fields {
		name, rest := cutPath(path)
		if rest == "" {
			own[name] = raw
			continue
		}
		if below[name] == nil {
			below[name] = map[string]json.RawMessage{}
		}
		below[name][rest] = raw
	}
	object, err = editObject(object, func(key string, raw []byte) ([]byte, error) {
		inside := below[key]
		delete(below, key)
		delete(own, key) // this binary knows better by now
		if len(inside) == 0 {
			return raw, nil
		}
		raw, lost, err := putInside(raw, inside)
		for path, field := range lost {
			homeless[pathName(key)+path] = field
		}
		return raw, err
	})
	if err != nil {
		return nil, nil, err
	}
	for name, inside := range below {
		for rest, raw := range inside {
			homeless[pathName(name)+rest] = raw
		}
	}
	object, err = addFields(object, own)
	return object, homeless, err
}

// putInside puts fields into what a field holds. Their paths begin with .name
// for an object, with [0].name for an array.
func putInside(raw []byte, fields map[string]json.RawMessage) (_ []byte, homeless map[string]json.RawMessage, err error) {
	elements := map[int]map[string]json.RawMessage{}
	object := map[string]json.RawMessage{}
	homeless = map[string]json.RawMessage{}
	for path, field := range fields {
		if name, ok := strings.CutPrefix(path, "."); ok && raw[0] == '{' {
			object[name] = field
			continue
		}
		digits, name, ok := strings.Cut(strings.TrimPrefix(path, "["), "].")
		i, err := strconv.Atoi(digits)
		if !ok || err != nil || path[0] != '[' || raw[0] != '[' {
			homeless[path] = field
			continue
		}
		if elements[i] == nil {
			elements[i] = map[string]json.RawMessage{}
		}
		elements[i][name] = field
	}
	if raw[0] == '{' {
		raw, lost, err := putFields(raw, object)
		for path, field := range lost {
			homeless["."+path] = field
		}
		return raw, homeless, err
	}
	if raw[0] == '[' {
		raw, err = editArray(raw, func(i int, element []byte) ([]byte, error) {
			inside := elements[i]
			if len(inside) == 0 || element[0] != '{' {
				return element, nil
			}
			delete(elements, i)
			element, lost, err := putFields(element, inside)
			for path, field := range lost {
				homeless["["+strconv.Itoa(i)+"]."+path] = field
			}
			return element, err
		})
	}
	for i, inside := range elements {
		for path, field := range inside {
			homeless["["+strconv.Itoa(i)+"]."+path] = field
		}
	}
	return raw, homeless, err
}

// pathName spells a field's name in a path.
func pathName(name string) string {
	if name != "" && name != attributesKey && !strings.ContainsAny(name, `.["`) {
		return name
	}
	text, _ := json.Marshal(name) // a string cannot fail
	return string(text)
}

// cutPath splits a path behind its first name. The rest begins with a dot or a
// bracket; it is empty at the end of the path.
func cutPath(path string) (name, rest string) {
	if strings.HasPrefix(path, `"`) {
		if end := stringEnd([]byte(path)); end > 0 && json.Unmarshal([]byte(path[:end]), &name) == nil {
			return name, path[end:]
		}
		return path, ""
	}
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// addFields adds fields at the end of an object, sorted by name.
func addFields(object []byte, fields map[string]json.RawMessage) ([]byte, error) {
	if len(fields) == 0 {
		return object, nil
	}
	text, ok := bytes.CutSuffix(bytes.TrimSpace(object), []byte("}"))
	if !ok {
		return nil, errMalformed
	}
	text = slices.Clone(text)
	isEmpty := bytes.Equal(bytes.TrimSpace(text), []byte("{"))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !isEmpty {
			text = append(text, ',')
		}
		isEmpty = false
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, key...), ':'), fields[name]...)
	}
	return append(text, '}'), nil
}

// editObject gives an object with each value as edit has it; nil drops a field.
func editObject(object []byte, edit func(key string, raw []byte) ([]byte, error)) ([]byte, error) {
	text := []byte{'{'}
	err := splitObject(object, func(key string, raw []byte) error {
		raw, err := edit(key, raw)
		if err != nil || raw == nil {
			return err
		}
		name, err := json.Marshal(key)
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), raw...)
		return err
	})
	return append(text, '}'), err
}

// editArray gives an array with each element as edit has it.
func editArray(array []byte, edit func(i int, raw []byte) ([]byte, error)) ([]byte, error) {
	text := []byte{'['}
	err := splitArray(array, func(i int, raw []byte) error {
		raw, err := edit(i, raw)
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, raw...)
		return err
	})
	return append(text, ']'), err
}
