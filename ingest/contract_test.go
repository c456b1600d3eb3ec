package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weir-lake/weir/lake"
)

// The contract suite: what holds on every cluster.

func TestContractEmbedded(t *testing.T) { contract(t, "") }

// TestContractReal runs on the cluster at $WEIR_KAFKA (scripts/real-kafka.sh
// starts one). It leaves its records there; what it finds there does not
// disturb it.
func TestContractReal(t *testing.T) {
	brokers := os.Getenv("WEIR_KAFKA")
	if brokers == "" {
		t.Skip("WEIR_KAFKA is not set: no real Kafka to test with")
	}
	contract(t, brokers)
}

func contract(t *testing.T, brokers string) {
	for name, test := range map[string]func(t *testing.T, lk *lake.Lake, conn *Conn){
		"everything_arrives_once":              arrivesOnce,
		"a_sink_goes_on_where_the_last_ended":  goesOn,
		"bad_records_become_dead_letters":      becomeDeadLetters,
		"the_largest_event_and_a_larger_one":   largest,
		"many_small_commits":                   smallCommits,
		"aborted_transactions_are_left_out":    leavesOutAborted,
		"two_sinks_on_the_same_partitions":     twoSinks,
		"a_running_sink_commits_when_it_stops": stops,
	} {
		t.Run(name, func(t *testing.T) {
			lk := newLake(t)
			var conn *Conn
			if brokers == "" {
				conn = keep(connect(t, lk))
			} else {
				conn = connect(t, lk, strings.Split(brokers, ",")...)
			}
			test(t, lk, conn)
			same(t, inTopics(t, address(conn)), inLake(t, lk))
		})
	}
}

// tag makes a test's subjects its own on a cluster that outlives it.
func tag(t *testing.T) string { return fmt.Sprintf("%s-%d", t.Name(), time.Now().UnixNano()) }

func arrivesOnce(t *testing.T, lk *lake.Lake, conn *Conn) {
	positions := send(t, conn, fleet(tag(t), 500)...)
	missing, err := Landed(t.Context(), lk, positions)
	if err != nil || len(missing) != len(positions) {
		t.Fatalf("before the sink: %d of %d are missing, %v", len(missing), len(positions), err)
	}
	report := drain(t, lk, conn, SinkOptions{})
	if missing, err = Landed(t.Context(), lk, positions); err != nil || len(missing) > 0 {
		t.Errorf("after the sink: %v, %v", missing, err)
	}
	if report.Records < 500 || report.Rows["events.chat_messages"] < 350 || report.Rows["events.dataset_members"] < 50 {
		t.Errorf("report: %+v", report)
	}
	if again := drain(t, lk, conn, SinkOptions{}); again.Records != 0 || again.Commits != 0 {
		t.Errorf("nothing was new, but: %+v", again)
	}
}

func goesOn(t *testing.T, lk *lake.Lake, conn *Conn) {
	for round := range 3 {
		send(t, conn, fleet(fmt.Sprint(tag(t), round), 100)...)
		report := drain(t, lk, conn, SinkOptions{})
		if round > 0 && report.Records != 100 {
			t.Errorf("round %d read %d records, want 100", round, report.Records)
		}
	}
}

func becomeDeadLetters(t *testing.T, lk *lake.Lake, conn *Conn) {
	drain(t, lk, conn, SinkOptions{}) // what others left
	c := kafkaClient(t, address(conn))
	put(t, c, "weir.chat", 0,
		`{"specversion":"1.0"`,
		"\xff\xfe",
		"",
		`{"specversion":"1.0","id":"1","source":"s","type":"weir.nothing.here.v1","subject":"s","time":"2026-01-01T00:00:00Z","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"weir.chat.message.v1","subject":"s","time":"yesterday","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"weir.chat.message.v1","time":"2026-01-01T00:00:00Z","data":{}}`,
		`{"specversion":"1.0","id":"1","source":"s","type":"weir.config.set.v1","subject":"s","time":"2026-01-01T00:00:00Z","data":{}}`,
	)
	report := drain(t, lk, conn, SinkOptions{})
	want := map[string]int64{"not_json": 2, "invalid_utf8": 1, "unknown_type": 1, "wrong_type": 1, "incomplete": 1, "wrong_topic": 1}
	if fmt.Sprint(report.DeadLetters) != fmt.Sprint(want) {
		t.Errorf("dead letters %v, want %v", report.DeadLetters, want)
	}
	if report.Rows["events.dead_letters"] != 7 || report.Rows["events.chat_messages"] != 0 {
		t.Errorf("rows: %v", report.Rows)
	}
	// Only bad records: the topic's offset moves all the same.
	if again := drain(t, lk, conn, SinkOptions{}); again.Records != 0 {
		t.Errorf("read again: %+v", again)
	}
}

