package target

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
)

// Each case of testdata is a sentence, an example, and what each target makes
// of it: its lines, then the rules that fired. UPDATE=1 rewrites them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { goldenCase(t, file) })
	}
}

func goldenCase(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	example := readExample(t, archive.Files[0].Data)
	got := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1:1]}
	for _, target := range All() {
		if target.Pairs != (example.Against != nil) {
			continue // pairs are for targets that have them
		}
		result, err := target.Convert(example, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		checkResult(t, target, example, result)
		got.Files = append(got.Files, txtar.File{Name: target.Name, Data: []byte(describe(result))})
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, have := string(txtar.Format(archive)), string(txtar.Format(got))
	if want != have {
		t.Errorf("got\n%s\nwant\n%s", have, want)
	}
}

func readExample(t *testing.T, text []byte) canonical.Example {
	t.Helper()
	var example canonical.Example
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&example); err != nil {
		t.Fatal(err)
	}
	return example
}

// testOptions count a token a word, so that cases can be divided by eye.
func testOptions() Options {
	words := func(m lake.Message) int {
		n := len(strings.Fields(m.Content)) + len(strings.Fields(m.Reasoning))
		for _, call := range m.ToolCalls {
			n += 1 + len(strings.Fields(call.Arguments))
		}
		return n
	}
	return Options{
		MaxTokens: 60,
		Count:     words,
		Trained:   words,
		IsAgent:   func(name string) bool { return strings.HasPrefix(name, "scout") || strings.HasPrefix(name, "planner") },
	}
}

func describe(result Result) string {
	var out strings.Builder
	for _, line := range result.Lines {
		fmt.Fprintf(&out, "%s\n", line.JSON)
	}
	for _, rule := range slices.Sorted(maps.Keys(result.Losses)) {
		fmt.Fprintf(&out, "%s %d\n", rule, result.Losses[rule])
	}
	if result.Dropped != "" {
		fmt.Fprintf(&out, "dropped: %s\n", result.Dropped)
	}
	return out.String()
}

// checkResult holds what is true of every conversion.
func checkResult(t *testing.T, target *Target, example canonical.Example, result Result) {
	t.Helper()
	if (len(result.Lines) == 0) != (result.Dropped != "") {
		t.Errorf("%s: %d lines, dropped %q", target.Name, len(result.Lines), result.Dropped)
	}
	trained := 0
	for i, line := range result.Lines {
		for _, finding := range target.CheckLine(line.JSON) {
			t.Errorf("%s: line %d: %s", target.Name, i+1, finding)
		}
		trained += line.Targets
	}
	if result.Dropped == "" && !target.Pairs {
		merged, lost := result.Losses[RuleTurnsMerged], result.Losses[RuleTargetTooLong]+result.Losses[RuleParallelEnd]+result.Losses[RuleLastOnly]+result.Losses[RuleUnmaskedCut]+result.Losses[RuleOneAnswer]
		empty := result.Losses[RuleEmpty]
		if all := canonical.Targets(example.Messages); trained+lost > all || trained+lost+merged+empty < all {
			t.Errorf("%s: %d of %d messages trained, %d too long or last, %d merged, %d empty", target.Name, trained, all, lost, merged, empty)
		}
	}
	for rule := range result.Losses {
		if !slices.ContainsFunc(Rules(), func(info RuleInfo) bool { return info.Rule == rule }) {
			t.Errorf("rule %s is not described", rule)
		}
	}
}
