package transforms

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
)

// TestShingleLevels freezes the order once there are examples enough, and again
// once they are twice as many; between, new examples do not move it.
func TestShingleLevels(t *testing.T) {
	session := openSession(t, 1)
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := session.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	loadSketches(t, session, [][]int64{{1}}, rand.New(rand.NewPCG(1, 1)).Perm(1))
	grow := func(from, to int) { // shingle 7 in all, one of its own in each
		t.Helper()
		exec("insert into curated.example_sketches (example_id, said, seen) select 'n' || range, [7, 1000 + range], [] from range(?, ?)", from, to)
	}
	freeze := func() *lake.Event {
		t.Helper()
		event, err := ShingleLevels(t.Context(), session, time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		return event
	}
	made := 0
	order := func() (frozen bool, seventh, other int64) {
		t.Helper()
		made++
		into := fmt.Sprintf("main.levels_%d", made)
		if err := runShingleLevels(t.Context(), session, into); err != nil {
			t.Fatal(err)
		}
		if err := session.Get(t.Context(), "select is_frozen, levels[8], levels[1002] from "+into, &frozen, &seventh, &other); err != nil {
			t.Fatal(err)
		}
		return frozen, seventh, other
	}

	grow(0, 30)
	if event := freeze(); event != nil {
		t.Errorf("%d examples froze %s", 31, event.Data.(*lake.Config).Content[:40])
	}
	if frozen, seventh, other := order(); frozen || seventh != 4 || other != 0 {
		t.Errorf("of 31 examples: frozen %v, levels %d and %d, want 4 for a shingle of 30, 0 for one", frozen, seventh, other)
	}
	grow(30, ShinglesLeast)
	event := freeze()
	if event == nil {
		t.Fatal("nothing is frozen of 1,001 examples")
	}
	config := event.Data.(*lake.Config)
	var content levels
	if err := json.Unmarshal([]byte(config.Content), &content); err != nil || content.Examples != ShinglesLeast+1 || len(content.Levels) != levelSlots {
		t.Fatalf("%d examples, %d levels, %v", content.Examples, len(content.Levels), err)
	}
	exec("insert into curated.configs values ('shingle_levels', ?, ?, ?, 'e1')", config.Content, config.Hash, event.Time)
	grow(ShinglesLeast, 2*ShinglesLeast-1)
	if freeze() != nil {
		t.Error("frozen anew before there are twice as many")
	}
	exec("insert into curated.example_sketches (example_id, said, seen) select 'm' || range, [1001], [] from range(3)")
	if frozen, seventh, other := order(); !frozen || seventh != 7 || other != 0 {
		t.Errorf("frozen %v, levels %d and %d: the order moved", frozen, seventh, other)
	}
	if freeze() == nil {
		t.Error("not frozen anew once there are twice as many")
	}
}
