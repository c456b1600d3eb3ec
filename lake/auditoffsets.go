package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// Info keys of offsets that a sink has read past without a row:
// TOPIC/PARTITION:FROM-TO, separated by commas. Gaps are records that were lost
// before they were in the lake, as the operator accepted; unread are the markers
// of transactions, and records of those that were aborted.
const (
	InfoGaps   = "accepted_gaps"
	InfoUnread = "unread"
)

// partitionKey names a partition of a topic in a cluster.
type partitionKey struct {
	cluster, topic string
	partition      int64
}

// partitionOffsets are the offsets of a partition that the lake has rows of.
type partitionOffsets struct {
	tables map[string][]offsetRun
}

// offsetRun is a run of offsets, both included.
type offsetRun struct{ from, to int64 }

// rows compares a data file's rows with the log, and takes down their offsets.
func (a *audit) rows(ctx context.Context, table *Table, file DataFile) error {
	r, err := a.lake.storage.Open(ctx, path.Join(table.folder, file.Path))
	if err != nil {
		return err
	}
	defer r.Close()
	rows, err := a.readOffsets(table, r)
	switch {
	case err != nil:
		a.found(table, file.Path, ProblemRows, "it cannot be read: %v", err)
	case rows != file.Rows:
		a.found(table, file.Path, ProblemRows, "%d rows, %d were committed", rows, file.Rows)
	}
	return nil
}

// readOffsets gives the rows of a file. Those of an events table have offsets.
func (a *audit) readOffsets(table *Table, r FileReader) (rows int64, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some malformed files
			err = fmt.Errorf("%v", p)
		}
	}()
	file, err := parquet.OpenFile(r, r.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil || !strings.HasPrefix(table.name, "events.") {
		return fileRows(file), err
	}
	var columns [4]int
	for i, name := range []string{"kafka_cluster", "kafka_topic", "kafka_partition", "kafka_offset"} {
		leaf, ok := file.Schema().Lookup(name)
		if !ok {
			return 0, fmt.Errorf("no column %s", name)
		}
		columns[i] = leaf.ColumnIndex
	}
	for _, group := range file.RowGroups() {
		var values [4][]parquet.Value
		for i, column := range columns {
			if values[i], err = readColumn(group.ColumnChunks()[column]); err != nil {
				return 0, err
			}
			if len(values[i]) != len(values[0]) {
				return 0, errors.New("columns of different lengths")
			}
		}
		for i := range values[0] {
			a.see(table, values[0][i].ByteArray(), values[1][i].ByteArray(), values[2][i].Int64(), values[3][i].Int64())
		}
	}
	return file.NumRows(), nil
}

func fileRows(file *parquet.File) int64 {
	if file == nil {
		return 0
	}
	return file.NumRows()
}

// readColumn reads a column of a row group, which has a bounded number of rows.
func readColumn(chunk parquet.ColumnChunk) ([]parquet.Value, error) {
	values := make([]parquet.Value, 0, chunk.NumValues())
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		read := make([]parquet.Value, page.NumValues())
		n, err := page.Values().ReadValues(read)
		if err != nil && err != io.EOF {
			return nil, err
		}
		values = append(values, read[:n]...)
	}
}

// see takes down one row's place.
func (a *audit) see(table *Table, cluster, topic []byte, partition, offset int64) {
	key := partitionKey{string(cluster), string(topic), partition}
	seen := a.offsets[key]
	if seen == nil {
		seen = &partitionOffsets{tables: map[string][]offsetRun{}}
		a.offsets[key] = seen
	}
	runs := seen.tables[table.name]
	if n := len(runs); n > 0 && runs[n-1].to+1 == offset {
		runs[n-1].to = offset
		return
	}
	seen.tables[table.name] = append(runs, offsetRun{offset, offset})
}

