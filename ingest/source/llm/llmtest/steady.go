package llmtest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
)

// Steady reads text twice and checks what holds for any input: both times give
// the same, and what is neither event nor reject was nothing but blanks and
// brackets. A format that drops records by rule says which inputs hold none but
// those; dropped may be nil.
func Steady(t *testing.T, format source.Format, text string, dropped func(text string) bool) {
	t.Helper()
	first, second := Read(t, format, text), Read(t, format, text)
	if !bytes.Equal(first.text(t), second.text(t)) {
		t.Fatal("the same input gives other events the second time")
	}
	if len(first.Events)+len(first.Rejects) > 0 || dropped != nil && dropped(text) {
		return
	}
	if rest := strings.Trim(text, "\ufeff\x1e[], \t\r\n"); rest != "" {
		t.Fatalf("nothing came of %q", rest)
	}
}
