// Package transformstest builds the curated tables of a test's lake.
package transformstest

import (
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/transforms"
)

// Build brings the curated tables of a lake up to date: all, or those named and
// what they are made from.
func Build(t testing.TB, lk *lake.Lake, only ...string) {
	t.Helper()
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1, TempDir: lk.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	BuildIn(t, lk, session, only...)
}

// BuildIn is Build in a session that goes on to read the tables.
func BuildIn(t testing.TB, lk *lake.Lake, session *duck.Session, only ...string) {
	t.Helper()
	tables, err := transforms.Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := derive.Build(t.Context(), lk, tables, derive.Options{Session: session, Only: only}); err != nil {
		t.Fatal(err)
	}
}
