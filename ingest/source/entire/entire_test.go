package entire_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/claudecode"
	"github.com/weir-lake/weir/ingest/source/entire"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, entire.Format(), "testdata/*.jsonl*") }

func TestDetect(t *testing.T) {
	for head, want := range map[string]bool{
		`{"checkpoint_id":"0a","session_id":"s","strategy":"manual-commit"}`: true,
		`{"checkpoint_id":"0a","strategy":"manual-commit","sessions":[]}`:    true,
		"{\n  \"checkpoint_id\": \"0a\",\n  \"session_id\": \"cut":           true,
		`{"checkpoint_id":"0a","thread_id":"t","ts":"2026-01-01T00:00:00Z"}`: false,
		`{"checkpoint_id":"0a","strategy":"x"}`:                              false,
	} {
		if got := entire.Format().Detect(source.Probe{Name: "metadata.json", Head: []byte(head)}) > 0; got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
}

// TestSamples: every file is one checkpoint.
func TestSamples(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(llmtest.Samples(t, "entire-checkpoint"), "*.json"))
	if len(paths) != 23 {
		t.Fatalf("%d files", len(paths))
	}
	sessions, ids := 0, map[string]bool{}
	for _, path := range paths {
		result := llmtest.ReadFile(t, entire.Format(), path)
		if len(result.Events) != 1 || len(result.Rejects) > 0 {
			t.Fatalf("%s: %d events, %d rejects", filepath.Base(path), len(result.Events), len(result.Rejects))
		}
		e := result.Events[0]
		ids[e.ID] = true
		if c := e.Data.(*lake.Checkpoint); c.CheckpointID != e.Subject {
			sessions++
		}
	}
	if sessions != 12 || len(ids) != 23 {
		t.Errorf("%d sessions, %d ids", sessions, len(ids))
	}
}

// TestJoin: the metadata of a session counts what its transcript's outputs
// used, each once, and names the same subject.
func TestJoin(t *testing.T) {
	checkpoints := llmtest.Samples(t, "entire-checkpoint")
	transcripts := llmtest.Samples(t, "claude-code")
	for id, want := range map[string]struct{ calls, output int64 }{
		"44_785715c3f5": {149, 430}, "ba_5e23ccb05b": {6, 20}, "8b_c5137450f6": {8, 56}, "72_95d22ef3a1": {16, 36},
	} {
		metadata, _ := filepath.Glob(filepath.Join(checkpoints, id+"_*_metadata.json"))
		transcript, _ := filepath.Glob(filepath.Join(transcripts, id+"_*_full.jsonl"))
		if len(metadata) != 1 || len(transcript) != 1 {
			t.Fatalf("%s: %d and %d files", id, len(metadata), len(transcript))
		}
		saved := llmtest.ReadFile(t, entire.Format(), metadata[0]).Events[0]
		c := saved.Data.(*lake.Checkpoint)
		used := map[string][2]int64{} // by output: input, output
		for _, e := range llmtest.ReadFile(t, claudecode.Format(), transcript[0]).Events {
			m := e.Data.(*lake.ChatMessage)
			if e.Subject != saved.Subject {
				t.Fatalf("%s: subject %s, in the transcript %s", id, saved.Subject, e.Subject)
			}
			if m.Kind == lake.KindOutput && m.ParentConversationID == "" && m.InputTokens != nil {
				n := used[m.ResponseID]
				used[m.ResponseID] = [2]int64{max(n[0], *m.InputTokens), max(n[1], *m.OutputTokens)}
			}
		}
		var input, output int64
		for _, n := range used {
			input, output = input+n[0], output+n[1]
		}
		if int64(len(used)) != want.calls || *c.OutputTokens != want.output || output != want.output || *c.InputTokens != input {
			t.Errorf("%s: %d outputs of %d and %d tokens, checkpoint %d and %d, want %+v", id, len(used), input, output, *c.InputTokens, *c.OutputTokens, want)
		}
		if !strings.Contains(c.Raw, "api_call_count") {
			t.Errorf("%s: usage %s", id, c.Raw)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"checkpoint_id":"0a","session_id":"2026-01-01-s","strategy":"x","created_at":"2026-01-01T00:00:00+01:00","files_touched":["a"],"token_usage":{"input_tokens":1,"cache_read_tokens":2},"agents":["b"]}`)
	f.Add(`{"checkpoint_id":1,"sessions":null,"summary":{"intent":"x"}}`)
	f.Fuzz(func(t *testing.T, text string) { llmtest.Steady(t, entire.Format(), text, nil) })
}
