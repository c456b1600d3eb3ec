package lake

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// Errors that DecodeEvent wraps. Each becomes the reason of a dead letter.
var (
	ErrNotJSON     = errors.New("not a JSON object")
	ErrInvalidUTF8 = errors.New("invalid UTF-8")
	ErrUnknownType = errors.New("unknown event type")
	ErrWrongType   = errors.New("field has the wrong type")
	ErrIncomplete  = errors.New("a required attribute is missing")
)

// DecodeEvent reads one record's value. Fields that the payload struct does
// not know are kept in Extra: those of nested structs by their path
// (messages[0].field; a name that could be taken for a path stands in quotes),
// unknown attributes of the envelope under "_attributes".
// The error wraps one of the sentinels above.
func DecodeEvent(value []byte) (Event, error) {
	if !utf8.Valid(value) {
		return Event{}, ErrInvalidUTF8
	}
	// The envelope is split by hand: as a struct, the data in it would be read
	// three times over, and this is where a sink spends its time.
	var event Event
	var data []byte
	attributes := map[string]json.RawMessage{}
	err := splitObject(value, func(key string, raw []byte) error {
		switch key {
		case "id":
			return decodeAttribute(key, raw, &event.ID)
		case "source":
			return decodeAttribute(key, raw, &event.Source)
		case "type":
			return decodeAttribute(key, raw, &event.Type)
		case "subject":
			return decodeAttribute(key, raw, &event.Subject)
		case "time":
			return decodeAttribute(key, raw, &event.Time)
		case "schemaversion":
			return decodeAttribute(key, raw, &event.SchemaVersion)
		case "parserversion":
			return decodeAttribute(key, raw, &event.ParserVersion)
		case "specversion", "datacontenttype":
			return decodeAttribute(key, raw, new(string))
		case "data":
			data = raw
			return nil
		}
		if !json.Valid(raw) {
			return fmt.Errorf("%s: %w", key, errMalformed)
		}
		attributes[key] = raw
		return nil
	})
	if errors.Is(err, errMalformed) {
		// The standard library says better what is wrong, and where.
		return Event{}, classify(cmp.Or(json.Unmarshal(value, new(json.RawMessage)), err))
	}
	if err != nil {
		return Event{}, err
	}
	event.Time = event.Time.UTC()
	if err := event.check(); err != nil {
		return Event{}, err
	}
	payload, _ := PayloadOf(event.Type)
	if len(data) == 0 {
		return Event{}, fmt.Errorf("data: %w", ErrIncomplete)
	}
	if data[0] != '{' {
		return Event{}, fmt.Errorf("data: not an object: %w", ErrWrongType)
	}
	if event.Data, err = payload.decode(data); err != nil && !errors.Is(err, ErrWrongType) {
		return Event{}, err
	}
	unknown := unknownFields{fields: map[string]json.RawMessage{}}
	if err := unknown.collect(payload.known, nil, data); err != nil {
		return Event{}, classify(err)
	}
	if unknown.looksKnown {
		// encoding/json takes Role for role: without it, then.
		pruned, pruneErr := payload.known.prune(data)
		if pruneErr != nil {
			return Event{}, classify(pruneErr)
		}
		event.Data, err = payload.decode(pruned)
	}
	if err != nil {
		return Event{}, err
	}
	event.Extra, err = unknown.extra(attributes)
	return event, err
}

// decode reads a payload. The error wraps ErrNotJSON or ErrWrongType.
func (p *Payload) decode(data []byte) (any, error) {
	into := p.New()
	if err := json.Unmarshal(data, into); err != nil {
		return nil, fmt.Errorf("data: %w", classify(err))
	}
	return into, nil
}

// decodeAttribute reads an attribute of the envelope. Null leaves it empty.
func decodeAttribute(key string, raw []byte, into any) error {
	if text, ok := into.(*string); ok && isPlainString(raw) {
		*text = string(raw[1 : len(raw)-1])
		return nil
	}
	err := json.Unmarshal(raw, into)
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		typed.Field = key
	} else if err != nil {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return classify(err)
}

