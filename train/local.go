package train

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train/trainerlog"
)

// Local is what a trainer's log does not say of a run.
type Local struct {
	Run     Run      // its id, provider (the trainer), base and resulting model, dataset, method, phase and configuration
	State   string   // empty: what the log shows, running or succeeded
	Error   string   // why it failed
	CostUSD *float64 // so far
}

// RecordLog records a local trainer's run: each entry of its log, each
// checkpoint, and the state that it has reached. It may be called as often as the
// log grows; what is on record already is not sent again.
func RecordLog(ctx context.Context, lk *lake.Lake, send Send, local Local, log trainerlog.Log) (Run, error) {
	run, err := recordLog(ctx, lk, send, local, log)
	if err != nil {
		return run, fmt.Errorf("train record: run %s: %w", local.Run.RunID, err)
	}
	return run, nil
}

func recordLog(ctx context.Context, lk *lake.Lake, send Send, local Local, log trainerlog.Log) (Run, error) {
	run := local.Run
	state := local.State
	if state == "" {
		if state = Running; log.Ended {
			state = Succeeded
		}
	}
	if state != Running && !IsFinal(state) {
		return run, fmt.Errorf("state %q: want running, succeeded, failed or cancelled", state)
	}
	known, err := recorded(ctx, lk, run.RunID)
	if err != nil {
		return run, err
	}
	switch before, err := Find(ctx, lk, run.RunID); {
	case errors.Is(err, ErrNoRun):
	case err != nil:
		return run, err
	case before.Provider != run.Provider || before.DatasetVersion != run.DatasetVersion || before.BaseModel != run.BaseModel:
		return run, lake.WithHint(fmt.Errorf("is on record as %s's, of %s on version %s", before.Provider, before.BaseModel, before.DatasetVersion), "--run another name")
	default:
		run.UpdatedAt, run.Events, run.Checkpoints = before.UpdatedAt, before.Events, before.Checkpoints
	}
	events := run.logEvents(log)
	latest := run.UpdatedAt
	for _, e := range events {
		if e.Time.After(latest) {
			latest = e.Time
		}
	}
	run.State, run.Error, run.CostUSD, run.TrainedTokens, run.DurationS = state, local.Error, local.CostUSD, log.Tokens, log.RuntimeS
	events = append(events, run.event(after(latest, log.At), lake.TrainingRun{
		State: state, Config: run.Config, Error: run.Error, ResultModel: run.ResultModel, Step: &log.Step,
		CostUSD: run.CostUSD, TrainedTokens: run.TrainedTokens, DurationS: run.DurationS,
	}, "state", state))
	events = slices.DeleteFunc(events, func(e lake.Event) bool { return known[e.ID] })
	run.Events += int64(len(events))
	for _, e := range events {
		if change, ok := e.Data.(*lake.TrainingRun); ok && change.Checkpoint != "" {
			run.Checkpoints++
		}
	}
	if len(events) == 0 {
		return run, nil
	}
	return run, send(ctx, events...)
}

// logEvents: an entry is known by what it says, because a trainer that goes on
// from a checkpoint takes back what it had logged since.
func (r Run) logEvents(log trainerlog.Log) []lake.Event {
	var events []lake.Event
	for _, s := range log.Steps {
		sum := sha256.Sum256(s.Metrics)
		events = append(events, r.event(log.At, lake.TrainingRun{Step: &s.Step, Metrics: string(s.Metrics)},
			"log", strconv.FormatInt(s.Step, 10), hex.EncodeToString(sum[:8])))
	}
	for _, c := range log.Checkpoints {
		events = append(events, r.event(c.At.Truncate(time.Microsecond), lake.TrainingRun{Step: &c.Step, Checkpoint: c.Path},
			"checkpoint", strconv.FormatInt(c.Step, 10)))
	}
	slices.SortStableFunc(events, func(a, b lake.Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	return events
}
