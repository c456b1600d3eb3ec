package upkeep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/catalog"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

const (
	togetherFor     = 4 * time.Second
	togetherAtMost  = time.Minute            // on a machine so busy that somebody has done nothing yet
	togetherHorizon = 500 * time.Millisecond // so that vacuum has work within the test
)

// together runs everything on one lake at once.
type together struct {
	t         *testing.T
	lake      *lake.Lake
	offered   atomic.Int64 // messages whose commit has begun
	committed atomic.Int64
	counts    struct{ merges, deleted, builds, reads atomic.Int64 }
}

// TestUpkeepBesideASinkTransformsAndReaders appends messages while others
// compact, vacuum, build and read, and checks every read: no message is missing
// that was there before, none is there twice.
func TestUpkeepBesideASinkTransformsAndReaders(t *testing.T) {
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &together{t: t, lake: lk}
	w.append(3)
	ctx, stop := context.WithTimeout(t.Context(), togetherAtMost)
	defer stop()
	var others sync.WaitGroup
	for _, other := range []func(context.Context) error{w.compact, w.compact, w.vacuum, w.build, w.read} {
		others.Go(func() {
			for ctx.Err() == nil {
				if err := other(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for began := time.Now(); ctx.Err() == nil; {
		w.append(3)
		if time.Since(began) >= togetherFor && w.allBusy() {
			stop()
		}
	}
	others.Wait()

	time.Sleep(togetherHorizon)
	if err := w.vacuum(t.Context()); err != nil {
		t.Error(err)
	}
	if err := w.read(t.Context()); err != nil {
		t.Error(err)
	}
	if err := w.build(t.Context()); err != nil {
		t.Error(err)
	}
	rows := hash(t, lk, "curated.lengths")
	transform(t, lk, derive.Options{Full: true})
	if full := hash(t, lk, "curated.lengths"); full != rows {
		t.Error("the table that was built in parts is not the one that is built at once")
	}
	report, err := lk.Audit(t.Context(), lake.AuditOptions{})
	if err != nil {
		t.Error(err)
	}
	for _, problem := range report.Problems {
		t.Errorf("audit: %+v", problem)
	}
	t.Logf("%d messages, %d merges, %d files deleted, %d builds, %d reads", w.committed.Load(),
		w.counts.merges.Load(), w.counts.deleted.Load(), w.counts.builds.Load(), w.counts.reads.Load())
	if !w.allBusy() {
		t.Error("somebody did nothing")
	}
}

// allBusy tells whether everybody has done something.
func (w *together) allBusy() bool {
	return w.counts.merges.Load() > 0 && w.counts.deleted.Load() > 0 && w.counts.builds.Load() > 0 && w.counts.reads.Load() > 0
}

func (w *together) append(n int) {
	from := int(w.offered.Add(int64(n))) - n
	laketest.Append(w.t, w.lake, chats(from, n)...)
	w.committed.Add(int64(n))
}

func (w *together) compact(ctx context.Context) error {
	for _, table := range []string{messages, "curated.lengths"} {
		began := time.Now()
		result, err := Compact(ctx, w.lake, table, Options{Session: duck.Options{Threads: 1}})
		if err != nil && !errors.Is(err, lake.ErrNoTable) && !overslept(ctx, err, began) {
			return err
		}
		w.counts.merges.Add(int64(result.Merges))
	}
	return nil
}

func (w *together) vacuum(ctx context.Context) error {
	// The readers here hold on to a snapshot, not to a generation.
	if err := catalog.DropGenerations(ctx, w.lake, 0); err != nil {
		return err
	}
	deleted, err := Vacuum(ctx, w.lake, VacuumOptions{Horizon: togetherHorizon})
	w.counts.deleted.Add(int64(len(deleted)))
	return err
}

func (w *together) build(ctx context.Context) error {
	table, err := derive.Parse("transforms/lengths.sql", "curated", lengths)
	if err != nil {
		return err
	}
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer session.Close()
	began := time.Now()
	_, err = derive.Build(ctx, w.lake, []*derive.Table{table}, derive.Options{Session: session, FileRows: 4})
	if errors.Is(err, lake.ErrConflict) || overslept(ctx, err, began) {
		return nil // compacted under it twice; the next one does it
	}
	w.counts.builds.Add(1)
	return err
}

func (w *together) read(ctx context.Context) error {
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer session.Close()
	least, began := w.committed.Load(), time.Now()
	table, err := w.lake.Table(messages)
	if err != nil {
		return err
	}
	head, err := table.Snapshot(ctx)
	if err != nil {
		return err
	}
	most := w.offered.Load()
	var rows, ids, offsets, last int64
	err = session.Get(ctx, "select count(*), count(distinct id), count(distinct kafka_offset), max(kafka_offset) from "+duck.Scan(w.lake.Dir(), head, head.Files),
		&rows, &ids, &offsets, &last)
	if overslept(ctx, err, began) {
		return nil
	}
	if err != nil {
		return err
	}
	w.counts.reads.Add(1)
	if rows < least || rows > most || ids != rows || offsets != rows || last != rows-1 {
		return fmt.Errorf("version %d shows %d rows with %d ids and %d offsets up to %d; %d to %d were appended", head.Version, rows, ids, offsets, last, least, most)
	}
	return nil
}

// overslept tells of an error that a reader may get: its files were removed
// longer ago than the horizon, because the machine is slow.
func overslept(ctx context.Context, err error, began time.Time) bool {
	return err != nil && ctx.Err() == nil && time.Since(began) > togetherHorizon
}
