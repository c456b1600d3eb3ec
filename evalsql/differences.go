package evalsql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/weir-lake/weir/evalsql/stats"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

const (
	level = 0.95
	// margin is how much worse a rate may be and still be called no worse: two points.
	margin = 0.02
	// tightAt is the number of units around which intervals for every look are
	// tightest, where a test states none.
	tightAt = 2000
)

// experimentDifferences makes analysis.experiment_differences. It is a step in
// Go because SQL has no Student's t and no bets.
var experimentDifferences = derive.Step{
	Name: "analysis.experiment_differences",
	Doc: "Is an arm of an A/B test better than the control, in live traffic? By assigned arm; the unit of assignment is the unit. " +
		"Means and ratios: Welch's test by unit (linearised ratio; Cochran, Sampling Techniques, 1977, §6.3); the 95th percentile: ranks of a " +
		"rate's interval by unit (Woodruff, Journal of the American Statistical Association 47, 1952), differences by Zou and Donner (Statistics in Medicine 27, 2008). " +
		"low and high hold for one look, at a number of units that was fixed before. anytime_low and anytime_high hold however often one looks: " +
		"rates by bets, other means by an asymptotic sequence from 200 units an arm on (evalsql/stats). The verdict rests on these",
	Grain:   "one row per experiment, metric and arm other than the control",
	Key:     []string{"experiment", "metric", "arm"},
	Inputs:  []string{"analysis.experiments", "analysis.experiment_units"},
	Version: "1",
	Columns: []lake.Column{
		{Name: "experiment", Type: lake.Varchar, Doc: "name of the A/B test"},
		{Name: "metric", Type: lake.Varchar, Doc: "what is measured; by its unit: _rate 0 to 1, _usd, _ms, _tokens"},
		{Name: "arm", Type: lake.Varchar, Doc: "arm"},
		{Name: "control_arm", Type: lake.Varchar, Doc: "arm that differences are counted from"},
		{Name: "verdict", Type: lake.Varchar, Doc: "better, worse, no worse (rates: by less than the margin, for sure), or cannot tell yet"},
		{Name: "method", Type: lake.Varchar, Doc: "of the interval for every look: bets, asymptotic sequence, or none"},
		{Name: "warning", Type: lake.Varchar, Doc: "why the numbers must be read with care; null: nothing to say"},
		{Name: "n", Type: lake.BigInt, Doc: "units of the arm that have the metric"},
		{Name: "control_n", Type: lake.BigInt, Doc: "units of the control that have it"},
		{Name: "units_needed", Type: lake.BigInt, Doc: "units in all by which the least effect of interest would be found four times of five; null: none is stated, or the metric is no mean"},
		{Name: "arm_estimate", Type: lake.Double, Doc: "the metric of the arm"},
		{Name: "control_estimate", Type: lake.Double, Doc: "the metric of the control"},
		{Name: "estimate", Type: lake.Double, Doc: "arm less control"},
		{Name: "low", Type: lake.Double, Doc: "95 % interval, for one look"},
		{Name: "high", Type: lake.Double, Doc: "upper end of the 95 % interval, for one look"},
		{Name: "anytime_low", Type: lake.Double, Doc: "95 % interval, for every look"},
		{Name: "anytime_high", Type: lake.Double, Doc: "upper end of the 95 % interval, for every look"},
		{Name: "ratio", Type: lake.Double, Doc: "arm over control; null: a quantile, or a mean of 0"},
		{Name: "ratio_low", Type: lake.Double, Doc: "95 % interval, for one look"},
		{Name: "ratio_high", Type: lake.Double, Doc: "upper end of the 95 % interval, for one look"},
		{Name: "p_value", Type: lake.Double, Doc: "that there is no difference, for one look"},
		{Name: "holm_p_value", Type: lake.Double, Doc: "the same, adjusted for all metrics and arms of the experiment (Holm 1979)"},
	},
	Run: runDifferences,
}

// metric is how a metric follows from units: the sum of its numerators over the
// sum of its denominators. A unit without a denominator has no part in it,
// unless it is a ratio of totals.
type metric struct {
	name       string
	higher     bool // is better
	isRate     bool // numerator <= denominator
	isQuantile bool // of latencies: numerator and denominator are not used
	isTotal    bool // a unit with numerator and no denominator counts: cost without success
	of         func(unit) (numerator, denominator float64)
}

// unit is a row of analysis.experiment_units.
type unit struct {
	arm                                               string
	calls, failed, tasks, successes, reactions, liked float64
	inputTokens                                       float64
	cost                                              sql.NullFloat64
	latencies                                         []float64
}

var metrics = []metric{
	{name: "task_success_rate", higher: true, isRate: true, of: func(u unit) (float64, float64) { return u.successes, u.tasks }},
	{name: "satisfaction_rate", higher: true, isRate: true, of: func(u unit) (float64, float64) { return u.liked, u.reactions }},
	{name: "failed_call_rate", isRate: true, of: func(u unit) (float64, float64) { return u.failed, u.calls }},
	{name: "cost_per_unit_usd", of: func(u unit) (float64, float64) { return u.cost.Float64, known(u.cost) }},
	{name: "cost_per_successful_task_usd", isTotal: true, of: func(u unit) (float64, float64) {
		if u.tasks == 0 {
			return 0, 0
		}
		return u.cost.Float64, u.successes * known(u.cost)
	}},
	{name: "input_tokens_per_call", of: func(u unit) (float64, float64) { return u.inputTokens, u.calls }},
	{name: "latency_p95_ms", isQuantile: true},
}

