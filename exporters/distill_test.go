package exporters_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// piers makes questions shorter, and finds that pier 3 must not be named.
type piers struct{ onNamed string }

func (p piers) Info() exporters.DistillRules {
	return exporters.DistillRules{Name: "piers", Hash: "0123456789", OnNamed: p.onNamed, Rules: []exporters.DistillRule{{ID: "short", Version: 1}}}
}

func (piers) File() []byte { return []byte("name: piers\n") }

func (piers) Shorten(e *canonical.Example) exporters.Distillation {
	messages := append([]lake.Message(nil), e.Messages...)
	messages[0].Content = "Which pier?"
	e.Messages = messages
	done := exporters.Distillation{Rules: map[string]int{"short": 1}}
	if strings.Contains(messages[1].Content, "pier 3") {
		done.Named = "pier 3"
	}
	return done
}

func TestDistilledExport(t *testing.T) {
	lk := built(t, 60)
	named := int64(0)
	for i := range 60 {
		if i%7 == 3 {
			named++
		}
	}
	for _, test := range []struct {
		onNamed string
		lines   int64
	}{{exporters.OnNamedDrop, 60 - named}, {exporters.OnNamedWarn, 60}, {exporters.OnNamedRefuse, 0}} {
		t.Run(test.onNamed, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir, Distill: piers{test.onNamed}})
			if test.onNamed == exporters.OnNamedRefuse {
				if _, statErr := os.Stat(dir); !errors.Is(err, exporters.ErrNamed) || !errors.Is(statErr, os.ErrNotExist) {
					t.Errorf("%v, and the folder: %v", err, statErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d := manifest.Distill
			if d.Examples != 60 || d.Named != named || d.Rules[0].Examples != 60 || d.Rules[0].Times != 60 || d.TokensBefore == 0 {
				t.Errorf("%+v", d)
			}
			var lines, dropped int64
			for _, split := range manifest.Splits {
				lines += split.Lines
			}
			for _, loss := range manifest.Losses {
				if loss.Rule == string(target.RuleNamed) {
					dropped = loss.Examples
				}
			}
			if lines != test.lines || dropped != 60-test.lines {
				t.Errorf("%d lines, %d dropped", lines, dropped)
			}
			warned := strings.Contains(strings.Join(manifest.Warnings, "\n"), exporters.ErrNamed.Error())
			if warned != (test.onNamed == exporters.OnNamedWarn) {
				t.Errorf("warnings %q", manifest.Warnings)
			}
			checkDistillFiles(t, dir)
		})
	}
}

func checkDistillFiles(t *testing.T, dir string) {
	t.Helper()
	rules, err := os.ReadFile(filepath.Join(dir, exporters.DistillFile))
	if err != nil || string(rules) != "name: piers\n" {
		t.Errorf("rules %q, %v", rules, err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, "distill.jsonl"))
	if err != nil || bytes.Count(lines, []byte("\n")) != 60 {
		t.Errorf("%d lines, %v", bytes.Count(lines, []byte("\n")), err)
	}
	train, err := os.ReadFile(filepath.Join(dir, "train.jsonl"))
	if err != nil || bytes.Contains(train, []byte("berth")) || !bytes.Contains(train, []byte("Which pier?")) {
		t.Errorf("the training file is not shortened: %v", err)
	}
}

// The bytes do not depend on how many convert side by side.
func TestDistilledExportIsTheSameOnAnyNumberOfThreads(t *testing.T) {
	lk := built(t, 60)
	var files [2][]byte
	for i := range files {
		dir := filepath.Join(t.TempDir(), "out")
		opts := exporters.Options{Target: "openai", Dir: dir, Distill: piers{exporters.OnNamedDrop}, Session: duck.Options{Threads: 1 + 3*i}}
		if _, err := exporters.Export(t.Context(), lk, opts); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, "distill.jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("distill.jsonl differs")
	}
}

// What a model reads before a trained reply is what a call of it will cost.
func TestCallsArePriced(t *testing.T) {
	lk := built(t, 60)
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	calls, train := manifest.Cost.Calls, manifest.Splits[0]
	if calls == nil || calls.TunedUSD == nil || calls.BaseUSD == nil || *calls.TunedUSD <= *calls.BaseUSD {
		t.Fatalf("%+v", calls)
	}
	if got := calls.OutputTokens * float64(train.Targets); int64(got+0.5) != train.TrainedTokens {
		t.Errorf("%v tokens written, want %d", got, train.TrainedTokens)
	}
	// Each example is a question and its answer, so all but the answers is read.
	if read := calls.InputTokens * float64(train.Targets); int64(read+0.5) >= train.Tokens-train.TrainedTokens {
		t.Errorf("%v tokens read of %d", read, train.Tokens)
	}
}
