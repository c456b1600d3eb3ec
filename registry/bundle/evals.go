package bundle

import (
	"context"
	"errors"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/registry"
)

// Eval is how the model did on a suite by a metric.
type Eval struct {
	Suite     string   `json:"suite"`
	Metric    string   `json:"metric"`
	Results   int64    `json:"results"`   // with an answer or an error
	Errors    int64    `json:"errors"`    // without an answer; neither passed nor failed
	Scenarios int64    `json:"scenarios"` // that have a verdict
	Judged    int64    `json:"judged"`
	Passed    int64    `json:"passed"`
	Rate      *float64 `json:"pass_rate"` // passed of judged, 0 to 1; null without a verdict
	Low       *float64 `json:"low"`
	High      *float64 `json:"high"` // 95 %, Wilson's, over scenarios: trials of one resemble each other
	Score     *float64 `json:"mean_score"`
}

// source is where members of the dataset come from.
type source struct {
	side, name         string
	examples, subjects int64
}

// readLake takes eval results and the dataset's sources from the lake.
func (c *content) readLake(ctx context.Context, lk *lake.Lake) (err error) {
	session, err := registry.Open(ctx, lk)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if err := c.readEvals(ctx, session); err != nil {
		return err
	}
	return c.readSources(ctx, session)
}

func (c *content) readEvals(ctx context.Context, session *duck.Session) (err error) {
	rows, err := session.DB().QueryContext(ctx, `
with sums as (
    select
        coalesce(suite, '') as suite,
        coalesce(metric, '') as metric,
        count(*) as results,
        count(*) filter (where error is not null) as errors,
        count(distinct scenario_id) filter (where passed is not null) as scenarios,
        count(passed) as judged,
        count(*) filter (where passed) as passed,
        avg(score order by event_id) as score,

    from curated.results

    where model = ?

    group by all
),

rates as (
    select *, passed / nullif(judged, 0) as rate, scenarios::double as n from sums
)

select
    suite,
    metric,
    results,
    errors,
    scenarios,
    judged,
    passed,
    round(rate, 4),
    round(greatest(0, (rate + 1.9208 / n - 1.96 * sqrt(rate * (1 - rate) / n + 0.9604 / n ** 2)) / (1 + 3.8416 / n)), 4),
    round(least(1, (rate + 1.9208 / n + 1.96 * sqrt(rate * (1 - rate) / n + 0.9604 / n ** 2)) / (1 + 3.8416 / n)), 4),
    round(score, 4),

from rates

order by suite, metric`, c.Model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Eval
		if err := rows.Scan(&e.Suite, &e.Metric, &e.Results, &e.Errors, &e.Scenarios, &e.Judged, &e.Passed, &e.Rate, &e.Low, &e.High, &e.Score); err != nil {
			return err
		}
		c.Evals = append(c.Evals, e)
	}
	return rows.Err()
}

func (c *content) readSources(ctx context.Context, session *duck.Session) (err error) {
	rows, err := session.DB().QueryContext(ctx, `
with held as (
    select unnest(members) as member from curated.dataset_members where dataset = ? and version = ?
)

select
    coalesce(held.member.side, ''),
    coalesce(example_keys.source, 'no longer in the lake'),
    count(distinct held.member.example_id),
    count(distinct held.member.subject_id),

from held

left join curated.example_keys as example_keys on example_keys.example_id = held.member.example_id

group by all

order by all`, c.model.Dataset, c.model.DatasetVersion)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s source
		if err := rows.Scan(&s.side, &s.name, &s.examples, &s.subjects); err != nil {
			return err
		}
		c.sources = append(c.sources, s)
	}
	return rows.Err()
}