func largest(t *testing.T, lk *lake.Lake, conn *Conn) {
	noise := make([]byte, lake.MaxEventBytes-2000)
	letters := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = letters[random.IntN(len(letters))]
	}
	fits, over := message(tag(t), 1), message(tag(t), 2)
	fits.Data.(*lake.ChatMessage).Content = string(noise)
	over.Data.(*lake.ChatMessage).Content = string(noise) + strings.Repeat("!", 3000)

	p, err := NewProducer(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Append(t.Context(), fits, over); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stats := p.Stats(); stats.Events != 2 || stats.TooLarge != 1 {
		t.Errorf("stats: %+v", stats)
	}
	report := drain(t, lk, conn, SinkOptions{})
	if report.DeadLetters["too_large"] < 1 {
		t.Errorf("dead letters: %v", report.DeadLetters)
	}
}

func smallCommits(t *testing.T, lk *lake.Lake, conn *Conn) {
	p, err := NewProducer(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range fleet(tag(t), 200) {
		if err := p.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 { // many batches
			if _, err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if report := drain(t, lk, conn, SinkOptions{MaxRows: 1}); report.Commits < 4 {
		t.Errorf("%d commits", report.Commits)
	}
}

func leavesOutAborted(t *testing.T, lk *lake.Lake, conn *Conn) {
	c := kafkaClient(t, address(conn), kgo.TransactionalID(tag(t)))
	for round, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			value, err := message(tag(t), round*5+i).Encode()
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, "weir.chat", 1, string(value))
		}
		if err := c.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			drain(t, lk, conn, SinkOptions{})
		}
	}
	drain(t, lk, conn, SinkOptions{})
	// The lake itself can tell those offsets from lost rows.
	report, err := lk.Audit(t.Context(), lake.AuditOptions{})
	if err != nil || len(report.Problems) > 0 || report.Holes > 0 {
		t.Errorf("audit: %+v, %v", report, err)
	}
}

func twoSinks(t *testing.T, lk *lake.Lake, conn *Conn) {
	send(t, conn, fleet(tag(t), 400)...)
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := Sink(t.Context(), lk, conn, SinkOptions{Once: true, MaxRows: 10})
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	// Who lost a race leaves no file behind.
	for _, payload := range lake.Payloads() {
		dir, live := files(t, lk, payload.Table)
		stored, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
		if err != nil || len(stored) != len(live) {
			t.Errorf("%s: %d files for %d in the log, %v", payload.Table, len(stored), len(live), err)
		}
	}
}

func stops(t *testing.T, lk *lake.Lake, conn *Conn) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read := make(chan int64, 1000)
	ended := make(chan error, 1)
	go func() {
		_, err := Sink(ctx, lk, conn, SinkOptions{FlushEvery: time.Hour, Progress: func(n, _ int64) {
			select {
			case read <- n:
			default:
			}
		}})
		ended <- err
	}()
	positions := send(t, conn, fleet(tag(t), 300)...)
	for deadline := time.After(30 * time.Second); ; {
		select {
		case n := <-read:
			if n < 300 {
				continue
			}
		case err := <-ended:
			t.Fatalf("ended early: %v", err)
		case <-deadline:
			t.Fatal("the records are not read")
		}
		break
	}
	time.Sleep(50 * time.Millisecond)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if missing, err := Landed(t.Context(), lk, positions); err != nil || len(missing) > 0 {
		// On a cluster with other records, 300 were perhaps not ours.
		drain(t, lk, conn, SinkOptions{})
	}
}
