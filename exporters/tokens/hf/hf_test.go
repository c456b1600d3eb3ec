package hf_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/tokens/hf"
)

// The counts are those of Hugging Face's own library: scripts/tokenizer_counts.py
// writes tokenizers, texts and counts. WEIR_TOKENIZERS names a folder with more.
func TestCountsAreThoseOfTheLibrary(t *testing.T) {
	dirs := []string{"testdata"}
	if more := os.Getenv("WEIR_TOKENIZERS"); more != "" {
		dirs = append(dirs, more)
	}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, "counts.json"))
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Texts  []string         `json:"texts"`
			Counts map[string][]int `json:"counts"`
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if len(want.Counts) < 4 || len(want.Texts) < 400 {
			t.Fatalf("%s: %d tokenizers and %d texts are too few", dir, len(want.Counts), len(want.Texts))
		}
		for name, counts := range want.Counts {
			tokenizer, err := hf.Load(filepath.Join(dir, name+".json"))
			if err != nil {
				t.Error(err)
				continue
			}
			differ := 0
			for i, text := range want.Texts {
				if got := tokenizer.Count(text); got != counts[i] {
					if differ++; differ <= 3 {
						t.Errorf("%s: %q: %d tokens, the library counts %d", name, text, got, counts[i])
					}
				}
			}
			t.Logf("%s: %d texts, %d counted otherwise", name, len(want.Texts), differ)
		}
	}
}

func TestOthersAreRefused(t *testing.T) {
	const bytes = `"pre_tokenizer":{"type":"ByteLevel"}`
	for name, text := range map[string]string{
		"unigram":          `{` + bytes + `,"model":{"type":"Unigram","vocab":null}}`,
		"word_piece":       `{` + bytes + `,"model":{"type":"WordPiece","vocab":{}}}`,
		"no_bytes":         `{"pre_tokenizer":{"type":"Whitespace"},"model":{"type":"BPE","vocab":{},"merges":[]}}`,
		"no_pre_tokenizer": `{"model":{"type":"BPE","vocab":{},"merges":[]}}`,
		"metaspace":        `{"normalizer":{"type":"Prepend","prepend":"_"},` + bytes + `,"model":{"type":"BPE","vocab":{},"merges":[]}}`,
		"byte_fallback":    `{` + bytes + `,"model":{"type":"BPE","vocab":{},"merges":[],"byte_fallback":true}}`,
		"bad_pattern":      `{"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"},"model":{"type":"BPE","vocab":{},"merges":[]}}`,
	} {
		if _, err := hf.Parse([]byte(text)); !errors.Is(err, hf.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"no_json":       `{`,
		"unknown_merge": `{` + bytes + `,"model":{"type":"BPE","vocab":{"a":1},"merges":["a b"]}}`,
		"no_pair":       `{` + bytes + `,"model":{"type":"BPE","vocab":{"a":1},"merges":["ab"]}}`,
	} {
		if _, err := hf.Parse([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLongUnbrokenText(t *testing.T) {
	tokenizer, err := hf.Load("testdata/llama3.json")
	if err != nil {
		t.Fatal(err)
	}
	// Quadratic merging would take minutes.
	if n := tokenizer.Count(strings.Repeat("ferry", 50_000)); n == 0 {
		t.Error("no tokens")
	}
}

func FuzzCount(f *testing.F) {
	tokenizer, err := hf.Load("testdata/gpt2.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"the ship [MID] ships", "\xff\x00", " \n\t", "ＳＨＩＰ"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := tokenizer.Count(text)
		// Each byte is a token at most, but for the space that may be put before each part.
		if n < 0 || n > 3*len(text)+1 {
			t.Fatalf("%q: %d tokens", text, n)
		}
	})
}
