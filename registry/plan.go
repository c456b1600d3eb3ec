package registry

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
)

//go:embed runs.yaml
var exampleRuns []byte

// ExampleRuns is a runs.yaml with comments: the three runs of weir's own plan.
func ExampleRuns() []byte { return slices.Clone(exampleRuns) }

// Planned is a run of runs.yaml.
type Planned struct {
	Name     string   `yaml:"name" json:"name"`
	Model    string   `yaml:"model" json:"model"` // base model
	Provider string   `yaml:"provider" json:"provider,omitempty"`
	Dataset  string   `yaml:"dataset" json:"dataset,omitempty"`
	Method   string   `yaml:"method" json:"method,omitempty"`
	Phase    string   `yaml:"phase" json:"phase,omitempty"`
	Examples *int64   `yaml:"examples" json:"examples,omitempty"`
	Hours    *float64 `yaml:"hours" json:"hours,omitempty"`
	CostUSD  *float64 `yaml:"cost_usd" json:"cost_usd,omitempty"`
	GPU      string   `yaml:"gpu" json:"gpu,omitempty"` // as the price table calls it
	GPUs     int64    `yaml:"gpus" json:"gpus,omitempty"`
	// GPUHourUSD is the price of one GPU for an hour.
	GPUHourUSD *float64 `yaml:"gpu_hour_usd" json:"gpu_hour_usd,omitempty"`
}

// ParseRuns reads a runs.yaml. Unknown keys, names that are there twice and
// numbers below 0 are errors. GPUHour gives the price of a GPU for an hour at a
// provider (empty: any), for runs that name a GPU and no price; it may be nil.
func ParseRuns(text []byte, gpuHour func(provider, gpu string) (usd float64, ok bool)) ([]Planned, error) {
	var file struct {
		Runs []Planned `yaml:"runs"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("runs: %w", err)
	}
	seen := map[string]bool{}
	for i := range file.Runs {
		p := &file.Runs[i]
		if p.Name == "" || p.Model == "" || seen[p.Name] {
			return nil, fmt.Errorf("runs: runs[%d] %q: a name of its own and a model are needed", i, p.Name)
		}
		seen[p.Name] = true
		for key, n := range map[string]*float64{"hours": p.Hours, "cost_usd": p.CostUSD, "gpu_hour_usd": p.GPUHourUSD} {
			if n != nil && *n < 0 {
				return nil, fmt.Errorf("runs: run %q: %s: want 0 or more", p.Name, key)
			}
		}
		if p.GPUs < 0 || p.Examples != nil && *p.Examples < 0 {
			return nil, fmt.Errorf("runs: run %q: gpus and examples: want 0 or more", p.Name)
		}
		if err := p.price(gpuHour); err != nil {
			return nil, err
		}
	}
	return file.Runs, nil
}

// price fills in the cost of a run that names GPUs and none.
func (p *Planned) price(gpuHour func(provider, gpu string) (float64, bool)) error {
	if p.CostUSD != nil || p.Hours == nil || p.GPUHourUSD == nil && p.GPU == "" {
		return nil
	}
	hour := p.GPUHourUSD
	if hour == nil {
		known := false
		var usd float64
		if gpuHour != nil {
			usd, known = gpuHour(p.Provider, p.GPU)
		}
		if !known {
			return lake.WithHint(fmt.Errorf("runs: run %q: the price of an hour of GPU %q is not known", p.Name, p.GPU), "give gpu_hour_usd or cost_usd, or --prices FILE")
		}
		hour = &usd
	}
	usd := *p.Hours * float64(max(p.GPUs, 1)) * *hour
	p.CostUSD = &usd
	return nil
}

// Change is what PlanRuns did with a run of the file.
type Change struct {
	Name string `json:"name"`
	What string `json:"what"` // added, changed, unchanged or withdrawn
}

// PlanRuns puts planned runs on record: each that is new or has changed, and
// that one is withdrawn which the list no longer has. The same list twice sends
// nothing the second time.
func PlanRuns(ctx context.Context, lk *lake.Lake, send Send, runs []Planned, at time.Time) ([]Change, error) {
	changes, err := planRuns(ctx, lk, send, runs, at)
	if err != nil {
		return nil, fmt.Errorf("train plan: %w", err)
	}
	return changes, nil
}

// onRecord is the latest that the lake has of a planned run.
type onRecord struct{ eventID, state, config string }

func planRuns(ctx context.Context, lk *lake.Lake, send Send, runs []Planned, at time.Time) ([]Change, error) {
	known, latest, err := plansOnRecord(ctx, lk)
	if err != nil {
		return nil, err
	}
	at = at.UTC().Truncate(time.Microsecond)
	if !at.After(latest) { // later than what it changes, whatever this machine's clock says
		at = latest.Add(time.Microsecond)
	}
	changes := []Change{}
	var events []lake.Event
	for _, p := range runs {
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		before, ok := known[p.Name]
		change := Change{Name: p.Name, What: "added"}
		switch {
		case ok && before.state == "planned" && before.config == string(text):
			change.What = "unchanged"
		case ok && before.state == "planned":
			change.What = "changed"
		}
		changes = append(changes, change)
		if change.What != "unchanged" {
			events = append(events, p.event(at, "planned", string(text), before.eventID))
		}
	}
	var gone []string
	for name, before := range known {
		if before.state == "planned" && !slices.ContainsFunc(runs, func(p Planned) bool { return p.Name == name }) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		changes = append(changes, Change{Name: name, What: "withdrawn"})
		events = append(events, Planned{Name: name}.event(at, "cancelled", known[name].config, known[name].eventID))
	}
	if len(events) == 0 {
		return changes, nil
	}
	return changes, send(ctx, events...)
}

// event is the run's. Its id follows from what it says and what it follows on: a
// plan that returns to what it was is another event.
func (p Planned) event(at time.Time, state, config, before string) lake.Event {
	change := &lake.TrainingRun{
		RunID: "plan:" + p.Name, Plan: p.Name, Provider: p.Provider, BaseModel: p.Model, Dataset: p.Dataset, Method: p.Method, Phase: p.Phase,
		State: state, Config: config, PlannedExamples: p.Examples, PlannedCostUSD: p.CostUSD,
	}
	if p.Hours != nil {
		seconds := *p.Hours * 3600
		change.PlannedDurationS = &seconds
	}
	return lake.Event{
		ID:     lake.StableID("training-plan", p.Name, state, config, before),
		Source: "weir://train/plan", Type: "weir.training.state.v1", Subject: "training:plan:" + p.Name, Time: at, Data: change,
	}
}

// plansOnRecord gives the latest of each planned run, and the time of the last.
func plansOnRecord(ctx context.Context, lk *lake.Lake) (_ map[string]onRecord, latest time.Time, err error) {
	session, err := Open(ctx, lk)
	if err != nil {
		return nil, latest, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	rows, err := session.DB().QueryContext(ctx, `
select plan, arg_max(event_id, (occurred_at, event_id)), arg_max(state, (occurred_at, event_id)), coalesce(arg_max(config, (occurred_at, event_id)), ''), max(occurred_at)

from curated.training

where run_id = 'plan:' || plan

group by plan`)
	if err != nil {
		return nil, latest, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	known := map[string]onRecord{}
	for rows.Next() {
		var name string
		var last onRecord
		var at time.Time
		if err := rows.Scan(&name, &last.eventID, &last.state, &last.config, &at); err != nil {
			return nil, latest, err
		}
		known[name] = last
		if at.After(latest) {
			latest = at
		}
	}
	return known, latest.UTC(), rows.Err()
}
