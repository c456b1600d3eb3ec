package exporters

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// pairsSQL selects the preference pairs that are exported, with the columns of
// canonical.Columns and canonical.PairColumns.
//
//go:embed pairs.sql
var pairsSQL string

const pairValidationGroups = `
select count(distinct splits.group_id)

from curated.preference_pairs as pairs

inner join curated.splits as splits on splits.example_id = pairs.chosen_example_id

where pairs.split = 'validation'`

// pairTables are the tables that an export of pairs reads beside sourceTables.
var pairTables = []string{"curated.preference_pairs"}

// ofPairs makes the lake's preference pairs what is exported.
func (s *source) ofPairs(ctx context.Context, session *duck.Session) error {
	s.examples, s.validationGroups, s.pairs = pairsSQL, pairValidationGroups, map[string]int64{}
	for _, split := range splits {
		var n int64
		if err := session.Get(ctx, "select count(*) from curated.preference_pairs where split = "+duck.Literal(split), &n); err != nil {
			return err
		}
		s.pairs[split] = n
	}
	return nil
}

// checkPairs refuses what pairs cannot be exported from.
func checkPairs(opts Options) error {
	if opts.Dataset == (frozen.Ref{}) {
		return nil
	}
	return lake.WithHint(fmt.Errorf("dataset %s has no preference pairs: they are not frozen with a version", opts.Dataset),
		"weir export without --dataset")
}

// pairMembers gives the examples of pairs, which stand in several lines each, once
// and by id.
func pairMembers(read func(each func(lake.DatasetMember) error) error, each func(lake.DatasetMember) error) error {
	members := map[string]lake.DatasetMember{}
	err := read(func(m lake.DatasetMember) error {
		if known, ok := members[m.ExampleID]; ok && known.Side != m.Side {
			return fmt.Errorf("example %s is on both sides of the split", m.ExampleID)
		}
		members[m.ExampleID] = m
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(members)) {
		if err := each(members[id]); err != nil {
			return err
		}
	}
	return nil
}
