package target

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestFileLimits(t *testing.T) {
	for _, test := range []struct {
		target, split string
		want          Limit
	}{
		{"openai", "train", Limit{Bytes: 512_000_000}},
		{"azure", "validation", Limit{Bytes: 511_999_999}},
		{"mistral", "validation", Limit{Bytes: 1_000_000}},
		{"gemini", "validation", Limit{Bytes: 1_000_000_000, Lines: 5_000}},
		{"bedrock-claude", "train", Limit{Bytes: 10_000_000_000, Lines: 10_000}},
		{"bedrock-nova", "train", Limit{}},
		{"trl", "train", Limit{}},
	} {
		target, err := Named(test.target)
		if err != nil {
			t.Fatal(err)
		}
		limit, err := target.FileLimit(test.split)
		if err != nil || limit.Limit != test.want {
			t.Errorf("%s, %s: %+v, %v", test.target, test.split, limit, err)
		}
		if limit.Limit != (Limit{}) && (limit.AsOf == "" || limit.Source == "") {
			t.Errorf("%s, %s: a limit without date or source", test.target, test.split)
		}
	}
	// Other forms of a target have its limits.
	if limit, err := (&Target{Name: "openai-dpo"}).FileLimit("train"); err != nil || limit.Bytes == 0 {
		t.Errorf("openai-dpo: %+v, %v", limit, err)
	}
}

// Findings come in the order of the lines, however the lines were shared out.
func TestCheckFileIsInOrder(t *testing.T) {
	var file bytes.Buffer
	bad := map[int]bool{}
	for i := 1; i <= 12_000; i++ {
		line := fmt.Sprintf(`{"messages":[{"role":"user","content":%q},{"role":"assistant","content":"b"}]}`, strings.Repeat("a", i%700))
		if i%997 == 0 {
			line, bad[i] = `{"messages":[]}`, true
		}
		file.WriteString(line + "\n")
	}
	last := 0
	if err := openAI().CheckFile(&file, func(f Finding) {
		if f.Line < last || !bad[f.Line] {
			t.Errorf("finding %s after line %d", f, last)
		}
		last = f.Line
	}); err != nil {
		t.Fatal(err)
	}
	if last != 12_000-12_000%997 {
		t.Errorf("the last finding is on line %d", last)
	}
}
