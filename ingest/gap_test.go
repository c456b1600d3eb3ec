package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
)

func TestParseGap(t *testing.T) {
	for _, text := range []string{"weir.chat/2:3-3", "weir.chat/0:0-9223372036854775806"} {
		g, err := ParseGap(text)
		if err != nil || g.String() != text {
			t.Errorf("%s: %v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "weir.chat", "weir.chat/2", "weir.chat/2:3", "weir.chat/2:4-3", "weir.chat/-1:3-4", "/2:3-4", "weir.chat/x:3-4", "weir.chat/2:-3-4", "weir.chat/2:3-4x"} {
		if g, err := ParseGap(text); err == nil {
			t.Errorf("%q is taken for %v", text, g)
		}
	}
}

// A loss that the operator accepts stays visible: in the commit that goes past
// it, and as a dead letter. One that is larger than what was accepted does not
// pass.
func TestAcceptedGap(t *testing.T) {
	for name, once := range map[string]bool{"once": true, "running": false} {
		t.Run(name, func(t *testing.T) {
			lk := newLake(t)
			conn := keep(connect(t, lk))
			c := kafkaClient(t, address(conn))
			value := encoded(t, message("s", 1))
			put(t, c, "weir.chat", 2, value, value)
			drain(t, lk, conn, SinkOptions{})
			put(t, c, "weir.chat", 2, value, value, value)
			put(t, c, "weir.chat", 0, value)
			deleteBefore(t, c, "weir.chat", 2, 4)

			read := func(gap Gap) error {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				go func() {
					for at := int64(-1); at < 5 && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
						at = lakeOffset(t, lk, conn, "weir.chat", 2)
					}
					if !once {
						cancel()
					}
				}()
				_, err := Sink(ctx, lk, conn, SinkOptions{Once: once, FlushEvery: 50 * time.Millisecond, AcceptGaps: []Gap{gap}})
				return err
			}
			if err := read(Gap{"weir.chat", 2, 2, 2}); !errors.Is(err, errGone) || !strings.Contains(lake.HintOf(err), "--accept-gap weir.chat/2:2-3") {
				t.Fatalf("a part of the gap is accepted: %v (%s)", err, lake.HintOf(err))
			}
			if err := read(Gap{"weir.chat", 2, 2, 3}); err != nil {
				t.Fatal(err)
			}
			letters := rows[struct {
				Reason    string `parquet:"reason,optional"`
				Topic     string `parquet:"kafka_topic,optional"`
				Partition int64  `parquet:"kafka_partition,optional"`
				Offset    int64  `parquet:"kafka_offset,optional"`
				Detail    string `parquet:"detail,optional"`
			}](t, lk, "events.dead_letters")
			if len(letters) != 1 || letters[0].Reason != "gap" || letters[0].Offset != 2 || letters[0].Partition != 2 || !strings.Contains(letters[0].Detail, "2 to 3") {
				t.Errorf("dead letters: %+v", letters)
			}
			table, err := lk.Table("events.chat_messages")
			if err != nil {
				t.Fatal(err)
			}
			head, err := table.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			noted := 0
			for v := range head.Version + 1 {
				at, err := table.SnapshotAt(t.Context(), v)
				if err != nil {
					t.Fatal(err)
				}
				if at.Info["accepted_gaps"] == "weir.chat/2:2-3" {
					noted++
				}
			}
			if noted != 1 {
				t.Errorf("%d versions tell of the gap, want 1", noted)
			}
			// It is past: nothing needs to be accepted any more.
			put(t, c, "weir.chat", 2, value)
			if report := drain(t, lk, conn, SinkOptions{}); report.Records != 1 {
				t.Errorf("afterwards: %+v", report)
			}
		})
	}
}

// A gap up to the end of what there is.
func TestAcceptedGapAtTheEnd(t *testing.T) {
	lk := newLake(t)
	conn := keep(connect(t, lk))
	c := kafkaClient(t, address(conn))
	value := encoded(t, message("s", 1))
	put(t, c, "weir.chat", 2, value)
	drain(t, lk, conn, SinkOptions{})
	put(t, c, "weir.chat", 2, value, value)
	deleteBefore(t, c, "weir.chat", 2, 3)
	report := drain(t, lk, conn, SinkOptions{AcceptGaps: []Gap{{"weir.chat", 2, 0, 100}}})
	if report.Lost != 2 || report.Records != 0 || report.DeadLetters["gap"] != 1 {
		t.Errorf("report: %+v", report)
	}
	if at := lakeOffset(t, lk, conn, "weir.chat", 2); at != 3 {
		t.Errorf("the lake stands at %d, want 3", at)
	}
}

// lakeOffset is where the lake's counter of a partition stands; -1: nowhere.
func lakeOffset(t *testing.T, lk *lake.Lake, conn *Conn, topic string, partition int) int64 {
	primary, err := primaryOf(topic)
	if err != nil {
		t.Error(err)
		return -1
	}
	txns, err := tableOffsets(context.Background(), lk, primary.Table)
	if err != nil {
		t.Error(err)
		return -1
	}
	if at, ok := txns[lake.TxnAppID(conn.ClusterID(), topic, partition)]; ok {
		return at
	}
	return -1
}
