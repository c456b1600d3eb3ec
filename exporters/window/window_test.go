package window_test

import (
	"testing"

	"github.com/weir-lake/weir/exporters/window"
)

func TestOf(t *testing.T) {
	for _, test := range []struct {
		provider, model string
		want            int
	}{
		{"openai", "gpt-3.5-turbo-0125", 16_385},
		{"openai", "ft:gpt-4o-mini-2024-07-18:org:x:y", 65_536},
		{"openai", "gpt-4.1-mini-2025-04-14", 1_047_576},
		{"google", "gemini-2.5-flash", 131_072},
		{"local", "Qwen/Qwen2.5-7B-Instruct", 32_768},
		{"fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", 32_768},
		{"local", "gpt-3.5-turbo", 0},
		{"local", "", 0},
	} {
		w, err := window.Of(test.provider, test.model)
		if err != nil {
			t.Fatal(err)
		}
		if w.Longest() != test.want {
			t.Errorf("%s %s: %d, want %d", test.provider, test.model, w.Longest(), test.want)
		}
	}
}
