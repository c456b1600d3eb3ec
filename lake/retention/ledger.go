package retention

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/weir-lake/weir/lake"
)

// ledgerName is the file of what has gone, a line of JSON each run and family. It
// is not an event, so that a lake can be kept up without its Kafka. It names
// nobody: offsets say which rows a run could see.
const ledgerName = "_retention/ledger.jsonl"

// entry is one decision: of the rows of a table up to some offsets, those that
// were older went.
type entry struct {
	At        time.Time        `json:"at"`
	Family    string           `json:"family"`
	Table     string           `json:"table"`
	Before    time.Time        `json:"before"`
	ByRow     bool             `json:"by_row,omitempty"`
	Rows      int64            `json:"rows"`      // that were to go
	Positions map[string]int64 `json:"positions"` // next offset by lake.TxnAppID
	Pending   bool             `json:"pending,omitempty"`
}

// what tells readers of the log.
func (e entry) what() string { return e.Family + " before " + e.Before.Format(time.RFC3339) }

// readLedger gives what was decided, oldest first.
func readLedger(ctx context.Context, lk *lake.Lake) ([]entry, error) {
	data, err := lake.ReadFile(ctx, lk.Storage(), ledgerName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []entry
	for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
		var e entry
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", ledgerName, len(entries)+1, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// record adds an entry. The caller holds upkeep's lock.
func record(ctx context.Context, lk *lake.Lake, e entry) error {
	entries, err := readLedger(ctx, lk)
	if err != nil {
		return err
	}
	return writeLedger(ctx, lk, append(entries, e))
}

// settle says that all of it is done.
func settle(ctx context.Context, lk *lake.Lake) error {
	entries, err := readLedger(ctx, lk)
	if err != nil {
		return err
	}
	for i := range entries {
		entries[i].Pending = false
	}
	return writeLedger(ctx, lk, entries)
}

// writeLedger replaces the file whole: a kill leaves the old one or the new one.
func writeLedger(ctx context.Context, lk *lake.Lake, entries []entry) error {
	w, err := lk.Storage().Create(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	enc := json.NewEncoder(w)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return w.Replace(ledgerName)
}
