package redact

import (
	"math"
	"strings"
)

// minSecret is the length of the shortest text that can hold a secret.
const minSecret = 8

// prefixRule finds tokens that begin with fixed letters. Prefixes and lengths
// follow the issuers' documentation and the public rule sets of secret
// scanners; where an issuer fixes no length, the shortest known one counts.
type prefixRule struct {
	prefix   string
	kind     string
	set      charset
	min, max int     // length behind the prefix
	entropy  float64 // bits a character that the rest must have; 0: the prefix is proof enough
}

type charset uint8

const (
	alnum  charset = iota // A-Z a-z 0-9
	word                  // and _
	token                 // and _ -
	dotted                // and _ - .
	hexa                  // 0-9 a-f A-F
	base32                // A-Z 2-7
)

func (s charset) has(c byte) bool { return charsets[s][c] }

var charsets = func() (sets [base32 + 1][256]bool) {
	const digits, lower = "0123456789", "abcdefghijklmnopqrstuvwxyz"
	letters := lower + strings.ToUpper(lower)
	for set, members := range map[charset]string{
		alnum: letters + digits, word: letters + digits + "_", token: letters + digits + "_-", dotted: letters + digits + "_-.",
		hexa: digits + "abcdefABCDEF", base32: strings.ToUpper(lower) + "234567",
	} {
		for _, c := range []byte(members) {
			sets[set][c] = true
		}
	}
	return sets
}()

// A longer prefix stands before one that it begins with.
var prefixRules = []prefixRule{
	{"sk-ant-", "anthropic_key", token, 20, 200, 3},
	{"sk-or-v1-", "openrouter_key", hexa, 32, 128, 0},
	{"sk-lf-", "langfuse_key", token, 20, 64, 3},
	{"sk-proj-", "openai_key", token, 20, 250, 3},
	{"sk-svcacct-", "openai_key", token, 20, 250, 3},
	{"sk-admin-", "openai_key", token, 20, 250, 3},
	{"sk-", "openai_key", token, 28, 250, 3.2}, // and the many who copied the form
	{"sk_live_", "stripe_key", alnum, 16, 128, 0},
	{"sk_test_", "stripe_key", alnum, 16, 128, 0},
	{"rk_live_", "stripe_key", alnum, 16, 128, 0},
	{"rk_test_", "stripe_key", alnum, 16, 128, 0},
	{"whsec_", "stripe_key", alnum, 24, 128, 0},
	{"AKIA", "aws_access_key", base32, 16, 16, 0},
	{"ASIA", "aws_access_key", base32, 16, 16, 0},
	{"ABIA", "aws_access_key", base32, 16, 16, 0},
	{"ACCA", "aws_access_key", base32, 16, 16, 0},
	{"github_pat_", "github_token", word, 50, 120, 0},
	{"ghp_", "github_token", alnum, 36, 255, 0},
	{"gho_", "github_token", alnum, 36, 255, 0},
	{"ghu_", "github_token", alnum, 36, 255, 0},
	{"ghs_", "github_token", alnum, 36, 255, 0},
	{"ghr_", "github_token", alnum, 36, 255, 0},
	{"glpat-", "gitlab_token", dotted, 20, 100, 0},
	{"gldt-", "gitlab_token", token, 20, 100, 0},
	{"glrt-", "gitlab_token", dotted, 20, 100, 0},
	{"glptt-", "gitlab_token", token, 20, 100, 0},
	{"xoxb-", "slack_token", token, 16, 250, 2.5},
	{"xoxp-", "slack_token", token, 16, 250, 2.5},
	{"xoxa-", "slack_token", token, 16, 250, 2.5},
	{"xoxr-", "slack_token", token, 16, 250, 2.5},
	{"xoxs-", "slack_token", token, 16, 250, 2.5},
	{"xoxe-", "slack_token", token, 16, 250, 2.5},
	{"xoxe.", "slack_token", dotted, 16, 250, 2.5},
	{"xapp-", "slack_token", token, 16, 250, 2.5},
	{"AIza", "google_key", token, 35, 35, 3},
	{"ya29.", "google_token", dotted, 20, 1024, 3},
	{"GOCSPX-", "google_secret", token, 20, 40, 3},
	{"hf_", "huggingface_token", alnum, 30, 64, 3},
	{"gsk_", "groq_key", alnum, 40, 64, 3},
	{"csk-", "cerebras_key", alnum, 40, 64, 3},
	{"xai-", "xai_key", alnum, 60, 128, 3},
	{"pplx-", "perplexity_key", alnum, 40, 64, 3},
	{"nvapi-", "nvidia_key", token, 50, 100, 3},
	{"tgp_v1_", "together_key", token, 30, 100, 3},
	{"fw_", "fireworks_key", alnum, 20, 40, 3.3},
	{"r8_", "replicate_token", alnum, 35, 40, 3},
	{"lsv2_pt_", "langsmith_key", word, 32, 64, 0},
	{"lsv2_sk_", "langsmith_key", word, 32, 64, 0},
	{"npm_", "npm_token", alnum, 36, 36, 3},
	{"pypi-AgE", "pypi_token", token, 50, 500, 0},
	{"dckr_pat_", "docker_token", token, 20, 64, 0},
	{"dop_v1_", "digitalocean_token", hexa, 64, 64, 0},
	{"doo_v1_", "digitalocean_token", hexa, 64, 64, 0},
	{"dapi", "databricks_token", hexa, 32, 34, 3},
	{"shpat_", "shopify_token", hexa, 32, 32, 0},
	{"shpss_", "shopify_token", hexa, 32, 32, 0},
	{"SG.", "sendgrid_key", dotted, 60, 80, 3},
	{"hvs.", "vault_token", token, 24, 250, 3},
	{"lin_api_", "linear_key", alnum, 32, 64, 0},
	{"ntn_", "notion_token", alnum, 40, 64, 3},
	{"figd_", "figma_token", token, 32, 64, 3},
	{"PMAK-", "postman_key", token, 50, 80, 0},
	{"glsa_", "grafana_token", word, 40, 64, 0},
	{"sntrys_", "sentry_token", dotted, 40, 500, 0},
	{"tskey-", "tailscale_key", token, 20, 100, 3},
	{"ATATT3", "atlassian_token", token, 60, 300, 3},
	{"rubygems_", "rubygems_key", hexa, 48, 48, 0},
	{"AGE-SECRET-KEY-1", "age_key", alnum, 58, 58, 0},
}

