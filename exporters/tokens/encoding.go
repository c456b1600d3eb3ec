// Package tokens counts the tokens of chat messages with OpenAI's encodings,
// without a network. For models of other makers the count is an estimate and
// says so. It knows no prices (exporters/prices has them) and no file formats.
// Start at ForModel and NewCounter.
package tokens

import "strings"

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
