package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// plantLeak is the script command leak LAKE: curated.leaks counts one link from
// now on, as it would after a splitter that is at fault.
func plantLeak(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: leak LAKE")
	}
	ctx := context.Background()
	lk, err := lake.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	table, err := lk.Table("curated.leaks")
	ts.Check(err)
	live, err := table.Snapshot(ctx)
	ts.Check(err)
	session, err := duck.Open(ctx, duck.Options{Threads: 1})
	ts.Check(err)
	defer session.Close()
	path := filepath.Join(table.Dir(), "planted.parquet")
	ts.Check(session.Exec(ctx, "copy (select 'near_prompt' as kind, 1::bigint as link_count) to "+duck.Literal(path)+" (format parquet)"))
	info, err := os.Stat(path)
	ts.Check(err)
	var remove []string
	for _, file := range live.Files {
		remove = append(remove, file.Path)
	}
	_, err = table.Commit(ctx, lake.Commit{
		Operation: "test", Columns: live.Columns, Remove: remove, Overwrite: true,
		Add: []lake.DataFile{{Path: "planted.parquet", Bytes: info.Size(), Rows: 1, ModifiedAt: time.Now()}},
	})
	ts.Check(err)
}
