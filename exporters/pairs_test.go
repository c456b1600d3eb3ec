package exporters_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/frozen"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// paired makes a lake of questions that were answered twice, once well and once
// badly.
func paired(t *testing.T, questions int) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	final := true
	var events []lake.Event
	for i := range questions {
		for j, answer := range []string{"The ferry berths at pier %d, from nine o'clock on.", "Ask somebody else about pier %d, please."} {
			subject := fmt.Sprintf("ticket-%03d-%d", i, j)
			at := laketest.Start.Add(-48*time.Hour + time.Duration(2*i+j)*time.Minute)
			events = append(events, lake.Event{
				ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject, Time: at,
				Data: &lake.GatewayCall{
					RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
					Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("Where does the ferry number %d berth tonight?", i)}},
					Output:   []lake.Message{{Role: "assistant", Content: fmt.Sprintf(answer, i%7)}},
				},
			}, lake.Event{
				ID: lake.StableID("outcome", subject), Source: "test://gateway", Type: "weir.outcome.recorded.v1", Subject: "outcome:" + subject, Time: at,
				Data: &lake.Outcome{TargetKind: "call", TargetID: subject, Level: "task", Value: []string{"success", "failure"}[j], Origin: "tests"},
			})
		}
	}
	laketest.Append(t, lk, events...)
	transformstest.Build(t, lk)
	return lk
}

func TestPairs(t *testing.T) {
	const questions = 40
	lk := paired(t, questions)
	t.Run("export", func(t *testing.T) { exportPairs(t, lk, questions) })
	t.Run("record", func(t *testing.T) { recordPairs(t, lk) })
	t.Run("not_frozen", func(t *testing.T) {
		_, err := exporters.Export(t.Context(), lk, exporters.Options{
			Target: "openai-dpo", Dir: filepath.Join(t.TempDir(), "out"), Dataset: frozen.Ref{Dataset: "desk"},
		})
		if err == nil || lake.HintOf(err) != "weir export without --dataset" {
			t.Errorf("%v", err)
		}
	})
}

func exportPairs(t *testing.T, lk *lake.Lake, questions int64) {
	for _, one := range target.All() {
		if !one.Pairs {
			continue
		}
		dir := filepath.Join(t.TempDir(), "out")
		manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: one.Name, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var pairs int64
		for _, split := range manifest.Splits {
			pairs += split.Lines
			if split.Lines == 0 || split.Examples != split.Lines || split.TrainedTokens != split.SupervisedTokens || split.Targets != 2*split.Lines {
				t.Errorf("%s: %+v", one.Name, split)
			}
		}
		if pairs != questions || manifest.Unit != exporters.UnitPair {
			t.Errorf("%s: %d pairs of %d, unit %q", one.Name, pairs, questions, manifest.Unit)
		}
		checkPairOrigins(t, dir, one.FileName)
	}
}

// checkPairOrigins looks up both examples of each line: they answer the line's
// question, and no question is on both sides.
func checkPairOrigins(t *testing.T, dir string, fileName func(string) string) {
	t.Helper()
	lines := map[string][]string{}
	for _, name := range []string{fileName("train"), fileName("validation"), "lineage.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		lines[name] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	roles, files := map[string]int{}, map[int]string{}
	for _, text := range lines["lineage.jsonl"] {
		var origin struct {
			File, Role string
			Line       int
			SubjectID  string `json:"subject_id"`
			PairID     string `json:"pair_id"`
		}
		if err := json.Unmarshal([]byte(text), &origin); err != nil {
			t.Fatal(err)
		}
		var number, answer int
		if _, err := fmt.Sscanf(origin.SubjectID, "ticket-%d-%d", &number, &answer); err != nil {
			t.Fatal(err)
		}
		roles[origin.Role]++
		if (origin.Role == "chosen") != (answer == 0) || origin.PairID == "" {
			t.Errorf("%s is %s of pair %q", origin.SubjectID, origin.Role, origin.PairID)
		}
		if want := fmt.Sprintf("ferry number %d berth", number); !strings.Contains(lines[origin.File][origin.Line-1], want) {
			t.Errorf("%s:%d is not of %s", origin.File, origin.Line, origin.SubjectID)
		}
		if other, ok := files[number]; ok && other != origin.File {
			t.Errorf("question %d is in %s and %s", number, other, origin.File)
		}
		files[number] = origin.File
	}
	if roles["chosen"] == 0 || roles["chosen"] != roles["rejected"] {
		t.Errorf("roles %v", roles)
	}
}

// Both examples of a pair are members of the version, once each and by id.
func recordPairs(t *testing.T, lk *lake.Lake) {
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai-dpo", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	recorded, sent := recording(t, lk, dir, laketest.Start)
	if !recorded.IsNew || recorded.Members != 80 || recorded.Dataset != "export-openai-dpo" {
		t.Errorf("recorded %+v", recorded)
	}
	before, sides := "", map[string]int{}
	for _, m := range sent[0].Data.(*lake.DatasetMembers).Members {
		if m.ExampleID <= before {
			t.Errorf("%s after %s", m.ExampleID, before)
		}
		before = m.ExampleID
		sides[m.Side]++
	}
	if sides["train"] == 0 || sides["validation"] == 0 || sides["train"]+sides["validation"] != 80 {
		t.Errorf("sides %v", sides)
	}
	// A second run gives the same bytes.
	again := filepath.Join(t.TempDir(), "again")
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai-dpo", Dir: again}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"train.jsonl", "lineage.jsonl", "manifest.json"} {
		one, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(again, name))
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
}
