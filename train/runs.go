package train

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Run is a training run as the lake's events tell it.
type Run struct {
	RunID          string    `json:"run_id"`
	JobID          string    `json:"job_id,omitempty"`
	Provider       string    `json:"provider"`
	BaseModel      string    `json:"base_model"`
	ResultModel    string    `json:"result_model,omitempty"`
	Dataset        string    `json:"dataset"`
	DatasetVersion string    `json:"dataset_version"`
	DatasetHash    string    `json:"dataset_hash"`
	Method         string    `json:"method"`
	Phase          string    `json:"phase,omitempty"`
	Plan           string    `json:"plan,omitempty"`         // planned run that it carries out, or is
	ExportHash     string    `json:"export_hash,omitempty"`  // of the files that are trained on
	DistillHash    string    `json:"distill_hash,omitempty"` // of the rules that they were distilled by
	State          string    `json:"state"`
	Config         string    `json:"config,omitempty"` // JSON
	Error          string    `json:"error,omitempty"`
	TrainedTokens  *int64    `json:"trained_tokens,omitempty"`
	CostUSD        *float64  `json:"cost_usd,omitempty"`
	DurationS      *float64  `json:"duration_s,omitempty"`
	PlannedUSD     *float64  `json:"planned_cost_usd,omitempty"` // of a run that is only planned: see PlanRuns
	Events         int64     `json:"events"`                     // on record, checkpoints and states included
	Checkpoints    int64     `json:"checkpoints"`                // on record
	PlannedAt      time.Time `json:"planned_at"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// stateEvent is the type of all events of a run.
const stateEvent = "weir.training.state.v1"

// A run's last word is its final state, whenever its clock says it was; before
// that the latest. An event's error is not yet the run's. Runs that others
// recorded may have no run_id.
const runsQuery = `
with changes as (
    select
        *, coalesce(run_id, job_id, subject) as the_run,
        (coalesce(state, '') in ('succeeded', 'failed', 'cancelled'), time, id) as place,

    from (select distinct on (id) * from events.training_runs order by id, parser_version desc, kafka_cluster, kafka_partition, kafka_offset)
)

select
    the_run, coalesce(arg_max(job_id, place), ''), coalesce(arg_max(provider, place), ''), coalesce(arg_max(base_model, place), ''),
    coalesce(arg_max(result_model, place), ''), coalesce(arg_max(dataset, place), ''), coalesce(arg_max(dataset_version, place), ''),
    coalesce(arg_max(dataset_hash, place), ''), coalesce(arg_max(method, place), ''), coalesce(arg_max(phase, place), ''),
    coalesce(arg_max(state, place), ''), coalesce(arg_max(config, place), ''), coalesce(arg_max(error, place) filter (where state is not null), ''),
    coalesce(arg_max(plan, place), ''), coalesce(arg_max(export_hash, place), ''), coalesce(arg_max(distill_hash, place), ''),
    arg_max(trained_tokens, place), arg_max(cost_usd, place), arg_max(duration_s, place), arg_max(planned_cost_usd, place),
    count(*), count(checkpoint), min(time), max(time),

from changes

group by the_run

order by min(time), the_run`

// Runs lists the runs that the lake has on record, the oldest first.
func Runs(ctx context.Context, lk *lake.Lake) (_ []Run, err error) {
	runs := []Run{}
	err = inLake(ctx, lk, func(session *duck.Session) error {
		rows, err := session.DB().QueryContext(ctx, runsQuery)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r Run
			var tokens sql.NullInt64
			var cost, took, planned sql.NullFloat64
			if err := rows.Scan(&r.RunID, &r.JobID, &r.Provider, &r.BaseModel, &r.ResultModel, &r.Dataset, &r.DatasetVersion, &r.DatasetHash,
				&r.Method, &r.Phase, &r.State, &r.Config, &r.Error, &r.Plan, &r.ExportHash, &r.DistillHash, &tokens, &cost, &took, &planned, &r.Events, &r.Checkpoints, &r.PlannedAt, &r.UpdatedAt); err != nil {
				return err
			}
			if tokens.Valid {
				r.TrainedTokens = &tokens.Int64
			}
			if cost.Valid {
				r.CostUSD = &cost.Float64
			}
			if took.Valid {
				r.DurationS = &took.Float64
			}
			if planned.Valid {
				r.PlannedUSD = &planned.Float64
			}
			r.PlannedAt, r.UpdatedAt = r.PlannedAt.UTC(), r.UpdatedAt.UTC()
			runs = append(runs, r)
		}
		return rows.Err()
	})
	return runs, err
}

// ErrNoRun says that the lake knows no such run.
var ErrNoRun = errors.New("no such training run in the lake")

// Find gives a run by its id, or by its provider's job id.
func Find(ctx context.Context, lk *lake.Lake, id string) (Run, error) {
	runs, err := Runs(ctx, lk)
	if err != nil {
		return Run{}, err
	}
	for _, r := range runs {
		if r.RunID == id || r.JobID == id {
			return r, nil
		}
	}
	return Run{}, lake.WithHint(fmt.Errorf("train: %s: %w", id, ErrNoRun), "weir train list")
}

// recorded are the ids of a run's events that the lake has.
func recorded(ctx context.Context, lk *lake.Lake, runID string) (map[string]bool, error) {
	ids := map[string]bool{}
	err := inLake(ctx, lk, func(session *duck.Session) error {
		found, err := session.Strings(ctx, "select distinct id from events.training_runs where run_id = ?", runID)
		for _, id := range found {
			ids[id] = true
		}
		return err
	})
	return ids, err
}

// inLake reads the one table that runs are told by. Attaching the whole lake
// would take longer than asking the provider.
func inLake(ctx context.Context, lk *lake.Lake, read func(*duck.Session) error) (err error) {
	session, err := duck.Open(ctx, duck.Options{Threads: 1, TempDir: lk.TempDir()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	payload, ok := lake.PayloadOf(stateEvent)
	if !ok {
		return fmt.Errorf("no event type %s", stateEvent)
	}
	snapshot, err := duck.Moment{}.Snapshot(ctx, lk, payload.Table)
	switch {
	case errors.Is(err, lake.ErrNoTable):
		err = session.RegisterQuery(ctx, payload.Table, duck.EmptySelect(payload.Columns()))
	case err == nil:
		err = session.Register(ctx, lk.Dir(), snapshot)
	}
	if err != nil {
		return err
	}
	return read(session)
}

// config is what a run's Config holds.
type config struct {
	Hyper
	EstimatedUSD *float64 `json:"estimated_usd,omitempty"`
}

// runID names the n-th run of what is trained on what: 16 hex digits.
func runID(provider string, p Plan, n int) (string, error) {
	hyper, err := json.Marshal(p.Hyper)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %q %q %q %q %s %d", provider, p.Dataset, p.DatasetVersion, p.Model, p.Method, hyper, n)))
	return hex.EncodeToString(sum[:8]), nil
}

// tag is how a run's name shows at the provider.
func tag(runID string) string { return "weir-" + runID[:8] }

// event is one of the run's, with what all of them bear. Its id follows from
// the run and the parts.
func (r Run) event(at time.Time, change lake.TrainingRun, parts ...string) lake.Event {
	change.RunID, change.JobID, change.Provider, change.BaseModel = r.RunID, r.JobID, r.Provider, r.BaseModel
	change.Dataset, change.DatasetVersion, change.DatasetHash = r.Dataset, r.DatasetVersion, r.DatasetHash
	change.Method, change.Phase, change.Plan = r.Method, r.Phase, r.Plan
	change.ExportHash, change.DistillHash = r.ExportHash, r.DistillHash
	return lake.Event{
		ID:     lake.StableID(append([]string{"training-run", r.RunID}, parts...)...),
		Source: "weir://train/" + r.Provider, Type: stateEvent, Subject: "training:" + r.RunID, Time: at.UTC(), Data: &change,
	}
}
