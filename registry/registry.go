// Package registry keeps the models that training runs have made: what each was
// made from, at what price, and what was decided on it (Models, Promote, Retire).
// It plans runs (PlanRuns), says where weights lie and how long (Keep, Artifacts),
// and writes a model as a folder that another system installs (registry/bundle).
//
// There is no registry besides the lake's events. A decision is an event; the
// registry is curated.models, whose SQL runs here on the events as they stand
// now: nobody has to build tables to see what was just decided. What taints a
// model by the split is as the last weir transform found it.
package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// Model is a row of curated.models: a training run and what came of it.
type Model struct {
	RunID          string          `json:"run_id"`
	JobID          string          `json:"job_id,omitempty"`
	Provider       string          `json:"provider"`
	BaseModel      string          `json:"base_model"`
	ResultModel    string          `json:"result_model,omitempty"` // as its calls name it; empty: none came out yet
	Dataset        string          `json:"dataset"`
	DatasetVersion string          `json:"dataset_version"`
	DatasetHash    string          `json:"dataset_hash,omitempty"`
	ExportHash     string          `json:"export_hash,omitempty"`
	DistillHash    string          `json:"distill_hash,omitempty"`
	Method         string          `json:"method"`
	Phase          string          `json:"phase,omitempty"`
	Plan           string          `json:"plan,omitempty"`
	Status         string          `json:"status"`
	Standing       string          `json:"standing"` // promoted, superseded, retired, candidate or none
	Aliases        []string        `json:"aliases"`
	Reason         string          `json:"decision_reason,omitempty"`
	DecidedBy      string          `json:"decided_by,omitempty"`
	Taints         []string        `json:"taints"`
	Config         json.RawMessage `json:"config,omitempty"`
	Metrics        json.RawMessage `json:"metrics,omitempty"` // by name: last, best, best_step
	Error          string          `json:"error,omitempty"`
	LastCheckpoint string          `json:"last_checkpoint,omitempty"`
	Weights        string          `json:"weights,omitempty"`
	WeightsHash    string          `json:"weights_hash,omitempty"`
	WeightsBytes   *int64          `json:"weights_bytes,omitempty"`
	KeepUntil      *time.Time      `json:"keep_until,omitempty"`
	Examples       *int64          `json:"example_count,omitempty"`
	TrainedTokens  *int64          `json:"trained_tokens,omitempty"`
	Checkpoints    int64           `json:"checkpoint_count"`
	EvalResults    int64           `json:"eval_result_count"`
	EvalPassed     int64           `json:"eval_passed_count"`
	FinalLoss      *float64        `json:"final_loss,omitempty"`
	BestEvalLoss   *float64        `json:"best_eval_loss,omitempty"`
	CostUSD        *float64        `json:"cost_usd,omitempty"`
	DurationS      *float64        `json:"duration_s,omitempty"`
	PlannedAt      *time.Time      `json:"planned_at,omitempty"`
	StartedAt      *time.Time      `json:"started_at,omitempty"`
	FinishedAt     *time.Time      `json:"finished_at,omitempty"`
	DecidedAt      *time.Time      `json:"decided_at,omitempty"`
}

// Name is what people call the model: its id at the provider, else its run's.
func (m Model) Name() string {
	if m.ResultModel != "" {
		return m.ResultModel
	}
	return m.RunID
}

// live are the curated tables that are read from the events as they are now.
var live = []string{
	"curated.training", "curated.model_decisions", "curated.dataset_versions", "curated.dataset_members", "curated.results", "curated.models",
}

// built are those that are read as they were built; empty, where they were not.
var built = []string{
	"curated.erased", "curated.tainted_models", "curated.examples", "curated.example_keys", "curated.funnel", "curated.lineage",
}

// Open opens a session in which the registry and what it is made of stand as
// the events have them now. Of the other derived tables those that lineage asks
// are as they were built, or empty.
func Open(ctx context.Context, lk *lake.Lake) (*duck.Session, error) {
	session, pinned, err := duck.OpenLake(ctx, lk, duck.Options{Threads: 2})
	if err != nil {
		return nil, err
	}
	if err := register(ctx, lk, session, pinned); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return session, nil
}

func register(ctx context.Context, lk *lake.Lake, session *duck.Session, versions map[string]int64) error {
	tables, err := transforms.Tables(lk.ErasureKey())
	if err != nil {
		return err
	}
	byName := map[string]*derive.Table{}
	for _, table := range tables {
		byName[table.Name] = table
	}
	for _, name := range built {
		if _, ok := versions[name]; ok {
			continue
		}
		if err := session.RegisterQuery(ctx, name, duck.EmptySelect(byName[name].Columns)); err != nil {
			return err
		}
	}
	for _, name := range live {
		if err := session.RegisterQuery(ctx, name, byName[name].SQL()); err != nil {
			return err
		}
	}
	return nil
}

