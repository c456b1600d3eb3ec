package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/laketest"
)

const (
	publisherEnv = "WEIR_TEST_PUBLISHER" // the lake that this process is to publish
	processes    = 1                     // beside the test's own
	goroutines   = 2                     // that publish, of each
	publishFor   = time.Second
)

// TestPublisherProcess is no test: it is a process of the one below.
func TestPublisherProcess(t *testing.T) {
	dir := os.Getenv(publisherEnv)
	if dir == "" {
		t.Skip("it is run by TestManyProcessesPublishAndRead")
	}
	lk, err := lake.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range publishers(t.Context(), lk) {
		fmt.Println(line)
	}
}

// publishers publish for some time. Each gives a line: how often, and how long one
// took at most, or its error.
func publishers(ctx context.Context, lk *lake.Lake) []string {
	lines := make([]string, goroutines)
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			n, longest := 0, time.Duration(0)
			for end := time.Now().Add(publishFor); time.Now().Before(end); n++ {
				began := time.Now()
				if err := Publish(ctx, lk, Options{}); err != nil {
					lines[i] = "error " + err.Error()
					return
				}
				longest = max(longest, time.Since(began))
				time.Sleep(5 * time.Millisecond) // who publishes has something else to do as well
			}
			lines[i] = fmt.Sprintf("published %d times, each within %d ms", n, longest.Milliseconds())
		})
	}
	all.Wait()
	return lines
}

// TestManyProcessesPublishAndRead: of many processes and goroutines that publish
// one lake while it grows, each gets its turn, and readers who open the catalog or
// current/ at any moment see a whole state, and never an older one than before.
func TestManyProcessesPublishAndRead(t *testing.T) {
	lk := newLake(t)
	if err := Publish(t.Context(), lk, Options{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan []string, processes+1)
	for range processes {
		go func() { done <- publisherProcess(lk.Dir()) }()
	}
	go func() { done <- publishers(t.Context(), lk) }()
	var readers sync.WaitGroup
	reads := make([]int, 2)
	for i := range reads {
		readers.Go(func() {
			last := [2]int64{}
			for ctx.Err() == nil {
				for which, rows := range []func(string) (int64, error){rowsOfCatalog, rowsOfCurrent} {
					n, err := rows(lk.Dir())
					if err == nil && n < last[which] {
						err = fmt.Errorf("%d rows after %d", n, last[which])
					}
					if err != nil {
						t.Errorf("reader %d: %v", i, err)
						return
					}
					last[which] = n
				}
				reads[i]++
				time.Sleep(20 * time.Millisecond) // or nobody else would get a turn on a small machine
			}
		})
	}
	appended := 10
	var lines []string
	for ended := 0; ended <= processes; {
		select {
		case more := <-done:
			lines = append(lines, more...)
			ended++
		case <-time.After(10 * time.Millisecond):
			laketest.Append(t, lk, chats(appended, 1)...)
			appended++
		}
	}
	stop()
	readers.Wait()
	checkPublishers(t, lines)
	if err := Publish(t.Context(), lk, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []func(string) (int64, error){rowsOfCatalog, rowsOfCurrent} {
		if n, err := rows(lk.Dir()); err != nil || n != int64(appended) {
			t.Errorf("%d rows in the end, %v; %d were appended", n, err, appended)
		}
	}
	t.Logf("%d appends, reads %v, %s", appended-10, reads, strings.Join(lines, ", "))
	for i, n := range reads {
		if n == 0 {
			t.Errorf("reader %d has read nothing", i)
		}
	}
}

// checkPublishers looks at their lines. That each publishes however many others
// do is lake/flock's: it has a test of it.
func checkPublishers(t *testing.T, lines []string) {
	t.Helper()
	if len(lines) != (processes+1)*goroutines {
		t.Errorf("%d publishers told of themselves: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "published ") {
			t.Errorf("publisher: %s", line)
		}
	}
}

// publisherProcess runs this test's binary as publishers, and gives what they say.
func publisherProcess(dir string) []string {
	command := exec.Command(os.Args[0], "-test.run=^TestPublisherProcess$")
	command.Env = append(os.Environ(), publisherEnv+"="+dir)
	out, err := command.CombinedOutput()
	if err != nil {
		return []string{fmt.Sprintf("error %v: %s", err, out)}
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "published ") || strings.HasPrefix(line, "error ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// rowsOfCatalog opens the catalog as a user does, and gives the messages in it.
func rowsOfCatalog(dir string) (int64, error) {
	db, err := sql.Open("duckdb", filepath.Join(dir, fileName)+"?access_mode=read_only&threads=1")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	n, err := wholeRows(db, "events.chat_messages")
	if err != nil {
		return 0, fmt.Errorf("catalog: %w", err)
	}
	// Every view is there, in whatever moment it is opened.
	var views int
	if err := db.QueryRow("select count(*) from duckdb_views() where schema_name in ('events', 'curated') and not internal").Scan(&views); err != nil {
		return 0, fmt.Errorf("catalog: %w", err)
	}
	if want := len(lake.Payloads()) + 1; views != want {
		return 0, fmt.Errorf("catalog: %d views, %d tables", views, want)
	}
	return n, nil
}

// rowsOfCurrent resolves current once, as docs ask for.
func rowsOfCurrent(dir string) (int64, error) {
	folder, err := filepath.EvalSymlinks(filepath.Join(dir, currentName))
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	n, err := wholeRows(db, "read_parquet('"+folder+"/events/chat_messages/*.parquet')")
	if err != nil {
		return 0, fmt.Errorf("current: %w", err)
	}
	return n, nil
}

// wholeRows counts messages, which have to be those of the first offsets.
func wholeRows(db *sql.DB, from string) (int64, error) {
	var n, offsets, last int64
	if err := db.QueryRow("select count(*), count(distinct kafka_offset), max(kafka_offset) from "+from).Scan(&n, &offsets, &last); err != nil {
		return 0, err
	}
	if n != offsets || last != n-1 {
		return 0, errors.New(fmt.Sprint(n, " rows of ", offsets, " offsets up to ", last))
	}
	return n, nil
}
