package redact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
)

// The rules of gitleaks, a scanner for repositories, find the tokens of some
// two hundred issuers. They are tried where one of their keywords stands, on
// the text around it only: on a whole transcript an expression that begins
// with (?i) reads 20 MB a second.
const (
	before = 128  // what a rule may need in front of its keyword: a name, an assignment
	behind = 512  // and behind it: the longest token
	window = 1024 // read behind a keyword, so that the next one nearby needs no reading of its own

	// minKeyword keeps out keywords that stand in every second sentence, such
	// as the "s." of old Vault tokens.
	minKeyword = 3
)

// replaced names the rules whose work is done by rules.go and assign.go, which
// know escaped JSON, keys that were cut off, and how prose differs from code.
var replaced = []string{"generic-api-key", "jwt", "private-key"}

// leakRule is a rule of gitleaks.
type leakRule struct {
	kind    string
	regexp  *regexp.Regexp
	group   int
	entropy float64 // a secret has more, in bits a character
	allowed []*config.Allowlist
}

// leakRules are the rules, found by the first two letters of their keywords.
type leakRules struct {
	byPair map[uint16][]leakKeyword // in lower case
	starts [1 << 16]bool            // the pairs that a keyword begins with, in either case
}

type leakKeyword struct {
	word string
	rule *leakRule
}

// gitleaks reads the rules that come with the library, once: they never change
// in a run.
var gitleaks = sync.OnceValues(readGitleaks)

func readGitleaks() (*leakRules, error) {
	v := viper.New()
	v.SetConfigType("toml")
	if err := v.ReadConfig(strings.NewReader(config.DefaultConfig)); err != nil {
		return nil, fmt.Errorf("redact: rules of gitleaks: %w", err)
	}
	var raw config.ViperConfig
	if err := v.Unmarshal(&raw); err != nil {
		return nil, fmt.Errorf("redact: rules of gitleaks: %w", err)
	}
	rules, err := raw.Translate()
	if err != nil {
		return nil, fmt.Errorf("redact: rules of gitleaks: %w", err)
	}
	index := &leakRules{byPair: map[uint16][]leakKeyword{}}
	for _, id := range rules.OrderedRules {
		rule := rules.Rules[id]
		// A rule for certain files has no meaning in a transcript.
		if rule.Regex == nil || rule.Path != nil || slices.Contains(replaced, id) {
			continue
		}
		leak := &leakRule{
			kind: strings.ReplaceAll(id, "-", "_"), regexp: rule.Regex, group: rule.SecretGroup,
			entropy: rule.Entropy, allowed: slices.Concat(rules.Allowlists, rule.Allowlists),
		}
		for _, allowed := range leak.allowed {
			if err := allowed.Validate(); err != nil {
				return nil, fmt.Errorf("redact: rules of gitleaks: %s: %w", id, err)
			}
		}
		for _, word := range rule.Keywords {
			if len(word) >= minKeyword {
				index.add(leakKeyword{word, leak})
			}
		}
	}
	return index, nil
}

func (rules *leakRules) add(keyword leakKeyword) {
	at := pair(keyword.word, 0)
	rules.byPair[at] = append(rules.byPair[at], keyword)
	for _, first := range bothCases(keyword.word[0]) {
		for _, second := range bothCases(keyword.word[1]) {
			rules.starts[uint16(first)<<8|uint16(second)] = true
		}
	}
}

func bothCases(c byte) []byte {
	if c >= 'a' && c <= 'z' {
		return []byte{c, c - 'a' + 'A'}
	}
	return []byte{c}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}

// find gives the secrets of a text in order, none within another.
func (rules *leakRules) find(text string) []span {
	var found []span
	var read map[*leakRule]int // up to where a rule has been tried
	for at := 0; at < len(text)-1; at++ {
		if !rules.starts[pair(text, at)] {
			continue
		}
		for _, keyword := range rules.byPair[uint16(lower(text[at]))<<8|uint16(lower(text[at+1]))] {
			if !hasFold(text[at:], keyword.word) || at+behind <= read[keyword.rule] {
				continue
			}
			if read == nil {
				read = map[*leakRule]int{}
			}
			read[keyword.rule] = at + window
			found = keyword.rule.around(text, at, found)
		}
	}
	return disjoint(found)
}

// hasFold says whether text begins with a word that is in lower case.
func hasFold(text, word string) bool {
	if len(text) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(text[i]) != word[i] {
			return false
		}
	}
	return true
}

// around appends the secrets that the rule finds near text[at].
func (r *leakRule) around(text string, at int, found []span) []span {
	from, to := max(0, at-before), min(len(text), at+window)
	near := text[from:to]
	for _, match := range r.regexp.FindAllStringSubmatchIndex(near, -1) {
		start, end := r.secret(match)
		// A quote or a backslash is the text's own, and JSON would break.
		if cut := strings.IndexAny(near[start:end], "\"\\\n"); cut >= 0 {
			end = start + cut
		}
		secret := near[start:end]
		if len(secret) < minSecret || entropy(secret) <= r.entropy || isPlaceholder(secret) || r.allows(near, match, secret) {
			continue
		}
		if inPlaceholder(text, from+start) {
			continue
		}
		found = append(found, span{from + start, from + end, r.kind})
	}
	return found
}

// secret is where a match has its secret: in the rule's group, else in the
// first that took part, else everywhere.
func (r *leakRule) secret(match []int) (from, to int) {
	if r.group > 0 && 2*r.group+1 < len(match) && match[2*r.group] >= 0 {
		return match[2*r.group], match[2*r.group+1]
	}
	for i := 2; i+1 < len(match) && r.group == 0; i += 2 {
		if match[i] >= 0 && match[i] < match[i+1] {
			return match[i], match[i+1]
		}
	}
	return match[0], match[1]
}

// allows says whether gitleaks knows the match to be harmless: an example, a
// word of the language.
func (r *leakRule) allows(near string, match []int, secret string) bool {
	for _, allowed := range r.allowed {
		target := secret
		switch allowed.RegexTarget {
		case "match":
			target = near[match[0]:match[1]]
		case "line":
			target = lineAround(near, match[0], match[1])
		}
		byRegexp := len(allowed.Regexes) > 0 && allowed.RegexAllowed(target)
		byWord, _ := allowed.ContainsStopWord(secret)
		if allowed.MatchCondition == config.AllowlistMatchAnd {
			// A condition on paths or commits cannot hold here.
			if len(allowed.Paths)+len(allowed.Commits) > 0 || len(allowed.Regexes) > 0 && !byRegexp || len(allowed.StopWords) > 0 && !byWord {
				continue
			}
			return true
		}
		if byRegexp || byWord {
			return true
		}
	}
	return false
}

func lineAround(text string, from, to int) string {
	start := strings.LastIndexByte(text[:from], '\n') + 1
	if end := strings.IndexByte(text[to:], '\n'); end >= 0 {
		return text[start : to+end]
	}
	return text[start:]
}

// inPlaceholder says whether text[at] stands in what has been replaced.
func inPlaceholder(text string, at int) bool {
	open := strings.LastIndex(text[max(0, at-64):at], placeholderStart)
	return open >= 0 && !strings.Contains(text[max(0, at-64)+open:at], "]")
}

// disjoint orders spans and drops those within or across an earlier one.
func disjoint(found []span) []span {
	slices.SortStableFunc(found, func(a, b span) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	kept := found[:0]
	for _, s := range found {
		if len(kept) == 0 || s.from >= kept[len(kept)-1].to {
			kept = append(kept, s)
		}
	}
	return kept
}
