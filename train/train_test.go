package train_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/localserver"
	"github.com/weir-lake/weir/train/openai"
	"github.com/weir-lake/weir/train/together"
)

// clock passes only when somebody sleeps.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(max(d, 0))
	return ctx.Err()
}

// export makes a folder as weir export does: so many lines a side.
func export(t *testing.T, train, validation int) string {
	t.Helper()
	dir := t.TempDir()
	manifest := exporters.Manifest{Target: "openai", Splits: []exporters.Split{{Split: "train", Tokens: 1_000_000}, {Split: "validation", Tokens: 500_000}}}
	for _, side := range []struct {
		name  string
		lines int
	}{{"train.jsonl", train}, {"validation.jsonl", validation}} {
		var text strings.Builder
		for i := range side.lines {
			fmt.Fprintf(&text, `{"messages":[{"role":"user","content":"question %d"},{"role":"assistant","content":"answer"}]}`+"\n", i)
		}
		sum := sha256.Sum256([]byte(text.String()))
		manifest.Files = append(manifest.Files, exporters.File{
			Name: side.name, Lines: int64(side.lines), Bytes: int64(text.Len()), SHA256: hex.EncodeToString(sum[:]),
		})
		write(t, filepath.Join(dir, side.name), text.String())
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(text))
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func plan(dir string) train.Plan {
	epochs := int64(2)
	return train.Plan{
		Export: dir, Dataset: "export-openai", DatasetVersion: "0123456789abcdef", DatasetHash: "h", Model: "gpt-4o-mini",
		Method: "sft", Hyper: train.Hyper{Epochs: &epochs},
	}
}

// world is a lake and a server; a trainer of it is a process.
type world struct {
	t      *testing.T
	lake   *lake.Lake
	server *localserver.Server
	clock  *clock
}

func newWorld(t *testing.T, opts localserver.Options) *world {
	server := localserver.New(opts)
	t.Cleanup(server.Close)
	return &world{t: t, lake: laketest.New(t), server: server, clock: &clock{now: localserver.Start}}
}

func (w *world) trainer(transport http.RoundTripper, sent func() error) *train.Trainer {
	w.t.Helper()
	client, err := api.New(api.Options{
		BaseURL: w.server.BaseURL(), Key: "k-test", Clock: w.clock, Timeout: 5 * time.Second, HTTP: &http.Client{Transport: transport},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	price := 3.0
	return &train.Trainer{
		Lake: w.lake, Provider: openai.New(client), Price: &price, Clock: w.clock, Logger: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, events ...lake.Event) error {
			laketest.Append(w.t, w.lake, events...)
			if sent != nil {
				return sent()
			}
			return nil
		},
	}
}

// run is a whole life: submit and watch.
func run(ctx context.Context, tr *train.Trainer, p train.Plan) (train.Run, error) {
	r, err := tr.Submit(ctx, p)
	if err != nil && !errors.Is(err, train.ErrSubmitted) {
		return r, err
	}
	return tr.Watch(ctx, r, false)
}

// column reads one column of a run's events, in the order of time.
func (w *world) column(sql string) []string {
	w.t.Helper()
	session, _, err := duck.OpenLake(w.t.Context(), w.lake, duck.Options{Threads: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	defer session.Close()
	found, err := session.Strings(w.t.Context(), sql)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func (w *world) states() string {
	return strings.Join(w.column("select state from events.training_runs where state is not null order by time, id"), " ")
}

func TestRunIsOnRecord(t *testing.T) {
	w := newWorld(t, localserver.Options{Key: "k-test", Page: 4})
	var sent int64
	tr := w.trainer(nil, nil)
	tr.Progress = func(_ string, done, _ int64) { sent = max(sent, done) }
	r, err := run(t.Context(), tr, plan(export(t, 20, 5)))
	if err != nil {
		t.Fatal(err)
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

// Together's API, with an order and an upload whose answers are lost.
func TestTogether(t *testing.T) {
	w := newWorld(t, localserver.Options{Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Lost: n == 0 && (kind == "POST fine-tunes" || kind == "POST files/upload")}
	}})
	client, err := api.New(api.Options{BaseURL: w.server.BaseURL(), Clock: w.clock, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	tr := w.trainer(nil, nil)
	tr.Provider = together.New(client)
	p := plan(export(t, 3, 2))
	rank := int64(8)
	p.Hyper.LoRARank, p.MaxUSD = &rank, 7.49 // its evaluation is billed
	if _, err := tr.Submit(t.Context(), p); !errors.Is(err, train.ErrTooDear) {
		t.Errorf("limit of $7.49: %v", err)
	}
	p.MaxUSD = 7.5
	r, err := run(t.Context(), tr, p)
	if err != nil || r.State != train.Succeeded || r.ResultModel != "team/out" || *r.TrainedTokens != 12_000 || len(w.server.Jobs()) != 1 || len(w.server.Files()) != 2 {
		t.Fatalf("%+v, %d jobs, %d files, %v", r, len(w.server.Jobs()), len(w.server.Files()), err)
	}
	order := w.server.Jobs()[0].Order
	if order["n_epochs"] != 2.0 || order["batch_size"] != "max" || order["validation_file"] == nil || order["training_type"].(map[string]any)["lora_r"] != 8.0 {
		t.Errorf("order %v", order)
	}
	if got := w.states(); got != "planned submitted queued running succeeded" {
		t.Errorf("states %s", got)
	}
	if got := w.column("select distinct id from events.training_runs where state is null"); len(got) != 15 {
		t.Errorf("%d events and checkpoints, want 15", len(got))
	}
}

// Azure's jobs bear no metadata: the training file tells whose they are.
func TestAzure(t *testing.T) {
	w := newWorld(t, localserver.Options{Key: "k-azure", Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Lost: n == 0 && kind == "POST fine_tuning/jobs"}
	}})
	client, err := api.New(api.Options{
		BaseURL: w.server.BaseURL() + "?api-version=preview", Key: "k-azure", KeyHeader: openai.AzureKeyHeader, Clock: w.clock, Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	tr := w.trainer(nil, nil)
	tr.Provider = openai.NewAzure(client)
	p := plan(export(t, 3, 0))
	p.Suffix = "toolong"
	if _, err := tr.Submit(t.Context(), p); err == nil || !strings.Contains(err.Error(), "azure allows 18") {
		t.Errorf("suffix: %v", err)
	}
	p.Suffix = "fits"
	r, err := run(t.Context(), tr, p)
	if err != nil || r.State != train.Succeeded || len(w.server.Jobs()) != 1 || w.server.Jobs()[0].Order["metadata"] != nil {
		t.Errorf("%+v, %v", r, err)
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

// killer cuts a process off at its n-th touch of the world, when the work is
// done and before it hears of it.
type killer struct {
	mu     sync.Mutex
	left   int
	cancel context.CancelFunc
}

var errKilled = errors.New("killed")

func (k *killer) now() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left >= 0 {
		return nil
	}
	k.cancel()
	return errKilled
}

func (k *killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if k.left < 0 {
		return nil, errKilled
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := k.now(); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// Whenever the process is killed, and the command is given again: one job, and
// every event once.
func TestKilledAnywhere(t *testing.T) {
	dir := export(t, 3, 0)
	for n := 0; ; n++ {
		// The list is behind: a job shows at the third look.
		w := newWorld(t, localserver.Options{HideJobs: 2, States: []string{"queued", "running", "succeeded"}})
		ctx, cancel := context.WithCancel(t.Context())
		k := &killer{left: n, cancel: cancel}
		_, killed := run(ctx, w.trainer(k, k.now), plan(dir))
		cancel()
		r, err := run(t.Context(), w.trainer(nil, nil), plan(dir))
		if err != nil {
			t.Fatalf("killed at %d: %v", n, err)
		}
		// Five events and a checkpoint of the provider, and at least these states.
		const query = "select string_agg(distinct id) || ' ' || count(*) || ' ' || count(distinct id) || ' ' || count(*) filter (where state is null) from events.training_runs"
		counts := strings.Fields(w.column(query)[0])
		if len(w.server.Jobs()) != 1 || counts[1] != counts[2] || counts[3] != "6" || r.State != train.Succeeded || !strings.HasPrefix(w.states(), "planned submitted ") {
			t.Errorf("killed at %d: %d jobs, events %v, %s", n, len(w.server.Jobs()), counts[1:], w.states())
		}
		if killed == nil {
			if n < 15 {
				t.Errorf("only %d places to be killed at", n)
			}
			return
		}
	}
}

// What fails on the way, at one kind of request: the outcome, and never two jobs.
func TestFaults(t *testing.T) {
	const order, upload, look, list = "POST fine_tuning/jobs", "POST files", "GET fine_tuning/jobs/{id}", "GET fine_tuning/jobs"
	cases := []struct {
		name  string
		kind  string
		fault localserver.Fault
		times int // 0: always
		fails bool
		jobs  int
	}{
		{name: "order throttled", kind: order, fault: localserver.Fault{Status: 429, RetryAfter: "7"}, times: 3, jobs: 1},
		{name: "order refused", kind: order, fault: localserver.Fault{Status: 400}, times: 1, fails: true},
		{name: "order may have failed", kind: order, fault: localserver.Fault{Status: 500}, times: 1, fails: true},
		{name: "order broke off", kind: order, fault: localserver.Fault{BreakOff: true}, times: 1, fails: true},
		{name: "answer to the order lost", kind: order, fault: localserver.Fault{Lost: true}, times: 1, jobs: 1},
		{name: "answer to the upload lost", kind: upload, fault: localserver.Fault{Lost: true}, times: 1, jobs: 1},
		{name: "upload broke off", kind: upload, fault: localserver.Fault{BreakOff: true}, times: 2, jobs: 1},
		{name: "upload fails", kind: upload, fault: localserver.Fault{Status: 502}, fails: true},
		{name: "list fails", kind: list, fault: localserver.Fault{Status: 503}, times: 2, jobs: 1},
		{name: "wrong key", kind: list, fault: localserver.Fault{Status: 401}, fails: true},
		{name: "provider is away while we watch", kind: look, fault: localserver.Fault{Status: 503}, times: 20, jobs: 1},
		{name: "job is gone", kind: look, fault: localserver.Fault{Status: 404}, fails: true, jobs: 1},
	}
	dir := export(t, 3, 0)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, localserver.Options{Fault: func(kind string, n int) localserver.Fault {
				if kind == c.kind && (c.times == 0 || n < c.times) {
					return c.fault
				}
				return localserver.Fault{}
			}})
			r, err := run(t.Context(), w.trainer(nil, nil), plan(dir))
			if (err != nil) != c.fails || len(w.server.Jobs()) != c.jobs {
				t.Fatalf("%d jobs, %v", len(w.server.Jobs()), err)
			}
			if err == nil && (r.State != train.Succeeded || len(w.column("select distinct id from events.training_runs")) != 20) {
				t.Errorf("%s, %s", r.State, w.states())
			}
			if err != nil && (strings.Contains(err.Error(), "k-test") || !strings.HasPrefix(err.Error(), "train ")) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestStuckOrderTimesOut(t *testing.T) {
	w := newWorld(t, localserver.Options{Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Stuck: kind == "POST fine_tuning/jobs" && n == 0}
	}})
	client, err := api.New(api.Options{BaseURL: w.server.BaseURL(), Clock: w.clock, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	tr := w.trainer(nil, nil)
	tr.Provider = openai.New(client)
	if r, err := tr.Submit(t.Context(), plan(export(t, 3, 0))); err != nil || r.JobID != "ftjob-1" || len(w.server.Jobs()) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOtherEnds(t *testing.T) {
	dir := export(t, 3, 0)
	failing := newWorld(t, localserver.Options{States: []string{"validating_files", "running", "paused", "running", "failed"}})
	r, err := run(t.Context(), failing.trainer(nil, nil), plan(dir))
	if err != nil || r.State != train.Failed || r.Error != "diverged: the loss is not a number" {
		t.Errorf("%+v, %v", r, err)
	}
	if got := failing.states(); got != "planned submitted running running failed" {
		t.Errorf("states %s", got)
	}

	stopped := newWorld(t, localserver.Options{})
	tr := stopped.trainer(nil, nil)
	if r, err = tr.Submit(t.Context(), plan(dir)); err != nil {
		t.Fatal(err)
	}
	if r, err = tr.Cancel(t.Context(), r); err != nil || r.State != train.Cancelled {
		t.Errorf("%+v, %v", r, err)
	}
	if got := stopped.states(); got != "planned submitted cancelled" {
		t.Errorf("states %s", got)
	}
}

func TestRefusals(t *testing.T) {
	good := export(t, 3, 0)
	changed := export(t, 3, 0)
	write(t, filepath.Join(changed, "train.jsonl"), "{}\n")
	bad := export(t, 0, 0)
	cases := []struct {
		name   string
		change func(*train.Plan)
		want   error
		text   string
	}{
		{"too dear", func(p *train.Plan) { p.MaxUSD = 5.99 }, train.ErrTooDear, "$6.00"},
		{"no estimate", func(p *train.Plan) { p.MaxUSD, p.Hyper.Epochs = 5, nil }, train.ErrNoEstimate, ""},
		{"method", func(p *train.Plan) { p.Method = "rft" }, train.ErrUnsupported, ""},
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
	manifest, err := json.Marshal(exporters.Manifest{Files: []exporters.File{
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
