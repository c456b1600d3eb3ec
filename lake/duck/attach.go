package duck

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-lake/weir/lake"
)

// OpenLake opens a session in which the lake's tables stand as they are now,
// and gives the version of each. Events tables that have no row yet are there
// and empty. Spilling goes to the lake's own folder unless opts says where.
func OpenLake(ctx context.Context, lk *lake.Lake, opts Options) (*Session, map[string]int64, error) {
	session, pinned, err := OpenLakeAt(ctx, lk, Moment{}, opts)
	return session, pinned.Versions, err
}

// Pinned is what a session's tables are.
type Pinned struct {
	Versions map[string]int64
	// Gone are tables that existed at the moment and can no longer be read. They
	// are not in the session.
	Gone map[string]error
}

// OpenLakeAt is OpenLake at a moment. Derived tables that did not exist then
// are not there. A table that is pinned to a version must exist at it.
func OpenLakeAt(ctx context.Context, lk *lake.Lake, moment Moment, opts Options) (*Session, Pinned, error) {
	if opts.TempDir == "" {
		opts.TempDir = lk.TempDir()
	}
	session, err := Open(ctx, opts)
	if err != nil {
		return nil, Pinned{}, err
	}
	pinned, err := session.attach(ctx, lk, moment)
	if err != nil {
		return nil, Pinned{}, errors.Join(err, session.Close())
	}
	return session, pinned, nil
}

func (s *Session) attach(ctx context.Context, lk *lake.Lake, moment Moment) (Pinned, error) {
	pinned := Pinned{Versions: map[string]int64{}, Gone: map[string]error{}}
	for _, payload := range lake.Payloads() {
		if err := s.RegisterQuery(ctx, payload.Table, EmptySelect(payload.Columns())); err != nil {
			return pinned, err
		}
	}
	names, err := lk.AllTables(ctx)
	if err != nil {
		return pinned, err
	}
	for name := range moment.Versions {
		if !slices.Contains(names, name) {
			return pinned, fmt.Errorf("%s: %w", name, lake.ErrNoTable)
		}
	}
	for _, name := range names {
		snapshot, err := moment.Snapshot(ctx, lk, name)
		_, isAsked := moment.Versions[name]
		switch {
		case errors.Is(err, lake.ErrNoTable):
			continue
		case errors.Is(err, lake.ErrNoVersion) && !isAsked:
			if err := s.Exec(ctx, "drop view if exists "+TableIdent(name)); err != nil {
				return pinned, err
			}
			pinned.Gone[name] = err
			continue
		case err != nil:
			return pinned, err
		}
		snapshot.Columns = asWritten(name, snapshot.Columns)
		if err := s.Register(ctx, lk.Dir(), snapshot); err != nil {
			return pinned, err
		}
		pinned.Versions[name] = snapshot.Version
	}
	return pinned, nil
}

// asWritten are the columns that this binary writes, and what else a table has:
// an older weir's events lack some, which are to read as null.
func asWritten(table string, columns []lake.Column) []lake.Column {
	for _, payload := range lake.Payloads() {
		if payload.Table != table {
			continue
		}
		all := payload.Columns()
		for _, column := range columns {
			if !slices.ContainsFunc(all, func(c lake.Column) bool { return c.Name == column.Name }) {
				all = append(all, column)
			}
		}
		return all
	}
	return columns
}
