package frozen

import (
	"context"
	"encoding/json"

	"github.com/weir-lake/weir/lake/duck"
)

// ManifestKind tells the manifest of a dataset version from that of an export.
const ManifestKind = "weir-dataset"

// Manifest says how a version came about. It bears no clock.
type Manifest struct {
	Kind           string           `json:"kind"` // ManifestKind
	Dataset        string           `json:"dataset"`
	Version        string           `json:"version"`
	ContentHash    string           `json:"content_hash"`
	Phase          string           `json:"phase,omitempty"`
	DefinitionHash string           `json:"definition_hash"` // sha256 of the definition
	Definition     json.RawMessage  `json:"definition"`
	Sides          map[string]int64 `json:"sides"`
	Targets        json.RawMessage  `json:"targets"` // how each target of the mixture was met
	State
	Warnings []string         `json:"warnings"`
	Tables   map[string]int64 `json:"tables"` // versions that it was selected from
}

// State is what the lake says of its examples as a whole.
type State struct {
	Examples int64    `json:"examples"` // of the lake: the fates add up to it
	Fates    []Fate   `json:"fates"`
	Leaks    Leaks    `json:"leaks"`
	Reviews  []Review `json:"reviews"` // of the lake's review sample: the whole set, each source, each task type
}

// Fate is a number of examples of the lake with one fate and reason.
type Fate struct {
	Fate     string `json:"fate"`
	Reason   string `json:"reason,omitempty"`
	Examples int64  `json:"examples"`
}

// Leaks counts what links the sides of the split, by kind.
type Leaks struct {
	Total  int64            `json:"total"`
	ByKind map[string]int64 `json:"by_kind"`
}

// Review says how much of a part of the set people found defective,
// extrapolated from the sample: a row of curated.review_estimates. The set is
// that which the sample was drawn from: what people rejected is part of it.
type Review struct {
	Part           string   `json:"part"` // all, source or task_type
	Value          string   `json:"value"`
	SetCount       int64    `json:"set_count"`
	SampleCount    int64    `json:"sample_count"`
	ReviewedCount  int64    `json:"reviewed_count"`
	DefectCount    int64    `json:"defect_count"`
	DefectRate     *float64 `json:"defect_rate"` // 0 to 1; null without a review
	DefectRateLow  *float64 `json:"defect_rate_low"`
	DefectRateHigh *float64 `json:"defect_rate_high"` // of the 95 % interval
	Warning        string   `json:"warning,omitempty"`
}

// ReadState reads curated.funnel, leaks and review_estimates.
func ReadState(ctx context.Context, session *duck.Session) (State, error) {
	s := State{Leaks: Leaks{ByKind: map[string]int64{}}, Reviews: []Review{}}
	err := each(ctx, session, "select fate, coalesce(reason, ''), count(*) from curated.funnel group by all order by all", func(scan func(...any) error) error {
		var f Fate
		err := scan(&f.Fate, &f.Reason, &f.Examples)
		s.Fates, s.Examples = append(s.Fates, f), s.Examples+f.Examples
		return err
	})
	if err != nil {
		return s, err
	}
	err = each(ctx, session, "select kind, link_count from curated.leaks order by kind", func(scan func(...any) error) error {
		var kind string
		var links int64
		err := scan(&kind, &links)
		s.Leaks.ByKind[kind], s.Leaks.Total = links, s.Leaks.Total+links
		return err
	})
	if err != nil {
		return s, err
	}
	err = each(ctx, session, `
select
    part, value, set_count, sample_count, reviewed_count, defect_count,
    defect_rate, defect_rate_low, defect_rate_high, coalesce(warning, '') as warning,

from curated.review_estimates

order by part, value`, func(scan func(...any) error) error {
		var r Review
		err := scan(&r.Part, &r.Value, &r.SetCount, &r.SampleCount, &r.ReviewedCount, &r.DefectCount,
			&r.DefectRate, &r.DefectRateLow, &r.DefectRateHigh, &r.Warning)
		s.Reviews = append(s.Reviews, r)
		return err
	})
	return s, err
}

func each(ctx context.Context, session *duck.Session, query string, row func(scan func(...any) error) error) error {
	rows, err := session.DB().QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
