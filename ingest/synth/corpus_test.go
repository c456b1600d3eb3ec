package synth

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/weir-lake/weir/lake"
)

func writeCorpus(t *testing.T, seed uint64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "corpus")
	if _, err := WriteCorpus(t.Context(), dir, CorpusOptions{Seed: seed, Examples: 400}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCorpusIsDecidedByItsSeed(t *testing.T) {
	first := readTree(t, writeCorpus(t, 1))
	if !reflect.DeepEqual(first, readTree(t, writeCorpus(t, 1))) {
		t.Error("one seed gave two corpora")
	}
	if reflect.DeepEqual(first, readTree(t, writeCorpus(t, 2))) {
		t.Error("two seeds gave one corpus")
	}
}

// Every example has one line of truth, whose source stands before it; every
// kind and every fault is there; the shared schema is of 3,000 tokens.
func TestCorpusSaysWhatItPlanted(t *testing.T) {
	dir := writeCorpus(t, 1)
	text, err := os.ReadFile(filepath.Join(dir, "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	kinds, reasons := map[string]int{}, map[string]int{}
	for line := range bytes.Lines(text) {
		var p Planted
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		if seen[p.Example] || p.Of != "" && !seen[p.Of] {
			t.Errorf("%+v: stands twice, or before what it was made from", p)
		}
		seen[p.Example] = true
		kinds[p.Kind]++
		if p.Reason != "" {
			reasons[p.Reason]++
		}
	}
	if len(seen) != 400 || len(kinds) != 6 || len(reasons) != len(corpusFaults) {
		t.Errorf("%d examples, kinds %v, reasons %v", len(seen), kinds, reasons)
	}
	if text, err = os.ReadFile(filepath.Join(dir, "logs", "events.jsonl")); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		event, err := lake.DecodeEvent(line)
		if err != nil {
			t.Fatal(err)
		}
		if call, ok := event.Data.(*lake.GatewayCall); ok && len(call.Tools) > 1 {
			schema := len(encode(call.Tools))
			if schema < 11_000 || schema > 16_000 {
				t.Errorf("the shared schema has %d characters", schema)
			}
			break
		}
	}
}

func TestCorpusRefusals(t *testing.T) {
	if _, err := WriteCorpus(t.Context(), writeCorpus(t, 1), CorpusOptions{Examples: 1}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder with files: %v", err)
	}
	if _, err := WriteCorpus(t.Context(), filepath.Join(t.TempDir(), "x"), CorpusOptions{}); err == nil {
		t.Error("no examples were taken")
	}
}
