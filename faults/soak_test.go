package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // opens the catalog as any DuckDB does
)

// TestSoak runs, for as long as WEIR_SOAK says (10m), three sinks on one group
// under load, everything that rewrites a lake, and readers of three kinds, all
// at once. Nothing may fail, and the oracle has the last word.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("WEIR_SOAK"))
	if err != nil {
		t.Skip("set WEIR_SOAK to a duration such as 10m")
	}
	s := &suite{binary: build(t), random: rand.New(rand.NewPCG(3, 5)), cleanup: t.Cleanup, compacted: true}
	s.broker = startEmbedded(t, s)
	s.lake = filepath.Join(t.TempDir(), "lake")
	s.must(t, "init", "--lake", s.lake)
	s.must(t, s.sink("--once")...)
	s.topics = openTopics(t, s.broker.address())
	s.topics.send(t, 1000)
	s.settle(t)
	s.must(t, "transform", "--lake", s.lake, "--quiet")

	sinks := []*process{s.running(t, ""), s.running(t, ""), s.running(t, "")}
	soak := newSoak(t, long)
	weir := func(args ...string) func() error {
		return func() error {
			p := s.start(t, "", slices.Concat(args, []string{"--lake", s.lake})...)
			<-p.ended
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				return fmt.Errorf("exit %d: %s", code, p.output)
			}
			return nil
		}
	}
	soak.actor("compact", time.Second, weir("lake", "compact"))
	soak.actor("vacuum", 3*time.Second, weir("lake", "vacuum", "--horizon", "1m"))
	soak.actor("checkpoint", 5*time.Second, weir("lake", "checkpoint"))
	soak.actor("transform", time.Second, weir("transform", "--quiet"))
	soak.actor("reader: weir query", time.Second, weir("query", "select count(*) from curated.messages"))
	soak.actor("reader: DuckDB on the catalog", 100*time.Millisecond, func() error { return readCatalog(s.lake) })
	soak.actor("reader: Parquet in current/", 100*time.Millisecond, func() error { return readCurrent(s.lake) })
	for soak.until.Err() == nil {
		s.topics.send(t, 200)
		time.Sleep(100 * time.Millisecond)
	}
	soak.wait()

	for _, p := range sinks {
		s.stop(t, p)
	}
	s.settle(t)
	s.verify(t)
	t.Logf("soak of %s: %d records, %d rows checked; %s", long, s.topics.serial, s.rowsChecked, soak)
}

// soak has actors, each in a loop of its own, until time is up.
type soak struct {
	t     *testing.T
	until context.Context
	group sync.WaitGroup

	mu   sync.Mutex
	runs map[string]int
}

func newSoak(t *testing.T, long time.Duration) *soak {
	until, cancel := context.WithTimeout(t.Context(), long)
	t.Cleanup(cancel)
	return &soak{t: t, until: until, runs: map[string]int{}}
}

func (s *soak) actor(name string, pause time.Duration, run func() error) {
	s.group.Go(func() {
		for s.until.Err() == nil {
			if err := run(); err != nil {
				s.t.Errorf("%s: %v", name, err)
			}
			s.mu.Lock()
			s.runs[name]++
			s.mu.Unlock()
			time.Sleep(pause)
		}
	})
}

func (s *soak) wait() { s.group.Wait() }

func (s *soak) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.runs)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.runs[name]))
	}
	return strings.Join(parts, ", ")
}

// readCatalog opens the published catalog and reads two tables in one
// transaction, slowly: files must stay for as long as a reader needs them.
func readCatalog(lake string) error {
	db, err := sql.Open("duckdb", filepath.Join(lake, "catalog.duckdb")+"?access_mode=read_only")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, query := range []string{
		"select count(*) - count(distinct (kafka_topic, kafka_partition, kafka_offset)) from events.chat_messages",
		"select count(*) - count(distinct event_id) from curated.messages",
	} {
		var doubled int64
		if err := db.QueryRow(query).Scan(&doubled); err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		if doubled != 0 {
			return fmt.Errorf("%s: %d", query, doubled)
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

// readCurrent resolves current/ once, as its readers are told to, and reads
// every file of a table.
func readCurrent(lake string) error {
	generation, err := filepath.EvalSymlinks(filepath.Join(lake, "current"))
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(generation, "events", "chat_messages", "*.parquet"))
	if err != nil || len(names) == 0 {
		return errors.Join(err, fmt.Errorf("%s: no files of events.chat_messages", generation))
	}
	seen := map[place]bool{}
	for _, name := range names {
		rows, err := readPositions(name)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if seen[r.at] {
				return fmt.Errorf("%s: %s twice", generation, r.at)
			}
			seen[r.at] = true
		}
	}
	return nil
}
