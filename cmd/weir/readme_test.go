package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// masks are everything in a README block that may differ between two runs.
var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s)\b`), "0s"},            // durations
	{regexp.MustCompile(`\b\d+(\.\d+)? (B|kB|MB|GB)\b`), "0 B"},    // sizes on disk
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "DATE"}, // when a commit was made
	{regexp.MustCompile(`[ \t]+`), " "},                            // column widths follow the above
}

// TestReadme runs each "$ weir …" line of the README, in order and in one
// folder, and compares what it prints. UPDATE=1 rewrites the README.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the whole demo; left out by -short")
	}
	path, err := filepath.Abs(filepath.Join("..", "..", "README.md")) // before the folder changes
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var out strings.Builder
	lines := strings.SplitAfter(string(text), "\n")
	ran := 0
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		command, ok := strings.CutPrefix(lines[i], "    $ weir ")
		if !ok {
			continue
		}
		var want strings.Builder
		for end := outputEnd(lines, i+1); i+1 < end; {
			i++
			want.WriteString(strings.TrimPrefix(lines[i], "    "))
		}
		got := runReadme(t, command)
		ran++
		if mask(got) != mask(strings.TrimRight(want.String(), "\n")) {
			if os.Getenv("UPDATE") == "" {
				t.Errorf("README: $ weir %sgot:\n%s\nwant:\n%s\nUPDATE=1 go test ./cmd/weir -run Readme rewrites it", command, got, want.String())
			}
			writeIndented(&out, got)
			continue
		}
		writeIndented(&out, strings.TrimRight(want.String(), "\n"))
	}
	if ran == 0 {
		t.Error("README has no \"$ weir\" block: nothing was checked")
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// outputEnd finds where the output that starts at line i ends: at the next
// command or unindented text. Blank lines inside belong to it.
func outputEnd(lines []string, i int) int {
	end := i
	for ; i < len(lines); i++ {
		switch {
		case strings.HasPrefix(lines[i], "    $ "):
			return end
		case strings.HasPrefix(lines[i], "    "):
			end = i + 1
		case strings.TrimSpace(lines[i]) != "":
			return end
		}
	}
	return end
}

func writeIndented(out *strings.Builder, text string) {
	for _, line := range strings.Split(text, "\n") {
		fmt.Fprintln(out, strings.TrimRight("    "+line, " "))
	}
}

func runReadme(t *testing.T, command string) string {
	t.Helper()
	args, err := splitWords(strings.TrimSpace(command))
	if err != nil {
		t.Fatalf("README: $ weir %s: %v", command, err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), append([]string{"weir"}, args...), strings.NewReader(""), &stdout, &stderr); code != exitDone {
		t.Errorf("README: $ weir %s: exit %d: %s", command, code, stderr.String())
	}
	return strings.TrimRight(stdout.String(), "\n")
}

// splitWords splits a command line at spaces, minding double quotes.
func splitWords(line string) ([]string, error) {
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] == '"' {
			end := strings.IndexByte(line[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("quote not closed")
			}
			words, line = append(words, line[1:1+end]), line[2+end:]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		words, line = append(words, word), rest
	}
	return words, nil
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}
