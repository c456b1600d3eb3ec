package retention

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "# nothing yet\n", "[]"},
		{"ages", "gateway: 720h\nchat: 365d\n", "[{chat 8760h0m0s false} {gateway 720h0m0s false}]"},
		{"by_rows", "chat:\n  older-than: 30d\n  rows: true\n", "[{chat 720h0m0s true}]"},
		{"a_ledger", "erasure: 365d\n", "a ledger is never expired"},
		{"unknown_family", "chats: 365d\n", "no family of events"},
		{"no_unit", "chat: 365\n", `"365" is no age`},
		{"negative", "chat: -3d\n", `"-3d" is no age`},
		{"no_age", "chat:\n  rows: true\n", `"" is no age`},
		{"misspelt", "chat:\n  older-than: 30d\n  row: true\n", "neither older-than nor rows: row"},
		{"twice", "chat: 30d\nchat: 40d\n", "already defined"},
		{"a_list", "- chat\n", "cannot unmarshal"},
		{"two_documents", "chat: 30d\n---\nchat: 40d\n", "more than one document"},
		{"no_age_at_all", "chat:\n", `"" is no age`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := ParsePolicy([]byte(c.text))
			got := fmt.Sprint(rules)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1d": 24 * time.Hour, "365d": 365 * 24 * time.Hour, "720h": 720 * time.Hour, "1h30m": 90 * time.Minute,
		"": 0, "d": 0, "0d": 0, "1.5d": 0, "9999999999d": 0, "0h": 0, "-1h": 0, "1 d": 0, "a year": 0,
	} {
		got, err := ParseAge(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

// Whatever stands in the file, the rules that come of it can be applied.
func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{"", "chat: 365d\n", "chat:\n  older-than: 30d\n  rows: true\n", "chat: &a 1d\ngateway: *a\n", "<<: {chat: 1d}\n", "chat: {older-than: [1d]}\n", "? [a]\n: 1d\n", "chat: !!binary aGVsbG8=\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := ParsePolicy(data)
		if err != nil {
			return
		}
		for _, rule := range rules {
			if err := rule.check(); err != nil {
				t.Errorf("%q: %v", data, err)
			}
		}
	})
}
