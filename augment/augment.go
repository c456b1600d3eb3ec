// Package augment makes variations of the examples in the training set, and
// examples from what agents are told, as events: the originals are never touched. It
// chooses roots, counts, and keeps within caps and budget; how a variation is
// made is package method's. Start at Run.
//
// A variation's event id is made of root, method, seed and number, so a run
// that was killed goes on where it stopped: what is in the lake is not made
// again. Children bear their root's subject: they share its side of the split
// and are erased with it. What a document seeded has a subject of its own,
// because a few documents would else tie everything together; it goes with the
// document that it names.
package augment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weir-lake/weir/augment/llm"
	"github.com/weir-lake/weir/augment/method"
	"github.com/weir-lake/weir/augment/rows"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Caps by default (semantics §3).
const (
	PerRoot  = 3   // variations of one example or section
	MaxShare = 0.5 // of generated examples among all that train
)

// Options of Run.
type Options struct {
	Methods  []method.Method
	Seed     int64
	PerRoot  int      // 0: PerRoot
	MaxShare float64  // 0: MaxShare
	Limit    int64    // variations to make in this run; 0: no limit
	Terms    []string // further names of the documents, not to be used
	Client   *llm.Client
	Workers  int // calls side by side; 0: 1. With more, chance decides what is left out at a cap
	DryRun   bool
	Price    *llm.Price              // for the plan
	Redact   func(*lake.Event)       // may be nil
	Clock    func() time.Time        // nil: the system's
	Progress func(done, roots int64) // may be nil
	Session  duck.Options
}

// Count is what became of the variations of one method.
type Count struct {
	Method        string           `json:"method"`
	Made          int64            `json:"made"` // or planned, in a dry run
	AlreadyThere  int64            `json:"already_there"`
	NotApplicable int64            `json:"not_applicable"`
	Failed        map[string]int64 `json:"failed,omitempty"` // by reason
}

// Report is what a run did.
type Report struct {
	Roots   int64     `json:"roots"`
	Methods []Count   `json:"methods"`
	Spent   llm.Spent `json:"spent"`             // in a dry run: at most, if nothing is asked twice
	Stopped string    `json:"stopped,omitempty"` // why not everything was made
}

// Made is the number of variations that were made.
func (r Report) Made() (n int64) {
	for _, c := range r.Methods {
		n += c.Made
	}
	return n
}

var (
	// ErrNoModel says that a method asks a model and none is named.
	ErrNoModel = errors.New("method needs a language model")
	// errEnough ends a run at a cap.
	errEnough = errors.New("enough")
)

