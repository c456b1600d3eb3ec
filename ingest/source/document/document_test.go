package document_test

import (
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/document"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
)

func TestGolden(t *testing.T) {
	llmtest.Golden(t, document.Format(), "testdata/*.md")
	llmtest.Golden(t, document.Format(), "testdata/*.txt")
}

func TestDetect(t *testing.T) {
	for _, test := range []struct {
		name, head string
		want       bool
	}{
		{"notes.md", "# Title\n", true},
		{"NOTES.MD", "text", true},
		{"essay.txt", "It was a fine day.\nWe went out.\n", true},
		{"chat.txt", "[09:12] <ilse> hello\n[09:13] <otto> hello\n", false},
		{"data.md", `{"a":1}`, false},
		{"page", "---\nkind: constitution\n---\ntext", true},
		{"page", "---\nkind: recipe\n---\ntext", false},
		{"main.go", "package main\n", false},
		{"cut.md", strings.Repeat("é", 10) + "\xc3", true},
		{"blob.md", "a\x00b", false},
		{"blob.txt", "\xff\xfe\x00", false},
	} {
		if got := document.Format().Detect(source.Probe{Name: test.name, Head: []byte(test.head)}) >= 20; got != test.want {
			t.Errorf("%s %q: %v", test.name, test.head, got)
		}
	}
}

// TestWhereItLies: a document's id does not depend on its name, and line ends
// are no difference.
func TestWhereItLies(t *testing.T) {
	a := llmtest.Read(t, document.Format(), "# A\n\ntext\n").Events
	b := llmtest.Read(t, document.Format(), "# A\r\n\r\ntext\r\n").Events
	if len(a) != 1 || len(b) != 1 || a[0].ID != b[0].ID {
		t.Errorf("%v, %v", a, b)
	}
}

func TestRejects(t *testing.T) {
	for _, test := range []struct{ text, reason string }{
		{strings.Repeat("x", 9<<20), source.ReasonTooLarge},
		{"a\xff", source.ReasonInvalidUTF8},
	} {
		got := llmtest.Read(t, document.Format(), test.text)
		if len(got.Events) != 0 || len(got.Rejects) != 1 || got.Rejects[0].Reason != test.reason || got.Rejects[0].Length != 0 && got.Rejects[0].Length != int64(len(test.text)) {
			t.Errorf("%s: %d events, %d rejects", test.reason, len(got.Events), len(got.Rejects))
		}
	}
	if got := llmtest.Read(t, document.Format(), " \n"); len(got.Events)+len(got.Rejects) != 0 {
		t.Error("blanks are no document, and no fault")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("---\nkind: rules\nversion: 1.0\ndate: 2026-01-01\n---\n# x\n")
	f.Add("---\n---\n")
	f.Fuzz(func(t *testing.T, text string) { llmtest.Read(t, document.Format(), text) })
}
