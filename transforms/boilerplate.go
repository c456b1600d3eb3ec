package transforms

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// What is boilerplate: shingles of more examples than this. A list has at most
// boilerplateMost, the most frequent, since every example is held against it.
const (
	boilerplateShare = 0.01
	boilerplateLeast = 20
	boilerplateMost  = 1000
)

// Boilerplate makes the event that freezes a new list of boilerplate: what the
// latest list holds, and the shingles that more than 1 % of the examples, and 20
// at least, have now. The session sees the lake's curated tables. With the same
// list as before the event is nil: nothing would change.
func Boilerplate(ctx context.Context, session *duck.Session, now time.Time) (*lake.Event, int, error) {
	var examples int64
	if err := session.Get(ctx, "select count(*) from curated.example_sketches", &examples); err != nil {
		return nil, 0, fmt.Errorf("boilerplate: %w", err)
	}
	frozen, err := session.Strings(ctx, "select shingle::varchar from curated.boilerplate order by shingle")
	if err != nil {
		return nil, 0, fmt.Errorf("boilerplate: %w", err)
	}
	least := max(boilerplateLeast, int64(boilerplateShare*float64(examples)))
	texts, err := session.Strings(ctx, fmt.Sprintf(`
		with frequent as (
			select shingle from (select unnest(list_distinct(list_concat(said, seen))) as shingle from curated.example_sketches)
			group by shingle having count(*) > %d order by count(*) desc, shingle limit %d
		)
		select shingle::varchar from (select shingle from frequent union select shingle from curated.boilerplate) order by shingle`,
		least, max(0, boilerplateMost-len(frozen))))
	if err != nil {
		return nil, 0, fmt.Errorf("boilerplate: %w", err)
	}
	if len(texts) == len(frozen) {
		return nil, len(frozen), nil
	}
	shingles := make([]int64, len(texts))
	for i, text := range texts {
		if shingles[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, 0, fmt.Errorf("boilerplate: %w", err)
		}
	}
	content, err := json.Marshal(shingles)
	if err != nil {
		return nil, 0, fmt.Errorf("boilerplate: %w", err)
	}
	event := lake.ConfigEvent("weir://transform", "boilerplate", "", content, now)
	return &event, len(shingles), nil
}
