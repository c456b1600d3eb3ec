package redact_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/redact"
	"github.com/weir-lake/weir/lake"
)

// hide makes the letters of an invented secret, so that no scanner takes this
// file for a leak.
func hide(parts ...string) string { return strings.Join(parts, "") }

const filler = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2W3x4Y5z6a7B8c9D0e1F2g3H4i5J6k7L8m9N0"

func TestSecrets(t *testing.T) {
	key := hide("sk", "-proj-", filler[:48])
	pem := "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEA7y2xkQ9\nb0Zx==\n-----END RSA PRIVATE " + "KEY-----"
	for _, test := range []struct{ name, in, want string }{
		{"bare", key, "<openai_key>"},
		{"in_a_sentence", "Use " + key + ". Thanks", "Use <openai_key>. Thanks"},
		{"old_form", hide("sk", "-", filler[:48]), "<openai_key>"},
		{"anthropic", hide("sk", "-ant-api03-", filler, "AA"), "<anthropic_key>"},
		{"escaped_line_break_before", `{"out":"KEY\n` + key + `\n"}`, `{"out":"KEY\n<openai_key>\n"}`},
		{"json_in_json", `{"command":"export OPENAI_API_KEY=` + key + ` && run"}`, `{"command":"export OPENAI_API_KEY=<openai_key> && run"}`},
		{"aws", "id AKIA" + "FAKEABCDEFGH2345 end", "id <aws_access_key> end"},
		{"aws_secret", "aws_secret_access_key = wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzKEYz", "aws_secret_access_key = <secret>"},
		{"github", hide("gh", "p_FAKE", filler[:32]), "<github_token>"},
		{"slack", hide("xox", "b-12345678901-FAKE", filler[:20]), "<slack_token>"},
		{"google", hide("AI", "za", filler[:35]), "<google_key>"},
		{"hugging_face", hide("h", "f_", filler[:34]), "<huggingface_token>"},
		{"jwt", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJpbnZlbnRlZCJ9." + filler[:43], "Bearer <jwt>"},
		{"private_key", "key:\n" + pem + "\nend", "key:\n<private_key>\nend"},
		{"private_key_escaped", `{"key":"` + strings.ReplaceAll(pem, "\n", `\n`) + `"}`, `{"key":"<private_key>"}`},
		{"private_key_cut_off", pem[:84], "<private_key>"},
		{"url_password", "postgres://app:tr0ub4dor@db:5432/x", "postgres://app:<url_password>@db:5432/x"},
		{"auth_header", "Authorization: Bearer " + filler[:40], "Authorization: Bearer <auth_header>"},
		{"assigned_password", `password: "Tr0ub4dor&3"`, `password: "<password>"`},
		{"assigned_in_json", `{"db_password":"Tr0ub4dor&3","user":"app"}`, `{"db_password":"<password>","user":"app"}`},
		{"assigned_in_escaped_json", `{\"api_key\": \"` + filler[:32] + `\"}`, `{\"api_key\": \"<secret>\"}`},
		{"assigned_by_stage", "SERVICE_TOKEN_PROD=" + filler[:32], "SERVICE_TOKEN_PROD=<secret>"},
		{"assigned_trial_token", "TRIAL_TOKEN=" + filler[:32], "TRIAL_TOKEN=<secret>"},
		{"twice", key + " " + key, "<openai_key> <openai_key>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := redact.New(redact.Options{})
			got, counts := r.Text("s", test.in)
			if plain := placeholders.ReplaceAllString(got, "<$1>"); plain != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if counts == nil {
				t.Error("nothing counted")
			}
			if again, _ := r.Text("s", got); again != got {
				t.Errorf("a second pass gives %s", again)
			}
		})
	}
}

var placeholders = regexp.MustCompile(`\[REDACTED:(\w+):[0-9a-f]{2}\]`)

