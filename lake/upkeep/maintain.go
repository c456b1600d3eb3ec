package upkeep

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
)

// MaintainOptions tune Maintain. The zero value is usable.
type MaintainOptions struct {
	Compact Options
	Vacuum  VacuumOptions // DryRun is not for Maintain
	Tables  []string      // look at these alone; empty: all
}

// TableUpkeep is what Maintain did to one table.
type TableUpkeep struct {
	Result
	Checkpoint   int64 `json:"checkpoint"`    // version of the newest
	Deleted      int   `json:"deleted"`       // files, of the log too
	BytesDeleted int64 `json:"bytes_deleted"` // of them
}

// Upkeep is what Maintain did.
type Upkeep struct {
	Tables    []TableUpkeep `json:"tables"`
	Leftovers int           `json:"leftovers"` // files deleted that belonged to no table
}

// Maintain compacts and checkpoints every table, publishes the catalog, and
// vacuums. It is for a scheduler: run again, it finds nothing to do; two at once
// wait for each other. An error of one table does not keep it from the others.
func Maintain(ctx context.Context, lk *lake.Lake, opts MaintainOptions) (Upkeep, error) {
	var done Upkeep
	unlock, err := Lock(ctx, lk)
	if err != nil {
		return done, fmt.Errorf("maintain: %w", err)
	}
	defer unlock()
	names, err := tablesOf(ctx, lk, opts.Tables)
	if err != nil {
		return done, fmt.Errorf("maintain: %w", err)
	}
	var errs []error
	for _, name := range names {
		one, err := maintainTable(ctx, lk, name, opts.Compact)
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		done.Tables = append(done.Tables, one)
	}
	if err := catalog.Publish(ctx, lk, catalog.Options{}); err != nil {
		errs = append(errs, err)
	}
	opts.Vacuum.Tables, opts.Vacuum.DryRun = opts.Tables, false
	deleted, err := vacuumLocked(ctx, lk, opts.Vacuum)
	errs = append(errs, err)
	done.count(deleted)
	return done, errors.Join(errs...)
}

func maintainTable(ctx context.Context, lk *lake.Lake, name string, opts Options) (TableUpkeep, error) {
	result, err := Compact(ctx, lk, name, opts)
	if err != nil {
		return TableUpkeep{}, err
	}
	table, err := lk.Table(name)
	if err != nil {
		return TableUpkeep{}, err
	}
	version, err := table.Checkpoint(ctx)
	return TableUpkeep{Result: result, Checkpoint: version}, err
}

func (u *Upkeep) count(deleted []Deletion) {
	at := map[string]*TableUpkeep{}
	for i := range u.Tables {
		at[u.Tables[i].Table] = &u.Tables[i]
	}
	for _, deletion := range deleted {
		table, ok := at[deletion.Table]
		if !ok {
			u.Leftovers++
			continue
		}
		table.Deleted++
		table.BytesDeleted += deletion.Bytes
	}
}
