package transforms

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/derive/derivetest"
	"github.com/weir-lake/weir/lake/duck"
)

// testKey is the erasure key of the cases: the hashes in testdata/erased are
// made under it.
var testKey = bytes.Repeat([]byte{7}, 32)

func tables(t *testing.T) []*derive.Table {
	t.Helper()
	tables, err := Tables(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func TestHeaders(t *testing.T) { derivetest.Headers(t, tables(t)) }

func TestCases(t *testing.T) { derivetest.Cases(t, "testdata", tables(t)) }

// TestStagingReadsEachEventsTableOnce keeps the rule that an events table has
// one reader, which takes all its columns along.
func TestStagingReadsEachEventsTableOnce(t *testing.T) {
	readers := map[string][]*derive.Table{}
	for _, table := range tables(t) {
		for _, input := range table.Inputs {
			if strings.HasPrefix(input.Table, "events.") && table.Name != "curated.erased" {
				readers[input.Table] = append(readers[input.Table], table)
			}
		}
	}
	for _, payload := range lake.Payloads() {
		want := 1
		if payload.Table == "events.erasures" || payload.Table == "events.dead_letters" {
			want = 0
		}
		if len(readers[payload.Table]) != want {
			t.Errorf("%s has %d readers, not %d", payload.Table, len(readers[payload.Table]), want)
			continue
		}
		if want == 0 {
			continue
		}
		checkStaging(t, payload, readers[payload.Table][0])
	}
}

func checkStaging(t *testing.T, payload *lake.Payload, table *derive.Table) {
	t.Helper()
	renamed := map[string]string{"id": "event_id", "subject": "subject_id", "source": "source_uri", "type": "event_type", "time": "occurred_at", "ingested_at": "ingested_at"}
	dropped := map[string]bool{"kafka_cluster": true, "kafka_topic": true, "kafka_partition": true, "kafka_offset": true, "schema_version": true, "parser_version": true, "extra": true}
	found := map[string]lake.Column{}
	for _, column := range table.Columns {
		found[column.Name] = column
	}
	for _, column := range payload.Columns() {
		name := column.Name
		if column.FieldID < 19 { // the ids of the envelope stand below those of the payload
			if dropped[name] {
				continue
			}
			name = renamed[name]
		}
		if got, ok := found[name]; !ok || !duck.SameType(got, column) {
			t.Errorf("%s: %s %s of %s is missing or of another type", table.File, name, column.SQL(), payload.Table)
		}
		delete(found, name)
	}
	for name := range found {
		t.Errorf("%s: column %s does not come from %s", table.File, name, payload.Table)
	}
}

func TestKeyedHashInSQL(t *testing.T) {
	session, err := duck.Open(t.Context(), duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, key := range [][]byte{testKey, {}, bytes.Repeat([]byte{0xff, 0x27}, 50)} {
		for _, id := range []string{"ann", "", "käthe's 'id'"} {
			var got string
			if err := session.Get(t.Context(), "select "+duck.KeyedHash(key, "person", duck.Literal(id)), &got); err != nil {
				t.Fatal(err)
			}
			if want := lake.KeyedHash(key, "person", id); got != want {
				t.Errorf("%q: got %s, want %s", id, got, want)
			}
		}
	}
}
