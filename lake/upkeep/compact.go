package upkeep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// Defaults of Options.
const (
	DefaultMaxFiles    = 1000
	DefaultTargetBytes = 128 << 20
)

// maxConflicts is how often a compaction begins anew because others changed the
// table. Then it leaves the rest to the next one.
const maxConflicts = 5

// Options of Compact. The zero value is usable.
type Options struct {
	// MaxFiles is how many files a table of events should have at most: where
	// its size asks for more, files become larger than TargetBytes. 0: 1,000.
	MaxFiles int
	// TargetBytes is about the largest size of a file of events on disk. 0:
	// 128 MiB. Files of derived tables stay as small as lake/derive wants them.
	TargetBytes int64
	Session     duck.Options      // of the DuckDB session that merges
	Progress    func(step string) // called before each merge; nil: nobody listens
	// Fault is called at the named steps, for tests that end the process there.
	Fault func(step string)
}

func (o *Options) setDefaults(lk *lake.Lake) {
	if o.MaxFiles <= 0 {
		o.MaxFiles = DefaultMaxFiles
	}
	if o.TargetBytes <= 0 {
		o.TargetBytes = DefaultTargetBytes
	}
	if o.Session.TempDir == "" {
		o.Session.TempDir = lk.TempDir()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Fault == nil {
		o.Fault = func(string) {}
	}
}

// Result is what Compact did to a table.
type Result struct {
	Table       string `json:"table"`
	Version     int64  `json:"version"`
	FilesBefore int    `json:"files_before"`
	FilesAfter  int    `json:"files_after"`
	Merges      int    `json:"merges"`       // files written
	RowsWritten int64  `json:"rows_written"` // in them
	BytesRead   int64  `json:"bytes_read"`
	Conflicts   int    `json:"conflicts"` // merges that were dropped because others changed the table
}

// Compact merges a table's small files, each merge in a commit of its own, and
// stops where nothing is worth merging: files count as small by their rows, in
// tiers of four to one, and eight of a tier, or enough to make a full file, are
// merged. Rows of events are sorted by their place in Kafka; files of other
// tables keep the rows of a subject together, in their order. Before a merge is
// committed, count and logical hash of its rows are compared with those of the
// inputs. The commits bear no data change and move no txn; one is refused, and
// its file dropped, where an input is no longer live. Memory is bounded by the
// session's limit.
func Compact(ctx context.Context, lk *lake.Lake, table string, opts Options) (Result, error) {
	opts.setDefaults(lk)
	handle, err := lk.Table(table)
	if err != nil {
		return Result{}, fmt.Errorf("compact: %w", err)
	}
	c := &compaction{lake: lk, table: handle, opts: opts, result: Result{Table: table}}
	err = c.run(ctx)
	if c.session != nil {
		err = errors.Join(err, c.session.Close())
	}
	if err != nil {
		return c.result, fmt.Errorf("compact %s: %w", table, err)
	}
	return c.result, nil
}

type compaction struct {
	lake    *lake.Lake
	table   *lake.Table
	opts    Options
	session *duck.Session // opened for the first merge
	result  Result
}

func (c *compaction) run(ctx context.Context) error {
	head, err := c.table.Snapshot(ctx)
	if err != nil {
		return err
	}
	c.result.FilesBefore = len(head.Files)
	for {
		groups := plan(head.Files, c.limits(head))
		if len(groups) == 0 || c.result.Conflicts >= maxConflicts {
			break
		}
		for i, files := range groups {
			c.opts.Progress(fmt.Sprintf("%s: merge %d of %d", c.table.Name(), i+1, len(groups)))
			after, err := c.merge(ctx, head, files)
			if isRefused(err) {
				c.result.Conflicts++
				break
			}
			if err != nil {
				return err
			}
			head = after
		}
		if head, err = c.table.Snapshot(ctx); err != nil {
			return err
		}
	}
	c.result.Version, c.result.FilesAfter = head.Version, len(head.Files)
	return nil
}

// isRefused tells that a commit definitely has not come about.
func isRefused(err error) bool {
	return errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrStale) || errors.Is(err, lake.ErrSchema)
}

func (c *compaction) limits(head *lake.Snapshot) limits {
	if isEvents(head.Table) {
		return limitsOf(head.Files, c.opts.TargetBytes, c.opts.MaxFiles)
	}
	// A changed subject makes derive write its file again.
	return limits{bytes: derive.DefaultFileBytes / uncompressed, rows: derive.DefaultFileRows}
}

// uncompressed is about how much larger rows are in memory than in a file.
const uncompressed = 4

func isEvents(table string) bool { return strings.HasPrefix(table, "events.") }

// merge writes the rows of some live files as one and commits it.
func (c *compaction) merge(ctx context.Context, head *lake.Snapshot, files []lake.DataFile) (*lake.Snapshot, error) {
	if c.session == nil {
		session, err := duck.Open(ctx, c.opts.Session)
		if err != nil {
			return nil, err
		}
		c.session = session
	}
	file, err := rewrite(ctx, c.session, c.lake, head, merging(files))
	if err != nil {
		return nil, err
	}
	c.opts.Fault("compact.before-commit")
	commit := lake.Commit{Operation: "compact", Columns: head.Columns, Add: []lake.DataFile{file}, NoDataChange: true}
	for _, input := range files {
		commit.Remove = append(commit.Remove, input.Path)
		c.result.BytesRead += input.Bytes
	}
	if !isEvents(head.Table) {
		// The log's head keeps saying what the table was made from, as long as
		// nobody makes it anew in between.
		commit.Info, commit.ExpectVersion = infoOf(head), &head.Version
	}
	after, err := c.table.Commit(ctx, commit)
	if isRefused(err) {
		return nil, errors.Join(err, c.table.Discard(ctx, file))
	}
	if err != nil {
		return nil, err // the commit may have come about: vacuum sees to the file
	}
	c.opts.Fault("compact.after-commit")
	c.result.Merges++
	c.result.RowsWritten += file.Rows
	return after, nil
}

// infoOf is what the commit of a snapshot said of the table, and not of itself.
func infoOf(head *lake.Snapshot) map[string]string {
	info := maps.Clone(head.Info)
	for _, own := range []string{"operation", "commit_id", lake.InfoErasure, lake.InfoRetention} {
		delete(info, own)
	}
	return info
}
