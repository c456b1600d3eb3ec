// Package upkeep keeps a lake small and quick while it is in use: Compact merges
// small files, Vacuum deletes what no reader can want any more, Purge deletes
// at once what must not be read again, and Maintain does it all for a
// scheduler. None of them changes a row. All are safe beside running sinks,
// transforms and readers; a change that meets them wins, and the work is done
// again. What a table says of its rows (lake/derive) and what is erased
// (lake/erasure) is not decided here. Start at Maintain.
package upkeep

import (
	"context"
	"path/filepath"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/flock"
)

// lockName is the file whose lock Vacuum and Maintain hold.
const lockName = "upkeep.lock"

// Lock waits until no other process of this machine vacuums the lake, and
// keeps them all from it. Who brings removed files back into a table holds it:
// vacuum might be about to delete them.
func Lock(ctx context.Context, lk *lake.Lake) (unlock func(), err error) {
	return flock.Lock(ctx, filepath.Join(lk.TempDir(), lockName))
}

// tablesOf lists the tables that exist, or those that are named.
func tablesOf(ctx context.Context, lk *lake.Lake, only []string) ([]string, error) {
	if len(only) > 0 {
		return only, nil
	}
	return lk.AllTables(ctx)
}
