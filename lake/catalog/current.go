package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/flock"
)

const (
	// markName is a generation's file that tells what was published with it.
	// Readers of Parquet skip names that start with a dot.
	markName = ".published"
	// generationTime begins a generation's name, so that names sort by age.
	generationTime = "20060102T150405.000000Z"
)

// fingerprint tells whether a publication would come out the same.
func fingerprint(lk *lake.Lake, tables []table) string {
	h := sha256.New()
	fmt.Fprintf(h, "2\n%s\n", lk.Dir()) // the catalog holds the folder, as a last resort
	for _, t := range tables {
		fmt.Fprintf(h, "%s %d %q\n", t.Table, len(t.Files), t.doc)
		for _, file := range t.Files {
			fmt.Fprintf(h, "%s\n", file.Path)
		}
		for _, column := range t.Columns {
			fmt.Fprintf(h, "%s %s %q\n", column.Name, column.SQL(), column.Doc)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// published tells whether catalog and current/ are there and show the mark.
func published(lk *lake.Lake, mark string) bool {
	if _, err := os.Stat(filepath.Join(lk.Dir(), fileName)); err != nil {
		return false
	}
	found, err := os.ReadFile(filepath.Join(lk.Dir(), currentName, markName))
	return err == nil && string(found) == mark
}

// writeCurrent makes a new generation and points current at it. A generation
// is never changed: a reader that resolved the link before sees the old rows in
// all tables, one that resolves it now the new ones.
func writeCurrent(ctx context.Context, session *duck.Session, lk *lake.Lake, tables []table, mark string, now time.Time) error {
	name, err := nextGeneration(lk, now)
	if err != nil {
		return err
	}
	folder := filepath.Join(lk.Dir(), generations, name)
	err = fillGeneration(ctx, session, lk, tables, folder)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, markName), []byte(mark), 0o666)
	}
	if err == nil {
		err = swap(lk.Dir(), filepath.Join(generations, name))
	}
	if err != nil {
		os.RemoveAll(folder)
	}
	return err
}

// nextGeneration gives a name that sorts after all others, even where the
// clock went back.
func nextGeneration(lk *lake.Lake, now time.Time) (string, error) {
	entries, err := os.ReadDir(filepath.Join(lk.Dir(), generations))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, entry := range entries {
		if made, err := generationMade(entry.Name()); err == nil && !made.Before(now) {
			now = made.Add(time.Microsecond)
		}
	}
	return now.UTC().Format(generationTime) + "-" + uuid.NewString()[:8], nil
}

func generationMade(name string) (time.Time, error) {
	stamp, _, _ := strings.Cut(name, "-")
	return time.Parse(generationTime, stamp)
}

func fillGeneration(ctx context.Context, session *duck.Session, lk *lake.Lake, tables []table, folder string) error {
	for _, t := range tables {
		dir := filepath.Join(folder, filepath.FromSlash(strings.ReplaceAll(t.Table, ".", "/")))
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		source := duck.TableDir(lk.Dir(), t.Table)
		for i, file := range t.Files {
			link := filepath.Join(dir, fmt.Sprintf("%05d.parquet", i))
			if err := os.Link(filepath.Join(source, filepath.FromSlash(file.Path)), link); err != nil {
				return err
			}
		}
		if len(t.Files) == 0 { // readers need a file to see the columns
			stub := filepath.Join(dir, "00000.parquet")
			if err := session.Exec(ctx, "copy ("+duck.EmptySelect(t.Columns)+") to "+duck.Literal(stub)+" (format parquet)"); err != nil {
				return fmt.Errorf("%s: %w", t.Table, err)
			}
		}
	}
	return nil
}

// swap points the link current at a generation, at one stroke. The target is
// relative, so that a moved lake's link still holds.
func swap(dir, target string) error {
	link := filepath.Join(dir, currentName)
	if info, err := os.Lstat(link); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return lake.WithHint(fmt.Errorf("%s is not a link of ours", link), "move it away")
	}
	next := filepath.Join(dir, generations, "next-"+uuid.NewString())
	if err := os.Symlink(filepath.FromSlash(target), next); err != nil {
		return err
	}
	// The link's text counts from where it stands in the end.
	if err := os.Rename(next, link); err != nil {
		os.Remove(next)
		return err
	}
	return lake.SyncPath(dir)
}

// prune removes generations whose successor is older than the horizon, and
// what an interrupted publication left.
func prune(lk *lake.Lake, opts Options) error {
	current, err := os.Readlink(filepath.Join(lk.Dir(), currentName))
	if err != nil {
		return err
	}
	current = filepath.Base(current)
	entries, err := os.ReadDir(filepath.Join(lk.Dir(), generations))
	if err != nil {
		return err
	}
	var names []string
	var errs []error
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		} else {
			errs = append(errs, os.Remove(filepath.Join(lk.Dir(), generations, entry.Name())))
		}
	}
	slices.Sort(names)
	for i, name := range names {
		if name == current {
			continue
		}
		// A generation younger than current never became current.
		gone := name > current
		if i+1 < len(names) && !gone {
			replaced, err := generationMade(names[i+1])
			gone = err == nil && opts.Clock().Sub(replaced) > opts.Horizon
		}
		if gone {
			errs = append(errs, os.RemoveAll(filepath.Join(lk.Dir(), generations, name)))
		}
	}
	return errors.Join(errs...)
}

// DropGenerations removes all generations of current/ but the newest ones, at
// once. A reader that holds on to one of them fails: this is for what must not
// be read again.
func DropGenerations(ctx context.Context, lk *lake.Lake, keepNewest int) error {
	if err := dropGenerations(ctx, lk, keepNewest); err != nil {
		return fmt.Errorf("drop generations of current/: %w", err)
	}
	return nil
}

func dropGenerations(ctx context.Context, lk *lake.Lake, keepNewest int) error {
	unlock, err := flock.Lock(ctx, filepath.Join(lk.TempDir(), lockName))
	if err != nil {
		return err
	}
	defer unlock()
	if keepNewest < 1 { // before its generation, or it would point nowhere for a moment
		if err := removeIfThere(filepath.Join(lk.Dir(), currentName)); err != nil {
			return err
		}
	}
	folder := filepath.Join(lk.Dir(), generations)
	entries, err := os.ReadDir(folder) // sorted, oldest first
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// What an interrupted publication left is no generation.
	entries = slices.DeleteFunc(entries, func(entry os.DirEntry) bool { return !entry.IsDir() })
	var errs []error
	for _, entry := range entries[:max(len(entries)-keepNewest, 0)] {
		errs = append(errs, os.RemoveAll(filepath.Join(folder, entry.Name())))
	}
	return errors.Join(append(errs, lake.SyncPath(folder))...)
}
