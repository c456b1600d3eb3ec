package distill

import (
	"crypto/md5"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// section is a part of a prompt from one heading to the next.
type section struct {
	raw    string // with the white space around it: the raws add up to the prompt
	isBare bool   // a heading with nothing under it
	level  int    // number of # of its heading; 0: it has none
}

// The headings of curated.knowledge, whose sections these are: transforms/knowledge.sql.
var (
	numberSigns = regexp.MustCompile(`(^|\n)(#{1,4} )`)
	openingTag  = regexp.MustCompile(`(^|\n)(<[A-Z][A-Z_ ]{2,40}>)`)
	headingOnly = regexp.MustCompile(`^(#{1,4} [^\n]*|</?[A-Z_ ]+>)`)
	whiteSpace  = regexp.MustCompile(`\s+`)
)

// separator parts sections in the table's SQL; one in a text parts it there too.
const separator = "\x1e"

// cut parts a prompt as curated.knowledge does.
func cut(text string) []section {
	var starts []int
	for _, headings := range []*regexp.Regexp{numberSigns, openingTag} {
		for _, at := range headings.FindAllStringSubmatchIndex(text, -1) {
			starts = append(starts, at[4])
		}
	}
	for i := 0; i < len(text); i++ {
		if text[i] == separator[0] {
			starts = append(starts, i+1)
		}
	}
	starts = append(starts, 0, len(text))
	slices.Sort(starts)
	starts = slices.Compact(starts)
	sections := make([]section, 0, len(starts)-1)
	for i := range len(starts) - 1 {
		raw := text[starts[i]:starts[i+1]]
		sections = append(sections, section{raw: raw, isBare: isBare(raw), level: level(raw)})
	}
	return sections
}

func isBare(raw string) bool {
	text := strings.Trim(strings.TrimSuffix(raw, separator), "\n ")
	found := headingOnly.FindString(text)
	return trimSpaces(text[len(found):]) == ""
}

// trimSpaces is DuckDB's trim: all that Unicode calls a space goes, line ends stay.
func trimSpaces(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
}

func level(raw string) int {
	signs := len(raw) - len(strings.TrimLeft(raw, "#"))
	if signs > 4 || !strings.HasPrefix(raw[signs:], " ") {
		return 0
	}
	return signs
}

// text is the section as curated.knowledge has it.
func (s section) text() string { return strings.Trim(strings.TrimSuffix(s.raw, separator), "\n\r ") }

// end is the white space at the end, which parts it from the next section.
func (s section) end() string { return s.raw[len(strings.TrimRight(s.raw, "\n\r "+separator)):] }

// foldedHash is curated.knowledge.hash of a section's text.
func foldedHash(text string) string {
	folded := trimSpaces(whiteSpace.ReplaceAllString(strings.Trim(text, "\n\r "), " "))
	sum := md5.Sum([]byte(folded))
	return hex.EncodeToString(sum[:])
}
