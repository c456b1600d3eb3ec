package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// Shingles have a level by their slot, which many share: a rare shingle in the
// slot of a frequent one comes later than it must, which costs a little and
// changes nothing. A list of all frequent shingles would be no event's size.
const (
	levelSlots  = 1 << 18 // as in example_prefixes.sql
	levelSample = 50_000  // examples that are counted, at most
	levelMost   = 1 << 16 // shingles that have a level above 0, at most
)

// ShinglesLeast is the number of examples below which no order of shingles is
// frozen: all is quick.
const ShinglesLeast = 1_000

// shingleLevels makes curated.shingle_levels. It is a step in Go because the
// sketches are to be read only where nothing is frozen.
var shingleLevels = derive.Step{
	Name: "curated.shingle_levels",
	Doc: "How frequent shingles are: the order in which curated.example_prefixes has them. It is frozen by an event of kind " +
		"shingle_levels, so that new examples do not move it; where there is none, the examples of now are counted",
	Grain:   "one row",
	Key:     []string{"version"},
	Inputs:  []string{"curated.example_sketches", "curated.configs"},
	Version: "1",
	Columns: []lake.Column{
		{Name: "version", Type: lake.Varchar, Doc: "first 12 digits of a hash of the event or, where there is none, of the levels"},
		{Name: "is_frozen", Type: lake.Boolean, Doc: "an event says so"},
		{Name: "example_count", Type: lake.BigInt, Doc: "examples when they were counted"},
		{Name: "levels", Type: lake.BigInt, List: true, Doc: "0 to 7 for each shingle modulo 262,144: of shingles in one counted example, in 2, 3, 9, 27, 81, 243, 729 and more"},
	},
	Run: runShingleLevels,
}

// frozenLevels selects the row that the latest event of the kind gives.
const frozenLevels = `select left(hash, 12) as version, true as is_frozen, (content->>'examples')::bigint as example_count,
	[digit::bigint for digit in string_split(content->>'levels', '')] as levels
	from curated.configs where kind = 'shingle_levels' order by occurred_at desc, event_id desc limit 1`

func runShingleLevels(ctx context.Context, session *duck.Session, into string) error {
	n, err := session.ExecCount(ctx, "create table "+into+" as "+frozenLevels)
	if err != nil {
		return err
	}
	if err := session.Get(ctx, "select count(*) from "+into, &n); err != nil || n > 0 {
		return err
	}
	counted, err := countLevels(ctx, session)
	if err != nil {
		return err
	}
	return session.Exec(ctx, "insert into "+into+" select left(md5($2), 12), false, $1, [digit::bigint for digit in string_split($2, '')]", counted.Examples, counted.Levels)
}

// levels is the content of the event.
type levels struct {
	Examples int64  `json:"examples"`
	Levels   string `json:"levels"` // a digit for each slot
}

// countLevels counts shingles in the sketches, of a fixed share of the examples
// where there are many.
func countLevels(ctx context.Context, session *duck.Session) (levels, error) {
	var l levels
	if err := session.Get(ctx, "select count(*) from curated.example_sketches", &l.Examples); err != nil {
		return l, err
	}
	share := (l.Examples + levelSample - 1) / levelSample
	err := session.Get(ctx, fmt.Sprintf(`
		with sample as (
			select unnest(list_distinct(list_concat(said, seen))) as shingle from curated.example_sketches
			where %[1]d <= 1 or md5_number_lower(example_id) %% %[1]d = 0
		),
		frequent as (
			select shingle, count(*) as n from sample group by shingle having count(*) > 1 order by n desc, shingle limit %[2]d
		),
		slots as (
			select shingle %% %[3]d as slot, max(1 + (n >= 3)::int + (n >= 9)::int + (n >= 27)::int + (n >= 81)::int + (n >= 243)::int + (n >= 729)::int) as level
			from frequent group by slot
		)
		select string_agg(coalesce(level, 0)::varchar, '' order by range) from range(%[3]d) left join slots on slot = range`,
		max(share, 1), levelMost, levelSlots), &l.Levels)
	return l, err
}

// ShingleLevels makes the event that freezes the order of shingles, by the
// examples of now: the session sees the lake's curated tables. It is nil while
// there are fewer than 1,000 examples, or fewer than twice as many as when the
// order was last frozen. Which pairs are found does not depend on it; a new
// order compares everything again, once.
func ShingleLevels(ctx context.Context, session *duck.Session, now time.Time) (*lake.Event, error) {
	var examples, before int64
	err := session.Get(ctx, "select (select count(*) from curated.example_sketches), coalesce((select example_count from ("+frozenLevels+")), 0)", &examples, &before)
	if err != nil {
		return nil, fmt.Errorf("order of shingles: %w", err)
	}
	if examples < max(ShinglesLeast, 2*before) {
		return nil, nil
	}
	counted, err := countLevels(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("order of shingles: %w", err)
	}
	content, err := json.Marshal(counted)
	if err != nil {
		return nil, fmt.Errorf("order of shingles: %w", err)
	}
	event := lake.ConfigEvent("weir://transform", "shingle_levels", "", content, now)
	return &event, nil
}
