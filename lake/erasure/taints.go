package erasure

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// recordTaints says of each training run that had seen somebody that its model
// is tainted: once the lists of members have forgotten them, nothing else tells.
// The event names the run and nobody. Sent again by a run that goes on, it is the
// same event.
func recordTaints(ctx context.Context, lk *lake.Lake, send func(context.Context, []lake.Event) error, requests []string) (err error) {
	p, err := loadPlan(ctx, lk)
	if err != nil || send == nil || len(p.Runs) == 0 {
		return err
	}
	session, _, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var asked time.Time // no clock: what is sent twice is the same event
	if err := session.Get(ctx, "select max(time) from "+erasures, &asked); err != nil {
		return err
	}
	var events []lake.Event
	for _, run := range slices.Sorted(slices.Values(p.Runs)) {
		events = append(events, lake.Event{
			ID:     lake.StableID(slices.Concat([]string{"model-tainted", run}, requests)...),
			Source: "weir://erase", Type: "weir.model.decided.v1", Subject: "training:" + run, Time: asked.UTC(),
			Data: &lake.ModelDecision{
				RunID: run, Decision: lake.DecisionTainted, DecidedBy: "weir", Reason: "its dataset held examples of somebody who was erased",
			},
		})
	}
	return send(ctx, events)
}
