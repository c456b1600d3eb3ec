package redact

import (
	"slices"
	"strings"
)

// secretNames end the names of variables and fields that hold secrets, letters
// only and in lower case.
var secretNames = []string{
	"password", "passwd", "pwd", "passphrase",
	"secret", "secretkey", "secretaccesskey", "clientsecret",
	"token", "apikey", "accesskey", "accountkey", "sharedaccesskey", "authkey", "privatekey", "signingkey",
	"encryptionkey", "masterkey", "credential", "credentials",
}

// A browser's origin trial token ends in this name. It stands in a site's pages
// for everybody to read.
const publicName = "origintrialtoken"

// stages may stand behind such a name: API_KEY_PROD.
var stages = []string{"prod", "production", "staging", "stage", "dev", "test", "live"}

// endings are the last two letters of all those words: a name with others, and
// most names have others, is looked at no further.
var endings = func() *[1 << 16]bool {
	var e [1 << 16]bool
	for _, word := range slices.Concat(secretNames, stages) {
		end := word[len(word)-2:]
		for _, form := range []string{end, strings.ToUpper(end), strings.ToUpper(end[:1]) + end[1:]} {
			e[pair(form, 0)] = true
		}
	}
	return &e
}()

const (
	maxName  = 64
	maxValue = 512

	// A value is random where a public scanner's generic rule says so (3.5 bits
	// a character). Passwords are shorter and chosen by people.
	tokenEntropy, minToken       = 3.5, 16
	passwordEntropy, minPassword = 2.5, 8
)

// assignment finds the value of a secret's name around the : or = at text[at].
func assignment(text string, at int) (span, bool) {
	name := nameBefore(text, at)
	kind, ok := secretName(name)
	if !ok {
		return span{}, false
	}
	from := at + 1
	for from < len(text) && strings.IndexByte("=> \t", text[from]) >= 0 {
		from++
	}
	quoted := false
	for from < len(text) && strings.IndexByte("\\\"'`", text[from]) >= 0 {
		quoted = quoted || text[from] != '\\'
		from++
	}
	if from >= len(text)-1 || isTyped(text, from) {
		return span{}, false
	}
	to := from
	for to < len(text) && to-from <= maxValue && isValueByte(text[to]) {
		to++
	}
	value := text[from:to]
	if len(value) > maxValue || isPlaceholder(value) {
		return span{}, false
	}
	if !quoted {
		value = strings.TrimRight(value, ".,;:!?)&")
		to = from + len(value)
		// Code: a call, a field, an index, a path.
		if strings.ContainsAny(value, "()[]{}.") || to < len(text) && strings.IndexByte("([{", text[to]) >= 0 || strings.Count(value, "/") > 1 {
			return span{}, false
		}
	}
	if !hasDigit(value) || !hasLetter(value) {
		return span{}, false
	}
	if kind == "password" {
		ok = len(value) >= minPassword && entropy(value) >= passwordEntropy
	} else {
		ok = len(value) >= minToken && entropy(value) >= tokenEntropy && strings.IndexByte(value, ' ') < 0
	}
	return span{from, to, kind}, ok
}

// isTyped says whether a rule that knows more finds the value.
func isTyped(text string, from int) bool {
	class := classes[pair(text, from)] &^ (assigns | startsBearer)
	if class == 0 {
		return false
	}
	_, ok := secretAt(text, from, class)
	return ok
}

// nameBefore gives the name that ends before text[at], quotes and blanks apart.
func nameBefore(text string, at int) string {
	end := at
	for end > 0 && strings.IndexByte(" \t\"'`\\:", text[end-1]) >= 0 && at-end < 6 {
		end--
	}
	start := end
	for start > 0 && end-start < maxName && token.has(text[start-1]) {
		start--
	}
	return text[start:end]
}

// secretName says whether a name is a secret's, and of which kind.
func secretName(name string) (kind string, ok bool) {
	if len(name) < 3 || !endings[pair(name, len(name)-2)] && alnum.has(name[len(name)-1]) && !hasDigit(name[len(name)-1:]) {
		return "", false
	}
	var letters [maxName]byte
	n := 0
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c >= 'a' && c <= 'z' {
			letters[n] = c
			n++
		}
	}
	plain := string(letters[:n])
	for _, stage := range stages {
		if shorter, cut := strings.CutSuffix(plain, stage); cut {
			plain = shorter
			break
		}
	}
	if strings.HasSuffix(plain, publicName) {
		return "", false
	}
	for _, secret := range secretNames {
		if strings.HasSuffix(plain, secret) {
			if strings.HasPrefix(secret, "pass") || secret == "pwd" {
				return "password", true
			}
			return "secret", true
		}
	}
	return "", false
}

func isValueByte(c byte) bool {
	return alnum.has(c) || strings.IndexByte("_-+/=.~!@#%^&*$:", c) >= 0
}

// isPlaceholder says whether a value stands for a secret that is not shown.
func isPlaceholder(value string) bool {
	if value == "" || strings.IndexByte("$%*<{[", value[0]) >= 0 {
		return true
	}
	lower := strings.ToLower(value)
	for _, word := range []string{"your", "example", "changeme", "placeholder", "redacted", "xxxx", "****", "process.env", "os.environ", "dummy"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

func hasLetter(text string) bool {
	for i := range len(text) {
		if alnum.has(text[i]) && (text[i] < '0' || text[i] > '9') {
			return true
		}
	}
	return false
}

// urlPassword finds the password of scheme://user:password@host around the
// colon at text[at], which is the scheme's.
func urlPassword(text string, at int) (span, bool) {
	const maxAuthority = 256
	if !strings.HasPrefix(text[at:], "://") || at == 0 || !alnum.has(text[at-1]) {
		return span{}, false
	}
	from := at + len("://")
	end := from
	for end < len(text) && end-from < maxAuthority && strings.IndexByte(" \t\r\n\"'`<>\\/?#", text[end]) < 0 {
		end++
	}
	host := strings.LastIndexByte(text[from:end], '@')
	if host < 0 {
		return span{}, false
	}
	colon := strings.IndexByte(text[from:from+host], ':')
	if colon < 0 || host-colon-1 < 3 || isPlaceholder(text[from+colon+1:from+host]) {
		return span{}, false
	}
	return span{from + colon + 1, from + host, "url_password"}, true
}

// bearer finds the token behind the word Bearer or Basic at text[at].
func bearer(text string, at int) (span, bool) {
	const longest = 4096
	for _, scheme := range []string{"Bearer ", "bearer ", "Basic ", "basic "} {
		if !strings.HasPrefix(text[at:], scheme) {
			continue
		}
		from := at + len(scheme)
		if from >= len(text)-1 || isTyped(text, from) {
			return span{}, false
		}
		to := from
		for to < len(text) && to-from < longest && (dotted.has(text[to]) || strings.IndexByte("+/=~", text[to]) >= 0) {
			to++
		}
		if value := text[from:to]; len(value) >= minToken && hasDigit(value) && entropy(value) >= tokenEntropy && !isPlaceholder(value) {
			return span{from, to, "auth_header"}, true
		}
	}
	return span{}, false
}
