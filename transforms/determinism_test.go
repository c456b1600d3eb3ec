package transforms

import (
	"cmp"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/lake/upkeep"
)

// way is how the same records get into a lake, and how tables are made of them.
type way struct {
	name       string
	threads    int
	partitions int
	fileRows   int  // of a file of events; 0: a file a step and partition
	builds     int  // with an equal share of the records before each; 0: one after the first load, one in the end
	shuffled   bool // copies of one event stay in order: the first in Kafka counts
	compacted  bool // before each build
	batchBytes int64
}

var reference = way{name: "reference: 1 thread, 1 partition, in order, one run", threads: 1, partitions: 1, builds: 1}

// shortWays are all that may differ, in as few builds as show it.
var shortWays = []way{
	{name: "2 threads, shuffled, 8 partitions, small files and batches", threads: 2, partitions: 8, fileRows: 20, builds: 1, shuffled: true, batchBytes: 200_000},
	{name: "everything at once after the first load, compacted", threads: 2, partitions: 3, fileRows: 50, compacted: true},
}

var longWays = []way{
	{name: "2 threads", threads: 2, partitions: 1, builds: 1},
	{name: "shuffled", threads: 1, partitions: 1, builds: 1, shuffled: true},
	{name: "8 partitions", threads: 1, partitions: 8, builds: 1},
	{name: "files of 50 events", threads: 1, partitions: 1, fileRows: 50, builds: 1},
	{name: "small batches", threads: 1, partitions: 1, builds: 1, batchBytes: 200_000},
	{name: "ten increments", threads: 1, partitions: 1, builds: 10},
	{name: "ten increments, shuffled", threads: 2, partitions: 8, builds: 10, shuffled: true},
	{name: "compacted", threads: 1, partitions: 8, fileRows: 50, builds: 1, compacted: true},
	{name: "all of these", threads: 2, partitions: 8, fileRows: 50, builds: 10, shuffled: true, compacted: true, batchBytes: 200_000},
}

// TestDeterminism brings one history into lakes in several ways and holds the
// rows of every table to be equal. WEIR_DETERMINISM is the number of
// conversations of the long form, which takes the ways one by one and prints
// the hashes: make determinism.
func TestDeterminism(t *testing.T) {
	conversations, long := longForm(t)
	ways := shortWays
	if long {
		ways = longWays
	}
	changes := makeHistory(t, conversations)
	want := reference.run(t, changes)
	checkNoneEmpty(t, want)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			compareRows(t, w.run(t, changes), want)
		})
	}
	if long && !t.Failed() {
		t.Logf("equal in all %d ways:", len(ways)+1)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			t.Logf("| %s | %d | %s |", name, want[name].rows, want[name].hash)
		}
	}
}

// TestIncrementalEqualsFull makes one kind of change to a lake after the other,
// and after each computes everything anew. The short form of it is a way of
// TestDeterminism.
func TestIncrementalEqualsFull(t *testing.T) {
	conversations, long := longForm(t)
	if !long {
		t.Skip("long form only: WEIR_DETERMINISM=40")
	}
	w := way{threads: 2, partitions: 2}
	lk, session, to := laketest.New(t), openSession(t, w.threads), newSink(w)
	for _, change := range makeHistory(t, conversations) {
		to.append(t, lk, change.records)
		w.build(t, lk, session, false)
		got := contents(t, lk, session)
		w.build(t, lk, session, true)
		t.Run(change.kind, func(t *testing.T) { compareRows(t, got, contents(t, lk, session)) })
	}
}

