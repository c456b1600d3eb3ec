package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/flock"
	"github.com/weir-lake/weir/train/api"
)

// Plan is what is to be trained on what.
type Plan struct {
	Export         string // folder that weir export wrote for the provider
	Dataset        string // as exporters.Record has them
	DatasetVersion string
	DatasetHash    string
	Model          string
	Method         string // sft or dpo
	Phase          string // of the plan; a label
	Suffix         string // of the resulting model's name; a label
	Planned        string // run of runs.yaml that this carries out; a label
	Hyper          Hyper
	MaxUSD         float64 // refuse what is estimated above it; 0: no limit
	Again          bool    // train the same once more
}

// Errors of Submit that callers tell apart.
var (
	// ErrSubmitted says that the same was submitted before.
	ErrSubmitted = errors.New("the same was submitted before")
	// ErrTooDear says that the estimate is above the limit.
	ErrTooDear = errors.New("it may cost more than allowed")
	// ErrNoEstimate says that a limit was set and the cost cannot be told.
	ErrNoEstimate = errors.New("its cost cannot be told")
)

const (
	uploads    = 5                // of a file, at most
	checkedFor = 30 * time.Minute // by the provider, at most
)

// estimate is what the job costs in USD: the tokens that the provider bills for
// the export's sides, times the price. It is nil where epochs or price are not
// known.
func (t *Trainer) estimate(manifest exporters.Manifest, hyper Hyper) *float64 {
	if t.Price == nil || hyper.Epochs == nil {
		return nil
	}
	tokens := map[string]int64{}
	for _, split := range manifest.Splits {
		tokens[split.Split] = split.Tokens
	}
	usd := float64(t.Provider.Billed(*hyper.Epochs, tokens["train"], tokens["validation"])) * *t.Price / 1e6
	return &usd
}

// Submit puts a run on record, sends its files and orders its job, or goes on
// with a submission that was cut short. The same plan once more is ErrSubmitted,
// with the run that was, unless the plan says Again. When it fails with
// api.ErrUnsure the same call later finds out.
func (t *Trainer) Submit(ctx context.Context, p Plan) (Run, error) {
	run, err := t.submit(ctx, p)
	if err != nil {
		return run, fmt.Errorf("train submit: %w", err)
	}
	return run, nil
}

func (t *Trainer) submit(ctx context.Context, p Plan) (Run, error) {
	// Two at once would not see each other's job.
	unlock, err := flock.Lock(ctx, filepath.Join(t.Lake.TempDir(), "train.lock"))
	if err != nil {
		return Run{}, err
	}
	defer unlock()
	manifest, err := readManifest(p.Export)
	if err != nil {
		return Run{}, err
	}
	if err := checkTarget(manifest.Target, t.Provider.Name(), p); err != nil {
		return Run{}, err
	}
	run, begun, err := t.choose(ctx, p)
	if err != nil {
		return run, err
	}
	suffix := tag(run.RunID)
	if p.Suffix != "" {
		suffix = p.Suffix + "-" + suffix
	}
	if most := t.Provider.SuffixLimit(); len(suffix) > most {
		return run, fmt.Errorf("suffix %q: %s allows %d characters, and weir needs %d of them", p.Suffix, t.Provider.Name(), most, len(tag(run.RunID))+1)
	}
	spec := Spec{Model: p.Model, Method: p.Method, Suffix: suffix, RunID: run.RunID, Hyper: p.Hyper}
	if err := t.Provider.Check(spec); err != nil {
		return run, err
	}
	files, err := trainingFiles(p.Export, manifest, run.RunID)
	if err != nil {
		return run, err
	}
	estimate := t.estimate(manifest, p.Hyper)
	switch {
	case p.MaxUSD <= 0:
	case estimate == nil:
		return run, ErrNoEstimate
	case *estimate > p.MaxUSD:
		return run, fmt.Errorf("%w: about $%.2f, the limit is $%.2f", ErrTooDear, *estimate, p.MaxUSD)
	}
	run.Plan, run.ExportHash = p.Planned, manifest.ContentHash
	if manifest.Distill != nil {
		run.DistillHash = manifest.Distill.Hash
	}
	text, err := json.Marshal(config{Hyper: p.Hyper, EstimatedUSD: estimate})
	if err != nil {
		return run, err
	}
	run.Config = string(text)
	if !begun {
		run.State = Planned
		// Before anything is sent: whoever comes after a kill must know.
		if err := t.Send(ctx, run.event(run.PlannedAt, lake.TrainingRun{State: Planned, Config: run.Config}, "state", Planned)); err != nil {
			return run, err
		}
	}
	job, err := t.order(ctx, spec, files, begun)
	if err != nil {
		return run, err
	}
	run.JobID, run.State = job.ID, Submitted
	run.UpdatedAt = after(run.UpdatedAt, timeOr(job.CreatedAt, t.Clock.Now()))
	return run, t.Send(ctx, run.event(run.UpdatedAt, lake.TrainingRun{State: Submitted, Config: run.Config}, "state", Submitted))
}

