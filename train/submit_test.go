package train_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/localserver"
)

func TestRunIsOnRecord(t *testing.T) {
	w := newWorld(t, localserver.Options{Key: "k-test", Page: 4})
	var sent int64
	tr := w.trainer(nil, nil)
	tr.Progress = func(_ string, done, _ int64) { sent = max(sent, done) }
	p := plan(export(t, 20, 5))
	p.Planned = "first"
	r, err := run(t.Context(), tr, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.column("select distinct concat_ws(' ', plan, export_hash, distill_hash) from events.training_runs"); len(got) != 1 || got[0] != "first files-1 rules-1" {
		t.Errorf("plan, files and rules: %q", got)
	}
	if r.State != train.Succeeded || *r.TrainedTokens != 12_000 || *r.CostUSD != 0.036 || *r.DurationS <= 0 || !strings.HasPrefix(r.ResultModel, "ft:gpt-4o-mini:weir:weir-") {
		t.Errorf("run %+v", r)
	}
	if files := w.server.Files(); len(files) != 2 || sent != int64(len(files[0].Content)) {
		t.Errorf("%d files, %d bytes of progress", len(files), sent)
	}
	// Running is seen thrice and is one state; every event and checkpoint of the server is there once.
	if got := w.states(); got != "planned submitted queued running succeeded" {
		t.Errorf("states %s", got)
	}
	if got := len(w.column("select id from events.training_runs where state is null and checkpoint is null")); got != 12 {
		t.Errorf("%d events, the server told 12", got)
	}
	if got := w.column("select checkpoint from events.training_runs where checkpoint is not null order by step"); len(got) != 3 || got[2] != "ft:gpt-4o-mini:ckpt-3" {
		t.Errorf("checkpoints %v", got)
	}
	if got := w.column("select json_extract_string(metrics, '$.train_loss') from events.training_runs where metrics like '{\"step\"%' or metrics like '{\"train%' order by step"); len(got) != 12 {
		t.Errorf("losses %v", got)
	}
	runs, err := train.Runs(t.Context(), w.lake)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	if got := runs[0]; got.State != r.State || got.ResultModel != r.ResultModel || got.JobID != "ftjob-1" || got.Checkpoints != 3 || got.Events != 20 {
		t.Errorf("the lake's run %+v", got)
	}
	// Watching what has ended adds nothing.
	if _, err := tr.Watch(t.Context(), runs[0], true); err != nil {
		t.Error(err)
	}
	if n := len(w.column("select id from events.training_runs")); n != len(w.column("select distinct id from events.training_runs")) || int64(n) != runs[0].Events {
		t.Errorf("%d events after another watch, before %d", n, runs[0].Events)
	}
}

func TestSecondSubmitAsksFirst(t *testing.T) {
	w := newWorld(t, localserver.Options{})
	p := plan(export(t, 3, 0))
	tr := w.trainer(nil, nil)
	first, err := tr.Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tr.Submit(t.Context(), p)
	if !errors.Is(err, train.ErrSubmitted) || again.RunID != first.RunID || lake.HintOf(err) == "" {
		t.Errorf("run %s, %v", again.RunID, err)
	}
	p.Again = true
	third, err := tr.Submit(t.Context(), p)
	if err != nil || third.RunID == first.RunID || len(w.server.Jobs()) != 2 {
		t.Errorf("run %s, %d jobs, %v", third.RunID, len(w.server.Jobs()), err)
	}
	p.Again = false
	three := int64(3)
	p.Hyper.Epochs = &three
	if _, err := tr.Submit(t.Context(), p); err != nil || len(w.server.Jobs()) != 3 {
		t.Errorf("another plan: %d jobs, %v", len(w.server.Jobs()), err)
	}
}

// A lake that lost its events, as after a restore, finds the job.
func TestJobIsFoundWithoutTheLake(t *testing.T) {
	w := newWorld(t, localserver.Options{})
	p := plan(export(t, 3, 0))
	first, err := w.trainer(nil, nil).Submit(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	w.lake = laketest.New(t)
	second, err := w.trainer(nil, nil).Submit(t.Context(), p)
	if err != nil || second.JobID != first.JobID || len(w.server.Jobs()) != 1 {
		t.Errorf("job %s, %d jobs, %v", second.JobID, len(w.server.Jobs()), err)
	}
}

func TestRefusals(t *testing.T) {
	good := export(t, 3, 0)
	changed := export(t, 3, 0)
	write(t, filepath.Join(changed, "train.jsonl"), "{}\n")
	bad := export(t, 0, 0)
	other := exportFor(t, "together", 3, 0)
	cases := []struct {
		name   string
		change func(*train.Plan)
		want   error
		text   string
	}{
		{"too dear", func(p *train.Plan) { p.MaxUSD = 5.99 }, train.ErrTooDear, "$6.00"},
		{"no estimate", func(p *train.Plan) { p.MaxUSD, p.Hyper.Epochs = 5, nil }, train.ErrNoEstimate, ""},
		{"method", func(p *train.Plan) { p.Method = "rft" }, train.ErrUnsupported, ""},
		{"another provider's export", func(p *train.Plan) { p.Export = other }, nil, "was exported for together, and openai trains sft on another form"},
		{"pairs", func(p *train.Plan) { p.Method = "dpo" }, nil, "trains dpo on another form"},
		{"suffix", func(p *train.Plan) { p.Suffix = strings.Repeat("x", 60) }, nil, "allows 64"},
		{"changed file", func(p *train.Plan) { p.Export = changed }, nil, "not what manifest.json says"},
		{"nothing to train on", func(p *train.Plan) { p.Export = bad }, nil, "no example"},
		{"no export", func(p *train.Plan) { p.Export = t.TempDir() }, os.ErrNotExist, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, localserver.Options{})
			p := plan(good)
			c.change(&p)
			_, err := w.trainer(nil, nil).Submit(t.Context(), p)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if len(w.server.Files())+len(w.column("select id from events.training_runs")) != 0 {
				t.Error("something was sent")
			}
		})
	}
	w := newWorld(t, localserver.Options{})
	p := plan(good)
	p.MaxUSD = 6
	if _, err := w.trainer(nil, nil).Submit(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// A file that the provider refuses ends the submission, and says why.
func TestRefusedFile(t *testing.T) {
	dir := export(t, 3, 0)
	text := "no JSON\n"
	sum := sha256.Sum256([]byte(text))
	write(t, filepath.Join(dir, "train.jsonl"), text)
	manifest, err := json.Marshal(exporters.Manifest{Target: "openai", Files: []exporters.File{
		{Name: "train.jsonl", Lines: 1, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])},
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(manifest))
	w := newWorld(t, localserver.Options{})
	if _, err := w.trainer(nil, nil).Submit(t.Context(), plan(dir)); err == nil || !strings.Contains(err.Error(), "refuses it") || len(w.server.Jobs()) != 0 {
		t.Errorf("got %v", err)
	}
}