// match gives where the token that begins at text[at] ends, or -1.
func (r prefixRule) match(text string, at int) int {
	if !strings.HasPrefix(text[at:], r.prefix) {
		return -1
	}
	from := at + len(r.prefix)
	to := from
	for to < len(text) && to-from <= r.max && r.set.has(text[to]) {
		to++
	}
	// A full stop or a dash behind a token belongs to the sentence.
	for to > from && (text[to-1] == '.' || text[to-1] == '-') {
		to--
	}
	n := to - from
	if n < r.min || n > r.max || to < len(text) && alnum.has(text[to]) {
		return -1
	}
	if r.entropy > 0 && (entropy(text[from:to]) < r.entropy || !hasDigit(text[from:to])) {
		return -1
	}
	return to
}

// entropy is Shannon's, in bits a byte.
func entropy(text string) float64 {
	var counts [256]int
	for i := range len(text) {
		counts[text[i]]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}

func hasDigit(text string) bool { return strings.ContainsAny(text, "0123456789") }

// jwt gives where the JSON Web Token at text[at] ends, or -1: two JSON objects
// and a signature, in base64url.
func jwt(text string, at int) int {
	to := at
	for part := range 3 {
		from := to
		for to < len(text) && token.has(text[to]) {
			to++
		}
		if to-from < 10 || part < 2 && !strings.HasPrefix(text[from:], "eyJ") {
			return -1
		}
		if part < 2 {
			if to == len(text) || text[to] != '.' {
				return -1
			}
			to++
		}
	}
	return to
}

// longestKey bounds the search for the end of a key block.
const longestKey = 32 << 10

// privateKey gives where the PEM block at text[at] ends, or -1. Line breaks may
// be escaped. A block that was cut off goes to the end of what looks like it.
func privateKey(text string, at int) int {
	head, ok := strings.CutPrefix(text[at:], "-----BEGIN ")
	if !ok {
		return -1
	}
	label, _, ok := strings.Cut(head[:min(len(head), 64)], "-----")
	if !ok || !strings.HasSuffix(strings.TrimSuffix(label, " BLOCK"), "PRIVATE KEY") {
		return -1
	}
	body := at + len("-----BEGIN ") + len(label) + len("-----")
	end := "-----END " + label + "-----"
	if n := strings.Index(text[body:min(len(text), body+longestKey)], end); n >= 0 {
		return body + n + len(end)
	}
	to := body
	for to < len(text) && (alnum.has(text[to]) || strings.IndexByte("+/=\r\n\\ :,-", text[to]) >= 0) {
		to++
	}
	for to > body && text[to-1] == '\\' {
		to-- // it escapes what follows
	}
	if to-body < 40 {
		return -1 // spoken of, not shown
	}
	return to
}
