package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/upkeep"
)

// search finds the rows to take out, in a session of its own, which holds
//
//	retention.rows   the rows of subjects with something old: place, subject, time
//	retention.gone   the places of rows to take out
//
// A row is known by its place in Kafka, which stays when its file is merged.
type search struct {
	lake    *lake.Lake
	session *duck.Session
}

const (
	place = "kafka_cluster, kafka_topic, kafka_partition, kafka_offset"
	gone  = "retention.gone"
	// rowTime is how old a row is: see the package comment.
	rowTime = "case when time = to_timestamp(0) then coalesce(ingested_at, time) else least(time, ingested_at) end"
)

func newSearch(ctx context.Context, lk *lake.Lake, options duck.Options) (*search, error) {
	if options.TempDir == "" {
		options.TempDir = lk.TempDir()
	}
	session, err := duck.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := session.Exec(ctx, "create schema retention"); err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return &search{lk, session}, nil
}

// find fills retention.gone with what entries, in their order, take out of a
// table: each sees the rows up to its offsets that those before have left.
func (s *search) find(ctx context.Context, head *lake.Snapshot, entries []entry) error {
	latest := entries[0].Before
	for _, e := range entries {
		if e.Before.After(latest) {
			latest = e.Before
		}
	}
	scan := duck.Scan(s.lake.Dir(), head, head.Files)
	statements := []string{
		fmt.Sprintf("create table retention.old as select coalesce(subject, id) as subject from %s group by all having min(%s) < %s", scan, rowTime, instant(latest)),
		fmt.Sprintf("create table retention.rows as select %s, coalesce(subject, id) as subject, %s as happened_at from %s where coalesce(subject, id) in (from retention.old)", place, rowTime, scan),
		"create table " + gone + " as select " + place + " from retention.rows limit 0",
	}
	for _, e := range entries {
		if len(e.Positions) == 0 {
			continue
		}
		take, err := e.query()
		if err != nil {
			return err
		}
		statements = append(statements, "insert into "+gone+" "+take)
	}
	for _, statement := range statements {
		if err := s.session.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// query gives the places of the rows that an entry takes out.
func (e entry) query() (string, error) {
	var ends []string
	for _, app := range slices.Sorted(maps.Keys(e.Positions)) {
		at, ok := lake.ParseTxnAppID(app)
		if !ok {
			return "", fmt.Errorf("%s: %q is no partition of a topic", ledgerName, app)
		}
		ends = append(ends, fmt.Sprintf("(%s, %s, %d, %d)", duck.Literal(at.Cluster), duck.Literal(at.Topic), at.Partition, e.Positions[app]))
	}
	old := "happened_at < " + instant(e.Before)
	if !e.ByRow {
		old = "subject in (select subject from seen group by subject having max(happened_at) < " + instant(e.Before) + ")"
	}
	return fmt.Sprintf(`
		with ends(kafka_cluster, kafka_topic, kafka_partition, next) as (values %s),
		seen as (
			select rows.* from retention.rows as rows join ends using (kafka_cluster, kafka_topic, kafka_partition)
			anti join %s using (%s) where rows.kafka_offset < ends.next
		)
		select %s from seen where %s`, strings.Join(ends, ", "), gone, place, place, old), nil
}

// count says what find has found for one entry.
func (s *search) count(ctx context.Context, e entry, result *Result) error {
	if err := s.session.Get(ctx, "select count(*), count(distinct subject) from retention.rows semi join "+gone+" using ("+place+")", &result.Rows, &result.Subjects); err != nil {
		return err
	}
	if e.ByRow {
		result.Subjects = 0
	}
	return s.session.Get(ctx, "select count(*) from retention.rows anti join "+gone+" using ("+place+") where happened_at < "+instant(e.Before), &result.Held)
}

// filesOf counts the rows to take out by live file.
func (s *search) filesOf(ctx context.Context, head *lake.Snapshot) (map[string]int64, error) {
	counts := map[string]int64{}
	if len(head.Files) == 0 {
		return counts, nil
	}
	rows, err := s.session.DB().QueryContext(ctx, fmt.Sprintf("select filename, count(*) from %s semi join %s using (%s) group by filename",
		duck.Scan(s.lake.Dir(), head, head.Files, "filename = true"), gone, place))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, rows.Err()
}

// takeOut writes the files that hold rows of retention.gone again without them,
// in one commit, and gives how many there were. Where compaction was quicker it
// looks for the rows in the files that they are in now.
func (s *search) takeOut(ctx context.Context, table *lake.Table, what string, fault func(string)) (files int, err error) {
	for conflicts := 0; ; conflicts++ {
		files, err = s.tryTakeOut(ctx, table, what, fault)
		if err == nil || conflicts == maxConflicts || !errors.Is(err, lake.ErrConflict) {
			return files, err
		}
	}
}

func (s *search) tryTakeOut(ctx context.Context, table *lake.Table, what string, fault func(string)) (int, error) {
	head, err := table.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	counts, err := s.filesOf(ctx, head)
	if err != nil || len(counts) == 0 {
		return 0, err
	}
	commit := lake.Commit{Operation: "expire", Columns: head.Columns, Info: map[string]string{lake.InfoRetention: what}}
	for _, file := range head.Files {
		n := counts[filepath.Join(table.Dir(), filepath.FromSlash(file.Path))]
		if n == 0 {
			continue
		}
		commit.Remove = append(commit.Remove, file.Path)
		if n == file.Rows {
			continue
		}
		kept, err := upkeep.Without(ctx, s.session, s.lake, head, file, gone, n)
		if err != nil {
			return 0, errors.Join(err, table.Discard(context.WithoutCancel(ctx), commit.Add...))
		}
		commit.Add = append(commit.Add, kept)
	}
	if len(commit.Remove) != len(counts) {
		return 0, errors.Join(fmt.Errorf("%s: rows in %d files, of which %d are known", table.Name(), len(counts), len(commit.Remove)), table.Discard(context.WithoutCancel(ctx), commit.Add...))
	}
	fault("expire.before-commit")
	_, err = table.Commit(ctx, commit)
	if errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrSchema) {
		err = errors.Join(err, table.Discard(context.WithoutCancel(ctx), commit.Add...))
	}
	return len(commit.Remove), err // after another error the commit may have come about: vacuum sees to the files
}

// instant is a time as SQL.
func instant(t time.Time) string {
	return "make_timestamptz(" + strconv.FormatInt(t.UnixMicro(), 10) + ")"
}
