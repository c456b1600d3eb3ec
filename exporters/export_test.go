package exporters_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// lakes are those that built made, by their number of calls: a lake is built once
// and copied, which takes a hundredth of the time.
var lakes = struct {
	dir string
	sync.Mutex
	made map[int]string
}{made: map[int]string{}}

func TestMain(m *testing.M) {
	var err error
	if lakes.dir, err = os.MkdirTemp("", "lakes"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(lakes.dir)
	os.Exit(code)
}

// built makes a lake of some finished calls, with its curated tables.
func built(t *testing.T, calls int) *lake.Lake {
	t.Helper()
	lakes.Lock()
	defer lakes.Unlock()
	if lakes.made[calls] == "" {
		dir := filepath.Join(lakes.dir, strconv.Itoa(calls))
		if err := os.Rename(buildLake(t, calls).Dir(), dir); err != nil {
			t.Fatal(err)
		}
		lakes.made[calls] = dir
	}
	dir := filepath.Join(t.TempDir(), "lake")
	if err := os.CopyFS(dir, os.DirFS(lakes.made[calls])); err != nil {
		t.Fatal(err)
	}
	lk, err := lake.OpenWith(dir, lake.Options{Clock: func() time.Time { return laketest.Start }})
	if err != nil {
		t.Fatal(err)
	}
	return lk
}

func buildLake(t *testing.T, calls int) *lake.Lake {
	t.Helper()
	lk := laketest.New(t)
	final := true
	var events []lake.Event
	for i := range calls {
		subject := fmt.Sprintf("ticket-%03d", i)
		events = append(events, lake.Event{
			ID: lake.StableID("test", subject), Source: "test://gateway", Type: "weir.gateway.call.v1", Subject: subject,
			Time: laketest.Start.Add(-48*time.Hour + time.Duration(i)*time.Minute),
			Data: &lake.GatewayCall{
				RequestID: subject, ResponseID: "r-" + subject, Status: "success", IsFinal: &final, Model: "gpt-4.1", Agent: "desk",
				Messages: []lake.Message{{Role: "user", Content: fmt.Sprintf("Where does the ferry number %d berth tonight?", i)}},
				Output:   []lake.Message{{Role: "assistant", Content: fmt.Sprintf("At pier %d, from nine o'clock on.", i%7)}},
			},
		})
	}
	laketest.Append(t, lk, events...)
	transformstest.Build(t, lk)
	return lk
}

func TestExportAddsUpAndNamesItsOrigins(t *testing.T) {
	lk := built(t, 60)
	dir := filepath.Join(t.TempDir(), "out")
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var fates, lines int64
	for _, fate := range manifest.Fates {
		fates += fate.Examples
	}
	for _, split := range manifest.Splits {
		lines += split.Lines
		if split.Lines == 0 || split.Tokens <= split.TrainedTokens || split.TrainedTokens == 0 {
			t.Errorf("%s: %d lines, %d tokens, %d trained", split.Split, split.Lines, split.Tokens, split.TrainedTokens)
		}
	}
	if r := manifest.Reviews[0]; r.Part != "all" || r.SetCount != 60 || r.SampleCount < 3 || r.ReviewedCount != 0 || r.DefectRate != nil || r.Warning != "no reviews" {
		t.Errorf("reviews %+v", r)
	}
	if fates != manifest.Examples || fates != 60 || lines != 60 || manifest.Leaks.Total != 0 {
		t.Errorf("fates %d, examples %d, lines %d, leaks %d; want 60, 60, 60, 0", fates, manifest.Examples, lines, manifest.Leaks.Total)
	}
	checkLineage(t, dir)
}

// checkLineage looks up each exported line's first event by its place.
func checkLineage(t *testing.T, dir string) {
	t.Helper()
	lines := map[string][]string{}
	for _, name := range []string{"train.jsonl", "validation.jsonl", "lineage.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		lines[name] = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	for _, text := range lines["lineage.jsonl"] {
		var origin struct {
			File           string
			Line           int
			SubjectID      string   `json:"subject_id"`
			OriginEventIDs []string `json:"origin_event_ids"`
		}
		if err := json.Unmarshal([]byte(text), &origin); err != nil {
			t.Fatal(err)
		}
		var number int
		if _, err := fmt.Sscanf(origin.SubjectID, "ticket-%d", &number); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("ferry number %d berth", number); !strings.Contains(lines[origin.File][origin.Line-1], want) {
			t.Errorf("%s:%d is not of %s", origin.File, origin.Line, origin.SubjectID)
		}
		if len(origin.OriginEventIDs) != 1 || origin.OriginEventIDs[0] != lake.StableID("test", origin.SubjectID) {
			t.Errorf("%s: events %v", origin.SubjectID, origin.OriginEventIDs)
		}
	}
}

func TestEqualExportIsLeftAloneAndAnotherGivesTheSameBytes(t *testing.T) {
	lk := built(t, 40)
	dir, other := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	first, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "together", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(filepath.Join(dir, "train.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, again := range []string{dir, other} {
		second, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "together", Dir: again, Session: duck.Options{Threads: 2}})
		if err != nil {
			t.Fatal(err)
		}
		if second.ContentHash != first.ContentHash {
			t.Errorf("content hash %s, then %s", first.ContentHash, second.ContentHash)
		}
	}
	after, err := os.Stat(filepath.Join(dir, "train.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("an equal export was written again")
	}
	for _, name := range []string{"train.jsonl", "validation.jsonl", "lineage.jsonl", "losses.jsonl", "manifest.json"} {
		one, err1 := os.ReadFile(filepath.Join(dir, name))
		two, err2 := os.ReadFile(filepath.Join(other, name))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, two) {
			t.Errorf("%s differs between two exports of the same lake", name)
		}
	}
}

