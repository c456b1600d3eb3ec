package exporters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// ErrErasedSince says that someone was erased whom the tables of a moment
// may still hold.
var ErrErasedSince = errors.New("an erasure was requested since then")

// The requests, and the table that keeps what they name out of all others.
const (
	erasures = "events.erasures"
	erased   = "curated.erased"
)

// checkErasures refuses the tables of a moment that were made before an erasure
// was requested. That another one was committed since does not tell: it may
// have been merged.
func checkErasures(ctx context.Context, lk *lake.Lake, moment duck.Moment) error {
	requests, err := lk.Table(erasures)
	if err != nil {
		return err
	}
	head, err := requests.Snapshot(ctx)
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	known, err := erasuresKnown(ctx, lk, requests, moment)
	if err != nil {
		return err
	}
	since, err := requests.Changes(ctx, known, head.Version)
	if err != nil && !errors.Is(err, lake.ErrNoVersion) {
		return err
	}
	if err != nil || len(since.Added) > 0 {
		return lake.WithHint(ErrErasedSince, "weir transform --as-of …, which leaves out whom to forget; then export without --as-of")
	}
	return nil
}

// erasuresKnown is the version of the requests that all source tables of a
// moment have seen; -1: none.
func erasuresKnown(ctx context.Context, lk *lake.Lake, requests *lake.Table, moment duck.Moment) (int64, error) {
	made, err := moment.Snapshot(ctx, lk, erased)
	if errors.Is(err, lake.ErrNoTable) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	inputs := map[string]int64{}
	if err := json.Unmarshal([]byte(made.Info["inputs"]), &inputs); err != nil {
		return -1, nil // who made it does not say
	}
	known, ok := inputs[erasures]
	if !ok {
		return -1, nil
	}
	for _, name := range sourceTables {
		source, err := moment.Snapshot(ctx, lk, name)
		if err != nil {
			return 0, err
		}
		// A moment within a build shows tables of two.
		then, err := requests.LiveAt(ctx, source.CommittedAt)
		if errors.Is(err, lake.ErrNoVersion) {
			then, err = -1, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		known = min(known, then)
	}
	return known, nil
}
