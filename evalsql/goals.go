package evalsql

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

//go:embed goals.yaml
var defaultGoals []byte

// Goal is a bound that a metric of analysis.metrics is to keep.
type Goal struct {
	Metric  string   `yaml:"metric" json:"metric"`
	AtLeast *float64 `yaml:"at_least" json:"at_least,omitempty"` // either this
	AtMost  *float64 `yaml:"at_most" json:"at_most,omitempty"`   // or that
	Doc     string   `yaml:"doc" json:"doc,omitempty"`
}

// DefaultGoals gives the YAML that weir brings, with its comments.
func DefaultGoals() []byte { return bytes.Clone(defaultGoals) }

// ParseGoals reads goals and checks them: each metric once, with one bound.
func ParseGoals(text []byte) ([]Goal, error) {
	var file struct {
		Goals []Goal `yaml:"goals"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, fmt.Errorf("goals: %w", err)
	}
	if len(file.Goals) == 0 {
		return nil, errors.New("goals: none given")
	}
	seen := map[string]bool{}
	for _, goal := range file.Goals {
		if goal.Metric == "" || seen[goal.Metric] || (goal.AtLeast == nil) == (goal.AtMost == nil) {
			return nil, fmt.Errorf("goals: %q: a metric of its own, and either at_least or at_most, are needed", goal.Metric)
		}
		seen[goal.Metric] = true
	}
	return file.Goals, nil
}

// GoalsEvent makes the event that sets goals from now on, in place of all others.
func GoalsEvent(goals []Goal, now time.Time) (lake.Event, error) {
	content, err := json.Marshal(goals)
	if err != nil {
		return lake.Event{}, err
	}
	// The time is part of the id: to go back to earlier goals is an event, too.
	return lake.ConfigEvent("weir://goals", "goals", "goals", content, now, now.UTC().Format(time.RFC3339Nano)), nil
}

// goals makes analysis.goals. It is a step in Go so that the defaults stand in
// one place, the YAML file that people edit a copy of.
var goals = derive.Step{
	Name:    "analysis.goals",
	Doc:     "What the metrics are held to: goals.yaml, or what the latest config event (kind goals) says",
	Grain:   "one row per goal",
	Key:     []string{"metric"},
	Inputs:  []string{"curated.configs"},
	Version: "1/" + goalsVersion(),
	Columns: []lake.Column{
		{Name: "metric", Type: lake.Varchar, Doc: "metric of analysis.metrics"},
		{Name: "doc", Type: lake.Varchar, Doc: "what it counts"},
		{Name: "at_least", Type: lake.Double, Doc: "lower bound; null: the goal is an upper one"},
		{Name: "at_most", Type: lake.Double, Doc: "upper bound; null: the goal is a lower one"},
	},
	Run: runGoals,
}

// goalsVersion changes with the file: then the table is computed again.
func goalsVersion() string {
	sum := sha256.Sum256(defaultGoals)
	return hex.EncodeToString(sum[:6])
}

func runGoals(ctx context.Context, session *duck.Session, into string) error {
	goals, err := ParseGoals(defaultGoals)
	if err != nil {
		return fmt.Errorf("analysis.goals: %w", err)
	}
	latest, err := session.Strings(ctx, "select content from curated.configs where kind = 'goals' and content is not null order by occurred_at desc, event_id desc limit 1")
	if err != nil {
		return fmt.Errorf("analysis.goals: %w", err)
	}
	if len(latest) > 0 {
		goals = nil
		if err := json.Unmarshal([]byte(latest[0]), &goals); err != nil {
			return lake.WithHint(fmt.Errorf("analysis.goals: the latest config event of kind goals: %w", err), "append a sound one: weir goals set FILE")
		}
	}
	text, err := json.Marshal(goals)
	if err != nil {
		return err
	}
	return session.Exec(ctx, "create table "+into+` as
		select unnest(from_json(?, '[{"metric":"VARCHAR","doc":"VARCHAR","at_least":"DOUBLE","at_most":"DOUBLE"}]'), max_depth := 2)`, string(text))
}
