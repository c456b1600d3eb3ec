package redact

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Kinds of personal data that Options.Personal can name.
const (
	Email = "email" // an address: user@example.org
	Phone = "phone" // +49 30 1234567, or a North American (415) 555-2671
	Card  = "card"  // a payment card's number: 13 to 19 digits with a valid check digit
	IP    = "ip"    // a public IPv4 or IPv6 address
)

// PersonalKinds are all of them.
func PersonalKinds() []string { return []string{Email, Phone, Card, IP} }

// ParsePersonal reads a list of kinds; "all" stands for every one.
func ParsePersonal(kinds []string) ([]string, error) {
	var parsed []string
	for _, kind := range kinds {
		switch {
		case kind == "all":
			return PersonalKinds(), nil
		case !slices.Contains(PersonalKinds(), kind):
			return nil, fmt.Errorf("redact: no kind of personal data %q: there are %s, and all", kind, strings.Join(PersonalKinds(), ", "))
		case !slices.Contains(parsed, kind):
			parsed = append(parsed, kind)
		}
	}
	return parsed, nil
}

// personal says which kinds are looked for.
type personal struct{ email, phone, card, ip bool }

func newPersonal(kinds []string) personal {
	has := func(kind string) bool { return slices.Contains(kinds, kind) }
	return personal{has(Email), has(Phone), has(Card), has(IP)}
}

func (p personal) any() bool { return p != personal{} }

// find gives the personal data of a text in order, none within another.
func (p personal) find(text string) []span {
	var found []span
	for at := 0; at < len(text); at++ {
		s, ok := span{}, false
		switch c := text[at]; {
		case c == '@' && p.email:
			s, ok = emailAround(text, at)
		case c >= '0' && c <= '9' || c == '+' || c == '(':
			s, ok = p.number(text, at)
		case c == ':' && p.ip:
			s, ok = ipv6Around(text, at)
		}
		if ok && !inPlaceholder(text, s.from) {
			found = append(found, s)
			at = max(at, s.to-1)
		}
	}
	return disjoint(found)
}

// emailAround finds the address around the @ at text[at]. A host without a dot,
// and a top-level domain with a digit, are none: code is full of @.
func emailAround(text string, at int) (span, bool) {
	from := at
	for from > 0 && at-from < 64 && (alnum.has(text[from-1]) || strings.IndexByte(".+_-%", text[from-1]) >= 0) {
		from--
	}
	// The letter of an escaped line break is not part of the address.
	if from > 0 && text[from-1] == '\\' && from < at && strings.IndexByte("nrt", text[from]) >= 0 {
		from++
	}
	for from < at && !alnum.has(text[from]) {
		from++
	}
	to := at + 1
	for to < len(text) && to-at < 255 && (alnum.has(text[to]) || text[to] == '.' || text[to] == '-') {
		to++
	}
	for to > at+1 && !alnum.has(text[to-1]) {
		to--
	}
	dot := strings.LastIndexByte(text[at:to], '.')
	if from == at || dot < 2 || strings.Contains(text[at:to], "..") {
		return span{}, false
	}
	top := text[at+dot+1 : to]
	if len(top) < 2 || hasDigit(top) || strings.Contains(top, "-") || text[at+1] == '.' || text[at+1] == '-' {
		return span{}, false
	}
	if to < len(text) && (text[to] == '/' || text[to] == ':') && strings.HasPrefix(text[max(0, from-2):from], "//") {
		return span{}, false // a host of a URL with a user
	}
	return span{from, to, Email}, true
}

// number finds what begins at a digit, a plus or a bracket at text[at], if a
// number can begin there.
func (p personal) number(text string, at int) (span, bool) {
	if at > 0 && (token.has(text[at-1]) || strings.IndexByte(".+/=#$", text[at-1]) >= 0) && !escapedBreak(text, at) {
		return span{}, false
	}
	if p.ip {
		if s, ok := ipv4(text, at); ok {
			return s, true
		}
	}
	if p.card {
		if s, ok := card(text, at); ok {
			return s, true
		}
	}
	if p.phone {
		return phone(text, at)
	}
	return span{}, false
}

// escapedBreak says whether text[at] follows the letter of \n, \r or \t.
func escapedBreak(text string, at int) bool {
	return at > 1 && text[at-2] == '\\' && strings.IndexByte("nrt", text[at-1]) >= 0
}

// digits reads up to most digits from text[at] with single separators between,
// and gives them and where they end.
func digits(text string, at, most int, separators string) (string, int) {
	var plain []byte
	end := at
	for i := at; i < len(text) && len(plain) <= most; i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			plain = append(plain, c)
			end = i + 1
		case i > end || strings.IndexByte(separators, c) < 0:
			return string(plain), end
		}
	}
	return string(plain), end
}

