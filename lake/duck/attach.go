package duck

import (
	"context"
	"errors"

	"github.com/weir-lake/weir/lake"
)

// OpenLake opens a session in which the lake's tables stand as they are now,
// and gives the version of each. Events tables that have no row yet are there
// and empty. Spilling goes to the lake's own folder unless opts says where.
func OpenLake(ctx context.Context, lk *lake.Lake, opts Options) (*Session, map[string]int64, error) {
	if opts.TempDir == "" {
		opts.TempDir = lk.TempDir()
	}
	session, err := Open(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	versions, err := session.attach(ctx, lk)
	if err != nil {
		return nil, nil, errors.Join(err, session.Close())
	}
	return session, versions, nil
}

func (s *Session) attach(ctx context.Context, lk *lake.Lake) (map[string]int64, error) {
	versions := map[string]int64{}
	for _, payload := range lake.Payloads() {
		if err := s.RegisterQuery(ctx, payload.Table, EmptySelect(payload.Columns())); err != nil {
			return nil, err
		}
	}
	for _, schema := range schemas {
		names, err := lk.Tables(ctx, schema)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			table, err := lk.Table(name)
			if err != nil {
				return nil, err
			}
			snapshot, err := table.Snapshot(ctx)
			if err != nil {
				return nil, err
			}
			if err := s.Register(ctx, lk.Dir(), snapshot); err != nil {
				return nil, err
			}
			versions[name] = snapshot.Version
		}
	}
	return versions, nil
}
