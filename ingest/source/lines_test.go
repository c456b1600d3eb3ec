package source_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weir-lake/weir/ingest/source"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	for text, want := range map[string]string{
		"":                      "",
		"a":                     "1 a 1|",
		"\ufeffa\r\n\nb\rc\n":   "1 a 1|2  0|3 b\rc 3|",
		"\ufeff":                "1  0|",
		"12345678901\n2\n":      "1 1234567890 11|2 2 1|",
		"1234567890\r\n2":       "1 1234567890 10|2 2 1|",
		long + "\nb":            "1 xxxxxxxxxx 71681|2 b 1|",
		"a\n" + long:            "1 a 1|2 xxxxxxxxxx 71680|",
		"\n\n":                  "1  0|2  0|",
		"b\ufeffa\n\ufeffb\n\n": "1 b\ufeffa 5|2 \ufeffb 4|3  0|",
	} {
		in := &source.Input{Name: "x", R: iotest.OneByteReader(strings.NewReader(text))}
		var got strings.Builder
		for line, err := range source.Lines(context.Background(), in, 10) {
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%d %s %d|", line.Number, line.Text, line.Length)
		}
		if got.String() != want {
			t.Errorf("%.20q: %q, want %q", text, got.String(), want)
		}
	}
	in := &source.Input{Name: "x", R: iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ab")))}
	var last error
	for _, err := range source.Lines(context.Background(), in, 10) {
		last = err
	}
	if last == nil || !strings.HasPrefix(last.Error(), "x:1: ") {
		t.Errorf("error %v", last)
	}
}
