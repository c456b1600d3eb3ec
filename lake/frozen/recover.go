package frozen

import (
	"context"
	"errors"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Recover makes the tables of datasets that a lake has records of but no rows:
// it has lost them, or was itself made anew. The version is that which the table of
// another lake shows, which may be the same lake, else the one recorded last. A
// version that cannot be made again is left out.
func Recover(ctx context.Context, like, lk *lake.Lake, options duck.Options) (err error) {
	session, tables, err := duck.OpenLake(ctx, lk, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	for _, needed := range []string{"curated.examples", "curated.turns"} {
		if _, ok := tables[needed]; !ok {
			return nil // nothing is derived in this lake
		}
	}
	versions, err := Versions(ctx, session, "")
	if err != nil {
		return err
	}
	last := map[string]Ref{}
	var names []string
	for _, v := range versions {
		if _, seen := last[v.Dataset]; !seen {
			names = append(names, v.Dataset)
		}
		last[v.Dataset] = v.Ref
	}
	for _, name := range names {
		table, err := TableOf(name)
		if err != nil {
			return err
		}
		if _, ok := tables[table]; ok {
			continue
		}
		ref := last[name]
		// A log that cannot be read says nothing of which version it showed.
		if shown, err := Find(ctx, like, session, Ref{Dataset: name}); err == nil {
			ref = shown.Ref
		}
		if _, err := Restore(ctx, lk, session, ref); err != nil && !errors.Is(err, ErrGone) {
			return err
		}
	}
	return nil
}
