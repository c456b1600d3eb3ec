package method

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// replaceWord replaces a text where it stands as a word of its own: 18 is not
// replaced in 2018, 18.5 or v18.
func replaceWord(text, old, new string) string {
	var out strings.Builder
	for {
		at := indexWord(text, old)
		if at < 0 {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at] + new)
		text = text[at+len(old):]
	}
}

func hasWord(text, word string) bool { return indexWord(text, word) >= 0 }

func indexWord(text, word string) int {
	for from := 0; word != ""; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return -1
		}
		at += from
		if endsWord(text[:at]) && startsWord(text[at+len(word):]) {
			return at
		}
		from = at + len(word)
	}
	return -1
}

// endsWord tells whether a word can begin after the text.
func endsWord(before string) bool {
	last, size := utf8.DecodeLastRuneInString(before)
	if isWordRune(last) {
		return false
	}
	// 1.5 and 1,500 are one word.
	previous, _ := utf8.DecodeLastRuneInString(before[:len(before)-size])
	return !(last == '.' || last == ',' || last == '-') || !unicode.IsDigit(previous)
}

// startsWord tells whether a word can end before the text.
func startsWord(after string) bool {
	first, size := utf8.DecodeRuneInString(after)
	if size > 0 && isWordRune(first) {
		return false
	}
	second, _ := utf8.DecodeRuneInString(after[size:])
	return !(first == '.' || first == ',' || first == '-') || !unicode.IsDigit(second)
}

func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// fold is a text in lower case with everything but letters and digits as one
// space, and a space at both ends, so that " term " finds whole words.
func fold(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return " " + strings.Join(words, " ") + " "
}
