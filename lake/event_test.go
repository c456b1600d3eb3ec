package lake

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDecodeEventErrors(t *testing.T) {
	const good = `{"id":"a","source":"s","type":"weir.document.added.v1","subject":"b","time":"2026-01-02T03:04:05Z","data":{"text":"x"}}`
	if _, err := DecodeEvent([]byte(good)); err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the good event", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, c := range map[string]struct {
		value string
		want  error
	}{
		"empty":                        {"", ErrNotJSON},
		"no_object":                    {`[1]`, ErrNotJSON},
		"a_number":                     {`12`, ErrNotJSON},
		"cut_off_in_the_data":          {good[:len(good)-6], ErrNotJSON},
		"cut_off_before_the_last_byte": {good[:len(good)-1], ErrNotJSON},
		"two_glued_together":           {good + good, ErrNotJSON},
		"a_comma_too_many":             {replace(`"x"}}`, `"x"},}`), ErrNotJSON},
		"no_comma":                     {replace(`"a",`, `"a" `), ErrNotJSON},
		"no_colon":                     {replace(`"id":`, `"id" `), ErrNotJSON},
		"a_key_that_is_no_string":      {replace(`"id":`, `id:`), ErrNotJSON},
		"a_literal_that_is_none":       {replace(`"a"`, `tru`), ErrNotJSON},
		"an_unknown_one_malformed":     {replace(`"id"`, `"new":{]},"id"`), ErrNotJSON},
		"brackets_that_do_not_match":   {replace(`{"text":"x"}`, `{"text":["x"}]}`), ErrNotJSON},
		"control_byte_in_a_string":     {replace(`"a"`, "\"a\nb\""), ErrNotJSON},
		"invalid_utf8":                 {replace(`"x"`, "\"\xff\""), ErrInvalidUTF8},
		"type_unknown":                 {replace("weir.document.added.v1", "weir.document.added.v9"), ErrUnknownType},
		"type_missing":                 {replace(`"type"`, `"kind"`), ErrIncomplete},
		"id_missing":                   {replace(`"id":"a"`, `"id":null`), ErrIncomplete},
		"subject_empty":                {replace(`"b"`, `""`), ErrIncomplete},
		"time_missing":                 {replace(`"time"`, `"at"`), ErrIncomplete},
		"time_of_no_format":            {replace("2026-01-02T03:04:05Z", "yesterday"), ErrWrongType},
		"time_a_number":                {replace(`"2026-01-02T03:04:05Z"`, `17`), ErrWrongType},
		"id_a_number":                  {replace(`"a"`, `17`), ErrWrongType},
		"text_a_list":                  {replace(`"x"`, `["x"]`), ErrWrongType},
		"data_missing":                 {replace(`"data"`, `"dat"`), ErrIncomplete},
		"data_null":                    {replace(`{"text":"x"}`, `null`), ErrWrongType},
		"data_a_list":                  {replace(`{"text":"x"}`, `[]`), ErrWrongType},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := DecodeEvent([]byte(c.value))
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v (event %+v)", err, c.want, event)
			}
			for _, other := range sentinels {
				if other != c.want && errors.Is(err, other) {
					t.Errorf("error %v is also %v", err, other)
				}
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of two lines: %q", err)
			}
		})
	}
}

var sentinels = []error{ErrNotJSON, ErrInvalidUTF8, ErrUnknownType, ErrWrongType, ErrIncomplete}

