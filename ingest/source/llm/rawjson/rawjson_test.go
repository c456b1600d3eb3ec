package rawjson

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2025-10-09T08:00:00Z":             "2025-10-09T08:00:00Z",
		"2025-10-09T10:00:00.123456+02:00": "2025-10-09T08:00:00.123456Z",
		"2025-10-09T08:00:00.5":            "2025-10-09T08:00:00.5Z",
		"2025-10-09 08:00:00.847371":       "2025-10-09T08:00:00.847371Z",
		"Thu, 09 Oct 2025 08:00:00 GMT":    "2025-10-09T08:00:00Z",
		"1759996800":                       "2025-10-09T08:00:00Z",
		"1759996800.25":                    "2025-10-09T08:00:00.25Z",
		"1759996800123":                    "2025-10-09T08:00:00.123Z",
		"1759996800123456":                 "2025-10-09T08:00:00.123456Z",
		"":                                 "",
		"yesterday":                        "",
		"-5":                               "",
		"1e300":                            "",
		"NaN":                              "",
	} {
		got := ""
		if at := ParseTime(text); !at.IsZero() {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFields(t *testing.T) {
	o := Parse([]byte(`{"n":"12","f":1.5,"big":1e30,"b":"True","s":"x","null":null,"list":"[1,\"a\"]","obj":"{\"k\":7}","empty":"","id":42}`))
	if n := o.Int("null", "n"); n == nil || *n != 12 {
		t.Errorf("n: %v", n)
	}
	for _, key := range []string{"f", "big", "s", "none", "null"} {
		if n := o.Int(key); n != nil {
			t.Errorf("%s is the whole number %d", key, *n)
		}
	}
	if b := o.Bool("b"); b == nil || !*b {
		t.Errorf("b: %v", b)
	}
	if o.String("empty", "s") != "x" || o.String("id") != "" || o.ID("id") != "42" || o.Has("null") {
		t.Error("texts")
	}
	if got := o.Strings("list"); len(got) != 1 || got[0] != "a" {
		t.Errorf("list: %q", got)
	}
	if o.Object("obj").ID("k") != "7" || o.Object("s") != nil || Parse([]byte(`[1]`)) != nil || Object(nil).String("x") != "" {
		t.Error("objects")
	}
}

func TestShrink(t *testing.T) {
	blob := strings.Repeat("QUJD", 200)
	got := Shrink([]byte(`{"signature":"x","encrypted_content":"y","text":"<kept> & all","n":12345678901234567890,"url":"data:image/png;base64,` + blob + `","data":"` + blob + `","prose":"` + strings.Repeat("a b", 300) + `"}`))
	var o map[string]any
	if err := json.Unmarshal([]byte(got), &o); err != nil {
		t.Fatal(err)
	}
	if o["signature"] != nil || o["encrypted_content"] != nil || !strings.Contains(got, `"<kept> & all"`) || !strings.Contains(got, "12345678901234567890") {
		t.Errorf("got %s", got)
	}
	for _, key := range []string{"url", "data"} {
		if reference, ok := o[key].(map[string]any); !ok || reference["sha256"] == nil {
			t.Errorf("%s is no reference: %v", key, o[key])
		}
	}
	if _, ok := o["prose"].(string); !ok {
		t.Error("prose is taken for binary data")
	}
}

func TestFirst(t *testing.T) {
	for head, want := range map[string]string{
		`{"a":1}`:                     "1",
		"[\n {\"a\":1},":              "1",
		"\ufeff{\n \"a\": 1\n}\nrest": "1",
		"{oops\n{\"a\":1}\n{\"a\":2}": "1",
		`{"a":1,"b":"cut`:             "",
		"text":                        "",
		"":                            "",
	} {
		if got := First([]byte(head)).ID("a"); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
