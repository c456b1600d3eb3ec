package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weir-lake/weir/lake"
)

// flush commits what was read. The error is lake.ErrStale if another sink was
// quicker for some partition; nothing of this batch is in the lake then that
// another reading would not skip.
func (t *topicSink) flush(ctx context.Context) error {
	began := time.Now()
	t.flushed = began
	if t.records == 0 {
		return nil
	}
	batches := make([]tableBatch, len(t.tables))
	for i, payload := range t.tables {
		batches[i] = tableBatch{payload: payload, txns: t.txns(payload)}
	}
	if err := t.writeFiles(ctx, batches); err != nil {
		t.discard(ctx, batches)
		return err
	}
	t.opts.Fault("sink.after-parquet")
	for i, batch := range batches {
		if len(batch.txns) == 0 {
			continue
		}
		t.opts.Fault("sink.before-commit")
		if err := t.commit(ctx, batch); err != nil {
			if errors.Is(err, lake.ErrStale) || errors.Is(err, lake.ErrConflict) || errors.Is(err, lake.ErrSchema) {
				t.discard(ctx, batches[i:])
			}
			return fmt.Errorf("sink: %s: %w", t.topic, err)
		}
		if i < len(batches)-1 {
			t.opts.Fault("sink.after-secondary")
		}
	}
	t.opts.Fault("sink.after-commit")
	t.settle(batches, time.Since(began))
	t.trim(ctx)
	return nil
}

// tableBatch is what one commit adds to a table.
type tableBatch struct {
	payload *lake.Payload
	txns    []lake.Txn
	files   []lake.DataFile
	rows    int64
}

// txns moves a table's counters to the end of the batch: the primary table's
// for every partition that was read, another's for those with rows in it.
func (t *topicSink) txns(payload *lake.Payload) []lake.Txn {
	var txns []lake.Txn
	for _, p := range t.parts {
		if payload == t.primary() {
			if !p.moved() {
				continue
			}
		} else if p.buffers[payload.Table] == nil {
			continue
		}
		txns = append(txns, lake.Txn{
			AppID:  lake.TxnAppID(t.conn.clusterID, t.topic, p.id),
			Expect: p.counters[payload.Table],
			Next:   p.next,
		})
	}
	return txns
}

// commit adds one table's files and moves its counters.
func (t *topicSink) commit(ctx context.Context, batch tableBatch) error {
	table, err := t.lk.Table(batch.payload.Table)
	if err != nil {
		return err
	}
	info := map[string]string{"topic": t.topic, "cluster": t.conn.clusterID}
	if batch.payload == t.primary() {
		t.gapInfo(info)
	}
	snapshot, err := table.Commit(ctx, lake.Commit{
		Operation: "append",
		Columns:   batch.payload.Columns(),
		Add:       batch.files,
		Txns:      batch.txns,
		Info:      info,
	})
	if err != nil {
		return err
	}
	t.opts.Logger.Debug("committed", "table", batch.payload.Table, "version", snapshot.Version, "rows", batch.rows, "files", len(batch.files))
	return nil
}

// discard deletes the files of commits that did not come about.
func (t *topicSink) discard(ctx context.Context, batches []tableBatch) {
	for _, batch := range batches {
		table, err := t.lk.Table(batch.payload.Table)
		if err == nil {
			err = table.Discard(ctx, batch.files...)
		}
		if err != nil {
			// No version names them: vacuum takes what stays.
			t.opts.Logger.Warn("files of a refused batch were not deleted", "error", err)
		}
	}
}

// settle counts a committed batch and begins the next.
func (t *topicSink) settle(batches []tableBatch, took time.Duration) {
	done := newSinkReport()
	for _, batch := range batches {
		if len(batch.txns) > 0 {
			done.Commits++
			done.Files += int64(len(batch.files))
		}
	}
	next := map[int]int64{}
	for _, p := range t.parts {
		done.add(p.report)
		for table := range p.buffers {
			p.counters[table] = p.next
		}
		if p.moved() {
			p.counters[t.primary().Table] = p.next
			next[p.id] = p.next
		}
		p.begin()
	}
	t.waiting.Add(-t.bytes)
	t.records, t.bytes = 0, 0
	t.committed(done)
	t.opts.Logger.Debug("batch committed", "topic", t.topic, "records", done.Records, "files", done.Files, "took", took)
	t.opts.Observer.Committed(t.topic, took, done, next)
	t.generation.committed(t.topic, next)
}

// trim lets the embedded broker forget what is in the lake.
func (t *topicSink) trim(ctx context.Context) {
	if t.conn.trimmer == nil {
		return
	}
	offsets := map[int]int64{}
	for _, p := range t.parts {
		offsets[p.id] = p.next
	}
	if err := t.conn.trimmer.Trim(ctx, map[string]map[int]int64{t.topic: offsets}); err != nil {
		// It only costs space; the next commit tries again.
		t.opts.Logger.Warn("the embedded broker was not trimmed", "topic", t.topic, "error", err)
	}
}

// writeFiles ends the files of the partitions that have files of their own, in
// parallel, and puts the rows of the others into one file a table, ordered by
// partition and offset: a trickle over many partitions makes few files.
func (t *topicSink) writeFiles(ctx context.Context, batches []tableBatch) error {
	var group sync.WaitGroup
	errs := make([]error, len(t.parts))
	for i, p := range t.parts {
		group.Go(func() {
			for _, b := range p.buffers {
				if errs[i] == nil {
					errs[i] = b.finish(ctx)
				}
			}
		})
	}
	group.Wait()
	for i := range batches {
		for _, p := range t.parts {
			if b := p.buffers[batches[i].payload.Table]; b != nil {
				batches[i].rows += b.count
				batches[i].files = append(batches[i].files, b.files...)
			}
		}
	}
	err := first(errs)
	for i := range batches {
		if err == nil {
			err = t.writeShared(ctx, &batches[i])
		}
	}
	if err != nil {
		return fmt.Errorf("sink: %s: %w", t.topic, err)
	}
	return nil
}

// writeShared puts the rows that wait in memory into one file of their table.
func (t *topicSink) writeShared(ctx context.Context, batch *tableBatch) error {
	shared := &buffer{sink: t.sink, payload: batch.payload}
	defer shared.drop()
	for _, p := range t.parts {
		if b := p.buffers[batch.payload.Table]; b != nil {
			if err := shared.write(ctx, b.rows); err != nil {
				return err
			}
			b.rows = nil
		}
	}
	if err := shared.finish(ctx); err != nil {
		return err
	}
	batch.files = append(batch.files, shared.files...)
	return nil
}
