package evalsql_test

import (
	"testing"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/derive/derivetest"
	"github.com/weir-lake/weir/transforms"
)

// allTables are the analyses and the curated tables that they are made from.
func allTables(t *testing.T) []*derive.Table {
	t.Helper()
	tables, err := evalsql.Tables()
	if err != nil {
		t.Fatal(err)
	}
	curated, err := transforms.Tables(nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(tables, curated...)
}

func TestHeaders(t *testing.T) { derivetest.Headers(t, allTables(t)) }

func TestCases(t *testing.T) { derivetest.Cases(t, "testdata", allTables(t)) }
