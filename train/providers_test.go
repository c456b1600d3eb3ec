package train_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/localserver"
)

// Together's API, with an order and an upload whose answers are lost.
func TestTogether(t *testing.T) {
	w := newWorld(t, localserver.Options{Provider: "together", Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Lost: n == 0 && (kind == "POST fine-tunes" || kind == "POST files/upload")}
	}})
	tr := w.trainer(nil, nil)
	p := plan(exportFor(t, "together", 3, 2))
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

// Azure's jobs bear no metadata, its server takes none, and its key comes in a
// header of its own: the training file tells whose they are.
func TestAzure(t *testing.T) {
	w := newWorld(t, localserver.Options{Provider: "azure", Key: "k-test", Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Lost: n == 0 && kind == "POST fine_tuning/jobs"}
	}})
	tr := w.trainer(nil, nil)
	p := plan(exportFor(t, "azure", 3, 0))
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

// Fireworks' API: data sets that are named before they are sent, jobs that bear
// the run's name, a cost that the provider tells.
func TestFireworks(t *testing.T) {
	w := newWorld(t, localserver.Options{Provider: "fireworks", Key: "k-test", Page: 1, Fault: func(kind string, n int) localserver.Fault {
		switch {
		case kind == "POST datasets/{id}:upload" && n == 0: // the name is there, and nothing in it
			return localserver.Fault{BreakOff: true}
		case kind == "POST supervisedFineTuningJobs" && n == 0:
			return localserver.Fault{Lost: true}
		}
		return localserver.Fault{}
	}})
	tr := w.trainer(nil, nil)
	p := plan(exportFor(t, "fireworks", 3, 2))
	rank, batch := int64(8), int64(16)
	p.Hyper.LoRARank, p.Hyper.BatchSize = &rank, &batch
	r, err := run(t.Context(), tr, p)
	if err != nil || r.State != train.Succeeded || len(w.server.Jobs()) != 1 || len(w.server.Files()) != 2 {
		t.Fatalf("%+v, %d jobs, %d files, %v", r, len(w.server.Jobs()), len(w.server.Files()), err)
	}
	if r.JobID != "supervisedFineTuningJobs/weir-"+r.RunID || *r.CostUSD != 1.25 || !strings.HasPrefix(r.ResultModel, "accounts/acme/models/weir-") {
		t.Errorf("%+v", r)
	}
	order := w.server.Jobs()[0].Order
	if order["epochs"] != 2.0 || order["loraRank"] != 8.0 || order["batchSizeSamples"] != 16.0 || !strings.HasPrefix(order["evaluationDataset"].(string), "accounts/acme/datasets/weir-") {
		t.Errorf("order %v", order)
	}
	if got := w.states(); got != "planned submitted queued running succeeded" {
		t.Errorf("states %s", got)
	}
	if got := w.column("select json_extract_string(metrics, '$.percent') from events.training_runs where state is null order by 1"); len(got) < 2 || got[0] != "100" {
		t.Errorf("progress %v", got)
	}

	p.Export, p.Method, p.Hyper.LoRARank = exportFor(t, "fireworks-dpo", 3, 0), "dpo", nil
	if r, err = tr.Submit(t.Context(), p); err != nil || !strings.HasPrefix(r.JobID, "dpoJobs/") {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = tr.Cancel(t.Context(), r); err != nil || r.State != train.Cancelled {
		t.Errorf("%+v, %v", r, err)
	}
	odd := int64(12)
	p.Hyper.LoRARank = &odd
	if _, err := tr.Submit(t.Context(), p); err == nil || !strings.Contains(err.Error(), "power of 2") {
		t.Errorf("rank 12: %v", err)
	}
}

// Mistral's API: pages by number, events within the job, a second order refused.
func TestMistral(t *testing.T) {
	// The list is behind for long, so that the order is given twice, and refused.
	w := newWorld(t, localserver.Options{Provider: "mistral", Key: "k-test", HideJobs: 3, Page: 1, Fault: func(kind string, n int) localserver.Fault {
		return localserver.Fault{Lost: n == 0 && (kind == "POST fine_tuning/jobs" || kind == "POST files")}
	}})
	tr := w.trainer(nil, nil)
	p := plan(exportFor(t, "mistral", 3, 2))
	r, err := run(t.Context(), tr, p)
	if err != nil || r.State != train.Succeeded || len(w.server.Jobs()) != 1 || len(w.server.Files()) != 2 {
		t.Fatalf("%+v, %d jobs, %d files, %v", r, len(w.server.Jobs()), len(w.server.Files()), err)
	}
	if *r.TrainedTokens != 12_000 || *r.CostUSD != 4.5 || *r.DurationS <= 0 || !strings.HasPrefix(r.ResultModel, "ft:gpt-4o-mini:weir:weir-") {
		t.Errorf("%+v", r)
	}
	if got := w.column("select distinct id from events.training_runs where state is null"); len(got) != 15 {
		t.Errorf("%d events and checkpoints, want 15", len(got))
	}
	batch := int64(8)
	p.Hyper.BatchSize = &batch
	if _, err := tr.Submit(t.Context(), p); !errors.Is(err, train.ErrUnsupported) {
		t.Errorf("batch size: %v", err)
	}

	failing := newWorld(t, localserver.Options{Provider: "mistral", States: []string{"queued", "failed"}})
	r, err = run(t.Context(), failing.trainer(nil, nil), plan(exportFor(t, "mistral", 3, 0)))
	if err != nil || r.State != train.Failed || r.Error != "FAILED: the loss is not a number" {
		t.Errorf("%+v, %v", r, err)
	}
}

// An order that is refused because it is there already is the job that is there,
// and not an error.
func TestOrderIsThereAlready(t *testing.T) {
	for _, provider := range []string{"fireworks", "mistral"} {
		dir := exportFor(t, provider, 3, 0)
		w := newWorld(t, localserver.Options{Provider: provider, HideJobs: 2})
		first, err := w.trainer(nil, nil).Submit(t.Context(), plan(dir))
		if err != nil {
			t.Fatal(err)
		}
		w.lake = laketest.New(t) // the lake has forgotten, and the list is behind
		second, err := w.trainer(nil, nil).Submit(t.Context(), plan(dir))
		if err != nil || second.JobID != first.JobID || len(w.server.Jobs()) != 1 {
			t.Errorf("%s: job %s, %d jobs, %v", provider, second.JobID, len(w.server.Jobs()), err)
		}
	}
}
