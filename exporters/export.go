// Package exporters writes a lake's training set as a provider's files: it
// checks that nothing leaks, reads the examples that the funnel sends to train
// and validation, has them converted (exporters/target), checks every line by
// the provider's rules, and puts files, manifest and reports in place at once.
// It decides nothing about examples and talks to no provider. Start at Export.
package exporters

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/weir-lake/weir/exporters/prices"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/exporters/tokens"
	"github.com/weir-lake/weir/exporters/tokens/hf"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// Options of Export.
type Options struct {
	Target    string               // name of a target: openai, together, …
	Dir       string               // where the files go; new, empty, or an earlier export of the same target
	Model     string               // base model; decides tokenizer and price. Empty: the target's own
	MaxTokens int                  // longest example; 0: the target's limit and the model's
	Context   target.ContextPolicy // what becomes of longer ones; empty: they are split
	Shard     target.Limit         // of a file, below the target's own
	Compress  target.Compression   // of the training files
	Prices    *prices.Table        // put over the built-in table; may be nil
	Tokenizer *hf.Tokenizer        // the model's own; nil: OpenAI's encoding for the model, exact or as an estimate
	Distill   Distiller            // shortens the examples first; nil: they stay as they are
	At        duck.Moment          // the state of the tables; zero: now
	Dataset   frozen.Ref           // a version that was frozen; zero: what the funnel sends to each side
	Session   duck.Options         // of the DuckDB session
	Progress  func(done, of int64) // examples; may be nil

	// IfChanged leaves a folder alone that was made from the same inputs, without
	// a look at examples or files.
	IfChanged bool
	// Keep makes Dir a folder of versions, each named by its content, with a link
	// latest, and deletes all but the last so many. 0: Dir is the export.
	Keep int
	// Program is the build that exports: another may write other bytes.
	Program string
	// Busy is called once where another export writes to Dir, before the wait for
	// its end. Its error ends this one instead. May be nil.
	Busy func() error
}

// Outcome is an export as it stands.
type Outcome struct {
	Manifest
	Dir     string   `json:"dir"`               // where its files are
	Changed bool     `json:"changed"`           // false: they stood there already
	Deleted []string `json:"deleted,omitempty"` // older versions that Keep let go
}

// ErrLeak says that something links the two sides of the split.
var ErrLeak = errors.New("training and validation are linked")

// ErrForeignDir says that the folder holds something else.
var ErrForeignDir = errors.New("folder is not an export of this target")

// splits are written in this order. The test side is for eval suites alone.
var splits = []string{"train", "validation"}

// Export writes the training set as it stands now, or stood at a moment. The files appear whole or
// not at all; the same tables and options give the same bytes, and where the
// folder already holds just these it is left alone. Nothing is written when
// curated.leaks counts a link (ErrLeak). Two exports to one folder take turns.
func Export(ctx context.Context, lk *lake.Lake, opts Options) (Outcome, error) {
	t, err := target.Named(opts.Target)
	if err != nil {
		return Outcome{}, err
	}
	if err := checkFiles(t, opts); err != nil {
		return Outcome{}, fmt.Errorf("export: %w", err)
	}
	if opts.Dir == "" {
		return Outcome{}, errors.New("export: no folder to write to")
	}
	to, err := newPlace(opts, t.Name)
	if err != nil {
		return Outcome{}, fmt.Errorf("export: %w", err)
	}
	unlock, err := to.lock(ctx, opts.Busy)
	if err != nil {
		return Outcome{}, fmt.Errorf("export: %s: %w", opts.Dir, err)
	}
	defer unlock()
	if err := to.check(); err != nil {
		return Outcome{}, fmt.Errorf("export: %w", err)
	}
	outcome, err := export(ctx, lk, t, opts, to)
	if err != nil {
		return Outcome{}, fmt.Errorf("export %s: %w", t.Name, err)
	}
	return outcome, nil
}

func export(ctx context.Context, lk *lake.Lake, t *target.Target, opts Options, to place) (o Outcome, err error) {
	session, pinned, err := duck.OpenLakeAt(ctx, lk, opts.At, opts.Session)
	if err != nil {
		return o, err
	}
	defer session.Close()
	from, err := openSource(ctx, lk, session, pinned, opts, t.Pairs)
	if err != nil {
		return o, err
	}
	e, err := newExport(ctx, session, t, opts, from)
	if err != nil {
		return o, err
	}
	if err := e.manifest.readLake(ctx, session, lk, from); err != nil {
		return o, err
	}
	if e.manifest.Leaks.Total > 0 {
		return o, lake.WithHint(fmt.Errorf("%w: %d links in curated.leaks", ErrLeak, e.manifest.Leaks.Total), "weir query leaks")
	}
	if e.manifest.Inputs, err = e.inputs(ctx, lk); err != nil {
		return o, err
	}
	if opts.IfChanged {
		manifest, isSame, err := standing(to.current(), e.manifest.Inputs)
		if err != nil {
			return o, err
		}
		if isSame {
			o.Manifest, o.Dir = manifest, to.of(opts.Dir, manifest)
			o.Deleted, err = to.prune(ctx, lk)
			return o, err
		}
	}
	work, err := to.work()
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := e.write(ctx, session, lk.TempDir(), work); err != nil {
		return o, err
	}
	o.Manifest, o.Dir = e.manifest, to.of(opts.Dir, e.manifest)
	if o.Changed, err = to.put(work, e.manifest); err != nil {
		return o, err
	}
	o.Deleted, err = to.prune(ctx, lk)
	return o, err
}

// exporting is one run.
type exporting struct {
	target     *target.Target
	opts       Options
	source     *source
	workers    int
	agents     map[string]bool
	newCounter func() (*tokens.Counter, error)
	manifest   Manifest
}

func newExport(ctx context.Context, session *duck.Session, t *target.Target, opts Options, from *source) (*exporting, error) {
	e := &exporting{target: t, opts: opts, source: from, workers: opts.Session.Threads}
	if e.workers <= 0 {
		e.workers = runtime.GOMAXPROCS(0)
	}
	model := opts.Model
	if model == "" {
		model = t.Model
	}
	vocabulary := tokens.VocabularyFor(model, opts.Tokenizer)
	e.newCounter = vocabulary.NewCounter
	var err error
	if e.agents, err = readAgents(ctx, session, from.agents); err != nil {
		return nil, err
	}
	e.manifest = Manifest{
		Format: manifestFormat, Target: t.Name, Model: model, Compression: string(opts.Compress),
		Tokens: tokenRule(vocabulary),
		Losses: []Loss{}, Warnings: []string{}, losses: map[target.Rule]Loss{},
	}
	if opts.Distill != nil {
		e.manifest.Distill = &Distilled{DistillRules: opts.Distill.Info()}
	}
	if err := e.setContext(model); err != nil {
		return nil, err
	}
	return e, e.manifest.price(t.Provider, model, opts.Prices)
}

// checkFiles refuses files that the target's trainer cannot read.
func checkFiles(t *target.Target, opts Options) error {
	if err := t.CheckCompression(opts.Compress); err != nil {
		return err
	}
	if opts.Shard != (target.Limit{}) {
		return t.CheckShards()
	}
	return nil
}

// checkDir refuses a folder that holds anything but an export of the target.
func checkDir(dir, name string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return err
	}
	found, err := readManifest(filepath.Join(dir, manifestName))
	if err != nil || found.Target != name {
		return lake.WithHint(fmt.Errorf("%s: %w", dir, ErrForeignDir), "name a new folder")
	}
	return nil
}