// choose gives the run that the plan is: one that was begun and has no job, or
// a new one.
func (t *Trainer) choose(ctx context.Context, p Plan) (run Run, begun bool, err error) {
	runs, err := Runs(ctx, t.Lake)
	if err != nil {
		return Run{}, false, err
	}
	known := map[string]Run{}
	for _, r := range runs {
		known[r.RunID] = r
	}
	var last Run
	for n := 1; ; n++ {
		id, err := runID(t.Provider.Name(), p, n)
		if err != nil {
			return Run{}, false, err
		}
		r, ok := known[id]
		switch {
		case ok && r.JobID == "":
			return r, true, nil
		case ok:
			last = r
			continue
		case last.RunID != "" && !p.Again:
			return last, false, lake.WithHint(fmt.Errorf("%w: run %s, job %s, %s", ErrSubmitted, last.RunID, last.JobID, last.State), "weir train submit --again")
		}
		return Run{
			RunID: id, Provider: t.Provider.Name(), BaseModel: p.Model, Dataset: p.Dataset, DatasetVersion: p.DatasetVersion,
			DatasetHash: p.DatasetHash, Method: p.Method, Phase: p.Phase, PlannedAt: t.Clock.Now().UTC(), UpdatedAt: t.Clock.Now().UTC(),
		}, false, nil
	}
}

// order finds the run's job, or sends the files and orders it. A submission
// that was cut short may have ordered just before, so it looks for longer.
func (t *Trainer) order(ctx context.Context, spec Spec, files []Upload, begun bool) (Job, error) {
	job, found, err := t.findJob(ctx, spec, files[0].Name)
	if err != nil || found {
		return job, err
	}
	from := t.Clock.Now()
	for i, file := range files {
		sent, err := t.upload(ctx, file)
		if err != nil {
			return Job{}, err
		}
		if i == 0 {
			spec.TrainingFile = sent.ID
		} else {
			spec.ValidationFile = sent.ID
		}
	}
	if begun {
		if job, found, err = t.awaitJob(ctx, spec, files[0].Name, from); err != nil || found {
			return job, err
		}
	}
	job, err = t.Provider.Create(ctx, spec)
	// That it is there already is news of an order that the list did not show yet.
	if !errors.Is(err, api.ErrUnsure) && !api.IsConflict(err) {
		return job, err
	}
	unsure := err
	job, found, err = t.awaitJob(ctx, spec, files[0].Name, t.Clock.Now())
	switch {
	case err != nil:
		return Job{}, fmt.Errorf("%w; and looking for it: %w", unsure, err)
	case found:
		return job, nil
	}
	return Job{}, lake.WithHint(unsure, "the same command again: it looks for the job before it orders one")
}

// awaitJob looks for the job until the provider's list has settled.
func (t *Trainer) awaitJob(ctx context.Context, spec Spec, name string, from time.Time) (Job, bool, error) {
	for wait := time.Second; ; wait *= 2 {
		job, found, err := t.findJob(ctx, spec, name)
		left := t.settle() - t.Clock.Now().Sub(from)
		if err != nil || found || left <= 0 {
			return job, found, err
		}
		if err := t.Clock.Sleep(ctx, min(wait, left)); err != nil {
			return Job{}, false, err
		}
	}
}

// findJob knows the run's job by its id, where the provider keeps that, else by
// its training file: no other run has a file of that name.
func (t *Trainer) findJob(ctx context.Context, spec Spec, name string) (Job, bool, error) {
	files, err := t.Provider.FilesByName(ctx, name)
	if err != nil {
		return Job{}, false, err
	}
	ours := map[string]bool{}
	for _, file := range files {
		ours[file.ID] = true
	}
	jobs, err := t.Provider.Jobs(ctx)
	if err != nil {
		return Job{}, false, err
	}
	for _, job := range jobs {
		if job.RunID == spec.RunID || ours[job.TrainingFile] {
			return job, true, nil
		}
	}
	return Job{}, false, nil
}