// ends says whether a number can end at text[at].
func ends(text string, at int) bool {
	if at == len(text) {
		return true
	}
	if token.has(text[at]) {
		return false
	}
	return text[at] != '.' || at+1 == len(text) || text[at+1] < '0' || text[at+1] > '9'
}

// card finds a payment card's number: 13 to 19 digits of a known issuer's
// range, in groups or in one, with the check digit of ISO/IEC 7812 (Luhn).
func card(text string, at int) (span, bool) {
	if text[at] < '2' || text[at] > '6' {
		return span{}, false
	}
	plain, end := digits(text, at, 19, " -")
	if len(plain) < 13 || len(plain) > 19 || !ends(text, end) || strings.Count(plain, plain[:1]) == len(plain) {
		return span{}, false
	}
	// Visa; Mastercard; American Express; Discover, UnionPay, Maestro.
	switch two := plain[:2]; {
	case two[0] == '4' && (len(plain) == 13 || len(plain) == 16 || len(plain) == 19):
	case (two >= "51" && two <= "55" || two >= "22" && two <= "27") && len(plain) == 16:
	case (two == "34" || two == "37") && len(plain) == 15:
	case (two == "30" || two == "36" || two == "38") && len(plain) == 14:
	case (two >= "60" && two <= "65" || two == "35") && len(plain) >= 16:
	default:
		return span{}, false
	}
	sum := 0
	for i := range len(plain) {
		d := int(plain[len(plain)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return span{at, end, Card}, sum%10 == 0
}

// phone finds an international number (E.164: + and 8 to 15 digits) or a North
// American one that is written as such, with brackets or separators: bare
// digits are anything.
func phone(text string, at int) (span, bool) {
	if text[at] == '+' {
		if at+1 >= len(text) || text[at+1] < '1' || text[at+1] > '9' {
			return span{}, false
		}
		plain, end := digits(text[:min(len(text), at+32)], at+1, 15, " -.()")
		if len(plain) < 8 || len(plain) > 15 || !ends(text, end) || strings.Count(text[at:end], ".") > 3 {
			return span{}, false
		}
		return span{at, end, Phone}, true
	}
	form := "ddd-ddd-dddd"
	if text[at] == '(' {
		form = "(ddd) ddd-dddd"
	}
	if len(text) < at+len(form) {
		return span{}, false
	}
	for i := range len(form) {
		c := text[at+i]
		switch form[i] {
		case 'd':
			if c < '0' || c > '9' {
				return span{}, false
			}
		case '-':
			if c != '-' && c != '.' && c != ' ' {
				return span{}, false
			}
		default:
			if c != form[i] {
				return span{}, false
			}
		}
	}
	area := at + strings.IndexByte(form, 'd')
	exchange := at + len(form) - 8
	if text[area] < '2' || text[exchange] < '2' || !ends(text, at+len(form)) {
		return span{}, false // no area or exchange begins with 0 or 1
	}
	return span{at, at + len(form), Phone}, true
}

// ipv4 finds a public address at text[at]. Version numbers of four parts look
// the same; a v in front tells some of them.
func ipv4(text string, at int) (span, bool) {
	end := at
	for end < len(text) && end-at < 16 && (text[end] == '.' || text[end] >= '0' && text[end] <= '9') {
		end++
	}
	for end > at && text[end-1] == '.' {
		end--
	}
	if strings.Count(text[at:end], ".") != 3 || end < len(text) && token.has(text[end]) {
		return span{}, false
	}
	return public(text, at, end)
}

// ipv6Around finds a public address around the first colon at text[at].
func ipv6Around(text string, at int) (span, bool) {
	from := at
	for from > 0 && at-from < 5 && hexa.has(text[from-1]) {
		from--
	}
	if at-from > 4 || from > 0 && (token.has(text[from-1]) || text[from-1] == ':') && !escapedBreak(text, from) {
		return span{}, false
	}
	end := at
	for end < len(text) && end-from < 46 && (text[end] == ':' || hexa.has(text[end])) {
		end++
	}
	if strings.Count(text[from:end], ":") < 2 || end < len(text) && token.has(text[end]) {
		return span{}, false
	}
	return public(text, from, end)
}

// assigned is the part of IPv6 that is given out as public addresses.
var assigned = netip.MustParsePrefix("2000::/3")

// documentation are addresses that stand in books (RFC 5737, RFC 3849) and so
// are nobody's, beside the shared space of carriers (RFC 6598).
var documentation = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4"),
}

func public(text string, from, to int) (span, bool) {
	addr, err := netip.ParseAddr(text[from:to])
	if err != nil || !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is6() && !assigned.Contains(addr) {
		return span{}, false
	}
	for _, prefix := range documentation {
		if prefix.Contains(addr) {
			return span{}, false
		}
	}
	return span{from, to, IP}, true
}