func TestInnocentTexts(t *testing.T) {
	for _, text := range []string{
		"",
		"the sk-learn package, and sk-1 to sk-99",
		"desk-" + filler[:48],                          // within a word
		"QUJD" + filler[:30] + "-sk-" + filler[:60],    // within base64url
		"sk-" + strings.Repeat("a", 40),                // no key is that dull
		"sk-this-is-how-a-key-looks-like-in-our-guide", // words
		"token = getTokenFromContext2(ctx)",
		"token := req.Header.Token1234567890abc",
		"max_tokens: 4096, total_tokens=128000",
		"tokenizer = 'cl100k_base_v2_2024_xyzabc'",
		`"SystemEntropyOriginTrialToken": "` + filler[:44] + `/` + filler[:60] + `="`,
		"password: string",
		`"password": "${DB_PASSWORD_2}"`,
		`api_key="your-api-key-1234567890abcdef"`,
		"https://example.com:8080/a?b=c@d",
		"postgres://user:$PASSWORD@host/db",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"look for -----BEGIN PRIVATE " + "KEY----- in the log",
		"commit 3f786850e387550fdab836ed7e6dc881de23001b",
		"AKIA is the prefix; AKIAIOSFODNN7 is too short",
		"[REDACTED:openai_key:7c]",
		`{"password":"[REDACTED:password:01]"}`,
	} {
		if got, counts := redact.New(redact.Options{}).Text("s", text); got != text || counts != nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestEvent replaces in every text of a payload and keeps the same secret
// recognisable within its subject only.
func TestEvent(t *testing.T) {
	key := hide("sk", "-proj-", filler[:48])
	event := func(subject string) *lake.Event {
		return &lake.Event{ID: "1", Subject: subject, Type: "weir.gateway.call.v1", Extra: `{"note":"` + key + `"}`, Data: &lake.GatewayCall{
			Messages: []lake.Message{{Content: "my key: " + key, ToolCalls: []lake.ToolCall{{Arguments: `{"key":"` + key + `"}`}}}},
			Tags:     []string{key},
			Params:   `{"api_key":"` + key + `"}`,
		}}
	}
	e, other := event("a"), event("b")
	r := redact.New(redact.Options{})
	if counts := r.Event(e); counts["openai_key"] != 5 || len(counts) != 1 {
		t.Errorf("counts %v", counts)
	}
	r.Event(other)
	text, _ := json.Marshal(e.Data)
	if strings.Contains(string(text)+e.Extra, key) {
		t.Errorf("left: %s", text)
	}
	call := e.Data.(*lake.GatewayCall)
	if !json.Valid([]byte(call.Params)) || !json.Valid([]byte(call.Messages[0].ToolCalls[0].Arguments)) {
		t.Error("JSON was broken")
	}
	if call.Tags[0] != placeholders.FindString(call.Params) || call.Tags[0] == other.Data.(*lake.GatewayCall).Tags[0] {
		t.Errorf("placeholders %s, %s", call.Tags[0], other.Data.(*lake.GatewayCall).Tags[0])
	}
}

func TestPatterns(t *testing.T) {
	r := redact.New(redact.Options{Patterns: []redact.Pattern{{Kind: "employee", Regexp: regexp.MustCompile(`badge (\d{4})`)}}})
	got, counts := r.Text("s", "badge 1234 of 5678")
	if placeholders.ReplaceAllString(got, "<$1>") != "badge <employee> of 5678" || counts["employee"] != 1 {
		t.Errorf("%s, %v", got, counts)
	}
}

// FuzzText: a second pass changes nothing, and JSON stays JSON.
func FuzzText(f *testing.F) {
	f.Add(`{"password": "Tr0ub4dor&3", "url": "http://a:b0ss5@c"}`)
	f.Add("api_key='" + filler[:32] + "' -----BEGIN PRIVATE " + "KEY-----" + filler)
	f.Add("Bearer " + hide("sk", "-proj-", filler[:48]) + "eyJ.eyJ.")
	f.Add(`{"to":"ada@example.org","from":"+14155552671","ip":"8.8.8.8 2606:4700::1111","card":"4111 1111 1111 1111"}`)
	f.Add("https://hooks.slack.com/services/T0FAKE123/B0FAKE456/" + filler[:24] + ` curl -u "a:b0ss5678" discord='` + filler[:32])
	r := redact.New(redact.Options{Personal: redact.PersonalKinds()})
	f.Fuzz(func(t *testing.T, text string) {
		once, counts := r.Text("s", text)
		if (counts == nil) != (once == text) {
			t.Errorf("counts %v for %q", counts, once)
		}
		if twice, _ := r.Text("s", once); twice != once {
			t.Errorf("%q, then %q", once, twice)
		}
		if json.Valid([]byte(text)) && !json.Valid([]byte(once)) {
			t.Errorf("%q is no JSON any more", once)
		}
	})
}

// TestHostileTexts: no text takes longer than its length allows.
func TestHostileTexts(t *testing.T) {
	for _, unit := range []string{"Bearer ", "-----BEGIN PRIVATE " + "KEY-----", "SG.", "eyJhbGciOi.", "token=", "a://b:", "sk-", ":", "password : "} {
		redact.New(redact.Options{}).Text("s", strings.Repeat(unit, 1<<20/len(unit)))
	}
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("func (s *Server) handle(w http.ResponseWriter, r *http.Request) error { return s.next(w, r) } // see: docs\n", 1000)
	r := redact.New(redact.Options{})
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r.Text("s", text)
	}
}
