package exporters

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/frozen"
)

// examplesSQL selects what is exported, with the columns of canonical.Columns.
//
//go:embed examples.sql
var examplesSQL string

// agentsSQL selects the names that belong to agents.
//
//go:embed agents.sql
var agentsSQL string

// sourceTables are the tables that the two read, and those of the manifest.
var sourceTables = []string{"curated.examples", "curated.funnel", "curated.leaks", "curated.quality", "curated.review_estimates",
	"curated.splits", "curated.turns"}

const liveValidationGroups = `
select count(distinct splits.group_id)

from curated.splits as splits

inner join curated.funnel as funnel on funnel.example_id = splits.example_id

where funnel.fate = 'validation'`

// source is where an export's examples come from.
type source struct {
	examples         string // query with the columns of canonical.Columns, in any order
	agents           string // query of the names that belong to agents
	validationGroups string // query of the number of groups that validate
	tables           []string
	versions         map[string]int64 // of the tables
	state            frozen.State
	dataset          *DatasetRef      // nil: the funnel's sides
	pairs            map[string]int64 // preference pairs of each side; nil: examples are exported
	definition       []byte           // JSON: of the dataset; empty: there is none
	definitionHash   string
}

// DatasetRef is the dataset version that an export was made from.
type DatasetRef struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	ContentHash string `json:"content_hash"` // of the members when the version was frozen
	Members     int64  `json:"members"`      // then
	// HeldHash is the hash of the members that are left, where an erasure has
	// taken some out since.
	HeldHash string           `json:"held_hash,omitempty"`
	Erased   int64            `json:"erased,omitempty"` // members that were taken out
	Sides    map[string]int64 `json:"sides"`            // rows that are left, by side
}

// ref is NAME@VERSION; empty for none.
func (d *DatasetRef) ref() string {
	if d == nil {
		return ""
	}
	return d.Name + "@" + d.Version
}

func openSource(ctx context.Context, lk *lake.Lake, session *duck.Session, pinned duck.Pinned, opts Options, pairs bool) (*source, error) {
	tables := sourceTables
	if pairs {
		if err := checkPairs(opts); err != nil {
			return nil, err
		}
		tables = slices.Concat(sourceTables, pairTables)
	}
	if opts.Dataset != (frozen.Ref{}) {
		return openDataset(ctx, lk, session, opts.Dataset)
	}
	for _, table := range tables {
		if err := pinned.Gone[table]; err != nil {
			return nil, err
		}
		if _, ok := pinned.Versions[table]; !ok {
			return nil, lake.WithHint(fmt.Errorf("%s: %w", table, lake.ErrNoTable), "weir transform --lake "+lk.Dir())
		}
	}
	if !opts.At.IsNow() {
		if err := checkErasures(ctx, lk, opts.At); err != nil {
			return nil, err
		}
	}
	state, err := frozen.ReadState(ctx, session)
	from := &source{
		examples: examplesSQL, agents: agentsSQL, validationGroups: liveValidationGroups,
		tables: tables, versions: pinned.Versions, state: state,
	}
	if err == nil && pairs {
		err = from.ofPairs(ctx, session)
	}
	return from, err
}

// openDataset makes a frozen version the source. What the manifest says of the
// lake is what it was when the version was frozen.
func openDataset(ctx context.Context, lk *lake.Lake, session *duck.Session, ref frozen.Ref) (*source, error) {
	if ref.Version != "" {
		named, err := frozen.Named(ctx, session, ref)
		if err != nil {
			return nil, err
		}
		ref = named.Ref
	}
	rows, err := frozen.Find(ctx, lk, session, ref)
	if errors.Is(err, frozen.ErrGone) {
		err = lake.WithHint(err, "weir dataset build "+ref.Dataset+" --version V makes them again; weir dataset list has the versions")
	}
	if err != nil {
		return nil, err
	}
	recorded, err := frozen.Named(ctx, session, rows.Ref)
	if err != nil {
		return nil, lake.WithHint(fmt.Errorf("%w: its rows are there, the record is not", err), "weir dataset build "+ref.Dataset+", which goes on where it was stopped")
	}
	if err := rows.Register(ctx, lk, session); err != nil {
		return nil, err
	}
	if err := checkErased(ctx, session, rows); err != nil {
		return nil, err
	}
	hash, left, err := rows.Hash(ctx, lk, session)
	if err != nil {
		return nil, err
	}
	held := &DatasetRef{Name: rows.Dataset, Version: rows.Version, ContentHash: recorded.ContentHash, Members: recorded.Members, Sides: map[string]int64{}}
	if hash != recorded.ContentHash {
		held.HeldHash, held.Erased = hash, recorded.Members-left
	}
	for _, split := range splits {
		var n int64
		if err := session.Get(ctx, "select count(*) from "+rows.Table+" where split = "+duck.Literal(split), &n); err != nil {
			return nil, err
		}
		held.Sides[split] = n
	}
	return &source{
		examples: "select " + strings.Join(canonical.Columns, ", ") + " from " + rows.Table +
			" where split in ('train', 'validation')",
		agents:           "select distinct unnest(agent_names) as name from " + rows.Table + " order by name",
		validationGroups: "select count(distinct group_id) from " + rows.Table + " where split = 'validation'",
		tables:           []string{rows.Table}, versions: map[string]int64{rows.Table: rows.Snapshot.Version},
		state: recorded.Manifest.State, dataset: held,
		definition: recorded.Manifest.Definition, definitionHash: recorded.Manifest.DefinitionHash,
	}, nil
}

// checkErased refuses a version that still holds somebody who asked to be
// forgotten: that is what weir erase takes out of it.
func checkErased(ctx context.Context, session *duck.Session, rows frozen.Rows) error {
	if session.Exec(ctx, "from curated.erased limit 0") != nil {
		return nil // no transform was run, and so no version frozen here
	}
	var held int64
	err := session.Get(ctx, "select count(*) from "+rows.Table+" where list_has_any(origin_event_ids, (select coalesce(list(event_id), []) from curated.erased))", &held)
	if err != nil || held == 0 {
		return err
	}
	return lake.WithHint(fmt.Errorf("dataset %s: %w: %d rows hold them", rows.Ref, ErrErasedSince, held), "weir erase --apply")
}