// Run makes what is missing and appends it. A used up budget or a reached cap
// is no error: Report.Stopped says so.
func Run(ctx context.Context, lk *lake.Lake, out lake.Appender, opts Options) (Report, error) {
	if opts.PerRoot == 0 {
		opts.PerRoot = PerRoot
	}
	if opts.MaxShare == 0 {
		opts.MaxShare = MaxShare
	}
	if opts.MaxShare < 0 || opts.MaxShare >= 1 {
		return Report{}, fmt.Errorf("augment: share %v: want 0 to below 1", opts.MaxShare)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	r := &run{opts: opts, out: out}
	for _, m := range opts.Methods {
		if m.NeedsModel() && opts.Client == nil && !opts.DryRun {
			return Report{}, fmt.Errorf("augment: %s: %w", m.Name, ErrNoModel)
		}
		r.report.Methods = append(r.report.Methods, Count{Method: m.Name, Failed: map[string]int64{}})
	}
	if err := r.run(ctx, lk); err != nil {
		return r.report, fmt.Errorf("augment: %w", err)
	}
	return r.report, nil
}

// run is one call of Run.
type run struct {
	opts Options
	out  lake.Appender

	mu     sync.Mutex // guards what follows, and the order of appends and flushes
	report Report
	left   int64 // variations that the share and the limit still allow
}

// root is what variations are made of: an example or a section of knowledge.
type root struct {
	ID        string         `json:"root_id"`
	Documents []string       `json:"document_ids"`
	SubjectID string         `json:"subject_id"`
	TaskType  string         `json:"task_type"`
	PersonIDs []string       `json:"person_ids"`
	Messages  []lake.Message `json:"messages"`
	Tools     []lake.Tool    `json:"tools"`
	Children  []string       `json:"children"` // ids of what was made from it
	Format    string         `json:"response_format"`
	Choice    string         `json:"tool_choice"`
	Parallel  *bool          `json:"parallel_tool_calls"`
	method.Document
}

func (r *run) run(ctx context.Context, lk *lake.Lake) error {
	session, versions, err := duck.OpenLake(ctx, lk, r.opts.Session)
	if err != nil {
		return err
	}
	defer session.Close()
	for _, table := range []string{"curated.examples", "curated.funnel", "curated.knowledge"} {
		if _, ok := versions[table]; !ok {
			return lake.WithHint(fmt.Errorf("%s: %w", table, lake.ErrNoTable), "weir transform --lake "+lk.Dir())
		}
	}
	var originals, generated int64
	if err := session.Get(ctx, countQuery, &originals, &generated); err != nil {
		return err
	}
	r.left = int64(r.opts.MaxShare/(1-r.opts.MaxShare)*float64(originals)) - generated
	if r.opts.Limit > 0 {
		r.left = min(r.left, r.opts.Limit)
	}
	var fromExamples, fromSections []int
	for i, m := range r.opts.Methods {
		if m.FromDocuments() {
			fromSections = append(fromSections, i)
		} else {
			fromExamples = append(fromExamples, i)
		}
	}
	if len(fromExamples) > 0 {
		err = r.each(ctx, session, lk.TempDir(), examplesQuery(r.opts.Seed), fromExamples)
	}
	if err == nil && len(fromSections) > 0 {
		err = r.each(ctx, session, lk.TempDir(), sectionsQuery(r.opts.Seed), fromSections)
	}
	if r.opts.Client != nil && !r.opts.DryRun {
		r.report.Spent = r.opts.Client.Spent()
	}
	switch {
	case errors.Is(err, errEnough):
		r.report.Stopped = "the cap on generated examples, or the limit, is reached"
	case errors.Is(err, llm.ErrBudget):
		r.report.Stopped = llm.ErrBudget.Error()
	default:
		return err
	}
	return nil
}

// each hands the roots to workers. An error ends all; a cap or the budget lets
// the calls that are under way come back, because they are paid for.
func (r *run) each(ctx context.Context, session *duck.Session, dir, query string, methods []int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan root)
	enough := make(chan struct{})
	var reached error
	var once sync.Once
	var workers sync.WaitGroup
	count := max(1, r.opts.Workers)
	if !slices.ContainsFunc(methods, func(i int) bool { return r.opts.Methods[i].NeedsModel() }) {
		count = 1 // nothing is waited for
	}
	for range count {
		workers.Go(func() {
			for root := range work {
				err := r.vary(ctx, root, methods)
				if errors.Is(err, errEnough) || errors.Is(err, llm.ErrBudget) {
					once.Do(func() { reached = err; close(enough) })
					return
				}
				if err != nil {
					stop(err)
					return
				}
			}
		})
	}
	var failed error
	for root, err := range rows.Each[root](ctx, session, dir, query) {
		if err != nil {
			failed = err
			break
		}
		select {
		case work <- root:
			r.report.Roots++
			if r.opts.Progress != nil {
				r.opts.Progress(r.report.Roots, 0)
			}
			continue
		case <-enough:
		case <-ctx.Done():
		}
		break
	}
	close(work)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if failed == nil {
		failed = reached
	}
	return failed
}

// EventID of a variation.
func EventID(rootID, method string, seed, variation int64) string {
	return lake.StableID("augment", rootID, method, strconv.FormatInt(seed, 10), strconv.FormatInt(variation, 10))
}
