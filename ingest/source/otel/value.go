package otel

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/ingest/source/llm/rawjson"
)

// maxDepth is how deep an attribute's value is followed.
const maxDepth = 100

// attributes gives the attributes of a span, event, record or resource by
// their keys. Of two with one key the first counts.
func attributes(o rawjson.Object) rawjson.Object {
	found := rawjson.Object{}
	for _, pair := range o.Objects("attributes") {
		if key := pair.String("key"); key != "" && found[key] == nil {
			if value := anyValue(pair.Object("value"), 0); value != nil {
				found[key] = value
			}
		}
	}
	return found
}

// anyValue gives the JSON of an AnyValue; nil for an empty one.
func anyValue(o rawjson.Object, depth int) json.RawMessage {
	switch {
	case depth > maxDepth:
		return nil
	case o.Has("stringValue"):
		if text, ok := rawjson.Text(o["stringValue"]); ok {
			return rawjson.Marshal(text)
		}
	case o.Has("intValue"):
		// A string, because JavaScript's numbers end at 2^53.
		if text := o.ID("intValue"); text != "" {
			if _, err := strconv.ParseInt(text, 10, 64); err == nil {
				return json.RawMessage(text)
			}
		}
	case o.Has("doubleValue"):
		if number := o.Float("doubleValue"); number != nil {
			return rawjson.Marshal(*number)
		}
		return rawjson.Marshal(o.String("doubleValue")) // NaN, Infinity
	case o.Bool("boolValue") != nil:
		return rawjson.Marshal(*o.Bool("boolValue"))
	case o.Has("bytesValue"):
		return rawjson.Marshal(o.String("bytesValue"))
	case o.Object("arrayValue") != nil:
		list := []json.RawMessage{}
		for _, item := range o.Object("arrayValue").Objects("values") {
			if value := anyValue(item, depth+1); value != nil {
				list = append(list, value)
			} else {
				list = append(list, json.RawMessage("null"))
			}
		}
		return rawjson.Marshal(list)
	case o.Object("kvlistValue") != nil:
		fields := rawjson.Object{}
		for _, pair := range o.Object("kvlistValue").Objects("values") {
			if value := anyValue(pair.Object("value"), depth+1); value != nil {
				fields[pair.String("key")] = value
			}
		}
		return rawjson.Marshal(fields)
	}
	return nil
}

// hexID gives an id of n bytes in lower-case hex. Programs that write OTLP with
// a general JSON library of protobuf's write base64. "" is no id, or zero.
func hexID(text string, n int) string {
	if id, err := hex.DecodeString(text); err == nil && len(id) == n {
		return nonZero(strings.ToLower(text))
	}
	if id, err := base64.StdEncoding.DecodeString(text); err == nil && len(id) == n {
		return nonZero(hex.EncodeToString(id))
	}
	return ""
}

func nonZero(id string) string {
	if strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}

// nanos reads a time in nanoseconds since 1970, a number or a text.
func nanos(raw json.RawMessage) time.Time {
	n := nanoseconds(raw)
	if n <= 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func nanoseconds(raw json.RawMessage) int64 {
	text := string(raw)
	if inner, ok := rawjson.Text(raw); ok {
		text = inner
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < math.MaxInt64 { // 1.7e18
		return int64(f)
	}
	return 0
}

// belowMicrosecond is what an event's time does not keep: it orders calls of
// one microsecond, in a file and live alike.
func belowMicrosecond(raw json.RawMessage) int64 {
	return max(nanoseconds(raw), 0) % 1000
}

func orEpoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC() // the clock would give the same file another event each time
	}
	return t
}
