package review

import (
	"context"
	"maps"
	"slices"
)

// Status is how far the review of the sample is, and what it says.
type Status struct {
	Strata    []StratumStatus  `json:"strata"`
	Reviewers []ReviewerStatus `json:"reviewers"`
	Agreement Kappa            `json:"agreement"` // Fleiss' kappa of right against not right (reject, edit)
	Pairs     []PairKappa      `json:"pairs"`     // Cohen's kappa of any two with an item in common
	Estimates []Estimate       `json:"estimates"`
}

// StratumStatus is the progress of a stratum.
type StratumStatus struct {
	Stratum  string `json:"stratum"`
	Size     int64  `json:"size"`     // examples of the set
	Sample   int64  `json:"sample"`   // drawn
	Reviewed int64  `json:"reviewed"` // with a decision that counts
}

// ReviewerStatus counts a reviewer's standing decisions.
type ReviewerStatus struct {
	Reviewer string         `json:"reviewer"`
	Verdicts map[string]int `json:"verdicts"`
	Stale    int            `json:"stale"`
}

// Estimate is a row of curated.review_estimates. Rates are 0 to 1, null
// without a review.
type Estimate struct {
	Part     string   `json:"part"`
	Value    string   `json:"value"`
	Set      int64    `json:"set"`
	Covered  int64    `json:"covered"`
	Sample   int64    `json:"sample"`
	Reviewed int64    `json:"reviewed"`
	Groups   int64    `json:"groups"`
	Defects  int64    `json:"defects"`
	Rate     *float64 `json:"rate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	Warning  string   `json:"warning,omitempty"`
}

// Status reads it from the tables.
func (s *Source) Status(ctx context.Context) (Status, error) {
	status := Status{Strata: []StratumStatus{}, Reviewers: []ReviewerStatus{}, Pairs: []PairKappa{}, Estimates: []Estimate{}}
	standings, err := s.Standings(ctx)
	if err != nil {
		return status, err
	}
	reviewers := map[string]*ReviewerStatus{}
	var ofSample []Standing
	for _, d := range standings {
		r := reviewers[d.Reviewer]
		if r == nil {
			r = &ReviewerStatus{Reviewer: d.Reviewer, Verdicts: map[string]int{}}
			reviewers[d.Reviewer] = r
		}
		if d.IsStale {
			r.Stale++
		} else {
			r.Verdicts[d.Verdict]++
		}
		if d.Stratum != "" {
			ofSample = append(ofSample, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reviewers)) {
		status.Reviewers = append(status.Reviewers, *reviewers[name])
	}
	var pairs []PairKappa
	if status.Agreement, pairs = Agreement(ofSample); pairs != nil {
		status.Pairs = pairs
	}
	if err := s.strata(ctx, &status); err != nil {
		return status, err
	}
	return status, s.estimates(ctx, &status)
}

func (s *Source) strata(ctx context.Context, status *Status) error {
	rows, err := s.session.DB().QueryContext(ctx, `
select
    stratum,
    max(stratum_size) as size,
    count(*) as sample_count,
    count(*) filter (where example_id in (
        select example_id from curated.review_decisions where not is_stale and verdict in ('accept', 'reject', 'edit')
    )) as reviewed_count,

from curated.review_sample

group by stratum

order by stratum`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var st StratumStatus
		if err := rows.Scan(&st.Stratum, &st.Size, &st.Sample, &st.Reviewed); err != nil {
			return err
		}
		status.Strata = append(status.Strata, st)
	}
	return rows.Err()
}

func (s *Source) estimates(ctx context.Context, status *Status) error {
	rows, err := s.session.DB().QueryContext(ctx, `
select
    part, value, set_count, covered_count, sample_count, reviewed_count, group_count, defect_count,
    defect_rate, defect_rate_low, defect_rate_high, coalesce(warning, '') as warning,

from curated.review_estimates

order by part, value`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e Estimate
		if err := rows.Scan(&e.Part, &e.Value, &e.Set, &e.Covered, &e.Sample, &e.Reviewed, &e.Groups, &e.Defects,
			&e.Rate, &e.Low, &e.High, &e.Warning); err != nil {
			return err
		}
		status.Estimates = append(status.Estimates, e)
	}
	return rows.Err()
}
