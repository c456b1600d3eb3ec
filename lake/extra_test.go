package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// fromTheFuture adds fields that nobody knows to a JSON object and to the
// objects in it, and tells how many.
func fromTheFuture(r *rand.Rand, value any, known knownFields) int {
	added := 0
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if known[key] != nil {
				added += fromTheFuture(r, inner, known[key])
			}
		}
		names := []string{"fresh", "a.b", "list[0]", "x[1].y", `qu"ote`, "", "_attributes", "ünï", "back\\slash", "content ", "messages[0].role", "[0]", "."}
		for key := range known { // what encoding/json would take for it
			names = append(names, strings.ToUpper(key))
			break
		}
		for range r.IntN(3) {
			name := names[r.IntN(len(names))]
			if _, taken := value[name]; taken {
				continue
			}
			if _, isKnown := known[name]; isKnown {
				continue
			}
			value[name] = []any{nil, "text <&>", json.Number("12345678901234567890"), true, map[string]any{"deep": []any{"x"}}, []any{map[string]any{}}}[r.IntN(6)]
			added++
		}
	case []any:
		for _, inner := range value {
			added += fromTheFuture(r, inner, known)
		}
	}
	return added
}

func parseJSON(t *testing.T, text []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// An event of a newer producer, with fields at every level that this binary
// does not know, goes through it whole.
func TestNewerEventsPassThroughWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	added := 0
	for _, payload := range Payloads() {
		for range 60 {
			event := Event{ID: "i", Source: "s://", Type: strings.ReplaceAll(payload.Type, "*", "x"), Subject: "u", Time: testStart, Data: payload.New()}
			fill(r, reflect.ValueOf(event.Data).Elem())
			plain, err := event.Encode()
			if err != nil {
				t.Fatal(err)
			}
			sent := parseJSON(t, plain).(map[string]any)
			added += fromTheFuture(r, sent["data"], payload.known)
			if r.IntN(3) == 0 {
				sent["traceparent"] = "00-ab-cd-01"
			}
			wire, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := DecodeEvent(wire)
			if err != nil {
				t.Fatalf("%v: %s", err, wire)
			}
			if old, err := DecodeEvent(plain); err != nil || !reflect.DeepEqual(decoded.Data, old.Data) {
				t.Errorf("%s: unknown fields changed what is known (%v)\n%s\n%s", payload.Type, err, plain, wire)
			}
			back, err := decoded.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if got := parseJSON(t, back); !reflect.DeepEqual(got, parseJSON(t, wire)) {
				t.Fatalf("%s: sent\n%s\nextra\n%s\ncame out as\n%s", payload.Type, wire, decoded.Extra, back)
			}
		}
	}
	if added < 1000 {
		t.Errorf("only %d fields were added", added)
	}
}

// What was around a field may be gone, and the field is kept.
func TestExtraOfWhatIsGone(t *testing.T) {
	for _, c := range []struct{ data, extra, want string }{
		{`{}`, `{"a":1}`, `{"a":1}`},
		{`{"b":2}`, `{"a":1}`, `{"b":2,"a":1}`},
		{`{"m":[{}]}`, `{"m[0].x":1,"m[1].x":2}`, `{"m":[{"x":1}],"m[1].x":2}`},
		{`{"m":[{"c":[{"n":"f"}]}]}`, `{"m[0].c[0].x":1,"m[0].c[1].x":2,"m[0].y":3}`, `{"m":[{"c":[{"n":"f","x":1}],"y":3}],"m[0].c[1].x":2}`},
		{`{"u":{"i":1}}`, `{"u.x":1,"v.x":2}`, `{"u":{"i":1,"x":1},"v.x":2}`},
		{`{"u":7,"w":[null]}`, `{"u.x":1,"w[0].x":2,"u[0].x":3}`, `{"u":7,"w":[null],"u.x":1,"u[0].x":3,"w[0].x":2}`},
		{`{"a":5}`, `{"a":1}`, `{"a":5}`}, // a field that this binary has come to know
		{`{}`, `{"\"a.b\"":1,"\"_attributes\"":2,"_attributes":{"trace":"t"}}`, `{"_attributes":2,"a.b":1}`},
	} {
		text, err := withExtra(fmt.Appendf(nil, `{"id":"i","data":%s}`, c.data), c.extra)
		want := fmt.Sprintf(`{"id":"i","data":%s`, c.want)
		if err != nil || !strings.HasPrefix(string(text), want) || !json.Valid(text) {
			t.Errorf("%s with %s: %s, %v; want %s", c.data, c.extra, text, err, want)
		}
		if strings.Contains(c.extra, "trace") && !strings.HasSuffix(string(text), `,"trace":"t"}`) {
			t.Errorf("attributes: %s", text)
		}
	}
}
