package redact

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
)

// The keys here are invented: they have the shape of real ones and open nothing.
func TestText(t *testing.T) {
	cases := []struct {
		name string
		text string
		kind string // empty: nothing is found
		keep []string
	}{
		{"openai_project_key", "use sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7 please", "openai_key", []string{"use ", " please"}},
		{"anthropic_key_in_json", `{"key":"sk-ant-api03-Zx9Yw8Vu7Ts6Rq5Po4Nm3"}`, "anthropic_key", []string{`{"key":"`, `"}`}},
		{"github_token", "GH_TOKEN ghp_0123456789abcdefghijABCDEFGHIJ456789", "github_token", nil},
		{"aws_access_key", "AKIAQWERTYUIOP234567 ", "aws_access_key", nil},
		{"slack_bot", "xoxb-23687968371-FAKE4P7q1S0oJMeVp5g7KYjB", "slack_token", nil},
		{"jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123456ghiJKL789", "jwt", nil},
		{"password_in_url", "postgres://app:hunter2hunter@db:5432/x", "password_in_url", []string{"postgres://app:", "@db:5432/x"}},
		{"private_key_with_escaped_lines", `"-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\n"`, "private_key", nil},
		{"private_key_cut_off", "-----BEGIN PRIVATE KEY-----\nMIIabc", "private_key", nil},
		{"assignment", `API_KEY = "q7Zr2Lx9Wv4Tn8Bc"`, "secret", []string{`API_KEY = "`}},
		{"assignment_in_escaped_json", `{\"password\": \"tr0ub4dor&3x9Qz\"}`, "secret", nil},

		{"prose_about_a_key", "sk-learn is a library; the api key: ask the team", "", nil},
		{"base64_that_contains_sk", "data:image/png;base64,AAAA/sk-abcdefghijklmnop1234567890ABCDEF", "", nil},
		{"a_placeholder_stays", "password=[REDACTED:secret:1a2b]", "", nil},
		{"a_variable_is_no_secret", "password: process.env.DATABASE_PASSWORD", "", nil},
		{"uuid", "token 6f1c2d3e-4b5a-6978-8a9b-0c1d2e3f4a5b", "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, counts := New(Options{}).Text("s1", c.text)
			if c.kind == "" {
				if got != c.text {
					t.Errorf("got %q, nothing to find", got)
				}
				return
			}
			if counts[c.kind] != 1 || !strings.Contains(got, "[REDACTED:"+c.kind+":") {
				t.Errorf("got %q, counts %v, want one %s", got, counts, c.kind)
			}
			for _, keep := range c.keep {
				if !strings.Contains(got, keep) {
					t.Errorf("got %q, lost %q", got, keep)
				}
			}
		})
	}
}

func TestStableWithinASubjectAndIdempotent(t *testing.T) {
	r := New(Options{})
	text := "first sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7, again sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7"
	one, counts := r.Text("s1", text)
	if counts["openai_key"] != 2 || strings.Count(one, one[6:len("first [REDACTED:openai_key:0000]")]) != 2 {
		t.Errorf("the same secret became two placeholders: %s", one)
	}
	if other, _ := r.Text("s2", text); other == one {
		t.Errorf("another subject gave the same placeholder: %s", other)
	}
	if twice, counts := r.Text("s1", one); twice != one || counts != nil {
		t.Errorf("redacting twice: %q, %v", twice, counts)
	}
}

func TestEventWalksEveryTextButIDs(t *testing.T) {
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ456789"
	call := &lake.GatewayCall{
		RequestID: secret, // an id ties rows together
		Messages:  []lake.Message{{Role: "user", Content: "take " + secret, ToolCalls: []lake.ToolCall{{ID: "c1", Arguments: `{"t":"` + secret + `"}`}}}},
		Tags:      []string{secret},
		Params:    `{"x":"` + secret + `"}`,
	}
	event := &lake.Event{Subject: "s1", Data: call, Extra: `{"new":"` + secret + `"}`}
	counts := New(Options{}).Event(event)
	if counts["github_token"] != 5 {
		t.Errorf("counts %v, want 5", counts)
	}
	if call.RequestID != secret {
		t.Errorf("the id was changed: %s", call.RequestID)
	}
}

// Binary data as text must not be eaten: about one token in 10^12 would match.
func TestRandomBase64IsLeftAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	r := New(Options{})
	for range 200 {
		data := make([]byte, 3000)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		text := base64.StdEncoding.EncodeToString(data)
		if got, counts := r.Text("s", text); got != text {
			t.Fatalf("found %v in random bytes", counts)
		}
	}
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("The quick brown fox keeps its key under the mat, and says so in a tool result. ", 500)
	r := New(Options{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Text("s", text)
	}
}
