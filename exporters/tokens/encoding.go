// Package tokens counts the tokens of chat messages with OpenAI's encodings or a
// model's tokenizer file (tokens/hf), without a network. For models of other
// makers the count is an estimate without their file, and says so. It knows no
// prices (exporters/prices has them) and no file formats. Start at
// VocabularyFor.
package tokens

import (
	"strings"

	"github.com/weir-lake/weir/exporters/tokens/hf"
)

// Encoding is a vocabulary by the name that tiktoken gives it.
type Encoding string

// The encodings that can be counted.
const (
	O200kBase  Encoding = "o200k_base"
	CL100kBase Encoding = "cl100k_base"
)

// prefixes maps the start of a model's name to its encoding. The longest that
// fits decides: the tokenizer library's own table sends gpt-4.1 fine-tunes to
// cl100k_base, and does not know dated gpt-5 names.
var prefixes = []struct {
	prefix   string
	encoding Encoding
}{
	{"gpt-3.5", CL100kBase}, {"gpt-35", CL100kBase},
	{"gpt-4", CL100kBase},
	{"gpt-4o", O200kBase}, {"gpt-4.1", O200kBase}, {"gpt-4.5", O200kBase},
	{"chatgpt-4o", O200kBase},
	{"gpt-5", O200kBase},
	{"gpt-oss", O200kBase}, // o200k_harmony: the same vocabulary with other special tokens
	{"o1", O200kBase}, {"o3", O200kBase}, {"o4", O200kBase},
	{"davinci-002", CL100kBase}, {"babbage-002", CL100kBase},
}

// ForModel gives the encoding of a model, fine-tuned ones (ft:…) included. For
// a model that has another tokenizer isExact is false: o200k_base then serves
// as an estimate.
func ForModel(model string) (encoding Encoding, isExact bool) {
	name := strings.TrimPrefix(strings.ToLower(model), "ft:")
	if maker, rest, ok := strings.Cut(name, "/"); ok && maker == "openai" {
		name = rest
	}
	longest := 0
	for _, p := range prefixes {
		if strings.HasPrefix(name, p.prefix) && len(p.prefix) > longest {
			longest, encoding = len(p.prefix), p.encoding
		}
	}
	if longest == 0 {
		return O200kBase, false
	}
	return encoding, true
}

// Vocabulary is what the tokens of a model are counted by.
type Vocabulary struct {
	Encoding  Encoding      // where there is no tokenizer
	Tokenizer *hf.Tokenizer // nil: the encoding
	IsExact   bool          // it is the model's own; else the count is an estimate
}

// VocabularyFor is a model's: the tokenizer that its user gives, which is taken
// for the model's own, else the encoding of its name.
func VocabularyFor(model string, tokenizer *hf.Tokenizer) Vocabulary {
	if tokenizer != nil {
		return Vocabulary{Tokenizer: tokenizer, IsExact: true}
	}
	encoding, isExact := ForModel(model)
	return Vocabulary{Encoding: encoding, IsExact: isExact}
}

// Name is the encoding's, or that of the tokenizer's file with its hash.
func (v Vocabulary) Name() string {
	if v.Tokenizer != nil {
		return "tokenizer.json " + v.Tokenizer.Hash()[:12]
	}
	return string(v.Encoding)
}

// NewCounter makes a counter by the vocabulary.
func (v Vocabulary) NewCounter() (*Counter, error) {
	if v.Tokenizer != nil {
		return &Counter{tokenizer: v.Tokenizer, words: map[string]int{}}, nil
	}
	return NewCounter(v.Encoding)
}