// continuity compares the rows' offsets with the counters. What the lake alone
// can tell: a record that a table has twice; a row that its counter does not
// cover; and an offset that was read and of which no table has a row, from the
// first row of the partition on, unless an accepted gap says why.
func (a *audit) continuity(tables []auditedTable) {
	byName := map[string]auditedTable{}
	for _, table := range tables {
		byName[table.name] = table
	}
	keys := make([]partitionKey, 0, len(a.offsets))
	for key := range a.offsets {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(p, q partitionKey) int {
		return cmp.Or(strings.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition), strings.Compare(p.cluster, q.cluster))
	})
	for _, key := range keys {
		a.partition(key, a.offsets[key], byName)
	}
}

func (a *audit) partition(key partitionKey, seen *partitionOffsets, tables map[string]auditedTable) {
	app := TxnAppID(key.cluster, key.topic, int(key.partition))
	place := fmt.Sprintf("%s/%d", key.topic, key.partition)
	var all []offsetRun
	next, explained, isWhole := int64(0), false, true
	var gaps []string
	for _, name := range sortedTables(tables) {
		table := tables[name]
		runs := seen.tables[name]
		counter, counts := table.txns[app]
		if len(runs) == 0 && !counts {
			continue
		}
		next, explained, isWhole = max(next, counter), explained || table.rewritten || a.damaged[name], isWhole && table.isWhole
		gaps = append(gaps, table.gaps...)
		slices.SortFunc(runs, func(p, q offsetRun) int { return cmp.Compare(p.from, q.from) })
		for i := 1; i < len(runs); i++ {
			if runs[i].from <= runs[i-1].to {
				a.found(table.Table, place, ProblemDoubled, "offsets %d to %d are there twice", runs[i].from, min(runs[i].to, runs[i-1].to))
				runs[i].to = max(runs[i].to, runs[i-1].to)
			}
		}
		if n := len(runs); n > 0 && table.isWhole && runs[n-1].to >= counter {
			a.found(table.Table, place, ProblemTxnBehind, "a row at offset %d, the counter stands at %d", runs[n-1].to, counter)
		}
		all = append(all, runs...)
	}
	if !isWhole {
		return
	}
	all = append(all, gapRuns(gaps, place)...)
	for _, hole := range holes(all, next) {
		if explained {
			a.report.Holes += hole.to - hole.from + 1
			continue
		}
		a.report.Problems = append(a.report.Problems, Problem{
			Table: primaryTable(key.topic), Path: place, Kind: ProblemTxnGap,
			What: fmt.Sprintf("offsets %d to %d have no row", hole.from, hole.to),
		})
	}
}

func sortedTables(tables map[string]auditedTable) []string {
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// primaryTable is the table that a topic's counters are kept in.
func primaryTable(topic string) string {
	for _, p := range Payloads() {
		if p.Topic() == topic {
			return p.Table
		}
	}
	return ""
}

// gapRuns are the accepted gaps of one partition.
func gapRuns(gaps []string, place string) []offsetRun {
	var runs []offsetRun
	for _, gap := range gaps {
		offsets, ok := strings.CutPrefix(gap, place+":")
		from, to, ok2 := strings.Cut(offsets, "-")
		first, err := strconv.ParseInt(from, 10, 64)
		last, err2 := strconv.ParseInt(to, 10, 64)
		if ok && ok2 && err == nil && err2 == nil {
			runs = append(runs, offsetRun{first, last})
		}
	}
	return runs
}

// holes are the runs between the first offset and next that no run covers.
func holes(runs []offsetRun, next int64) []offsetRun {
	slices.SortFunc(runs, func(p, q offsetRun) int { return cmp.Compare(p.from, q.from) })
	var found []offsetRun
	for i, at := 0, int64(0); i <= len(runs); i++ {
		run := offsetRun{next, next}
		if i < len(runs) {
			run = runs[i]
		}
		if i > 0 && run.from > at {
			found = append(found, offsetRun{at, run.from - 1})
		}
		at = max(at, run.to+1)
	}
	return found
}