func known(v sql.NullFloat64) float64 {
	if v.Valid {
		return 1
	}
	return 0
}

// test is a row of analysis.experiments.
type test struct {
	experiment, arm, control string
	effects                  map[string]float64
	planned                  int64
	share                    sql.NullFloat64
}

// difference is a row of the table, a missing number null.
type difference struct {
	Experiment string   `json:"experiment"`
	Metric     string   `json:"metric"`
	Arm        string   `json:"arm"`
	Control    string   `json:"control_arm"`
	Verdict    string   `json:"verdict"`
	Method     string   `json:"method"`
	Warning    *string  `json:"warning"`
	N          int64    `json:"n"`
	ControlN   int64    `json:"control_n"`
	Needed     *int64   `json:"units_needed"`
	ArmValue   *float64 `json:"arm_estimate"`
	Base       *float64 `json:"control_estimate"`
	Estimate   *float64 `json:"estimate"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	AnyLow     *float64 `json:"anytime_low"`
	AnyHigh    *float64 `json:"anytime_high"`
	Ratio      *float64 `json:"ratio"`
	RatioLow   *float64 `json:"ratio_low"`
	RatioHigh  *float64 `json:"ratio_high"`
	P          *float64 `json:"p_value"`
	HolmP      *float64 `json:"holm_p_value"`
}

func runDifferences(ctx context.Context, session *duck.Session, into string) error {
	rows, err := differences(ctx, session)
	if err != nil {
		return fmt.Errorf("analysis.experiment_differences: %w", err)
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return session.Exec(ctx, "create table "+into+` as select unnest(from_json(?, '[{"experiment":"VARCHAR","metric":"VARCHAR","arm":"VARCHAR",
		"control_arm":"VARCHAR","verdict":"VARCHAR","method":"VARCHAR","warning":"VARCHAR","n":"BIGINT","control_n":"BIGINT","units_needed":"BIGINT",
		"arm_estimate":"DOUBLE","control_estimate":"DOUBLE","estimate":"DOUBLE","low":"DOUBLE","high":"DOUBLE",
		"anytime_low":"DOUBLE","anytime_high":"DOUBLE","ratio":"DOUBLE","ratio_low":"DOUBLE","ratio_high":"DOUBLE","p_value":"DOUBLE","holm_p_value":"DOUBLE"}]'), max_depth := 2)`, string(text))
}

func differences(ctx context.Context, session *duck.Session) ([]difference, error) {
	tests, err := readTests(ctx, session)
	if err != nil {
		return nil, err
	}
	found := []difference{}
	for experiment := range slices.Values(names(tests)) {
		units, err := readUnits(ctx, session, experiment)
		if err != nil {
			return nil, err
		}
		var rows []difference
		for _, t := range tests {
			if t.experiment != experiment || t.arm == t.control {
				continue
			}
			for _, m := range metrics {
				if row, ok := compare(t, tests, m, units); ok {
					rows = append(rows, row)
				}
			}
		}
		adjust(rows)
		found = append(found, rows...)
	}
	return found, nil
}

func names(tests []test) []string {
	var names []string
	for _, t := range tests {
		names = append(names, t.experiment)
	}
	return slices.Compact(names)
}

func readTests(ctx context.Context, session *duck.Session) ([]test, error) {
	rows, err := session.DB().QueryContext(ctx,
		"select experiment, arm, control_arm, effects, coalesce(planned_units, 0), share from analysis.experiments order by experiment, place")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tests []test
	for rows.Next() {
		var t test
		var effects string
		if err := rows.Scan(&t.experiment, &t.arm, &t.control, &effects, &t.planned, &t.share); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(effects), &t.effects); err != nil {
			return nil, fmt.Errorf("experiment %s: effects: %w", t.experiment, err)
		}
		tests = append(tests, t)
	}
	return tests, rows.Err()
}

// readUnits gives an experiment's units in the order of their assignment.
func readUnits(ctx context.Context, session *duck.Session, experiment string) ([]unit, error) {
	rows, err := session.DB().QueryContext(ctx, `
		select arm, call_count, failed_call_count, task_count, success_count, reaction_count, liked_count, input_tokens, cost_usd, to_json(latencies_ms)::varchar
		from analysis.experiment_units where experiment = ? order by assigned_at, unit_id`, experiment)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var units []unit
	for rows.Next() {
		var u unit
		var latencies string
		if err := rows.Scan(&u.arm, &u.calls, &u.failed, &u.tasks, &u.successes, &u.reactions, &u.liked, &u.inputTokens, &u.cost, &latencies); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(latencies), &u.latencies); err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, rows.Err()
}

// adjust fills in Holm's p-values.
func adjust(rows []difference) {
	var ps []float64
	var of []*difference
	for i := range rows {
		if rows[i].P != nil {
			ps, of = append(ps, *rows[i].P), append(of, &rows[i])
		}
	}
	for i, p := range stats.Holm(ps) {
		of[i].HolmP = rounded(p)
	}
}

// rounded is a number as tables have it; nil where there is none.
func rounded(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	v = math.Round(v*1e9) / 1e9
	return &v
}
