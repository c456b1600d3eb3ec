package synth

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
)

// fleetDir is the fleet that the repository keeps for tests and the demo.
const fleetDir = "../../testdata/fleet"

// The fleet of testdata.
var fleetOptions = Options{Seed: 5, Events: 600}

func write(t *testing.T, opts Options) (string, Summary) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	summary, err := Write(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return dir, summary
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		tree[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func readTruth(t *testing.T, dir string) []Truth {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []Truth
	dec := json.NewDecoder(file)
	dec.DisallowUnknownFields()
	for dec.More() {
		var truth Truth
		if err := dec.Decode(&truth); err != nil {
			t.Fatal(err)
		}
		list = append(list, truth)
	}
	return list
}

func TestTestdataIsWhatSynthWrites(t *testing.T) {
	dir, summary := write(t, fleetOptions)
	if os.Getenv("UPDATE") != "" {
		if err := os.RemoveAll(fleetDir); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(fleetDir, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	want, got := readTree(t, dir), readTree(t, fleetDir)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s: differs from what synth writes (UPDATE=1 rewrites it)", name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s: synth does not write it", name)
	}
	if summary.Bytes > 1<<20 {
		t.Errorf("the fleet of testdata is %d bytes: keep it below 1 MiB", summary.Bytes)
	}
	t.Logf("%+v", summary)
}

func TestSeedDecides(t *testing.T) {
	first, _ := write(t, Options{Seed: 7, Events: 300})
	again, _ := write(t, Options{Seed: 7, Events: 300})
	if !reflect.DeepEqual(readTree(t, first), readTree(t, again)) {
		t.Error("one seed gave two fleets")
	}
	other, _ := write(t, Options{Seed: 8, Events: 300})
	if reflect.DeepEqual(readTree(t, first), readTree(t, other)) {
		t.Error("two seeds gave one fleet")
	}
}

func TestRecordsAreCounted(t *testing.T) {
	dir, summary := write(t, Options{Seed: 3, Events: 5000})
	if summary.Records < 5000 || summary.Records > 5200 {
		t.Errorf("asked for 5000 records, got %d", summary.Records)
	}
	lines := map[string]int64{}
	for name, text := range readTree(t, filepath.Join(dir, "logs")) {
		format, _, _ := strings.Cut(strings.TrimSuffix(name, ".jsonl"), "/")
		switch {
		case format == "documents":
			lines["document"]++
			continue
		case format == "checkpoints":
			format = "checkpoint"
		case format == "events":
			format = "weir"
		}
		dec := json.NewDecoder(strings.NewReader(text)) // takes glued records apart
		for dec.More() {
			var record map[string]any
			if err := dec.Decode(&record); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			lines[format]++
		}
	}
	for _, f := range summary.Formats {
		if lines[f.Name] != f.Records {
			t.Errorf("%s: summary says %d records, the files have %d", f.Name, f.Records, lines[f.Name])
		}
	}
}

func TestEverythingIsPlanted(t *testing.T) {
	dir, _ := write(t, fleetOptions)
	kinds := map[string]int{}
	for _, truth := range readTruth(t, dir) {
		kinds[truth.Kind]++
		kinds[truth.Kind+" "+truth.Value]++
	}
	for _, kind := range []string{
		"duplicate", "near_duplicate", "family", "outcome success", "outcome failure", "conflict", "secret", "erasure", "arm control", "arm tuned", "broken", "records",
		"feature compaction", "feature sub_agent", "feature refusal", "feature resume", "feature queue", "feature secret",
	} {
		if kinds[kind] == 0 {
			t.Errorf("nothing of kind %q is planted", kind)
		}
	}
}

func TestSecretsStandWhereTheTruthSays(t *testing.T) {
	dir, _ := write(t, fleetOptions)
	tree := readTree(t, filepath.Join(dir, "logs"))
	for _, truth := range readTruth(t, dir) {
		if truth.Kind != "secret" {
			continue
		}
		found := false
		for name, text := range tree {
			for line := range strings.Lines(text) {
				if strings.Contains(line, truth.Value) && (strings.Contains(line, truth.IDs[0]) || strings.Contains(name, truth.IDs[0])) {
					found = true
				}
			}
		}
		if !found {
			t.Errorf("%s… is not in %s", truth.Value[:12], truth.IDs[0])
		}
	}
}

func TestLogsAreInOrderOfTime(t *testing.T) {
	dir, _ := write(t, Options{Seed: 5, Events: 3000})
	for _, name := range []string{"openai", "anthropic", "events", "checkpoints"} {
		file, err := os.Open(filepath.Join(dir, "logs", name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		scanner := bufio.NewScanner(file)
		scanner.Buffer(nil, 1<<20)
		last := ""
		for scanner.Scan() {
			var line struct{ Timestamp, TS, Time string }
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			at := line.Timestamp + line.TS + line.Time
			if name != "events" && at < last { // events carry microseconds: not comparable as text
				t.Fatalf("%s: %s after %s", name, at, last)
			}
			last = at
		}
	}
}

// Each call repeats the one before it, its output and what came since: nothing
// else may be joined, and nothing less.
func TestCallsContinueEachOther(t *testing.T) {
	dir, _ := write(t, fleetOptions)
	text, err := os.ReadFile(filepath.Join(dir, "logs/openai.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	type call struct {
		ConversationID string `json:"conversation_id"`
		Status         string
		Request        struct{ Messages []json.RawMessage }
		Response       struct {
			Choices []struct{ Message json.RawMessage }
		}
	}
	last := map[string]call{}
	continued := 0
	for line := range bytes.Lines(text) {
		var c call
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Status != "success" {
			continue
		}
		if before, ok := last[c.ConversationID]; ok {
			history := append(before.Request.Messages, before.Response.Choices[0].Message)
			for i, m := range history {
				if string(m) != string(c.Request.Messages[i]) {
					t.Fatalf("%s: message %d changed: %s", c.ConversationID, i, m)
				}
			}
			continued++
		}
		last[c.ConversationID] = c
	}
	if continued < 20 {
		t.Errorf("only %d calls continue another", continued)
	}
}

// Copies must be found and nothing else: two dialogues that aren't planted as
// copies stay far from near-duplicates.
func TestOnlyPlantedCopiesAreAlike(t *testing.T) {
	w := &writer{seed: 1, out: &output{logs: map[string]*log{}}, counts: map[string]int64{}}
	var all []dialogue
	var numbers []uint64
	for number := range uint64(400) {
		e := w.episode(number, epoch)
		if e.kind == "openai" && e.source == nil {
			d, _, _, _ := w.gatewayDialogue(&e)
			all, numbers = append(all, d), append(numbers, number)
		}
	}
	worst, pair := 0.0, [2]uint64{}
	for i := range all {
		for j := range i {
			if like := jaccard(all[i], all[j]); like > worst {
				worst, pair = like, [2]uint64{numbers[j], numbers[i]}
			}
		}
	}
	t.Logf("%d dialogues: most alike are %v with %.2f", len(all), pair, worst)
	if worst > 0.5 {
		t.Errorf("dialogues %v are alike by accident: %.2f", pair, worst)
	}
}

func TestNearDuplicatesAreNear(t *testing.T) {
	dir, _ := write(t, Options{Seed: 2, Events: 4000})
	near := 0
	for _, truth := range readTruth(t, dir) {
		if truth.Kind != "near_duplicate" {
			continue
		}
		if close := truth.EditRate < 0.05; close && truth.Jaccard < 0.8 || !close && truth.Jaccard > 0.8 {
			t.Errorf("edit rate %v gave a Jaccard index of %v", truth.EditRate, truth.Jaccard)
		}
		near++
	}
	if near == 0 {
		t.Error("no near-duplicates")
	}
}

func TestEventsDecode(t *testing.T) {
	dir, _ := write(t, fleetOptions)
	text, err := os.ReadFile(filepath.Join(dir, "logs/events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range bytes.Lines(text) {
		event, err := lake.DecodeEvent(line)
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if event.Extra != "" || ids[event.ID] {
			t.Errorf("event %s: extra %q, seen before %v", event.ID, event.Extra, ids[event.ID])
		}
		ids[event.ID] = true
	}
}

func TestRefusals(t *testing.T) {
	dir, _ := write(t, Options{Events: 1})
	if _, err := Write(t.Context(), dir, Options{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a folder with files: %v", err)
	}
	if _, err := Write(t.Context(), filepath.Join(t.TempDir(), "x"), Options{Events: -1}); err == nil {
		t.Error("a negative number was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, filepath.Join(t.TempDir(), "x"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
}
