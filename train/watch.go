package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/train/api"
)

// Watch records what becomes of a run until it has ended, or once. What is on
// record already is not sent again, so it may be killed and begun again at any
// time; the final state goes last, after all that the provider tells. A
// provider that does not answer is asked again later; one that says no is an
// error.
func (t *Trainer) Watch(ctx context.Context, run Run, once bool) (Run, error) {
	known, err := t.begin(ctx, run)
	if err != nil {
		return run, fmt.Errorf("train watch: run %s: %w", run.RunID, err)
	}
	for ended := false; ; {
		told, err := t.ask(ctx, run.JobID)
		switch {
		case err == nil:
			// The end is recorded at the second look that finds it: providers write
			// their last events late.
			last := once || ended
			ended = IsFinal(told.job.State)
			if run, err = t.record(ctx, run, told, known, last); err != nil || last {
				return run, err
			}
		case once || ctx.Err() != nil || api.IsRefusal(err):
			return run, fmt.Errorf("train watch: run %s: %w", run.RunID, err)
		default:
			t.Logger.Warn("provider does not answer, looking again later", "job", run.JobID, "wait", t.poll(), "error", err)
		}
		if err := t.Clock.Sleep(ctx, t.poll()); err != nil {
			return run, err
		}
	}
}

// Cancel asks the provider to stop a run's job, and records what is so then.
// The job may take a while to end: Watch sees it.
func (t *Trainer) Cancel(ctx context.Context, run Run) (Run, error) {
	known, err := t.begin(ctx, run)
	if err == nil {
		_, err = t.Provider.Cancel(ctx, run.JobID)
	}
	var told telling
	if err == nil || errors.Is(err, api.ErrUnsure) { // asking twice does no harm, and the look tells
		var asked error
		told, asked = t.ask(ctx, run.JobID)
		err = errors.Join(err, asked)
	}
	if err != nil {
		return run, fmt.Errorf("train cancel: run %s: %w", run.RunID, err)
	}
	return t.record(ctx, run, told, known, true)
}

// begin gives the ids of what is on record.
func (t *Trainer) begin(ctx context.Context, run Run) (map[string]bool, error) {
	if run.JobID == "" {
		return nil, lake.WithHint(errors.New("no job of it is on record"), "the same weir train submit again")
	}
	return recorded(ctx, t.Lake, run.RunID)
}

// telling is what the provider says of a job at one time.
type telling struct {
	job         Job
	events      []JobEvent
	checkpoints []Checkpoint
}

// ask reads the job first: what it tells of its end, the events of before are
// there.
func (t *Trainer) ask(ctx context.Context, jobID string) (told telling, err error) {
	if told.job, err = t.Provider.Job(ctx, jobID); err != nil {
		return told, err
	}
	if told.events, err = t.Provider.Events(ctx, jobID); err != nil {
		return told, err
	}
	told.checkpoints, err = t.Provider.Checkpoints(ctx, jobID)
	return told, err
}

// record sends what is not known, in the order of time, the state at the end.
func (t *Trainer) record(ctx context.Context, run Run, told telling, known map[string]bool, withEnd bool) (Run, error) {
	now := t.Clock.Now()
	var events []lake.Event
	for _, e := range told.events {
		events = append(events, run.jobEvent(e, now))
	}
	for _, c := range told.checkpoints {
		metrics := string(c.Metrics)
		events = append(events, run.event(timeOr(c.Time, now), lake.TrainingRun{Checkpoint: c.Model, Step: c.Step, Metrics: metrics}, "checkpoint", c.ID))
	}
	slices.SortStableFunc(events, func(a, b lake.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	latest := run.UpdatedAt
	if n := len(events); n > 0 && events[n-1].Time.After(latest) {
		latest = events[n-1].Time
	}
	final := IsFinal(told.job.State)
	if !final || withEnd {
		state, err := t.state(run, told.job, now, latest)
		if err != nil {
			return run, err
		}
		events = append(events, state)
	}
	events = slices.DeleteFunc(events, func(e lake.Event) bool { return known[e.ID] })
	if len(events) > 0 {
		if err := t.Send(ctx, events...); err != nil {
			return run, err
		}
	}
	for _, e := range events {
		known[e.ID] = true
		if change, ok := e.Data.(*lake.TrainingRun); ok && change.Checkpoint != "" {
			run.Checkpoints++
		}
		if e.Time.After(run.UpdatedAt) {
			run.UpdatedAt = e.Time
		}
	}
	run.Events += int64(len(events))
	if !final || withEnd {
		run.State, run.Error, run.ResultModel = told.job.State, told.job.Error, told.job.ResultModel
		run.TrainedTokens, run.CostUSD, run.DurationS = told.job.TrainedTokens, t.cost(told.job), duration(told.job)
	}
	return run, nil
}

// jobEvent keeps all that the provider says: metrics as they are, words beside
// them.
func (r Run) jobEvent(e JobEvent, now time.Time) lake.Event {
	change := lake.TrainingRun{Step: e.Step, Metrics: string(e.Data)}
	if e.Level == "error" {
		change.Error = e.Message
	}
	if e.Message != "" {
		words := map[string]any{"level": e.Level, "message": e.Message}
		if len(e.Data) > 0 {
			words["data"] = e.Data
		}
		// A map of strings and valid JSON: where it is not valid, the words stay.
		if text, err := json.Marshal(words); err == nil {
			change.Metrics = string(text)
		}
	}
	return r.event(timeOr(e.Time, now), change, "event", e.ID)
}

// state is the event of the job's state. A status is recorded once: what a
// paused job returns to was recorded before.
func (t *Trainer) state(run Run, job Job, now, latest time.Time) (lake.Event, error) {
	status, err := json.Marshal(map[string]string{"status": job.Status})
	if err != nil {
		return lake.Event{}, err
	}
	at := now
	if IsFinal(job.State) {
		at = timeOr(job.FinishedAt, now)
	}
	change := lake.TrainingRun{
		State: job.State, Metrics: string(status), Error: job.Error, ResultModel: job.ResultModel,
		TrainedTokens: job.TrainedTokens, CostUSD: t.cost(job), DurationS: duration(job),
	}
	return run.event(after(latest, at), change, "state", job.Status), nil
}

// cost is what the provider says, or what its tokens come to.
func (t *Trainer) cost(job Job) *float64 {
	if job.CostUSD != nil {
		return job.CostUSD
	}
	if t.Price == nil || job.TrainedTokens == nil {
		return nil
	}
	usd := float64(*job.TrainedTokens) * *t.Price / 1e6
	return &usd
}

func duration(job Job) *float64 {
	if job.CreatedAt.IsZero() || job.FinishedAt.IsZero() {
		return nil
	}
	s := job.FinishedAt.Sub(job.CreatedAt).Seconds()
	return &s
}

// after is a time, or just after all that is on record, whichever is later: the
// latest state is the run's, and the provider's clock is not ours.
func after(latest, at time.Time) time.Time {
	if at.After(latest) {
		return at
	}
	return latest.Add(time.Microsecond)
}

func timeOr(at, now time.Time) time.Time {
	if at.IsZero() {
		return now
	}
	return at
}
