package redact_test

import (
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/redact"
)

// TestIssuers: tokens of issuers that only gitleaks' rules know, with and
// without an assignment around them.
func TestIssuers(t *testing.T) {
	hex := "0f9e8d7c6b5a49382716a5b4c3d2e1f0"
	for _, test := range []struct{ name, in, want string }{
		{"planetscale", hide("pscale", "_tkn_", filler[:43]), "<planetscale_api_token>"},
		{"pulumi", "export X=" + hide("pul", "-", hex, hex[:8]), "export X=<pulumi_api_token>"},
		{"readme_in_json", `{"k":"` + hide("rdme", "_", "xsutg0bdxhkw7yp", hex, hex[:23]) + `"}`, `{"k":"<readme_api_token>"}`},
		{"by_name", `discord_client_secret = "` + filler[:32] + `"`, `discord_client_secret = "<secret>"`},
		{"by_issuer", "my_asana_value = '" + hex + "'", "my_asana_value = '<asana_client_secret>'"},
		{"slack_webhook", "post to https://hooks.slack.com/services/" + hide("T0FAKE123", "/B0FAKE456/", filler[:24]) + " now", "post to <slack_webhook_url> now"},
		{"far_into_a_text", strings.Repeat("plain words. ", 500) + hide("dor", "_v1_", hex, hex), strings.Repeat("plain words. ", 500) + "<digitalocean_refresh_token>"},
		{"twice_nearby", hide("pscale", "_pw_", filler[:43]) + " " + hide("pscale", "_pw_", filler[5:48]), "<planetscale_password> <planetscale_password>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, counts := redact.New(redact.Options{}).Text("s", test.in)
			if plain := placeholders.ReplaceAllString(got, "<$1>"); plain != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if counts == nil {
				t.Error("nothing counted")
			}
		})
	}
}

func TestPersonal(t *testing.T) {
	all := redact.New(redact.Options{Personal: redact.PersonalKinds()})
	for _, test := range []struct{ name, in, want string }{
		{"email", "write to ada.l+lake@mail.example.org, please", "write to <email>, please"},
		{"email_in_json", `{"to":"ada@example.org"}`, `{"to":"<email>"}`},
		{"email_after_escaped_break", `"line\nnadia@example.org"`, `"line\n<email>"`},
		{"email_in_brackets", "Ada <ada@example.org>.", "Ada <<email>>."},
		{"international", "call +49 30 901820, or +14155552671!", "call <phone>, or <phone>!"},
		{"north_american", "(415) 555-2671 and 415-555-2671 and 415.555.2671", "<phone> and <phone> and <phone>"},
		{"card", "4111 1111 1111 1111 and 5555555555554444, 378282246310005", "<card> and <card>, <card>"},
		{"ip", "from 8.8.8.8 and [2606:4700:4700::1111]:443.", "from <ip> and [<ip>]:443."},
		{"ip_and_port", "8.8.4.4:53", "<ip>:53"},
		{"card_as_json_number", `{"pan": 4111111111111111, "note":"[4111111111111111]"}`, `{"pan": "<card>", "note":"[<card>]"}`},
		{"same_twice", "a@b.io a@b.io", "<email> <email>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := all.Text("s", test.in)
			if plain := placeholders.ReplaceAllString(got, "<$1>"); plain != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if again, _ := all.Text("s", got); again != got {
				t.Errorf("a second pass gives %s", again)
			}
			if untouched, counts := redact.New(redact.Options{}).Text("s", test.in); untouched != test.in || counts != nil {
				t.Errorf("without being asked: %s", untouched)
			}
		})
	}
}

func TestNothingPersonal(t *testing.T) {
	all := redact.New(redact.Options{Personal: redact.PersonalKinds()})
	for _, text := range []string{
		"@property", "git@github", "import x from '@scope/package'", "user@host:~$ ls", "a@b", "v@1.2.3", "package@4.17.21",
		"127.0.0.1:8080, 10.1.2.3, 192.168.0.1, 169.254.1.1, 192.0.2.7, fe80::1, ::1, fd00::1, 2001:db8::1",
		"version 1.2.3, 1.2.3.4.5", "std::vector<int>::iterator", "12:30:45", "2026-11-25T06:46:55Z", "a::b",
		"4111 1111 1111 1112", "0000000000000000", "1234567890123456", "id 9007199254740993",
		"+1", "+ 12345678", "x+4912345678", "1+14155552671", "123-456-7890", "915-055-2671", "sha 415-555-26711",
		"3.14159265358979", "0x41111111", "20261125064655", "1763958000123456789",
	} {
		if got, _ := all.Text("s", text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestStableWithinSubject: the same person keeps one placeholder in a
// conversation, and has another in the next.
func TestStableWithinSubject(t *testing.T) {
	all := redact.New(redact.Options{Personal: []string{redact.Email}})
	one, _ := all.Text("s1", "ada@example.org")
	again, _ := all.Text("s1", "then ada@example.org said")
	if !strings.Contains(again, one) {
		t.Errorf("%s is not in %s", one, again)
	}
	different := 0
	for _, subject := range []string{"s2", "s3", "s4"} {
		if other, _ := all.Text(subject, "ada@example.org"); other != one {
			different++
		}
	}
	if different == 0 {
		t.Error("one placeholder in every conversation")
	}
}

func TestParsePersonal(t *testing.T) {
	if kinds, err := redact.ParsePersonal([]string{"ip", "email", "ip"}); err != nil || strings.Join(kinds, " ") != "ip email" {
		t.Errorf("%v, %v", kinds, err)
	}
	if kinds, err := redact.ParsePersonal([]string{"all"}); err != nil || len(kinds) != 4 {
		t.Errorf("%v, %v", kinds, err)
	}
	if _, err := redact.ParsePersonal([]string{"name"}); err == nil || !strings.Contains(err.Error(), "email, phone") {
		t.Errorf("%v", err)
	}
}
