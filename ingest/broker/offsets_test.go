package broker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/lake"
)

// A lake that was copied without its broker's folder has offsets that a new log
// would reach again with other records: they would be taken for read.
func TestOpenRefusesANewLogForAnOldLake(t *testing.T) {
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	open := func() error {
		b, err := Open(t.Context(), lk, Options{})
		if err != nil {
			return err
		}
		return b.Close()
	}
	read := func(cluster string, next int64) {
		t.Helper()
		payload, _ := lake.PayloadOf("weir.chat.message.v1")
		table, err := lk.Table(payload.Table)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.Commit(t.Context(), lake.Commit{Operation: "append", Columns: payload.Columns(),
			Txns: []lake.Txn{{AppID: lake.TxnAppID(cluster, payload.Topic(), 1), Expect: -1, Next: next}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	read("another-cluster", 7)
	if err := open(); err != nil {
		t.Errorf("another cluster's offsets are none of ours: %v", err)
	}
	read(lk.ClusterID(), 5)
	if err := os.RemoveAll(lk.BrokerDir()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it leaves no lock and no other state behind
		if err := open(); !errors.Is(err, ErrBehind) || lake.HintOf(err) == "" {
			t.Errorf("opened: %v", err)
		}
	}
}
