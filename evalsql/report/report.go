// Package report is the one page that a lead reads: what came in, what became
// of it, what it costs and which arm is better. It only reads finished tables;
// printing is the caller's. Start at Read.
package report

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Report is the state of a lake. Parts whose tables were not built are empty.
type Report struct {
	Versions map[string]int64 `json:"versions"` // of the tables that it was read from
	Events   []Family         `json:"events"`
	Fates    []Fate           `json:"fates"` // counts add up to the examples
	Leaks    *int64           `json:"leaks"` // links across the split; null: not built yet
	Arms     []Arm            `json:"arms"`
	Results  []Result         `json:"results"`
	Tests    []Test           `json:"tests"`
	Goals    []Goal           `json:"goals"`
}

// Family is an events table that has rows.
type Family struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Fate is a number of examples with one fate and one reason.
type Fate struct {
	Fate     string `json:"fate"`
	Reason   string `json:"reason,omitempty"`
	Examples int64  `json:"examples"`
}

// Metric is a number with what it rests on: N observations and a 95 % interval,
// where there is one.
type Metric struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	N        int64    `json:"n"`
	Warning  string   `json:"warning,omitempty"`
}

// Arm is what an arm of an experiment costs and how fast it is, in live traffic.
type Arm struct {
	Experiment string            `json:"experiment"`
	Arm        string            `json:"arm"`
	Metrics    map[string]Metric `json:"metrics"` // by metric of analysis.arm_costs and analysis.prompt_savings
}

// Result is one arm on one suite.
type Result struct {
	Experiment string `json:"experiment"`
	Suite      string `json:"suite"`
	Metric     string `json:"metric"`
	Arm        string `json:"arm"`
	Statistic  string `json:"statistic"` // pass_rate or mean_score
	Scenarios  int64  `json:"scenarios"`
	Errors     int64  `json:"errors"`
	Value      Metric `json:"value"`
	Difference Metric `json:"difference"` // to the control, over shared scenarios
}

// Test is how an arm of an A/B test does on one metric against its control, in
// live traffic, by unit of assignment.
type Test struct {
	Experiment  string   `json:"experiment"`
	Metric      string   `json:"metric"`
	Arm         string   `json:"arm"`
	Control     string   `json:"control_arm"`
	Verdict     string   `json:"verdict"`
	Allocation  string   `json:"allocation"` // as planned, mismatch or unknown
	N           int64    `json:"n"`          // units of the arm
	ControlN    int64    `json:"control_n"`
	UnitsNeeded *int64   `json:"units_needed"`
	ArmValue    *float64 `json:"arm_estimate"`
	Base        *float64 `json:"control_estimate"`
	Difference  Metric   `json:"difference"` // for one look
	Anytime     Metric   `json:"anytime"`    // the same, for every look
	P           *float64 `json:"holm_p_value"`
}

// Goal is a metric with what it is held to.
type Goal struct {
	Experiment  string   `json:"experiment"`
	Arm         string   `json:"arm"`
	Phase       string   `json:"phase"`
	Metric      string   `json:"metric"`
	Evidence    string   `json:"evidence"` // live or eval
	Verdict     string   `json:"verdict"`
	Numerator   *float64 `json:"numerator"`
	Denominator *float64 `json:"denominator"`
	AtLeast     *float64 `json:"at_least"`
	AtMost      *float64 `json:"at_most"`
	Value       Metric   `json:"value"`
}

const goalsQuery = `
	select experiment, arm, phase, metric, evidence, verdict, numerator, denominator, at_least, at_most, estimate, low, high, n, coalesce(warning, '')
	from analysis.metrics
	where verdict <> 'no goal'
	order by metric, experiment, arm`

//go:embed tests.sql
var testsSQL string

//go:embed arms.sql
var armsSQL string

//go:embed results.sql
var resultsSQL string

