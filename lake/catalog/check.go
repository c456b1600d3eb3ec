package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lake/weir/lake"
)

// What Check finds.
const (
	Missing = "catalog_missing" // there is no catalog, or no current/
	Stale   = "catalog_stale"   // they do not show the heads of the tables' logs
)

// Check tells what is wrong with the catalog and current/: Missing, Stale or,
// if nothing is, the empty string. Commits after a moment may not be in them
// yet: a sink publishes from time to time.
func Check(ctx context.Context, lk *lake.Lake, moment time.Time) (string, error) {
	tables, err := heads(ctx, lk)
	if err != nil {
		return "", fmt.Errorf("check catalog: %w", err)
	}
	var last time.Time // zero: nothing was ever committed
	for _, t := range tables {
		if t.CommittedAt.After(last) {
			last = t.CommittedAt
		}
	}
	switch {
	case last.IsZero() || published(lk, fingerprint(lk, tables)):
		return "", nil
	case !isThere(filepath.Join(lk.Dir(), fileName)) || !isThere(filepath.Join(lk.Dir(), currentName)):
		return Missing, nil
	case last.After(moment):
		return "", nil
	}
	return Stale, nil
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