// Models lists the registry, the oldest run first.
func Models(ctx context.Context, lk *lake.Lake) (_ []Model, err error) {
	session, err := Open(ctx, lk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	models, err := read(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return models, nil
}

func read(ctx context.Context, session *duck.Session) (_ []Model, err error) {
	rows, err := session.DB().QueryContext(ctx, `
select
    run_id, coalesce(job_id, ''), coalesce(provider, ''), coalesce(base_model, ''), coalesce(result_model, ''),
    coalesce(dataset, ''), coalesce(dataset_version, ''), coalesce(dataset_hash, ''), coalesce(export_hash, ''), coalesce(distill_hash, ''),
    coalesce(method, ''), coalesce(phase, ''), coalesce(plan, ''), coalesce(status, ''), standing,
    to_json(aliases)::varchar, coalesce(decision_reason, ''), coalesce(decided_by, ''), to_json(taints)::varchar,
    coalesce(config, ''), coalesce(metrics, ''), coalesce(error, ''), coalesce(last_checkpoint, ''), coalesce(weights, ''), coalesce(weights_hash, ''),
    weights_bytes, keep_until, example_count, trained_tokens, checkpoint_count, eval_result_count, eval_passed_count,
    final_loss, best_eval_loss, cost_usd, duration_s, planned_at, started_at, finished_at, decided_at,

from curated.models

order by planned_at, run_id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	models := []Model{}
	for rows.Next() {
		var m Model
		var aliases, taints, config, metrics string
		var keep, planned, started, finished, decided sql.NullTime
		if err := rows.Scan(&m.RunID, &m.JobID, &m.Provider, &m.BaseModel, &m.ResultModel,
			&m.Dataset, &m.DatasetVersion, &m.DatasetHash, &m.ExportHash, &m.DistillHash,
			&m.Method, &m.Phase, &m.Plan, &m.Status, &m.Standing,
			&aliases, &m.Reason, &m.DecidedBy, &taints,
			&config, &metrics, &m.Error, &m.LastCheckpoint, &m.Weights, &m.WeightsHash,
			&m.WeightsBytes, &keep, &m.Examples, &m.TrainedTokens, &m.Checkpoints, &m.EvalResults, &m.EvalPassed,
			&m.FinalLoss, &m.BestEvalLoss, &m.CostUSD, &m.DurationS, &planned, &started, &finished, &decided); err != nil {
			return nil, err
		}
		if err := errors.Join(json.Unmarshal([]byte(aliases), &m.Aliases), json.Unmarshal([]byte(taints), &m.Taints)); err != nil {
			return nil, err
		}
		m.Config, m.Metrics = rawJSON(config), rawJSON(metrics)
		m.KeepUntil, m.PlannedAt, m.StartedAt = timeOf(keep), timeOf(planned), timeOf(started)
		m.FinishedAt, m.DecidedAt = timeOf(finished), timeOf(decided)
		models = append(models, m)
	}
	return models, rows.Err()
}

// rawJSON is a text that should be JSON; what others recorded need not be.
func rawJSON(text string) json.RawMessage {
	switch {
	case text == "":
		return nil
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil // a string always can be
	}
	return quoted
}

func timeOf(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time.UTC()
	return &at
}

// Errors of Find.
var (
	ErrNoModel   = errors.New("no such model in the registry")
	ErrAmbiguous = errors.New("several models are called so")
)

// Find gives a model by an alias that it bears, its own name, or its run's or
// job's id; of the ids a beginning of 6 characters is enough where it is the only
// one.
func Find(ctx context.Context, lk *lake.Lake, name string) (Model, error) {
	models, err := Models(ctx, lk)
	if err != nil {
		return Model{}, err
	}
	return find(models, name)
}

func find(models []Model, name string) (Model, error) {
	matches := []func(Model) bool{
		func(m Model) bool { return slices.Contains(m.Aliases, name) },
		func(m Model) bool { return m.RunID == name || m.JobID == name },
		func(m Model) bool { return m.ResultModel == name },
		func(m Model) bool { return len(name) >= 6 && strings.HasPrefix(m.RunID, name) },
	}
	for _, match := range matches {
		if name == "" {
			break
		}
		var found []Model
		for _, m := range models {
			if match(m) {
				found = append(found, m)
			}
		}
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			var runs []string
			for _, m := range found {
				runs = append(runs, m.RunID)
			}
			return Model{}, lake.WithHint(fmt.Errorf("model %q: %w: runs %s", name, ErrAmbiguous, strings.Join(runs, ", ")), "name the run")
		}
	}
	return Model{}, lake.WithHint(fmt.Errorf("model %q: %w", name, ErrNoModel), "weir model list")
}