// Read reads the report from the lake as it is now.
func Read(ctx context.Context, lk *lake.Lake) (Report, error) {
	session, versions, err := duck.OpenLake(ctx, lk, duck.Options{})
	if err != nil {
		return Report{}, fmt.Errorf("report: %w", err)
	}
	defer session.Close()
	r := Report{Versions: versions}
	built := func(tables ...string) bool {
		for _, table := range tables {
			if _, ok := versions[table]; !ok {
				return false
			}
		}
		return true
	}
	if r.Events, err = readEvents(ctx, session, versions); err != nil {
		return Report{}, fmt.Errorf("report: events: %w", err)
	}
	if built("curated.funnel", "curated.leaks") {
		if err := r.readFates(ctx, session); err != nil {
			return Report{}, fmt.Errorf("report: fates: %w", err)
		}
	}
	if built("analysis.arm_costs", "analysis.prompt_savings") {
		if err := r.readArms(ctx, session); err != nil {
			return Report{}, fmt.Errorf("report: arms: %w", err)
		}
	}
	if built("analysis.arm_results", "analysis.arm_differences") {
		if err := r.readResults(ctx, session); err != nil {
			return Report{}, fmt.Errorf("report: results: %w", err)
		}
	}
	if built("analysis.experiment_differences", "analysis.experiment_allocation") {
		if err := r.readTests(ctx, session); err != nil {
			return Report{}, fmt.Errorf("report: tests: %w", err)
		}
	}
	if built("analysis.metrics") {
		err := each(ctx, session, goalsQuery, func(rows *sql.Rows) error {
			var g Goal
			err := rows.Scan(&g.Experiment, &g.Arm, &g.Phase, &g.Metric, &g.Evidence, &g.Verdict, &g.Numerator, &g.Denominator, &g.AtLeast, &g.AtMost,
				&g.Value.Estimate, &g.Value.Low, &g.Value.High, &g.Value.N, &g.Value.Warning)
			r.Goals = append(r.Goals, g)
			return err
		})
		if err != nil {
			return Report{}, fmt.Errorf("report: goals: %w", err)
		}
	}
	return r, nil
}

func (r *Report) readTests(ctx context.Context, session *duck.Session) error {
	return each(ctx, session, testsSQL, func(rows *sql.Rows) error {
		var t Test
		var warning sql.NullString
		err := rows.Scan(&t.Experiment, &t.Metric, &t.Arm, &t.Control, &t.Verdict, &t.Allocation, &warning, &t.N, &t.ControlN, &t.UnitsNeeded,
			&t.ArmValue, &t.Base, &t.Difference.Estimate, &t.Difference.Low, &t.Difference.High, &t.Anytime.Low, &t.Anytime.High, &t.P)
		if err != nil {
			return err
		}
		t.Difference.N = t.N + t.ControlN
		t.Difference.Warning = warning.String
		t.Anytime.Estimate, t.Anytime.N = t.Difference.Estimate, t.Difference.N
		r.Tests = append(r.Tests, t)
		return nil
	})
}

func readEvents(ctx context.Context, session *duck.Session, versions map[string]int64) ([]Family, error) {
	var families []Family
	for _, payload := range lake.Payloads() {
		if _, ok := versions[payload.Table]; !ok {
			continue
		}
		family := Family{Table: strings.TrimPrefix(payload.Table, "events.")}
		if err := session.Get(ctx, "select count(*) from "+duck.TableIdent(payload.Table), &family.Rows); err != nil {
			return nil, err
		}
		if family.Rows > 0 {
			families = append(families, family)
		}
	}
	return families, nil
}

func (r *Report) readFates(ctx context.Context, session *duck.Session) error {
	const fates = `
		select fate, coalesce(reason, ''), count(*) as examples
		from curated.funnel
		group by fate, reason
		order by array_position(['train', 'validation', 'test', 'open', 'excluded'], fate), examples desc, reason nulls first`
	err := each(ctx, session, fates, func(rows *sql.Rows) error {
		var fate Fate
		if err := rows.Scan(&fate.Fate, &fate.Reason, &fate.Examples); err != nil {
			return err
		}
		r.Fates = append(r.Fates, fate)
		return nil
	})
	if err != nil {
		return err
	}
	r.Leaks = new(int64)
	return session.Get(ctx, "select coalesce(sum(link_count), 0)::bigint from curated.leaks", r.Leaks)
}

func (r *Report) readArms(ctx context.Context, session *duck.Session) error {
	return each(ctx, session, armsSQL, func(rows *sql.Rows) error {
		var experiment, arm, name string
		var m Metric
		if err := rows.Scan(&experiment, &arm, &name, &m.Estimate, &m.Low, &m.High, &m.N, &m.Warning); err != nil {
			return err
		}
		last := len(r.Arms) - 1
		if last < 0 || r.Arms[last].Experiment != experiment || r.Arms[last].Arm != arm {
			r.Arms = append(r.Arms, Arm{Experiment: experiment, Arm: arm, Metrics: map[string]Metric{}})
			last++
		}
		r.Arms[last].Metrics[name] = m
		return nil
	})
}

func (r *Report) readResults(ctx context.Context, session *duck.Session) error {
	return each(ctx, session, resultsSQL, func(rows *sql.Rows) error {
		var one Result
		err := rows.Scan(&one.Experiment, &one.Suite, &one.Metric, &one.Arm, &one.Statistic, &one.Scenarios, &one.Errors,
			&one.Value.Estimate, &one.Value.Low, &one.Value.High, &one.Value.N, &one.Value.Warning,
			&one.Difference.Estimate, &one.Difference.Low, &one.Difference.High, &one.Difference.N, &one.Difference.Warning)
		if err != nil {
			return err
		}
		r.Results = append(r.Results, one)
		return nil
	})
}

func each(ctx context.Context, session *duck.Session, query string, row func(*sql.Rows) error) error {
	rows, err := session.DB().QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
