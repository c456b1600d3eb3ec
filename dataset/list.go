package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/weir-lake/weir/exporters/card"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// RowsState says whether a version's rows can be read.
type RowsState string

// States of a version's rows.
const (
	Current RowsState = "current" // they are what datasets.<name> shows
	Kept    RowsState = "kept"    // an earlier version of the table, which time travel reaches
	Gone    RowsState = "gone"    // vacuumed or lost: Restore makes them again
)

// Listed is a recorded version, what is left of it, and where it went.
type Listed struct {
	frozen.Recorded
	Rows    RowsState  `json:"rows"`
	Held    int64      `json:"held"` // members that no erasure took out since
	Exports []ExportOf `json:"exports"`
}

// ExportOf is an export of a version that was recorded.
type ExportOf struct {
	Target      string `json:"target"`
	Version     string `json:"version"`      // of the export as a dataset version
	ContentHash string `json:"content_hash"` // over the training files
	RecordedAt  string `json:"recorded_at"`
}

// List gives the recorded versions of a dataset, or of all where it is empty, by
// dataset, the first recorded first.
func List(ctx context.Context, lk *lake.Lake, name string, options duck.Options) (_ []Listed, err error) {
	session, _, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	versions, err := frozen.Versions(ctx, session, name)
	if err != nil {
		return nil, err
	}
	list := []Listed{}
	for _, v := range versions {
		one := Listed{Recorded: v}
		if err := one.fill(ctx, lk, session); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// Show gives one version; without a version in ref, the one whose rows the
// dataset's table shows.
func Show(ctx context.Context, lk *lake.Lake, ref frozen.Ref, options duck.Options) (_ Listed, err error) {
	session, _, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return Listed{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	v, err := named(ctx, lk, session, ref)
	if err != nil {
		return Listed{}, err
	}
	one := Listed{Recorded: v}
	return one, one.fill(ctx, lk, session)
}

// named gives the version that a reference means: without a version the one whose
// rows the table shows, as an export takes it, else the one recorded last.
func named(ctx context.Context, lk *lake.Lake, session *duck.Session, ref frozen.Ref) (frozen.Recorded, error) {
	if ref.Version == "" {
		rows, err := frozen.Find(ctx, lk, session, ref)
		switch {
		case err == nil:
			v, err := frozen.Named(ctx, session, rows.Ref)
			if !errors.Is(err, frozen.ErrUnknown) { // a build that was stopped has left rows that nothing tells of
				return v, err
			}
		case !errors.Is(err, frozen.ErrGone) && !errors.Is(err, frozen.ErrUnknown):
			return frozen.Recorded{}, err
		}
	}
	return frozen.Named(ctx, session, ref)
}

// MakeCard is the card of a version before it is exported: from its frozen rows
// and its record. The error matches frozen.ErrGone where the rows are gone.
func MakeCard(ctx context.Context, lk *lake.Lake, ref frozen.Ref, options duck.Options) (_ card.Card, err error) {
	session, _, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return card.Card{}, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	v, err := named(ctx, lk, session, ref)
	if err != nil {
		return card.Card{}, err
	}
	rows, err := frozen.Find(ctx, lk, session, v.Ref)
	if err != nil {
		return card.Card{}, lake.WithHint(err, "weir dataset build "+v.Dataset+" --version "+v.Version)
	}
	if err := rows.Register(ctx, lk, session); err != nil {
		return card.Card{}, err
	}
	c := card.Card{Title: v.Dataset, Version: v.Ref.String(), ContentHash: v.ContentHash, State: v.Manifest.State, Warnings: v.Manifest.Warnings}
	if c.Stats, err = card.Collect(ctx, session, "select * from "+rows.Table); err != nil {
		return c, fmt.Errorf("dataset %s: %w", v.Ref, err)
	}
	c.Erased = v.Members - c.Stats.Examples
	return c, c.Define(v.Manifest.Definition, v.Manifest.DefinitionHash)
}

// ExportFor is how the definition of a version says that it is exported to a
// target. Without a target it is the only one that the definition names.
func ExportFor(ctx context.Context, lk *lake.Lake, ref frozen.Ref, target string, options duck.Options) (ExportTo, error) {
	one, err := Show(ctx, lk, ref, options)
	if err != nil {
		return ExportTo{}, err
	}
	var d Definition
	if err := json.Unmarshal(one.Manifest.Definition, &d); err != nil {
		return ExportTo{}, fmt.Errorf("dataset %s: definition: %w", one.Ref, err)
	}
	if target == "" && len(d.Exports) == 1 {
		return d.Exports[0], nil
	}
	return d.To(target), nil
}

func (l *Listed) fill(ctx context.Context, lk *lake.Lake, session *duck.Session) error {
	err := session.Get(ctx, `
with batches as (
    select members

    from events.dataset_members

    where dataset = `+duck.Literal(l.Dataset)+` and version = `+duck.Literal(l.Version)+`

    qualify row_number() over (partition by id order by kafka_cluster, kafka_topic, kafka_partition, kafka_offset) = 1
)

select coalesce(sum(len(members)), 0)::bigint from batches`, &l.Held)
	if err != nil {
		return err
	}
	if l.Rows, err = stateOf(ctx, lk, session, l.Ref); err != nil {
		return err
	}
	l.Exports, err = exportsOf(ctx, session, l.Ref)
	return err
}

func stateOf(ctx context.Context, lk *lake.Lake, session *duck.Session, ref frozen.Ref) (RowsState, error) {
	for _, look := range []struct {
		ref   frozen.Ref
		state RowsState
	}{{frozen.Ref{Dataset: ref.Dataset}, Current}, {ref, Kept}} {
		rows, err := frozen.Find(ctx, lk, session, look.ref)
		switch {
		case errors.Is(err, frozen.ErrGone), errors.Is(err, frozen.ErrUnknown):
		case err != nil:
			return "", err
		case rows.Version == ref.Version:
			return look.state, nil
		}
	}
	return Gone, nil
}

// exportsOf reads which recorded exports name the version in their manifest.
func exportsOf(ctx context.Context, session *duck.Session, ref frozen.Ref) ([]ExportOf, error) {
	rows, err := session.DB().QueryContext(ctx, `
select
    coalesce(json_extract_string(manifest, '$.target'), ''), version, coalesce(json_extract_string(manifest, '$.content_hash'), ''),
    strftime(time, '%Y-%m-%dT%H:%M:%SZ')

from events.dataset_versions

where json_valid(manifest)
    and json_extract_string(manifest, '$.dataset.name') = ?
    and json_extract_string(manifest, '$.dataset.version') = ?

qualify row_number() over (partition by id order by kafka_cluster, kafka_topic, kafka_partition, kafka_offset) = 1

order by time, id`, ref.Dataset, ref.Version)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	exports := []ExportOf{}
	for rows.Next() {
		var e ExportOf
		if err := rows.Scan(&e.Target, &e.Version, &e.ContentHash, &e.RecordedAt); err != nil {
			return nil, err
		}
		exports = append(exports, e)
	}
	return exports, rows.Err()
}
