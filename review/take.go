package review

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
)

// Taken says what became of decisions.
type Taken struct {
	Decisions int      `json:"decisions"`
	Accepted  int      `json:"accepted"`
	Rejected  int      `json:"rejected"`
	Edited    int      `json:"edited"`
	Skipped   int      `json:"skipped"`
	Withdrawn int      `json:"withdrawn"`
	Stale     int      `json:"stale"`    // of content that the example no longer has: kept, but counted nowhere
	Children  int      `json:"children"` // edited examples
	Problems  []string `json:"problems"` // decisions that were not taken, and why
}

// Take appends the events of decisions. What is invalid, or of an example that
// the lake does not have, is a problem of the report and stops nothing. An
// edit that the same reviewer has decided otherwise since loses its child.
func Take(ctx context.Context, source *Source, out lake.Appender, decisions []Decision, rubric Rubric, now time.Time) (Taken, error) {
	taken := Taken{Problems: []string{}}
	standings, err := source.Standings(ctx)
	if err != nil {
		return taken, err
	}
	last := map[[2]string]Standing{}
	for _, s := range standings {
		last[[2]string{s.ExampleID, s.Reviewer}] = s
	}
	for _, d := range decisions {
		item, ok, err := source.Item(ctx, d.ExampleID)
		if err != nil {
			return taken, err
		}
		if !ok {
			taken.Problems = append(taken.Problems, fmt.Sprintf("example %s: not in the lake", d.ExampleID))
			continue
		}
		if d.Queue == "" {
			d.Queue = item.Queue
		}
		events, err := Events(item, d, rubric.Version(), now)
		if errors.Is(err, ErrInvalid) {
			taken.Problems = append(taken.Problems, err.Error())
			continue
		} else if err != nil {
			return taken, err
		}
		review := events[0]
		key := [2]string{item.ExampleID, review.Data.(*lake.Review).Reviewer}
		if before, ok := last[key]; ok && before.Verdict == Edit && before.EventID != review.ID && d.Verdict != Skip && review.Time.After(before.DecidedAt) {
			events = append(events, retraction(item, before.EventID, review.Time))
		}
		if before, ok := last[key]; !ok || review.Time.After(before.DecidedAt) {
			last[key] = Standing{ExampleID: item.ExampleID, Reviewer: key[1], Verdict: d.Verdict, EventID: review.ID, DecidedAt: review.Time}
		}
		if err := out.Append(ctx, events...); err != nil {
			return taken, err
		}
		taken.count(item, d)
	}
	return taken, nil
}

func (t *Taken) count(item Item, d Decision) {
	t.Decisions++
	isStale := d.ContentHash != item.ContentHash
	if isStale {
		t.Stale++
	}
	switch d.Verdict {
	case Accept:
		t.Accepted++
	case Reject:
		t.Rejected++
	case Edit:
		t.Edited++
		if !isStale {
			t.Children++
		}
	case Skip:
		t.Skipped++
	case Withdraw:
		t.Withdrawn++
	}
}
