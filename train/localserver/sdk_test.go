package localserver_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/train"
	"github.com/weir-lake/weir/train/api"
	"github.com/weir-lake/weir/train/fireworks"
	"github.com/weir-lake/weir/train/localserver"
	"github.com/weir-lake/weir/train/mistral"
	"github.com/weir-lake/weir/train/openai"
	"github.com/weir-lake/weir/train/together"
)

const content = `{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}` + "\n"

// The providers' own Python clients read what the server says, and what ours
// asks is what they ask. WEIR_SDK_PYTHON is a Python that has them (.ci/jobs.sh
// makes one).
func TestProvidersOwnClients(t *testing.T) {
	python := os.Getenv("WEIR_SDK_PYTHON")
	if python == "" {
		t.Skip("WEIR_SDK_PYTHON names no Python with the providers' clients: .ci/jobs.sh has one")
	}
	path := filepath.Join(t.TempDir(), "train.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat(content, 3)), 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		query  string // of the base URL
		header string
		make   func(*api.Client) train.Provider
		rank   bool
		batch  bool
		seed   bool
		// dpo: its orders have a path of their own.
		dpo bool
		// oursOnly and theirsOnly are what is asked by one of the two, and why is in the
		// comment at its line.
		oursOnly, theirsOnly []string
	}{
		{name: "openai", make: func(c *api.Client) train.Provider { return openai.New(c) }, batch: true, seed: true},
		// Its client names a version of the API, as a base URL may.
		{name: "azure", query: "?api-version=preview", header: openai.AzureKeyHeader, make: func(c *api.Client) train.Provider { return openai.NewAzure(c) }, batch: true, seed: true},
		{
			name: "together", make: func(c *api.Client) train.Provider { return together.New(c) }, rank: true, batch: true, seed: true,
			// Its client of 1.5 knows no seed; the description does.
			oursOnly: []string{"POST fine-tunes random_seed"},
			// Its client asks for the model's limits, and sends its defaults.
			theirsOnly: []string{
				"GET fine-tunes/models/limits", "GET fine-tunes/models/limits ?model_name", "POST fine-tunes hf_api_token", "POST fine-tunes hf_output_repo_name",
				"POST fine-tunes lr_scheduler.lr_scheduler_args.min_lr_ratio", "POST fine-tunes lr_scheduler.lr_scheduler_args.num_cycles",
				"POST fine-tunes lr_scheduler.lr_scheduler_type", "POST fine-tunes max_grad_norm", "POST fine-tunes n_checkpoints",
				"POST fine-tunes training_method.train_on_inputs", "POST fine-tunes training_type.lora_dropout",
				"POST fine-tunes training_type.lora_trainable_modules", "POST fine-tunes warmup_ratio", "POST fine-tunes weight_decay",
			},
		},
		{
			name: "fireworks", make: func(c *api.Client) train.Provider { return fireworks.New(c) }, rank: true, batch: true, dpo: true,
		},
		{
			name: "mistral", make: func(c *api.Client) train.Provider { return mistral.New(c) },
			// Defaults that its client spells out.
			theirsOnly: []string{"GET files ?include_total", "GET fine_tuning/jobs ?created_by_me", "POST files visibility"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			opts := localserver.Options{Provider: c.name, Key: "k-sdk"}
			theirs := localserver.New(opts)
			defer theirs.Close()
			out, err := exec.CommandContext(t.Context(), python, "../../.ci/check_jobs.py", c.name, theirs.BaseURL(), opts.Key, path).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", bytes.TrimSpace(out))

			ours := localserver.New(opts)
			defer ours.Close()
			client, err := api.New(api.Options{BaseURL: ours.BaseURL() + c.query, Key: opts.Key, KeyHeader: c.header})
			if err != nil {
				t.Fatal(err)
			}
			n, rate := int64(2), 1e-5
			spec := train.Spec{Model: "small-1b", Method: "sft", Suffix: "weir-0123abcd", RunID: "0123abcd", Hyper: train.Hyper{Epochs: &n, LearningRate: &rate}}
			if c.rank {
				spec.Hyper.LoRARank = &n
			}
			if c.batch {
				spec.Hyper.BatchSize = &n
			}
			if c.seed {
				spec.Hyper.Seed = &n
			}
			ask(t, c.make(client), spec, c.dpo)

			asked, known := requests(ours), requests(theirs)
			for _, request := range asked {
				if !slices.Contains(known, request) && !slices.Contains(c.oursOnly, request) {
					t.Errorf("the provider's client never asks %s", request)
				}
			}
			for _, request := range known {
				if strings.HasPrefix(request, "POST fine-tunes/estimate-price") {
					continue // asked by its client before it orders, with the order's own keys
				}
				if !slices.Contains(asked, request) && !slices.Contains(c.theirsOnly, request) {
					t.Errorf("ours never asks %s", request)
				}
			}
			t.Logf("%s: %d paths and keys of ours, %d of the provider's client", c.name, len(asked), len(known))
		})
	}
}

// ask does what a run does, and cancels a second job.
func ask(t *testing.T, p train.Provider, spec train.Spec, dpo bool) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.Check(spec))
	file, err := p.Upload(ctx, train.Upload{
		Name: "train.jsonl", Bytes: int64(len(content)), Lines: 1, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
	})
	must(err)
	_, err = p.FilesByName(ctx, "train.jsonl")
	must(err)
	_, err = p.File(ctx, file.ID)
	must(err)
	spec.TrainingFile, spec.ValidationFile = file.ID, file.ID
	job, err := p.Create(ctx, spec)
	must(err)
	_, err = p.Jobs(ctx)
	must(err)
	for range 8 {
		job, err = p.Job(ctx, job.ID)
		must(err)
	}
	if job.State != train.Succeeded {
		t.Errorf("job %+v", job)
	}
	_, err = p.Events(ctx, job.ID)
	must(err)
	_, err = p.Checkpoints(ctx, job.ID)
	must(err)
	spec.Suffix, spec.RunID = spec.Suffix+"b", spec.RunID+"b"
	second, err := p.Create(ctx, spec)
	must(err)
	_, err = p.Cancel(ctx, second.ID)
	must(err)
	if dpo {
		spec.Method = "dpo"
		_, err = p.Create(ctx, spec)
		must(err)
	}
}

// requests are all paths with the names of what went with them, each once.
func requests(s *localserver.Server) []string {
	var found []string
	for _, r := range s.Requests() {
		found = append(found, r.Kind)
		for _, name := range r.Query {
			found = append(found, r.Kind+" ?"+name)
		}
		for _, name := range r.Keys {
			found = append(found, r.Kind+" "+name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
