package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/lake/retention"
	"github.com/weir-lake/weir/lake/upkeep"
)

// TestBackupBesideASink runs deploy/backup.sh while a sink, compaction, retention
// and vacuum are at work: each copy is whole, opens with DuckDB, and holds a
// beginning of what was appended.
func TestBackupBesideASink(t *testing.T) {
	backup := backupScript(t)
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	appended := 0
	put := func() {
		laketest.Append(t, lk, lake.Event{
			ID: fmt.Sprint("m", appended), Source: "test://here", Type: "weir.chat.message.v1", Subject: fmt.Sprint("c", appended), Time: laketest.Start,
			Data: &lake.ChatMessage{ConversationID: fmt.Sprint("c", appended), Kind: lake.KindPrompt, Content: "words", OrderedAt: laketest.Start},
		})
		appended++
	}
	for range 20 {
		put()
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	others := make(chan error, 2)
	every := func(work func() error) {
		for ctx.Err() == nil {
			if err := work(); err != nil && ctx.Err() == nil {
				others <- err
				return
			}
			time.Sleep(time.Millisecond)
		}
		others <- nil
	}
	session := duck.Options{Threads: 1}
	go every(func() error {
		_, err := upkeep.Compact(ctx, lk, "events.chat_messages", upkeep.Options{Session: session})
		return err
	})
	go every(func() error { // of what there is nothing is old: it only looks, and vacuums
		_, err := retention.Apply(ctx, lk, []retention.Rule{{Family: "chat", OlderThan: 100 * 365 * 24 * time.Hour}}, retention.Options{Session: session, Now: time.Now()})
		if err == nil {
			_, err = upkeep.Vacuum(ctx, lk, upkeep.VacuumOptions{Horizon: -1})
		}
		return err
	})
	for i := range 2 {
		least := appended
		to := filepath.Join(t.TempDir(), fmt.Sprint("copy", i))
		done := make(chan error, 1)
		go func() { done <- backup(lk.Dir(), to) }()
		for err := error(nil); ; {
			select {
			case err = <-done:
			default:
				put()
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		checkCopy(t, to, int64(least), int64(appended))
	}
	stop()
	if err := errors.Join(<-others, <-others); err != nil {
		t.Error(err)
	}
	t.Logf("%d messages were appended meanwhile", appended-20)
}

// backupScript is deploy/backup.sh as a function.
func backupScript(t *testing.T) func(from, to string) error {
	t.Helper()
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("there is no flock(1) on this machine")
	}
	script, err := filepath.Abs("../../deploy/backup.sh")
	if err != nil {
		t.Fatal(err)
	}
	// The test's own binary is weir when it is called so: see TestMain.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	weir := filepath.Join(t.TempDir(), "weir")
	if err := os.Symlink(self, weir); err != nil {
		t.Fatal(err)
	}
	return func(from, to string) error {
		command := exec.Command(script, from, to)
		command.Env = append(os.Environ(), "WEIR="+weir)
		out, err := command.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
		return err
	}
}

// A backup waits for upkeep, which deletes files, and upkeep for it.
func TestBackupWaitsForUpkeep(t *testing.T) {
	backup := backupScript(t)
	lk := laketest.New(t)
	laketest.Append(t, lk, lake.Event{ID: "m0", Source: "test://here", Type: "weir.chat.message.v1", Subject: "c", Time: laketest.Start,
		Data: &lake.ChatMessage{ConversationID: "c", Kind: lake.KindPrompt, Content: "words", OrderedAt: laketest.Start}})
	unlock, err := upkeep.Lock(t.Context(), lk)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy")
	done := make(chan error, 1)
	go func() { done <- backup(lk.Dir(), to) }()
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	if _, err := os.Stat(filepath.Join(to, "events")); err == nil {
		t.Error("it copies while upkeep is at work")
	}
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
	checkCopy(t, to, 1, 1)
	if err := backup(lk.Dir(), to); err == nil {
		t.Error("it copies over another copy")
	}
}

// checkCopy reads a copy as a user does.
func checkCopy(t *testing.T, dir string, least, most int64) {
	t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(dir, "catalog.duckdb")+"?access_mode=read_only")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, last int64
	if err := db.QueryRowContext(t.Context(), "select count(*), max(kafka_offset) from events.chat_messages").Scan(&rows, &last); err != nil {
		t.Fatal(err)
	}
	if rows < least || rows > most || last != rows-1 {
		t.Errorf("the copy has %d rows up to offset %d; %d to %d were appended", rows, last, least, most)
	}
	private, err := os.Stat(filepath.Join(dir, "weir.json"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := private.Mode().Perm(); mode != 0o600 {
		t.Errorf("weir.json has mode %v: others can read the erasure key", mode)
	}
	// A sink that goes on from the copy begins where it ends.
	copied, err := lake.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	table, err := copied.Table("events.chat_messages")
	if err != nil {
		t.Fatal(err)
	}
	head, err := table.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for app, next := range head.Txns {
		if next != rows || !strings.HasPrefix(app, "weir/") {
			t.Errorf("%s stands at %d, there are %d rows", app, next, rows)
		}
	}
}
