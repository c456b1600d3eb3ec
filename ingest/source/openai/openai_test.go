package openai

import (
	"os"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*") }

func TestDetect(t *testing.T) {
	for path, want := range map[string]bool{"../openai/testdata/log.jsonl": true, "../anthropic/testdata/log.jsonl": false} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The whole head, its first record cut off, and a broken line before it.
		for name, head := range map[string][]byte{"whole": text, "cut": text[:400], "broken": append([]byte("{oops\n"), text...)} {
			if got := Format().Detect(source.Probe{Head: head}) > 0; got != want {
				t.Errorf("%s, %s: found %v", path, name, got)
			}
		}
	}
	for _, text := range []string{
		"", "# Notes", `{"object":"chat.completion.chunk","id":"chatcmpl-pier00000000001","choices":[{"delta":{"content":"a piece"}}]}`, `{"messages":[{"role":"user","content":"a training file"}]}`, `{"type":"assistant","message":{"role":"assistant","content":[]}}`,
		`{"specversion":"1.0","type":"weir.chat.message.v1","data":{}}`, `{"thread_id":"t","checkpoint_id":"c","status":"failed","messages":[]}`,
	} {
		if score := Format().Detect(source.Probe{Head: []byte(text)}); score != 0 {
			t.Errorf("%q: found with %d", text, score)
		}
	}
}