func TestDecodeEventSaysWhichField(t *testing.T) {
	for value, want := range map[string]string{
		`{"id":"a","type":"weir.gateway.call.v1","subject":"b","time":"2026-01-02T03:04:05Z","data":{"messages":[{"role":"user"},{"role":7}]}}`: "data: messages.role: number where string belongs: field has the wrong type",
		`{"id":"a","type":"weir.gateway.call.v1","subject":["b"]}`:                                                                              "subject: array where string belongs: field has the wrong type",
		`{"id":"a","type":"weir.gateway.call.v1","subject":"b","time":"2026-01-02T03:04:05Z","data":{"http_status":200.5}}`:                     "data: http_status: number 200.5 where int64 belongs: field has the wrong type",
		`{"id":"a","type":"weir.gateway.call.v1","subject":"b","time":"yesterday"}`:                                                             `time "yesterday": not RFC 3339: field has the wrong type`,
	} {
		if _, err := DecodeEvent([]byte(value)); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestDecodeEventKeepsWhatItDoesNotKnow(t *testing.T) {
	value := `{"specversion":"1.0","id":"a\u0041","source":"s","type":"weir.gateway.call.v1","subject":"b","time":"2026-01-02T04:04:05+01:00","traceparent":"00-1","schemaversion":9,
		"data":{"new":{"deep":[1,2]},"messages":[{"role":"user"},{"role":"user","mood":"<fine>","tool_calls":[{"id":"c","cached":true}]}]}}`
	event, err := DecodeEvent([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	if event.ID != "aA" || event.SchemaVersion != 9 || !event.Time.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || event.Time.Location() != time.UTC {
		t.Errorf("event %+v", event)
	}
	var got, want map[string]any
	if err := json.Unmarshal([]byte(event.Extra), &got); err != nil {
		t.Fatal(err)
	}
	json.Unmarshal([]byte(`{"new":{"deep":[1,2]},"messages[1].mood":"<fine>","messages[1].tool_calls[0].cached":true,"_attributes":{"traceparent":"00-1"}}`), &want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("extra %s", event.Extra)
	}
	if !strings.Contains(event.Extra, "<fine>") {
		t.Errorf("extra %s: not as it came", event.Extra)
	}
	wire, err := event.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeEvent(wire); err != nil || back.Extra != event.Extra {
		t.Errorf("on the wire and back: %v, extra %s", err, back.Extra)
	}
}

func TestPayloadOf(t *testing.T) {
	for eventType, table := range map[string]string{
		"weir.chat.message.v1":    "events.chat_messages",
		"weir.swarm.vote.v1":      "events.swarm",
		"weir.outcome.a.b.v1":     "events.outcomes",
		"weir.swarm..v1":          "",
		"weir.swarm.v1":           "",
		"weir.swarm.vote.v2":      "",
		"weir.chat.message.v1.v1": "",
		"":                        "",
	} {
		p, ok := PayloadOf(eventType)
		if ok != (table != "") || ok && p.Table != table {
			t.Errorf("%q: %v, %v", eventType, p, ok)
		}
	}
}

// Types decide tables, so no type may fit two.
func TestPayloadsAreDistinct(t *testing.T) {
	tables := map[string]bool{}
	for _, p := range Payloads() {
		if tables[p.Table] {
			t.Errorf("table %s twice", p.Table)
		}
		tables[p.Table] = true
		found, ok := PayloadOf(strings.Replace(p.Type, "*", "x", 1))
		if !ok || found != p {
			t.Errorf("type %s goes to %v", p.Type, found)
		}
	}
}

// A field id that is there twice, or overflows, makes a reader take one column
// for another.
func TestFieldIDsAreUnique(t *testing.T) {
	for _, p := range Payloads() {
		names := map[int32]string{}
		var visit func(path string, columns []Column)
		visit = func(path string, columns []Column) {
			for _, column := range columns {
				name := path + column.Name
				ids := []int32{column.FieldID}
				if column.List {
					ids = append(ids, column.ElementID())
				}
				for _, id := range ids {
					if names[id] != "" || id <= 0 {
						t.Errorf("%s: field id %d of %s, also of %q", p.Table, id, name, names[id])
					}
					names[id] = name
				}
				visit(name+".", column.Fields)
			}
		}
		visit("", p.Columns())
	}
}

func FuzzDecodeEvent(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 7))
	for i, p := range Payloads() {
		text, err := randomEvent(r, p, i).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Add([]byte(`{"id":"\ud800","type":"weir.chat.message.v1","subject":"s","time":"2026-01-02T03:04:05Z","data":{"ID":1,"tool_calls":[{"x":[{}]}]}} `))
	f.Fuzz(func(t *testing.T, value []byte) {
		event, err := DecodeEvent(value)
		if err != nil {
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) {
					return
				}
			}
			t.Fatalf("error of no kind: %v", err)
		}
		if !json.Valid(value) {
			t.Fatalf("accepted what is no JSON")
		}
		if event.Extra != "" && !json.Valid([]byte(event.Extra)) {
			t.Fatalf("extra is no JSON: %s", event.Extra)
		}
		// What was read can be written, and is then the same.
		text, err := event.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeEvent(text)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		again, err := back.Encode()
		if err != nil || string(again) != string(text) {
			t.Fatalf("not stable: %s then %s, %v", text, again, err)
		}
	})
}
