// Package hf counts tokens by a tokenizer.json, the file that Hugging Face's
// fast tokenizers are saved as. It reads those that work on bytes (byte-level
// BPE: Llama 3, Qwen, DeepSeek, GPT-2 and most models since), and refuses others
// rather than count them wrongly. It encodes text and applies no chat template.
// Start at Load.
//
// The Go libraries that there are do not serve: one needs a Rust library at
// link time, the other cannot compile the look-ahead that the patterns of Llama
// 3 and Qwen have and splits added tokens.
package hf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrUnsupported says that a tokenizer works in a way that is not known here.
var ErrUnsupported = errors.New("tokenizer is not byte-level BPE as known here")

// Tokenizer is a tokenizer that was read. It is not changed by use, and may be
// shared by goroutines.
type Tokenizer struct {
	hash      string
	normalize []func(string) string
	splits    []split
	model     *bpe
	raw       added // tokens that are looked for before the text is normalized
	normal    added // and those that are looked for after
}

// Load reads a tokenizer.json.
func Load(path string) (*Tokenizer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// component is a part of a tokenizer.json; which fields count depends on its type.
type component struct {
	Type          string      `json:"type"`
	Normalizers   []component `json:"normalizers"`
	Pretokenizers []component `json:"pretokenizers"`
	Pattern       struct {
		Regex  string
		String string
	} `json:"pattern"`
	Behavior         string `json:"behavior"`
	Invert           bool   `json:"invert"`
	AddPrefixSpace   bool   `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"`
	IndividualDigits bool   `json:"individual_digits"`
}

type document struct {
	AddedTokens  []addedToken `json:"added_tokens"`
	Normalizer   *component   `json:"normalizer"`
	PreTokenizer *component   `json:"pre_tokenizer"`
	Model        model        `json:"model"`
}

// Parse reads the text of a tokenizer.json.
func Parse(text []byte) (*Tokenizer, error) {
	var doc document
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	sum := sha256.Sum256(text)
	t := &Tokenizer{hash: hex.EncodeToString(sum[:])}
	if err := t.setNormalizer(doc.Normalizer); err != nil {
		return nil, err
	}
	byteLevel, err := t.setSplits(doc.PreTokenizer)
	if err != nil {
		return nil, err
	}
	if !byteLevel {
		return nil, fmt.Errorf("%w: no ByteLevel pre-tokenizer", ErrUnsupported)
	}
	if t.model, err = newBPE(doc.Model); err != nil {
		return nil, err
	}
	for _, token := range doc.AddedTokens {
		if token.Content == "" {
			continue
		}
		if token.Normalized {
			token.Content = t.normalized(token.Content)
			t.normal = append(t.normal, token)
		} else {
			t.raw = append(t.raw, token)
		}
	}
	t.raw.sort()
	t.normal.sort()
	return t, nil
}

// Hash is the sha256 of the tokenizer's file, in hex.
func (t *Tokenizer) Hash() string { return t.hash }

// Has tells whether a text is one token of its own, such as <|im_start|>.
func (t *Tokenizer) Has(token string) bool {
	is := func(a addedToken) bool { return a.Content == token }
	return slices.ContainsFunc(t.raw, is) || slices.ContainsFunc(t.normal, is)
}

// Count counts the tokens of a text. What looks like a special token counts as
// one; none is put before or after the text.
func (t *Tokenizer) Count(text string) int {
	n := 0
	t.raw.cut(text, func(part string, isToken bool) {
		if isToken {
			n++
			return
		}
		t.normal.cut(t.normalized(part), func(part string, isToken bool) {
			if isToken {
				n++
				return
			}
			n += t.pieces(part)
		})
	})
	return n
}

// pieces counts the tokens of a text without added tokens.
func (t *Tokenizer) pieces(text string) int {
	if text == "" {
		return 0
	}
	parts := []string{text}
	for _, split := range t.splits {
		var next []string
		for _, part := range parts {
			next = split(part, next)
		}
		parts = next
	}
	n := 0
	for _, part := range parts {
		n += t.model.count(part)
	}
	return n
}

func (t *Tokenizer) normalized(text string) string {
	for _, f := range t.normalize {
		text = f(text)
	}
	return text
}

func (t *Tokenizer) setNormalizer(c *component) error {
	if c == nil {
		return nil
	}
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	form, isForm := forms[c.Type]
	switch {
	case isForm:
		t.normalize = append(t.normalize, form.String)
	case c.Type == "Lowercase":
		t.normalize = append(t.normalize, strings.ToLower)
	case c.Type == "Sequence":
		for i := range c.Normalizers {
			if err := t.setNormalizer(&c.Normalizers[i]); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%w: normalizer %s", ErrUnsupported, c.Type)
	}
	return nil
}

// addedToken is a token that is found in the text as it stands.
type addedToken struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not within a word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
}

// added are tokens, the longest first: where several begin, it is found.
type added []addedToken

func (a added) sort() {
	slices.SortStableFunc(a, func(x, y addedToken) int { return len(y.Content) - len(x.Content) })
}

// cut visits the parts of a text in order: tokens, and what is between them.
func (a added) cut(text string, visit func(part string, isToken bool)) {
	start := 0
	for i := 0; len(a) > 0 && i < len(text); {
		token := a.at(text[i:])
		if token == nil {
			_, size := utf8.DecodeRuneInString(text[i:])
			i += size
			continue
		}
		from, to := i, i+len(token.Content)
		i = to
		if token.SingleWord && (endsInWord(text[:from]) || startsWithWord(text[to:])) {
			continue
		}
		if token.LStrip {
			from = max(start, len(strings.TrimRightFunc(text[:from], unicode.IsSpace)))
		}
		if token.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if from > start {
			visit(text[start:from], false)
		}
		visit(text[from:to], true)
		start, i = to, to
	}
	if start < len(text) {
		visit(text[start:], false)
	}
}

// at is the longest token that a text begins with.
func (a added) at(text string) *addedToken {
	for i := range a {
		if strings.HasPrefix(text, a[i].Content) {
			return &a[i]
		}
	}
	return nil
}

func endsInWord(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && isWord(r)
}

func startsWithWord(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return text != "" && isWord(r)
}

// isWord is the \w of Unicode's regular expressions.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.Pc, r) ||
		unicode.Is(unicode.Other_Alphabetic, r) || unicode.Is(unicode.Join_Control, r)
}
