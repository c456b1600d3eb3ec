package dataset

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

//go:embed select.sql
var selectSQL string

// Plan is what a mixture takes from a lake, and what it lacks. It bears no
// clock: the same tables and mixture give the same plan.
type Plan struct {
	Dataset     string       `json:"dataset"`
	Phase       string       `json:"phase,omitempty"`
	Knowledge   []string     `json:"knowledge,omitempty"` // sections that the phase is about
	ContentHash string       `json:"content_hash"`        // sha256 over the members' ids, contents and sides, by id
	Targets     []TargetPlan `json:"targets"`
	Wanted      int64        `json:"wanted"`
	Selected    int64        `json:"selected"`
	Shortfall   int64        `json:"shortfall"`
	Rows        []Row        `json:"-"` // in the order of targets and places
}

// TargetPlan is how a target is met: wanted = selected + shortfall.
type TargetPlan struct {
	Target     string  `json:"target"`
	Wanted     int64   `json:"wanted"`
	Available  int64   `json:"available"`
	Selected   int64   `json:"selected"`
	Shortfall  int64   `json:"shortfall"`
	Groups     int64   `json:"groups"` // split groups that the selected are of
	Validation int64   `json:"validation"`
	LeastScore float64 `json:"least_score"` // of success_score, 0 to 1; 0 where nothing is selected
	MeanScore  float64 `json:"mean_score"`
}

// Row is a selected example.
type Row struct {
	Target      string  `json:"target"`
	Place       int64   `json:"place"` // from 1, the best first
	ExampleID   string  `json:"example_id"`
	ContentHash string  `json:"content_hash"`
	SubjectID   string  `json:"subject_id"`
	GroupID     string  `json:"group_id"`
	Split       string  `json:"split"`
	Score       float64 `json:"success_score"`
}

// MakePlan selects for a mixture from the tables as they stand. Phase is one
// of the mixture's, or empty for the mixture's own counts.
func MakePlan(ctx context.Context, lk *lake.Lake, mix Mix, phase string, opts duck.Options) (Plan, error) {
	s := selection{mix: mix, sides: sides}
	if phase != "" {
		p, ok := mix.Phase(phase)
		if !ok {
			return Plan{}, fmt.Errorf("mix %s: no phase %q", mix.Name, phase)
		}
		s.mix, s.knowledge = mix.Sized(p.Size), p.Knowledge
	}
	session, versions, err := duck.OpenLake(ctx, lk, opts)
	if err != nil {
		return Plan{}, err
	}
	defer session.Close()
	if err := need(lk, versions, selectTables); err != nil {
		return Plan{}, err
	}
	return makePlan(ctx, session, s, phase)
}

// selectTables are what select.sql reads.
var selectTables = []string{"curated.funnel", "curated.example_keys", "curated.splits", "curated.quality", "curated.generated", "curated.knowledge",
	"curated.review_decisions"}

func need(lk *lake.Lake, versions map[string]int64, tables []string) error {
	for _, table := range tables {
		if _, ok := versions[table]; !ok {
			return lake.WithHint(fmt.Errorf("dataset: %s: %w", table, lake.ErrNoTable), "weir transform --lake "+lk.Dir())
		}
	}
	return nil
}

func makePlan(ctx context.Context, session *duck.Session, s selection, phase string) (Plan, error) {
	plan := Plan{Dataset: s.mix.Name, Phase: phase, Knowledge: s.knowledge, Targets: []TargetPlan{}}
	if err := plan.selectRows(ctx, session, s); err != nil {
		return Plan{}, fmt.Errorf("dataset %s: %w", s.mix.Name, err)
	}
	if s.all {
		plan.Targets[0].Wanted = plan.Targets[0].Available
	}
	plan.finish()
	return plan, nil
}

func (p *Plan) selectRows(ctx context.Context, session *duck.Session, s selection) error {
	type target struct {
		No int `json:"no"`
		Target
	}
	var targets []target
	for i, t := range s.mix.Targets {
		// Lists of JSON null would be null in SQL, and match nothing.
		t.Sources, t.TaskTypes = append([]string{}, t.Sources...), append([]string{}, t.TaskTypes...)
		targets = append(targets, target{No: i, Target: t})
		p.Targets = append(p.Targets, TargetPlan{Target: t.Name, Wanted: t.Count})
	}
	text, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	kinds := []string{} // any
	if !slices.Contains(s.knowledge, AllKnowledge) {
		kinds = append(kinds, s.knowledge...)
	}
	rule, err := json.Marshal(struct {
		Filter
		Sources   []string `json:"sources"`
		TaskTypes []string `json:"task_types"`
		Sides     []string `json:"sides"`
		Kinds     []string `json:"kinds"`
	}{s.filter, append([]string{}, s.filter.Sources...), append([]string{}, s.filter.TaskTypes...), s.sides, kinds})
	if err != nil {
		return err
	}
	rows, err := session.DB().QueryContext(ctx, selectSQL, string(rule), string(text))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Row
		var no int
		var available int64
		if err := rows.Scan(&no, &r.Target, &r.Place, &available, &r.ExampleID, &r.SubjectID, &r.ContentHash, &r.Split, &r.GroupID, &r.Score); err != nil {
			return err
		}
		p.Targets[no].Available = available
		if r.Place <= p.Targets[no].Wanted { // the first row stands there for its number alone
			p.Rows = append(p.Rows, r)
		}
	}
	return rows.Err()
}

// finish fills in what follows from the rows.
func (p *Plan) finish() {
	for i := range p.Targets {
		t := &p.Targets[i]
		groups := map[string]bool{}
		var sum float64
		for _, r := range p.Rows {
			if r.Target != t.Target {
				continue
			}
			if t.Selected == 0 || r.Score < t.LeastScore {
				t.LeastScore = r.Score
			}
			t.Selected++
			sum += r.Score
			groups[r.GroupID] = true
			if r.Split == "validation" {
				t.Validation++
			}
		}
		t.Groups = int64(len(groups))
		t.Shortfall = t.Wanted - t.Selected
		if t.Selected > 0 {
			t.MeanScore = sum / float64(t.Selected)
		}
		p.Wanted += t.Wanted
		p.Selected += t.Selected
		p.Shortfall += t.Shortfall
	}
	hash := lake.NewMemberHash()
	for _, m := range p.Members() {
		hash.Add(m)
	}
	p.ContentHash = hash.String()
}

// Members are the selected examples as a dataset version freezes them, by id.
func (p *Plan) Members() []lake.DatasetMember {
	members := make([]lake.DatasetMember, len(p.Rows))
	for i, r := range p.Rows {
		members[i] = lake.DatasetMember{
			ExampleID: r.ExampleID, ContentHash: r.ContentHash, SubjectID: r.SubjectID, Side: r.Split,
			Target: r.Target, Place: r.Place, GroupID: r.GroupID, SuccessScore: &r.Score,
		}
	}
	slices.SortFunc(members, func(a, b lake.DatasetMember) int { return strings.Compare(a.ExampleID, b.ExampleID) })
	return members
}