func TestLeakIsRefusedAndNothingIsWritten(t *testing.T) {
	lk := built(t, 40)
	plantLeak(t, lk)
	dir := filepath.Join(t.TempDir(), "out")
	_, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir})
	if !errors.Is(err, exporters.ErrLeak) || lake.HintOf(err) == "" {
		t.Errorf("error %v, want ErrLeak with a hint", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

// plantLeak replaces curated.leaks by a table that counts one link.
func plantLeak(t *testing.T, lk *lake.Lake) {
	t.Helper()
	ctx := context.Background()
	table, err := lk.Table("curated.leaks")
	if err != nil {
		t.Fatal(err)
	}
	live, err := table.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	path := filepath.Join(table.Dir(), "planted.parquet")
	if err := session.Exec(ctx, "copy (select 'subject' as kind, 1::bigint as link_count) to "+duck.Literal(path)+" (format parquet)"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var remove []string
	for _, file := range live.Files {
		remove = append(remove, file.Path)
	}
	_, err = table.Commit(ctx, lake.Commit{
		Operation: "test", Columns: live.Columns, Remove: remove, Overwrite: true,
		Add: []lake.DataFile{{Path: "planted.parquet", Bytes: info.Size(), Rows: 1, ModifiedAt: laketest.Start}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestForeignFolderIsLeftAlone(t *testing.T) {
	lk := built(t, 40)
	dir := t.TempDir()
	note := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(note, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir}); !errors.Is(err, exporters.ErrForeignDir) {
		t.Errorf("error %v, want ErrForeignDir", err)
	}
	if text, err := os.ReadFile(note); err != nil || string(text) != "mine" {
		t.Errorf("the folder was changed: %v", err)
	}
}

func TestTooFewLinesIsAWarning(t *testing.T) {
	lk := built(t, 4)
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Warnings) == 0 || !strings.Contains(manifest.Warnings[0], "10 or more") {
		t.Errorf("warnings %q", manifest.Warnings)
	}
}

func TestValidateNamesFileAndLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines.jsonl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	for range 10 {
		fmt.Fprintln(w, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`)
	}
	fmt.Fprintln(w, `{"messages":[{"role":"user","content":"a"}]}`)
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
	var findings []exporters.Finding
	if err := exporters.Validate("openai", []string{path}, func(f exporters.Finding) { findings = append(findings, f) }); err != nil {
		t.Fatal(err)
	}
	if len(findings) == 0 {
		t.Error("no findings, the last line ends on a user message")
	}
	for _, f := range findings {
		if f.Line != 11 || !strings.HasPrefix(f.String(), path+":11: ") {
			t.Errorf("finding %s, want it on line 11", f)
		}
	}
}

func TestAnotherExportReplacesTheFolderAsAWhole(t *testing.T) {
	lk := built(t, 40)
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	for _, model := range []string{"gpt-4.1-mini", "gpt-4.1-nano"} {
		manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir, Model: model})
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "manifest.json")); err != nil || !strings.Contains(string(text), `"model": "`+model+`"`) || manifest.Model != model {
			t.Errorf("%s: the manifest is another's: %v", model, err)
		}
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("beside the export: %v, %v", entries, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder is %v: others cannot read it (%v)", info.Mode(), err)
	}
}

func TestDamagedExportIsWrittenAgain(t *testing.T) {
	lk := built(t, 40)
	dir := filepath.Join(t.TempDir(), "out")
	path := filepath.Join(dir, "train.jsonl")
	var whole []byte
	for range 2 {
		if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if whole != nil && !bytes.Equal(whole, text) {
			t.Error("an export whose file was cut counted as equal")
		}
		whole = text
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFewValidationGroupsAreAWarning(t *testing.T) {
	lk := built(t, 40)
	manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "together", Dir: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Warnings) != 1 || !strings.Contains(manifest.Warnings[0], "independent groups, fewer than 30") {
		t.Errorf("warnings %q", manifest.Warnings)
	}
}

// A request that is recorded, and not yet carried out, is enough to refuse tables
// that were made before it.
func TestRefusesTablesFromBeforeAnErasure(t *testing.T) {
	lk := built(t, 60)
	moment := duck.Moment{Versions: map[string]int64{"curated.messages": 0}}
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: filepath.Join(t.TempDir(), "before"), At: moment}); err != nil {
		t.Fatal(err)
	}
	hash := lake.KeyedHash(lk.ErasureKey(), "subject", "ticket-007")
	laketest.Append(t, lk, lake.Event{
		ID: "request", Source: "test://erase", Type: "weir.erasure.requested.v1", Subject: hash, Time: laketest.Start,
		Data: &lake.Erasure{RequestID: "r", Kind: "subject", KeyedHash: hash, Reason: "asked to"},
	})
	dir := filepath.Join(t.TempDir(), "after")
	_, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir, At: moment})
	if !errors.Is(err, exporters.ErrErasedSince) || !strings.Contains(lake.HintOf(err), "weir transform --as-of") {
		t.Errorf("%v (%s)", err, lake.HintOf(err))
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// What a target's trainer wants of files beside their lines: a byte order mark
// in Azure's, another name in MLX's, a declaration beside LLaMA-Factory's.
func TestFilesAreAsTheTrainerWantsThem(t *testing.T) {
	lk := built(t, 40)
	for _, test := range []struct {
		target string
		files  []string // of the manifest
		starts string   // of the training file
	}{
		{"azure", []string{"train.jsonl", "validation.jsonl", "lineage.jsonl", "losses.jsonl"}, "\ufeff{\"messages\":"},
		{"mlx", []string{"train.jsonl", "valid.jsonl", "lineage.jsonl", "losses.jsonl"}, "{\"messages\":"},
		{"llama-factory", []string{"train.jsonl", "validation.jsonl", "lineage.jsonl", "losses.jsonl", "dataset_info.json"}, "{\"conversations\":"},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: test.target, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range manifest.Files {
			names = append(names, file.Name)
			text, err := os.ReadFile(filepath.Join(dir, file.Name))
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != file.SHA256 || int64(len(text)) != file.Bytes {
				t.Errorf("%s: %s is not what the manifest says", test.target, file.Name)
			}
			if file.Name == "train.jsonl" && !strings.HasPrefix(string(text), test.starts) {
				t.Errorf("%s: train.jsonl begins with %.20q", test.target, text)
			}
		}
		if !slices.Equal(names, test.files) {
			t.Errorf("%s: files %q, want %q", test.target, names, test.files)
		}
		if test.target != "mlx" {
			continue
		}
		_, sent := recording(t, lk, dir, laketest.Start)
		sides := map[string]int{}
		for _, event := range sent {
			if members, ok := event.Data.(*lake.DatasetMembers); ok {
				for _, member := range members.Members {
					sides[member.Side]++
				}
			}
		}
		if len(sides) != 2 || sides["train"] == 0 || sides["validation"] == 0 {
			t.Errorf("sides of the recorded members: %v", sides)
		}
	}
}
