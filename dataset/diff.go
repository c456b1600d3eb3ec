package dataset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// ChangeKind is how a member of one version stands in another.
type ChangeKind string

// The kinds. A member that has another content is changed, whatever its side.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed" // another content
	Moved   ChangeKind = "moved"   // the same content on another side
)

// Change is a member that is not the same in both versions.
type Change struct {
	Kind      ChangeKind `json:"kind"`
	ExampleID string     `json:"example_id"`
	From      string     `json:"from,omitempty"` // side in the first version
	To        string     `json:"to,omitempty"`   // side in the second
	Why       string     `json:"why"`
}

// Diff is what differs between two versions: of the first, removed + changed +
// moved + same = its members; of the second, with added for removed.
type Diff struct {
	A       frozen.Ref           `json:"a"`
	B       frozen.Ref           `json:"b"`
	Counts  map[ChangeKind]int64 `json:"counts"`
	Same    int64                `json:"same"`
	ErasedA int64                `json:"erased_a"` // members that an erasure took out of the first since: nothing tells of them
	ErasedB int64                `json:"erased_b"`
	Whys    []WhyCount           `json:"whys"`
	Rows    []Change             `json:"rows"` // by kind, then by example
}

// WhyCount is how often a kind of change has a reason.
type WhyCount struct {
	Kind  ChangeKind `json:"kind"`
	Why   string     `json:"why"`
	Count int64      `json:"count"`
}

// kinds of changes in the order of a report.
var changeKinds = []ChangeKind{Added, Removed, Changed, Moved}

