package redact

import "strings"

// class says which rules may begin at a pair of bytes.
type class uint8

const (
	startsPrefix class = 1 << iota
	startsJWT
	startsPEM
	assigns // : or =, behind a name and before a value
	startsBearer
)

// classes is indexed by a pair of bytes: nearly all pairs begin nothing, and a
// text is read no slower than a table is looked up.
var classes = func() *[1 << 16]class {
	var c [1 << 16]class
	for _, rule := range prefixRules {
		c[pair(rule.prefix, 0)] |= startsPrefix
	}
	for word, starts := range map[string]class{"ey": startsJWT, "--": startsPEM, "Be": startsBearer, "be": startsBearer, "Ba": startsBearer, "ba": startsBearer} {
		c[pair(word, 0)] |= starts
	}
	for next := range 256 {
		c[':'<<8|next] |= assigns
		c['='<<8|next] |= assigns
	}
	return &c
}()

var rulesByPair = func() map[uint16][]prefixRule {
	rules := map[uint16][]prefixRule{}
	for _, rule := range prefixRules {
		rules[pair(rule.prefix, 0)] = append(rules[pair(rule.prefix, 0)], rule)
	}
	return rules
}()

func pair(text string, at int) uint16 { return uint16(text[at])<<8 | uint16(text[at+1]) }

// find gives the secrets of a text in order, none within another.
func find(text string) []span {
	var found []span
	for at := 0; at < len(text)-1; at++ {
		class := classes[pair(text, at)]
		if class == 0 {
			continue
		}
		s, ok := secretAt(text, at, class)
		if !ok {
			continue
		}
		found = append(found, s)
		at = s.to - 1
	}
	return found
}

func secretAt(text string, at int, class class) (span, bool) {
	if class&assigns != 0 {
		if s, ok := urlPassword(text, at); ok {
			return s, true
		}
		return assignment(text, at)
	}
	if class&startsPEM != 0 {
		if to := privateKey(text, at); to >= 0 {
			return span{at, to, "private_key"}, true
		}
		return span{}, false
	}
	if !begins(text, at) {
		return span{}, false
	}
	if class&startsPrefix != 0 {
		for _, rule := range rulesByPair[pair(text, at)] {
			if to := rule.match(text, at); to >= 0 {
				return span{at, to, rule.kind}, true
			}
		}
	}
	if class&startsJWT != 0 && strings.HasPrefix(text[at:], "eyJ") {
		if to := jwt(text, at); to >= 0 {
			return span{at, to, "jwt"}, true
		}
	}
	if class&startsBearer != 0 {
		return bearer(text, at)
	}
	return span{}, false
}

// begins says whether a word can begin at text[at]. Blobs in base64 hold the
// letters of any prefix, but within a run. The letter of an escaped line break
// is not part of a word.
func begins(text string, at int) bool {
	if at == 0 || !token.has(text[at-1]) {
		return true
	}
	if at < 2 || strings.IndexByte("nrtbf", text[at-1]) < 0 {
		return false
	}
	slashes := 0
	for i := at - 2; i >= 0 && text[i] == '\\'; i-- {
		slashes++
	}
	return slashes > 0
}