// isPlainString tells whether a JSON string stands for itself.
func isPlainString(raw []byte) bool {
	if len(raw) < 2 || raw[0] != '"' {
		return false
	}
	for _, c := range raw[1:] {
		if c < ' ' || c == '\\' {
			return false
		}
	}
	return true
}

// classify finds the sentinel for an error of encoding/json.
func classify(err error) error {
	var typed *json.UnmarshalTypeError
	var at *time.ParseError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return fmt.Errorf("%s: %s where %s belongs: %w", typed.Field, typed.Value, typed.Type, ErrWrongType)
	case errors.As(err, &at):
		return fmt.Errorf("time %q: not RFC 3339: %w", at.Value, ErrWrongType)
	case errors.As(err, &syntax), errors.Is(err, errMalformed), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	return fmt.Errorf("%w: %w", ErrWrongType, err) // a type's own UnmarshalJSON
}

// errMalformed: the text is no JSON.
var errMalformed = errors.New("malformed")

// splitObject gives the fields of a JSON object in order, as they stand. It
// checks the object's own punctuation; what a value holds is for visit to check.
func splitObject(text []byte, visit func(key string, raw []byte) error) error {
	return split(text, '{', '}', func(_ int, rest []byte) ([]byte, error) {
		keyEnd := valueEnd(rest)
		if keyEnd < 2 || rest[0] != '"' {
			return nil, errMalformed
		}
		var key string
		if raw := rest[:keyEnd]; isPlainString(raw) {
			key = string(raw[1 : keyEnd-1])
		} else if err := json.Unmarshal(raw, &key); err != nil {
			return nil, errMalformed
		}
		rest = skipSpace(rest[keyEnd:])
		if len(rest) == 0 || rest[0] != ':' {
			return nil, errMalformed
		}
		rest = skipSpace(rest[1:])
		end := valueEnd(rest)
		if end == 0 {
			return nil, errMalformed
		}
		return rest[end:], visit(key, rest[:end])
	})
}

// splitArray gives the elements of a JSON array in order; see splitObject.
func splitArray(text []byte, visit func(i int, raw []byte) error) error {
	return split(text, '[', ']', func(i int, rest []byte) ([]byte, error) {
		end := valueEnd(rest)
		if end == 0 {
			return nil, errMalformed
		}
		return rest[end:], visit(i, rest[:end])
	})
}

// split walks over what stands between brackets, separated by commas. Each
// call of next takes one item off the text.
func split(text []byte, open, shut byte, next func(i int, rest []byte) ([]byte, error)) error {
	rest := skipSpace(text)
	if len(rest) == 0 || rest[0] != open {
		return errMalformed
	}
	rest = skipSpace(rest[1:])
	for i := 0; ; i++ {
		if i == 0 && len(rest) > 0 && rest[0] == shut {
			break
		}
		var err error
		if rest, err = next(i, rest); err != nil {
			return err
		}
		rest = skipSpace(rest)
		if len(rest) > 0 && rest[0] == shut {
			break
		}
		if len(rest) == 0 || rest[0] != ',' {
			return errMalformed
		}
		rest = skipSpace(rest[1:])
	}
	if len(skipSpace(rest[1:])) > 0 {
		return errMalformed
	}
	return nil
}

func skipSpace(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}

// valueEnd is the length of the JSON value at the start of the text, or 0 where
// there is none that ends.
func valueEnd(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			end := stringEnd(text[i:])
			if end == 0 {
				return 0
			}
			i += end - 1
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i // the end of what holds a number or a literal
			}
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return 0
}

// stringEnd is the length of the JSON string at the start of the text.
func stringEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return 0
		}
		i += quote
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i + 1
		}
	}
	return 0
}