// upload gives the provider's file, which was sent before or is sent now, when
// the provider has checked it.
func (t *Trainer) upload(ctx context.Context, file Upload) (File, error) {
	if t.Progress != nil {
		file.Progress = func(done, of int64) { t.Progress(file.Name, done, of) }
	}
	var unsure error
	for try := 0; ; try++ {
		known, err := t.Provider.FilesByName(ctx, file.Name)
		if err != nil {
			return File{}, err
		}
		for _, f := range known {
			if f.Error == "" && (f.Bytes == 0 || f.Bytes == file.Bytes) {
				return t.awaitFile(ctx, f)
			}
		}
		if try == uploads {
			return File{}, unsure
		}
		if unsure != nil {
			if err := t.Clock.Sleep(ctx, time.Second<<try); err != nil {
				return File{}, err
			}
		}
		sent, err := t.Provider.Upload(ctx, file)
		if err == nil {
			return t.awaitFile(ctx, sent)
		}
		if !errors.Is(err, api.ErrUnsure) || ctx.Err() != nil {
			return File{}, err
		}
		// A file that arrived after all costs nothing: the next look finds it.
		t.Logger.Warn("upload was cut off, looking and sending again", "file", file.Name, "error", err)
		unsure = err
	}
}

func (t *Trainer) awaitFile(ctx context.Context, f File) (File, error) {
	from := t.Clock.Now()
	for wait := time.Second; ; wait = min(2*wait, t.poll()) {
		switch {
		case f.Error != "":
			return f, fmt.Errorf("file %s: the provider refuses it: %s", f.Name, f.Error)
		case f.Ready:
			return f, nil
		case t.Clock.Now().Sub(from) > checkedFor:
			return f, lake.WithHint(fmt.Errorf("file %s: not checked by the provider within %s", f.Name, checkedFor), "the same command again, later")
		}
		if err := t.Clock.Sleep(ctx, wait); err != nil {
			return f, err
		}
		name := f.Name
		var err error
		if f, err = t.Provider.File(ctx, f.ID); err != nil {
			return f, err
		}
		f.Name = name
	}
}

func readManifest(dir string) (exporters.Manifest, error) {
	path := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return exporters.Manifest{}, lake.WithHint(err, "weir export --target openai --out "+dir)
	}
	var manifest exporters.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return manifest, fmt.Errorf("%s: %w", path, err)
	}
	return manifest, nil
}

// checkTarget refuses an export that was made for another provider, or another
// method: the provider would find out after the upload, or train on it.
func checkTarget(name, provider string, p Plan) error {
	made, err := target.Named(name)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Export, err)
	}
	if isPairs := p.Method == "dpo"; made.Provider == provider && made.Pairs == isPairs {
		return nil
	}
	want := provider
	if p.Method == "dpo" {
		want += "-dpo"
	}
	return lake.WithHint(fmt.Errorf("%s was exported for %s, and %s trains %s on another form", p.Export, name, provider, p.Method), "weir export --target "+want+" --out "+p.Export)
}

// trainingFiles are the export's sides as uploads, after a look that they are
// what the manifest says: train, and validation where it has lines.
func trainingFiles(dir string, manifest exporters.Manifest, runID string) ([]Upload, error) {
	var files []Upload
	for _, side := range []string{"train.jsonl", "validation.jsonl"} {
		shards := 0
		for _, file := range manifest.Files {
			if file.Split != "" && file.Split+".jsonl" == side {
				shards++
			}
		}
		if shards > 1 {
			return nil, lake.WithHint(fmt.Errorf("%s: %d files of %s, and a job takes one", dir, shards, side), "weir export without --shard-…, or of a smaller dataset")
		}
		for _, file := range manifest.Files {
			if file.Name != side || file.Lines == 0 {
				continue
			}
			path := filepath.Join(dir, file.Name)
			if err := file.Check(dir); err != nil {
				return nil, err
			}
			files = append(files, Upload{
				Name:  fmt.Sprintf("%s-%s-%s", tag(runID), file.SHA256[:16], side),
				Bytes: file.Bytes, Lines: file.Lines,
				Open: func() (io.ReadCloser, error) { return os.Open(path) },
			})
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s: no example to train on", dir)
		}
	}
	return files, nil
}
