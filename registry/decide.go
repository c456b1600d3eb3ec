package registry

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/flock"
)

// Send takes events to the lake; when it returns they are there.
type Send func(ctx context.Context, events ...lake.Event) error

// DefaultAlias is the alias of a promotion that names none.
const DefaultAlias = "production"

// Decision is what is to be decided on a model.
type Decision struct {
	Model  string    // as Find takes it
	Alias  string    // of a promotion; empty: DefaultAlias
	Reason string    // required
	By     string    // who decides; required
	At     time.Time // of the decision
	Force  bool      // promote although it is tainted
}

// Errors of Promote and Retire.
var (
	ErrNotSucceeded = errors.New("its run has not succeeded")
	ErrTainted      = errors.New("it is tainted")
	ErrNoReason     = errors.New("a decision needs a reason, and who decides")
	// ErrDecided says that it is so already: nothing was sent.
	ErrDecided = errors.New("it is so already")
)

// Promote lets an alias name a model; whatever bore it is superseded. It gives
// the model as it is then, and the one that bore the alias before (its RunID is
// empty where none did).
func Promote(ctx context.Context, lk *lake.Lake, send Send, d Decision) (promoted, before Model, err error) {
	if d.Alias == "" {
		d.Alias = DefaultAlias
	}
	err = decide(ctx, lk, send, d, lake.DecisionPromoted, func(m Model, all []Model) error {
		if old, err := find(all, d.Alias); err == nil && slices.Contains(old.Aliases, d.Alias) {
			before = old
		}
		switch {
		case m.Status != "succeeded" || m.ResultModel == "":
			return fmt.Errorf("%w: it is %s", ErrNotSucceeded, orNothing(m.Status))
		case before.RunID == m.RunID:
			return fmt.Errorf("%w: %s names it since %s", ErrDecided, d.Alias, day(m.DecidedAt))
		case len(m.Taints) > 0 && !d.Force:
			return lake.WithHint(fmt.Errorf("%w: %s", ErrTainted, strings.Join(m.Taints, ", ")), "weir query tainted_models, and --force if it may be promoted all the same")
		}
		return nil
	}, &promoted)
	if err != nil {
		return promoted, before, fmt.Errorf("model promote: %s: %w", d.Model, err)
	}
	return promoted, before, nil
}

// Retire takes a model out of use: no alias names it any more.
func Retire(ctx context.Context, lk *lake.Lake, send Send, d Decision) (retired Model, err error) {
	d.Alias = ""
	err = decide(ctx, lk, send, d, lake.DecisionRetired, func(m Model, _ []Model) error {
		if m.Standing == "retired" {
			return fmt.Errorf("%w, since %s", ErrDecided, day(m.DecidedAt))
		}
		return nil
	}, &retired)
	if err != nil {
		return retired, fmt.Errorf("model retire: %s: %w", d.Model, err)
	}
	return retired, nil
}

func decide(ctx context.Context, lk *lake.Lake, send Send, d Decision, what string, check func(Model, []Model) error, result *Model) error {
	if strings.TrimSpace(d.Reason) == "" || strings.TrimSpace(d.By) == "" {
		return ErrNoReason
	}
	// Two at once would not see each other's decision.
	unlock, err := flock.Lock(ctx, filepath.Join(lk.TempDir(), "models.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	models, err := Models(ctx, lk)
	if err != nil {
		return err
	}
	m, err := find(models, d.Model)
	if err != nil {
		return err
	}
	*result = m
	if err := check(m, models); err != nil {
		return err
	}
	// A decision is later than those before it, whatever this machine's clock says.
	at := d.At.UTC().Truncate(time.Microsecond)
	for _, other := range models {
		if other.DecidedAt != nil && !at.After(*other.DecidedAt) {
			at = other.DecidedAt.Add(time.Microsecond)
		}
	}
	err = send(ctx, lake.Event{
		ID:     lake.StableID("model-decision", m.RunID, what, d.Alias, at.Format(time.RFC3339Nano)),
		Source: "weir://model", Type: "weir.model.decided.v1", Subject: "training:" + m.RunID, Time: at,
		Data: &lake.ModelDecision{RunID: m.RunID, Model: m.ResultModel, Decision: what, Alias: d.Alias, Reason: d.Reason, DecidedBy: d.By},
	})
	if err != nil {
		return err
	}
	*result, err = Find(ctx, lk, m.RunID)
	return err
}

func orNothing(status string) string {
	if status == "" {
		return "of no state"
	}
	return status
}

func day(at *time.Time) string {
	if at == nil {
		return "before"
	}
	return at.Format(time.DateOnly)
}
