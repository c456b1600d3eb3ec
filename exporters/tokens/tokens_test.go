package tokens

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/weir-lake/weir/lake"
)

func TestForModel(t *testing.T) {
	for _, test := range []struct {
		model    string
		encoding Encoding
		isExact  bool
	}{
		{"gpt-4o-mini-2024-07-18", O200kBase, true},
		{"gpt-4.1-mini-2025-04-14", O200kBase, true},
		{"ft:gpt-4.1-nano-2025-04-14:org:name:id", O200kBase, true},
		{"gpt-4-0613", CL100kBase, true},
		{"ft:gpt-4-0613", CL100kBase, true},
		{"gpt-3.5-turbo-0125", CL100kBase, true},
		{"gpt-5-2025-08-07", O200kBase, true},
		{"openai/gpt-oss-20b", O200kBase, true},
		{"o4-mini-2025-04-16", O200kBase, true},
		{"meta-llama/Meta-Llama-3.1-8B-Instruct-Reference", O200kBase, false},
		{"", O200kBase, false},
	} {
		if encoding, isExact := ForModel(test.model); encoding != test.encoding || isExact != test.isExact {
			t.Errorf("%q: %s, %v", test.model, encoding, isExact)
		}
	}
}

// The counts are those of OpenAI's own tokenizer for these texts.
func TestKnownCounts(t *testing.T) {
	for _, test := range []struct {
		text          string
		o200k, cl100k int
	}{
		{"", 0, 0},
		{"hello world", 2, 2},
		{"tiktoken is great!", 6, 6},
		{"antidisestablishmentarianism", 6, 6},
		{"2 + 2 = 4", 7, 7},
		{"お誕生日おめでとう", 8, 9},
	} {
		for encoding, want := range map[Encoding]int{O200kBase: test.o200k, CL100kBase: test.cl100k} {
			if got := counter(t, encoding).Text(test.text); got != want {
				t.Errorf("%s %q: %d tokens, want %d", encoding, test.text, got, want)
			}
		}
	}
}

// Counting word by word must give what the library gives for the whole text.
func TestWordsAddUpToTheText(t *testing.T) {
	pieces := []string{
		" ", "  ", "\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "word", "Word", "WORD", "it's", "'s", "'LL", "1", "12345",
		"{\"a\":", "\"b\"}", "//", "/", "...", "=====", "é", "e\u0301", "你好", "，", "🙂", "👩‍🚀", "ß", "ſ", "<|endoftext|>", "_x_",
		"-", "日本 語", "ab 12", "x= 1", "\u200b", "\x85", "—", "Ünïcödé", "ǅ", "٣", "Ⅷ", " a", "a ",
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for encoding, whole := range map[Encoding]*codec.Codec{O200kBase: codec.NewO200kBase(), CL100kBase: codec.NewCl100kBase()} {
		c := counter(t, encoding)
		for range 3000 {
			var text strings.Builder
			for range rng.IntN(12) {
				text.WriteString(pieces[rng.IntN(len(pieces))])
			}
			want, err := whole.Count(text.String())
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Text(text.String()); got != want {
				t.Fatalf("%s %q: %d tokens, want %d", encoding, text.String(), got, want)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("it's  a\n test, isn't it? 12345 x")
	f.Add("日本 語 e\u0301 \x85 a")
	whole, c := codec.NewO200kBase(), mustCounter(O200kBase)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		want, err := whole.Count(text)
		if err != nil {
			t.Skip(err)
		}
		if got := c.Text(text); got != want {
			t.Fatalf("%q: %d tokens, want %d", text, got, want)
		}
	})
}

func TestMessageRule(t *testing.T) {
	c := counter(t, O200kBase)
	for _, test := range []struct {
		name    string
		message lake.Message
		want    int
	}{
		{"three and the strings", lake.Message{Role: "user", Content: "hello world"}, 3 + 1 + 2},
		{"a name costs one more", lake.Message{Role: "user", Name: "scout", Content: "hello world"}, 3 + 1 + 2 + 1 + c.Text("scout")},
		{"reasoning counts as text", lake.Message{Role: "assistant", Reasoning: "hello world"}, 3 + 1 + 2},
		{"calls are estimated", lake.Message{Role: "assistant", ToolCalls: []lake.ToolCall{{Name: "look", Arguments: "{}"}}}, 3 + 1 + 3 + 1 + 1},
	} {
		if got := c.Message(test.message); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestLongUnbrokenText(t *testing.T) {
	// Quadratic merging would take minutes.
	if n := counter(t, O200kBase).Text(strings.Repeat("qxzjkv", 50_000)); n == 0 {
		t.Error("no tokens")
	}
}

func BenchmarkText(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	letters := "etaoinshrdlucmfwypvbgkjqxz"
	words := make([]string, 20_000)
	for i := range words {
		word := make([]byte, 2+rng.IntN(8))
		for j := range word {
			word[j] = letters[rng.IntN(len(letters))]
		}
		words[i] = string(word)
	}
	var text strings.Builder
	for text.Len() < 1<<20 {
		text.WriteString(words[int(rng.ExpFloat64()*1500)%len(words)])
		text.WriteString([]string{" ", " ", " ", ", ", ".\n"}[rng.IntN(5)])
	}
	c := mustCounter(O200kBase)
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		c.Text(text.String())
	}
}

func counter(t *testing.T, encoding Encoding) *Counter {
	t.Helper()
	c, err := NewCounter(encoding)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustCounter(encoding Encoding) *Counter {
	c, err := NewCounter(encoding)
	if err != nil {
		panic(err)
	}
	return c
}