func longForm(t *testing.T) (conversations int, long bool) {
	t.Helper()
	text := os.Getenv("WEIR_DETERMINISM")
	if text == "" {
		return 40, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

func makeHistory(t *testing.T, conversations int) []change {
	t.Helper()
	return history(t, 4, conversations, func(first []record) []saidExample {
		lk, session := laketest.New(t), openSession(t, 2)
		newSink(reference).append(t, lk, first)
		build(t, lk, session)
		return readExamples(t, session)
	})
}

// run gives the contents of every table, made in this way.
func (w way) run(t *testing.T, changes []change) map[string]content {
	t.Helper()
	lk, session, to := laketest.New(t), openSession(t, w.threads), newSink(w)
	for _, records := range w.steps(changes) {
		to.append(t, lk, records)
		if w.compacted {
			compact(t, lk)
		}
		w.build(t, lk, session, false)
	}
	return contents(t, lk, session)
}

// steps are the records that come before each build.
func (w way) steps(changes []change) [][]record {
	var records []record
	for _, change := range changes {
		records = append(records, change.records...)
	}
	if w.builds == 0 {
		first := len(changes[0].records)
		return [][]record{records[:first], records[first:]}
	}
	if w.shuffled {
		records = shuffled(records)
	}
	var steps [][]record
	for i := range w.builds {
		steps = append(steps, records[i*len(records)/w.builds:(i+1)*len(records)/w.builds])
	}
	return steps
}

func (w way) build(t *testing.T, lk *lake.Lake, session *duck.Session, full bool) {
	t.Helper()
	if _, err := derive.Build(t.Context(), lk, allTables(t, lk), derive.Options{Session: session, Full: full, BatchBytes: w.batchBytes}); err != nil {
		t.Fatal(err)
	}
}

func allTables(t *testing.T, lk *lake.Lake) []*derive.Table {
	t.Helper()
	curated, err := Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	analysis, err := evalsql.Tables()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(curated, analysis)
}

// shuffled mixes the records, but for copies of one event.
func shuffled(records []record) []record {
	mixed := slices.Clone(records)
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	copies := map[string][]record{}
	for _, record := range records {
		copies[record.ID] = append(copies[record.ID], record)
	}
	for i, record := range mixed {
		mixed[i], copies[record.ID] = copies[record.ID][0], copies[record.ID][1:]
	}
	return mixed
}

// sink writes records as partitions of their topics, by subject.
type sink struct {
	way     way
	offsets map[string]int64
}

func newSink(w way) *sink { return &sink{way: w, offsets: map[string]int64{}} }

func (s *sink) append(t *testing.T, lk *lake.Lake, records []record) {
	t.Helper()
	byTable := map[*lake.Payload][][]record{}
	for _, r := range records {
		payload, ok := lake.PayloadOf(r.Type)
		if !ok {
			t.Fatalf("no event type %q", r.Type)
		}
		if byTable[payload] == nil {
			byTable[payload] = make([][]record, s.way.partitions)
		}
		h := fnv.New32a()
		h.Write([]byte(r.Subject))
		partition := int(h.Sum32() % uint32(s.way.partitions))
		byTable[payload][partition] = append(byTable[payload][partition], r)
	}
	for _, payload := range lake.Payloads() {
		if parts := byTable[payload]; parts != nil {
			s.commit(t, lk, payload, parts)
		}
	}
}

func (s *sink) commit(t *testing.T, lk *lake.Lake, payload *lake.Payload, parts [][]record) {
	t.Helper()
	commit := lake.Commit{Operation: "append", Columns: payload.Columns()}
	for partition, records := range parts {
		if len(records) == 0 {
			continue
		}
		app := lake.TxnAppID(laketest.Cluster, payload.Table, partition)
		expect, ok := s.offsets[app]
		if !ok {
			expect = -1
		}
		offset := max(expect, 0)
		for chunk := range slices.Chunk(records, cmp.Or(s.way.fileRows, len(records))) {
			commit.Add = append(commit.Add, writeEvents(t, lk, payload, partition, offset, chunk))
			offset += int64(len(chunk))
		}
		s.offsets[app] = offset
		commit.Txns = append(commit.Txns, lake.Txn{AppID: app, Expect: expect, Next: offset})
	}
	table, err := lk.Table(payload.Table)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Commit(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

func writeEvents(t *testing.T, lk *lake.Lake, payload *lake.Payload, partition int, offset int64, records []record) lake.DataFile {
	t.Helper()
	w, err := lk.NewEventWriter(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i, r := range records {
		at := lake.RecordPosition{Cluster: laketest.Cluster, Topic: payload.Topic(), Partition: partition, Offset: offset + int64(i), AppendedAt: r.at}
		if err := w.Write(forLake(r.Event, lk.ErasureKey()), at); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func compact(t *testing.T, lk *lake.Lake) {
	t.Helper()
	for _, layer := range []string{"events", "curated", "analysis"} {
		names, err := lk.Tables(t.Context(), layer)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if _, err := upkeep.Compact(t.Context(), lk, name, upkeep.Options{Session: duck.Options{Threads: 1}}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// content is what a table holds.
type content struct {
	rows int64
	hash string
}

func contents(t *testing.T, lk *lake.Lake, session *duck.Session) map[string]content {
	t.Helper()
	out := map[string]content{}
	for _, table := range allTables(t, lk) {
		hash, err := derive.LogicalHash(t.Context(), session, table.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[table.Name] = content{countNow(t, session, "select count(*) from "+table.Name), hash}
	}
	return out
}

// checkNoneEmpty keeps the test from saying much of tables that hold nothing.
func checkNoneEmpty(t *testing.T, found map[string]content) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name].rows == 0 {
			t.Errorf("%s is empty: its determinism is not tested", name)
		}
	}
}

func compareRows(t *testing.T, got, want map[string]content) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name].hash != want[name].hash {
			t.Errorf("%s: %d rows with hash %s, not %d with %s", name, got[name].rows, got[name].hash, want[name].rows, want[name].hash)
		}
	}
}
