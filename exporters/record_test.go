package exporters_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/exporters"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// recording records an export and gives the events that were sent.
func recording(t *testing.T, lk *lake.Lake, dir string, now time.Time) (exporters.Recorded, []lake.Event) {
	t.Helper()
	var sent []lake.Event
	recorded, err := exporters.Record(t.Context(), lk, dir, now, func(_ context.Context, events ...lake.Event) error {
		sent = append(sent, events...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return recorded, sent
}

func TestRecord(t *testing.T) {
	lk := built(t, 60)
	dir := filepath.Join(t.TempDir(), "out")
	export := func() exporters.Manifest {
		t.Helper()
		manifest, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "openai", Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return manifest.Manifest
	}
	manifest := export()
	recorded, sent := recording(t, lk, dir, laketest.Start)
	if !recorded.IsNew || recorded.Members != 60 || len(sent) != 2 {
		t.Fatalf("recorded %+v in %d events", recorded, len(sent))
	}
	members, version := sent[0].Data.(*lake.DatasetMembers), sent[1].Data.(*lake.DatasetVersion)
	if version.MemberCount != 60 || version.ContentHash != recorded.ContentHash || !strings.Contains(version.Manifest, manifest.ContentHash) {
		t.Errorf("version %+v", version)
	}
	counts := map[string]int64{}
	for _, m := range members.Members {
		if m.ExampleID == "" || m.ContentHash == "" || !strings.HasPrefix(m.SubjectID, "ticket-") {
			t.Fatalf("member %+v", m)
		}
		counts[m.Side]++
	}
	if counts["train"] != manifest.Splits[0].Examples || counts["validation"] != manifest.Splits[1].Examples || counts["validation"] == 0 {
		t.Errorf("sides %v", counts)
	}

	// Before the events are there, the same ones are sent again, whenever that is.
	_, again := recording(t, lk, dir, laketest.Start.Add(time.Hour))
	if len(again) != 2 || again[0].ID != sent[0].ID || again[1].ID != sent[1].ID {
		t.Errorf("sent again %+v", again)
	}
	laketest.Append(t, lk, append(sent, again...)...)

	// Every example keeps its side, and nothing else has changed.
	before, err := os.ReadFile(filepath.Join(dir, "train.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	transformstest.Build(t, lk)
	if got := export().ContentHash; got != manifest.ContentHash {
		t.Errorf("the export is another one: %s, was %s", got, manifest.ContentHash)
	}
	after, err := os.ReadFile(filepath.Join(dir, "train.jsonl"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("train.jsonl has changed: %v", err)
	}
	session, _, err := duck.OpenLake(t.Context(), lk, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	sides, err := session.Strings(t.Context(), `
		select distinct (select count(*) from curated.splits where splits.example_id = member.example_id and splits.split = member.side)::varchar
		from (select unnest(members) as member from curated.dataset_members)`)
	if err != nil || len(sides) != 1 || sides[0] != "1" {
		t.Errorf("members with so many rows in curated.splits on their side: %v, %v", sides, err)
	}
	if recorded, sent := recording(t, lk, dir, laketest.Start.Add(2*time.Hour)); recorded.IsNew || len(sent) > 0 {
		t.Errorf("recorded once more: %+v, %d events", recorded, len(sent))
	}
}

func TestRecordRefusesAnotherLineage(t *testing.T) {
	lk := built(t, 10)
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := exporters.Export(t.Context(), lk, exporters.Options{Target: "together", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lineage.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"file":"train.jsonl","line":99,"example_id":"z","subject_id":"z","content_hash":"z"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = exporters.Record(t.Context(), lk, dir, laketest.Start, func(context.Context, ...lake.Event) error {
		t.Error("something was sent")
		return nil
	})
	if err == nil || lake.HintOf(err) != "export again" {
		t.Errorf("%v", err)
	}
}