// MakeDiff compares two recorded versions, of one dataset or of two. Why a member
// is not in a version is read from the tables that the version was selected from,
// else from those of now.
func MakeDiff(ctx context.Context, lk *lake.Lake, a, b frozen.Ref, options duck.Options) (_ Diff, err error) {
	session, _, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return Diff{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var recorded [2]frozen.Recorded
	var members [2][]lake.DatasetMember
	for i, ref := range []frozen.Ref{a, b} {
		if recorded[i], err = named(ctx, lk, session, ref); err != nil {
			return Diff{}, err
		}
		if members[i], err = frozen.EventMembers(ctx, session, recorded[i].Ref); err != nil {
			return Diff{}, err
		}
	}
	d := compare(members[0], members[1])
	d.A, d.B = recorded[0].Ref, recorded[1].Ref
	d.ErasedA, d.ErasedB = recorded[0].Members-int64(len(members[0])), recorded[1].Members-int64(len(members[1]))
	if err := d.explain(ctx, lk, session, recorded); err != nil {
		return Diff{}, fmt.Errorf("dataset diff %s %s: %w", d.A, d.B, err)
	}
	d.count()
	return d, nil
}

// compare finds what differs between members that are sorted by id.
func compare(a, b []lake.DatasetMember) Diff {
	d := Diff{Rows: []Change{}}
	for len(a) > 0 || len(b) > 0 {
		order := 0
		switch {
		case len(b) == 0:
			order = -1
		case len(a) == 0:
			order = 1
		default:
			order = strings.Compare(a[0].ExampleID, b[0].ExampleID)
		}
		switch {
		case order < 0:
			d.Rows = append(d.Rows, Change{Kind: Removed, ExampleID: a[0].ExampleID, From: a[0].Side})
			a = a[1:]
			continue
		case order > 0:
			d.Rows = append(d.Rows, Change{Kind: Added, ExampleID: b[0].ExampleID, To: b[0].Side})
			b = b[1:]
			continue
		}
		both := Change{ExampleID: a[0].ExampleID, From: a[0].Side, To: b[0].Side}
		switch {
		case a[0].ContentHash != b[0].ContentHash:
			both.Kind, both.Why = Changed, "its content is another"
			d.Rows = append(d.Rows, both)
		case a[0].Side != b[0].Side:
			both.Kind = Moved
			d.Rows = append(d.Rows, both)
		default:
			d.Same++
		}
		a, b = a[1:], b[1:]
	}
	return d
}

// count sorts the rows and adds up.
func (d *Diff) count() {
	slices.SortStableFunc(d.Rows, func(x, y Change) int {
		return cmp.Compare(slices.Index(changeKinds, x.Kind), slices.Index(changeKinds, y.Kind)) // by example already
	})
	d.Counts, d.Whys = map[ChangeKind]int64{}, []WhyCount{}
	for _, kind := range changeKinds {
		d.Counts[kind] = 0
	}
	for _, row := range d.Rows {
		d.Counts[row.Kind]++
		i := slices.IndexFunc(d.Whys, func(w WhyCount) bool { return w.Kind == row.Kind && w.Why == row.Why })
		if i < 0 {
			i, d.Whys = len(d.Whys), append(d.Whys, WhyCount{Kind: row.Kind, Why: row.Why})
		}
		d.Whys[i].Count++
	}
	slices.SortStableFunc(d.Whys, func(x, y WhyCount) int {
		return cmp.Or(cmp.Compare(slices.Index(changeKinds, x.Kind), slices.Index(changeKinds, y.Kind)), cmp.Compare(y.Count, x.Count), strings.Compare(x.Why, y.Why))
	})
}

// explain says why each member is in one version and not in the other.
func (d *Diff) explain(ctx context.Context, lk *lake.Lake, session *duck.Session, recorded [2]frozen.Recorded) error {
	older := 0 // the one recorded first
	if recorded[1].RecordedAt < recorded[0].RecordedAt {
		older = 1
	}
	for i, missing := range []ChangeKind{Added, Removed} {
		var rows []*Change
		for j := range d.Rows {
			row := &d.Rows[j]
			if row.Kind == missing || row.Kind == Moved && i == 1 {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			continue
		}
		fates, err := fatesOf(ctx, lk, session, recorded[i].Manifest, rows)
		if err != nil {
			return err
		}
		var definition Definition
		if err := json.Unmarshal(recorded[i].Manifest.Definition, &definition); err != nil {
			return err
		}
		for _, row := range rows {
			fate, known := fates[row.ExampleID]
			switch {
			case row.Kind == Moved:
				row.Why = "split by " + fate.basis
			case !known && i == older:
				row.Why = "new events"
			case !known:
				row.Why = "no longer an example: erased, expired, or made anew from other events"
			default:
				row.Why = fate.why(definition, recorded[i].Manifest.Phase)
			}
		}
	}
	return nil
}

// fateOf is an example as the tables of a version had it.
type fateOf struct {
	fate, reason, source, taskType, basis string
	score                                 float64
}

func (f fateOf) why(d Definition, phase string) string {
	switch {
	case f.fate == "excluded":
		return "excluded: " + f.reason
	case f.fate == "open":
		return "open: " + f.reason
	case f.fate == "test":
		return "on the side of test"
	case !slices.Contains(d.Split, f.fate):
		return "definition: split"
	case len(d.Filter.Sources) > 0 && !slices.Contains(d.Filter.Sources, f.source):
		return "definition: sources"
	case len(d.Filter.TaskTypes) > 0 && !slices.Contains(d.Filter.TaskTypes, f.taskType):
		return "definition: task_types"
	case f.score < d.Filter.MinSuccessScore:
		return "definition: min_success_score"
	case d.Size == 0 && d.Mix == nil:
		return "definition: reviewed"
	case phase != "":
		return "beaten by better ones, or of a later phase"
	case d.Filter.Reviewed != "any":
		return "beaten by better ones, or not " + d.Filter.Reviewed
	}
	return "beaten by better ones"
}

// fatesOf reads the fates of some examples from the tables that a version was
// selected from, as they were; those that were vacuumed as they are now.
func fatesOf(ctx context.Context, lk *lake.Lake, session *duck.Session, m frozen.Manifest, rows []*Change) (map[string]fateOf, error) {
	const looked = "datasets.weir_looked_up"
	from := map[string]string{}
	for _, table := range []string{"curated.funnel", "curated.quality", "curated.splits"} {
		snapshot, err := duck.Moment{Versions: map[string]int64{table: m.Tables[table]}}.Snapshot(ctx, lk, table)
		switch {
		case errors.Is(err, lake.ErrNoVersion), errors.Is(err, lake.ErrNoTable):
			from[table] = table
		case err != nil:
			return nil, err
		default:
			from[table] = duck.Scan(lk.Dir(), snapshot, snapshot.Files)
		}
	}
	if err := session.Exec(ctx, "create or replace table "+looked+" (example_id varchar)"); err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(rows, 5_000) {
		ids := make([]string, len(chunk))
		for i, row := range chunk {
			ids[i] = row.ExampleID
		}
		text, err := json.Marshal(ids)
		if err != nil {
			return nil, err
		}
		if err := session.Exec(ctx, "insert into "+looked+` select unnest(from_json(?::json, '["VARCHAR"]'))`, string(text)); err != nil {
			return nil, err
		}
	}
	found, err := session.DB().QueryContext(ctx, `
select
    looked.example_id, funnel.fate, coalesce(funnel.reason, ''), funnel.source, funnel.task_type, coalesce(splits.basis, ''),
    coalesce(quality.success_score, 0),

from `+looked+` as looked

inner join `+from["curated.funnel"]+` as funnel on funnel.example_id = looked.example_id

left join `+from["curated.splits"]+` as splits on splits.example_id = looked.example_id

left join `+from["curated.quality"]+` as quality on quality.example_id = looked.example_id`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	fates := map[string]fateOf{}
	for found.Next() {
		var id string
		var f fateOf
		if err := found.Scan(&id, &f.fate, &f.reason, &f.source, &f.taskType, &f.basis, &f.score); err != nil {
			return nil, err
		}
		fates[id] = f
	}
	return fates, found.Err()
}
