package hf

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dlclark/regexp2/v2"
)

// split cuts a text into parts and appends them. No token crosses a cut.
type split func(text string, parts []string) []string

// gpt2 is the pattern that ByteLevel brings itself.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// setSplits reads the pre-tokenizer, and tells whether it works on bytes.
func (t *Tokenizer) setSplits(c *component) (byteLevel bool, err error) {
	if c == nil {
		return false, nil
	}
	var next split
	switch {
	case c.Type == "Sequence":
		for i := range c.Pretokenizers {
			bytes, err := t.setSplits(&c.Pretokenizers[i])
			if err != nil {
				return false, err
			}
			byteLevel = byteLevel || bytes
		}
		return byteLevel, nil
	case c.Type == "ByteLevel":
		if c.AddPrefixSpace {
			t.splits = append(t.splits, prefixSpace)
		}
		if c.UseRegex != nil && !*c.UseRegex {
			return true, nil
		}
		next, err = byPattern(gpt2)
		byteLevel = true
	case c.Type == "Split" && c.Behavior == "Isolated" && !c.Invert && c.Pattern.Regex != "":
		next, err = byPattern(c.Pattern.Regex)
	case c.Type == "Split" && c.Behavior == "Isolated" && !c.Invert && c.Pattern.String != "":
		next = byText(c.Pattern.String)
	case c.Type == "Digits":
		next = byDigits(c.IndividualDigits)
	default:
		return false, fmt.Errorf("%w: pre-tokenizer %s %s", ErrUnsupported, c.Type, c.Behavior)
	}
	t.splits = append(t.splits, next)
	return byteLevel, err
}

func prefixSpace(text string, parts []string) []string {
	if !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	return append(parts, text)
}

// byPattern makes parts of what matches, and of what is between.
func byPattern(pattern string) (split, error) {
	re, err := regexp2.Compile(longS(pattern))
	if err != nil {
		return nil, fmt.Errorf("%w: pattern: %w", ErrUnsupported, err)
	}
	return func(text string, parts []string) []string {
		runes := []rune(text)
		start := 0
		match, err := re.FindRunesMatch(runes)
		for ; err == nil && match != nil; match, err = re.FindNextMatch(match) {
			if match.RuneLength == 0 {
				continue
			}
			if match.RuneIndex > start {
				parts = append(parts, string(runes[start:match.RuneIndex]))
			}
			start = match.RuneIndex + match.RuneLength
			parts = append(parts, string(runes[match.RuneIndex:start]))
		}
		if start < len(runes) {
			parts = append(parts, string(runes[start:]))
		}
		return parts
	}, nil
}

// longS writes out what the engine of the tokenizers folds and ours does not:
// where case does not count, ſ is an s.
func longS(pattern string) string {
	return strings.ReplaceAll(pattern, "(?i:'s|", "(?i:'s|'ſ|")
}

func byText(sep string) split {
	return func(text string, parts []string) []string {
		for text != "" {
			at := strings.Index(text, sep)
			switch {
			case at < 0:
				return append(parts, text)
			case at > 0:
				parts = append(parts, text[:at])
			}
			parts = append(parts, sep)
			text = text[at+len(sep):]
		}
		return parts
	}
}

// byDigits parts numbers from the rest, each digit alone or in runs.
func byDigits(individual bool) split {
	return func(text string, parts []string) []string {
		start, was := 0, false
		for i, r := range text {
			is := unicode.IsNumber(r)
			if i > start && (is != was || is && individual) {
				parts = append(parts, text[start:i])
				start = i
			}
			was = is
		}
		if start < len(text) {
			parts = append(parts, text[start:])
		}
		return parts
	}
}
