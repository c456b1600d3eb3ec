package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// place is where a record lies in Kafka.
type place struct {
	topic     string
	partition int64
	offset    int64
}

func (p place) String() string { return fmt.Sprintf("%s/%d@%d", p.topic, p.partition, p.offset) }

func byPlace(a, b place) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
}

// found is what the oracle saw in a lake.
type found struct {
	ids   map[place][]string // of the events with that position; a dead letter's is garbage
	files int
	wrong []string // what contradicts the log, or the order
}

// garbage stands for the id of what is no event.
const garbage = "(dead letter)"

// readLake reads every events table: what the log's JSON says is live, and the
// rows of those files. ordered also demands that files follow each other in
// offset order, as they do until they are compacted.
func readLake(t *testing.T, dir string, ordered bool) found {
	t.Helper()
	seen := found{ids: map[place][]string{}}
	logs, err := filepath.Glob(filepath.Join(dir, "events", "*", "_delta_log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		seen.table(filepath.Dir(log), ordered)
	}
	return seen
}

type addAction struct {
	Path  string
	Size  int64
	Stats string
}

// table replays one table's log and reads its files.
func (f *found) table(dir string, ordered bool) {
	live := map[string]addAction{}
	var order []string
	names, _ := filepath.Glob(filepath.Join(dir, "_delta_log", "*.json"))
	slices.Sort(names)
	first := 0
	if len(names) > 0 {
		fmt.Sscanf(filepath.Base(names[0]), "%d.json", &first)
	}
	if first > 0 { // cut off: the checkpoint says what went before
		adds, err := readCheckpoint(filepath.Join(dir, "_delta_log", fmt.Sprintf("%020d.checkpoint.parquet", first)))
		if err != nil {
			f.note("%s: the log begins at version %d: %v", dir, first, err)
		}
		for _, add := range adds {
			live[add.Path] = add
			order = append(order, add.Path)
		}
		names = names[1:] // in the checkpoint
		first++
	}
	for i, name := range names {
		if want := fmt.Sprintf("%020d.json", first+i); filepath.Base(name) != want {
			f.note("%s: the log has %s where %s should be", dir, filepath.Base(name), want)
			return
		}
		text, err := os.ReadFile(name)
		if err != nil {
			f.note("%v", err)
			return
		}
		for line := range strings.Lines(string(text)) {
			var action struct {
				Add    *addAction
				Remove *struct{ Path string }
			}
			if err := json.Unmarshal([]byte(line), &action); err != nil {
				f.note("%s: %v", name, err)
			}
			if action.Add != nil {
				live[action.Add.Path] = *action.Add
				order = append(order, action.Add.Path)
			}
			if action.Remove != nil {
				delete(live, action.Remove.Path)
			}
		}
	}
	last := map[place]int64{} // the latest offset of a partition, under offset 0
	for _, name := range order {
		add, ok := live[name]
		if !ok {
			continue
		}
		if !ordered {
			clear(last)
		}
		f.files++
		f.file(filepath.Join(dir, name), add, filepath.Base(dir) == "dead_letters", last)
	}
}

func (f *found) note(format string, args ...any) {
	f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
}

// file reads the positions and ids of one data file.
func (f *found) file(name string, add addAction, dead bool, last map[place]int64) {
	info, err := os.Stat(name)
	if err != nil {
		f.note("%v", err)
		return
	}
	if info.Size() != add.Size {
		f.note("%s: %d bytes, the log says %d", name, info.Size(), add.Size)
	}
	rows, err := readPositions(name)
	if err != nil {
		f.note("%s: %v", name, err)
		return
	}
	var stats struct{ NumRecords int }
	if err := json.Unmarshal([]byte(add.Stats), &stats); err != nil || stats.NumRecords != len(rows) {
		f.note("%s: %d rows, the log says %s", name, len(rows), add.Stats)
	}
	for _, r := range rows {
		partition := place{r.at.topic, r.at.partition, 0}
		if before, ok := last[partition]; ok && r.at.offset <= before {
			f.note("%s: %s comes after offset %d", name, r.at, before)
		}
		last[partition] = r.at.offset
		if dead {
			r.id = garbage
		}
		f.ids[r.at] = append(f.ids[r.at], r.id)
	}
}

type row struct {
	at place
	id string
}

func readPositions(name string) ([]row, error) {
	var rows []row
	err := readColumns(name, []string{"kafka_topic", "kafka_partition", "kafka_offset", "id"}, func(batch arrow.RecordBatch, column map[string]int) {
		topics := batch.Column(column["kafka_topic"]).(*array.String)
		partitions := batch.Column(column["kafka_partition"]).(*array.Int64)
		offsets := batch.Column(column["kafka_offset"]).(*array.Int64)
		ids := batch.Column(column["id"]).(*array.String)
		for i := range int(batch.NumRows()) {
			rows = append(rows, row{place{strings.Clone(topics.Value(i)), partitions.Value(i), offsets.Value(i)}, strings.Clone(ids.Value(i))})
		}
	})
	return rows, err
}

// readCheckpoint gives the files that a checkpoint of the log adds.
func readCheckpoint(name string) ([]addAction, error) {
	var adds []addAction
	err := readColumns(name, []string{"add.path", "add.size", "add.stats"}, func(batch arrow.RecordBatch, column map[string]int) {
		add := batch.Column(column["add"]).(*array.Struct)
		field := func(name string) arrow.Array {
			i, _ := add.DataType().(*arrow.StructType).FieldIdx(name)
			return add.Field(i)
		}
		paths, sizes, stats := field("path").(*array.String), field("size").(*array.Int64), field("stats").(*array.String)
		for i := range add.Len() {
			if add.IsValid(i) && paths.IsValid(i) {
				adds = append(adds, addAction{strings.Clone(paths.Value(i)), sizes.Value(i), strings.Clone(stats.Value(i))})
			}
		}
	})
	return adds, err
}

// readColumns reads leaf columns of a Parquet file, batch by batch.
func readColumns(name string, leaves []string, each func(arrow.RecordBatch, map[string]int)) error {
	reader, err := file.OpenParquetFile(name, false)
	if err != nil {
		return err
	}
	defer reader.Close()
	arrowReader, err := pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	var columns []int
	for _, leaf := range leaves {
		at := reader.MetaData().Schema.ColumnIndexByName(leaf)
		if at < 0 {
			return fmt.Errorf("no column %s", leaf)
		}
		columns = append(columns, at)
	}
	groups := make([]int, reader.NumRowGroups())
	for i := range groups {
		groups[i] = i
	}
	table, err := arrowReader.ReadRowGroups(context.Background(), columns, groups)
	if err != nil {
		return err
	}
	defer table.Release()
	records := array.NewTableReader(table, 0)
	defer records.Release()
	for records.Next() {
		batch := records.RecordBatch()
		column := map[string]int{}
		for i, field := range batch.Schema().Fields() {
			column[field.Name] = i
		}
		each(batch, column)
	}
	return records.Err()
}

// compare says what is lost, doubled or changed between the topics and the
// lake. Both are nil maps of nothing before the first record.
func compare(sent map[place]string, seen found) []string {
	wrong := slices.Clone(seen.wrong)
	for _, at := range slices.SortedFunc(maps.Keys(sent), byPlace) {
		switch ids := seen.ids[at]; {
		case len(ids) == 0:
			wrong = append(wrong, fmt.Sprintf("%s is lost", at))
		case len(ids) > 1:
			wrong = append(wrong, fmt.Sprintf("%s is there %d times", at, len(ids)))
		case ids[0] != sent[at]:
			wrong = append(wrong, fmt.Sprintf("%s is event %s, the topic has %s", at, ids[0], sent[at]))
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(seen.ids), byPlace) {
		if _, ok := sent[at]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s was never sent, or in a transaction that was aborted", at))
		}
	}
	return wrong
}

// check asks the oracle.
func (s *suite) check(t *testing.T, lake string) {
	t.Helper()
	began := time.Now()
	sent := s.topics.everything(t)
	seen := readLake(t, lake, !s.compacted)
	wrong := compare(sent, seen)
	for _, line := range wrong[:min(len(wrong), 20)] {
		t.Error(line)
	}
	if len(wrong) > 20 {
		t.Errorf("and %d more", len(wrong)-20)
	}
	s.rowsChecked += len(sent)
	s.filesChecked += seen.files
	t.Logf("oracle: %d records, %d files, %d wrong (%s)", len(sent), seen.files, len(wrong), time.Since(began).Round(time.Millisecond))
}
