package redact

import (
	"regexp"
	"strings"
)

// rule finds one kind of secret. An expression is tried only where a needle
// stands, and only from there: running expressions over whole texts would be a
// thousand times slower.
type rule struct {
	kind       string
	needles    []string // where the expression is tried
	expression *regexp.Regexp
	mayFollow  func(before string) bool // may a secret start after this text?
	entropy    float64                  // least Shannon entropy of the secret, bits per character; 0: any
	mixed      bool                     // the secret must hold a letter and a digit
}

// longest is how far from its needle a secret is looked for.
const longest = 16 << 10

// rules by what providers publish of their tokens' shapes; lengths and
// alphabets agree with the detectors of gitleaks (MIT) and detect-secrets
// (Apache-2.0). Expressions are anchored at the needle; where one has a group,
// the group is the secret and the rest stays. The pickier stand first: what
// they took is not looked at again.
var rules = []rule{
	token("jwt", `eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}`, "eyJ"),
	token("anthropic_key", `sk-ant-[A-Za-z0-9_-]{20,}`, "sk-ant-"),
	token("openai_key", `sk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}`, "sk-").random(3.3),
	token("github_token", `gh[pousr]_[A-Za-z0-9]{36,}`, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
	token("github_token", `github_pat_[A-Za-z0-9_]{22,}`, "github_pat_"),
	token("gitlab_token", `glpat-[A-Za-z0-9_-]{20,}`, "glpat-"),
	token("slack_token", `xox[abeoprs]-[A-Za-z0-9-]{10,}`, "xox"),
	token("aws_access_key", `((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})(?:[^A-Za-z0-9]|$)`, "AKIA", "ASIA", "ABIA", "ACCA"),
	token("google_api_key", `AIza[A-Za-z0-9_-]{35}`, "AIza"),
	token("google_oauth", `ya29\.[A-Za-z0-9_-]{20,}`, "ya29."),
	token("stripe_key", `[sr]k_(?:live|test)_[A-Za-z0-9]{16,}`, "sk_live_", "sk_test_", "rk_live_", "rk_test_"),
	token("huggingface_token", `hf_[A-Za-z]{30,}`, "hf_"),
	token("npm_token", `npm_[A-Za-z0-9]{36}`, "npm_"),
	token("pypi_token", `pypi-[A-Za-z0-9_-]{50,}`, "pypi-"),
	token("sendgrid_key", `SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}`, "SG."),
	token("groq_key", `gsk_[A-Za-z0-9]{40,}`, "gsk_"),
	{
		kind: "private_key", needles: []string{"-----BEGIN "},
		expression: regexp.MustCompile(`^-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|(?:[A-Za-z0-9+/=\s]|\\[nr])*)`),
	},
	{kind: "slack_webhook", needles: []string{"hooks.slack.com/"}, expression: regexp.MustCompile(`^hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9+/]{20,})`)},
	{kind: "azure_storage_key", needles: []string{"AccountKey="}, expression: regexp.MustCompile(`^AccountKey=([A-Za-z0-9+/]{86}==)`)},
	{kind: "password_in_url", needles: []string{"://"}, expression: regexp.MustCompile(`^://[^\s/:@"'<>\\]{0,128}:([^\s/:@"'<>\\]{3,256})@`)},
	rule{kind: "bearer_token", needles: []string{"earer "}, expression: regexp.MustCompile(`^earer +([A-Za-z0-9._~+/-]{20,}=*)`)}.random(3.5),
	assignment("key", "KEY", "Key").after("api", "access", "secret", "private"),
	assignment("token", "TOKEN", "Token").after("auth", "access", "refresh", "api"),
	assignment("secret", "SECRET", "Secret", "passwd", "PASSWD", "password", "PASSWORD", "Password"),
}

// token is a rule for text that starts with the needle itself, and not inside
// a word or in base64, where "sk-" and the like turn up by accident.
func token(kind, expression string, needles ...string) rule {
	return rule{kind: kind, needles: needles, expression: regexp.MustCompile("^" + expression), mayFollow: func(before string) bool {
		return before == "" || !strings.ContainsRune(`ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-`, rune(before[len(before)-1]))
	}}
}

// assignment is a rule for name = value, also as JSON inside JSON.
func assignment(names ...string) rule {
	return rule{
		kind: "secret", needles: names,
		expression: regexp.MustCompile(`^[A-Za-z]+\\?["']?\s{0,4}(?:=>|:=|=|:)\s{0,4}\\?["']?([A-Za-z0-9+/_.~!@#$%^&*=-]{12,256})`),
	}.random(3.5)
}

// random asks the secret to look like one.
func (r rule) random(entropy float64) rule {
	r.entropy, r.mixed = entropy, true
	return r
}

// after asks for one of the words before the needle, whatever their case.
func (r rule) after(words ...string) rule {
	r.mayFollow = func(before string) bool {
		before = strings.ToLower(strings.TrimRight(before[max(0, len(before)-10):], "_- "))
		for _, word := range words {
			if strings.HasSuffix(before, word) {
				return true
			}
		}
		return false
	}
	return r
}
