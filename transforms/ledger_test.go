package transforms

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// ledgerSteps is how often the data grow, with a version recorded each time.
const ledgerSteps = 5

// TestLedger lets what the splitter sees grow in five steps, records a version
// of a dataset after each, and holds every version against all that came before:
// what was trained on is never held out, nor what it is tied to, and the
// reverse. New examples belong to old subjects, repeat old questions and
// contents, and tie old groups to each other. Then every version is made again,
// from what was there before its own event.
func TestLedger(t *testing.T) {
	merged := 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			session := openSession(t, 1)
			n := newNarrow(t, session, seed)
			var versions []version
			for step := range ledgerSteps {
				n.grow()
				n.build(t, session, len(n.keys), len(n.members))
				v := version{keys: len(n.keys), batches: len(n.members), members: membersNow(t, session)}
				v.hash = hashOf(v.members)
				checkSides(t, session, versions, v, step)
				if found := leaksNow(t, session, "curated.leaks"); len(found) > 0 {
					t.Errorf("step %d: leaks %v", step, found)
				}
				merged += int(countNow(t, session, "select count(*) from curated.funnel where reason = 'side_conflict'"))
				versions = append(versions, v)
				n.members = append(n.members, v.members[:len(v.members)/2], v.members[len(v.members)/2:])
			}
			for i, v := range versions {
				n.build(t, session, v.keys, v.batches)
				if hash := hashOf(membersNow(t, session)); hash != v.hash {
					t.Errorf("version %d made again: %s, was %s", i, hash, v.hash)
				}
			}
		})
	}
	if merged == 0 && !t.Failed() {
		t.Error("no groups of different sides were merged: the test shows less than it says")
	}
}

// TestLedgerOfALake is TestLedger on whole lakes, with events of every kind, as
// many as WEIR_LEDGER says: each takes a minute.
func TestLedgerOfALake(t *testing.T) {
	seeds, err := strconv.Atoi(os.Getenv("WEIR_LEDGER"))
	if err != nil {
		t.Skip("WEIR_LEDGER is the number of lakes to grow")
	}
	merged := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { merged += ledgerOf(t, uint64(seed)) })
	}
	if merged == 0 && !t.Failed() {
		t.Error("no groups of different sides were merged: the test shows less than it says")
	}
}

// narrow is what the splitter sees of a lake: keys of examples, of which some
// come late and some go, who was made from whom, and the ledger.
type narrow struct {
	*rand.Rand
	tables  []*derive.Table
	keys    []narrowKey
	members [][]lake.DatasetMember // batches of versions, in order
}

type narrowKey struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Prompt  string `json:"prompt"`
	Content string `json:"content"`
	Parent  string `json:"parent,omitempty"`
	Began   int    `json:"began"` // seconds; some come late
	Gone    int    `json:"gone"`  // number of keys from which on it is not there any more; 0: never
}

func newNarrow(t *testing.T, session *duck.Session, seed uint64) *narrow {
	t.Helper()
	n := &narrow{Rand: rand.New(rand.NewPCG(seed, 7)), tables: tables(t)}
	mustExec(t, session, "create schema made")
	for _, table := range n.tables {
		if err := session.RegisterQuery(t.Context(), table.Name, duck.EmptySelect(table.Columns)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// grow adds examples: most are new, some belong to what was there.
func (n *narrow) grow() {
	old := func(name func(narrowKey) string, otherwise string, percent int) string {
		if len(n.keys) > 0 && n.IntN(100) < percent {
			return name(n.keys[n.IntN(len(n.keys))])
		}
		return otherwise
	}
	for range 120 {
		no := len(n.keys)
		key := narrowKey{ID: fmt.Sprintf("x%04d", no), Began: 1000 + no}
		if n.IntN(100) < 20 {
			key.Began = n.IntN(1000 + no) // an old log that came late
		}
		key.Subject = old(func(k narrowKey) string { return k.Subject }, "s"+strconv.Itoa(no), 15)
		key.Prompt = old(func(k narrowKey) string { return k.Prompt }, "p"+strconv.Itoa(no), 8)
		key.Content = old(func(k narrowKey) string { return k.Content }, "c"+strconv.Itoa(no), 8)
		key.Parent = old(func(k narrowKey) string { return k.ID }, "", 6)
		n.keys = append(n.keys, key)
	}
	for i := range n.keys {
		if n.keys[i].Gone == 0 && n.IntN(100) < 8 {
			n.keys[i].Gone = len(n.keys) + 1
		}
	}
}

// build makes the splitter's tables and the leaks from the first keys and batches.
func (n *narrow) build(t *testing.T, session *duck.Session, keys, batches int) {
	t.Helper()
	text, err := json.Marshal(n.keys[:keys])
	if err != nil {
		t.Fatal(err)
	}
	members, err := json.Marshal(n.members[:batches])
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, session, "create or replace table made.keys as select unnest(from_json("+duck.Literal(string(text))+
		`, '[{"id":"VARCHAR","subject":"VARCHAR","prompt":"VARCHAR","content":"VARCHAR","parent":"VARCHAR","began":"BIGINT","gone":"BIGINT"}]'), recursive := true)`)
	mustExec(t, session, fmt.Sprintf("delete from made.keys where gone > 0 and gone <= %d", keys))
	mustExec(t, session, "create or replace table made.members as select unnest(from_json("+duck.Literal(string(members))+
		`, '[[{"example_id":"VARCHAR","content_hash":"VARCHAR","subject_id":"VARCHAR","side":"VARCHAR"}]]')) as members`)
	show := func(name, query string) {
		t.Helper()
		if err := session.RegisterQuery(t.Context(), name, query); err != nil {
			t.Fatal(err)
		}
	}
	show("curated.example_keys", `select id as example_id, subject as subject_id, case when parent is null then 'chat' else 'generated' end as source,
		'other' as task_type, null::varchar as task_id, content as content_hash, content as text_hash, prompt as prompt_hash, []::varchar[] as models,
		true as is_final, make_timestamptz(began * 1000000) as started_at, make_timestamptz(began * 1000000) as ended_at, []::varchar[] as prefix_hashes from made.keys`)
	show("curated.lineage", "select id as child_id, parent as parent_id, parent as root_id, 'persona' as method, 1::bigint as generation from made.keys where parent is not null")
	show("curated.quality", "select id as example_id, 'keep' as verdict, 0.5::double as success_score, []::varchar[] as reasons from made.keys")
	show("curated.watermark", "select 'events' as name, timestamptz '2026-01-01' as watermark_at")
	show("curated.dataset_members", "select members from made.members")
	show("curated.duplicate_clusters", `select id as example_id, id = min(id) over (partition by content) as is_representative from made.keys`)
	for _, name := range []string{"curated.group_edges", "curated.split_groups", "curated.splits", "curated.funnel", "curated.leaks"} {
		i := slices.IndexFunc(n.tables, func(table *derive.Table) bool { return table.Name == name })
		into := "made." + strings.TrimPrefix(name, Layer+".")
		mustExec(t, session, "drop table if exists "+into)
		if err := n.tables[i].Make(t.Context(), session, into); err != nil {
			t.Fatal(err)
		}
		show(name, "select * from "+into)
	}
}

// version is a version of the dataset, as it was recorded.
type version struct {
	at      time.Time // before its own events
	keys    int       // what was there before them, where the lake is narrow
	batches int
	hash    string
	members []lake.DatasetMember
}

// ledgerOf runs one seed and says how many examples were dropped for a merge.
func ledgerOf(t *testing.T, seed uint64) int {
	now := laketest.Start
	lk, err := lake.Init(filepath.Join(t.TempDir(), "lake"), lake.Options{Clock: func() time.Time {
		now = now.Add(time.Second)
		return now
	}})
	if err != nil {
		t.Fatal(err)
	}
	session := openSession(t, 2)
	g := &growth{world: newWorld(seed + 100)}
	g.at = laketest.Start.AddDate(0, 0, -60) // all is over when it is said to be complete
	var versions []version
	conflicts := 0
	for step := range ledgerSteps {
		laketest.Append(t, lk, g.step()...)
		build(t, lk, session)
		if t.Failed() {
			return 0
		}
		checkInvariants(t, session)
		v := version{at: now, members: membersNow(t, session)}
		v.hash = hashOf(v.members)
		checkSides(t, session, versions, v, step)
		conflicts += int(countNow(t, session, "select count(*) from curated.funnel where reason = 'side_conflict'"))
		versions = append(versions, v)
		laketest.Append(t, lk, versionEvents(v, step)...)
	}
	for i, v := range versions {
		checkRebuilt(t, lk, session, v, i)
	}
	// The rebuilds left nothing behind.
	build(t, lk, session)
	last := versions[len(versions)-1]
	if now := hashOf(membersNow(t, session)); now != last.hash {
		t.Errorf("with the last version recorded, the set is another: %s, was %s", now, last.hash)
	}
	return conflicts
}

// growth adds to a world what makes groups grow and merge.
type growth struct {
	*world
	asked [2][]string // first prompts so far: whose first subject trains by its hash, and whose validates
}

func (g *growth) step() []lake.Event {
	var events []lake.Event
	for range 25 {
		events = append(events, g.conversation()...)
	}
	for range 3 {
		// A subject in which two old questions are asked: their groups become one.
		if train, held := g.asked[0], g.asked[1]; len(train) > 0 && len(held) > 0 {
			subject := g.id("b")
			events = append(events, g.ask(subject, train[g.IntN(len(train))]), g.ask(subject, held[g.IntN(len(held))]))
		}
	}
	for range 40 {
		subject := g.id("q")
		question := "What about " + g.text() + " and " + g.id("x") + "?"
		side := 0
		if sum := md5.Sum([]byte("weir\x1f" + subject)); hex.EncodeToString(sum[:]) < "1999" {
			side = 1
		}
		if old := g.asked[side]; len(old) > 0 && g.chance(25) {
			question = old[g.IntN(len(old))]
		} else {
			g.asked[side] = append(old, question)
		}
		events = append(events, g.ask(subject, question))
	}
	return append(events, g.event("weir.config.set.v1", "weir://tests", "config:complete", &lake.Config{Kind: "complete"}))
}

func (g *growth) ask(subject, question string) lake.Event {
	return g.event("weir.gateway.call.v1", "openai://test/chat", subject, &lake.GatewayCall{
		ResponseID: g.id("r"), Model: "m-2", Status: "success",
		Messages: []lake.Message{{Role: "user", Content: question}},
		Output:   []lake.Message{{Role: "assistant", Content: g.text()}},
	})
}

// membersNow is what a version would hold now, by id.
func membersNow(t *testing.T, session *duck.Session) []lake.DatasetMember {
	t.Helper()
	rows, err := session.DB().QueryContext(t.Context(), `
		select funnel.example_id, keys.content_hash, keys.subject_id, funnel.fate
		from curated.funnel as funnel join curated.example_keys as keys on keys.example_id = funnel.example_id
		where funnel.fate in ('train', 'validation') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var members []lake.DatasetMember
	for rows.Next() {
		var m lake.DatasetMember
		if err := rows.Scan(&m.ExampleID, &m.ContentHash, &m.SubjectID, &m.Side); err != nil {
			t.Fatal(err)
		}
		members = append(members, m)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return members
}

func hashOf(members []lake.DatasetMember) string {
	sum := md5.New()
	for _, m := range members {
		fmt.Fprintf(sum, "%s %s %s\n", m.ExampleID, m.ContentHash, m.Side)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func countNow(t *testing.T, session *duck.Session, query string) (n int64) {
	t.Helper()
	if err := session.Get(t.Context(), query, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// versionEvents record a version, in two batches as a large one would be.
func versionEvents(v version, number int) []lake.Event {
	name, at := strconv.Itoa(number), v.at
	events := []lake.Event{{
		ID: "version-" + name, Source: "weir://tests", Type: "weir.dataset.version.v1", Subject: "dataset:d", Time: at,
		Data: &lake.DatasetVersion{Dataset: "d", Version: name, ContentHash: v.hash, MemberCount: int64(len(v.members))},
	}}
	half := len(v.members) / 2
	for batch, members := range [][]lake.DatasetMember{v.members[:half], v.members[half:]} {
		events = append(events, lake.Event{
			ID: fmt.Sprint("members-", name, "-", batch), Source: "weir://tests", Type: "weir.dataset.members.v1", Subject: "dataset:d", Time: at,
			Data: &lake.DatasetMembers{Dataset: "d", Version: name, ContentHash: v.hash, Members: members, Batch: int64(batch)},
		})
	}
	return events
}

// checkSides holds a version against those before it, without the ledger's SQL.
func checkSides(t *testing.T, session *duck.Session, before []version, v version, step int) {
	t.Helper()
	sides := map[string]map[string]bool{} // subject or content → sides it was ever on
	note := func(key, side string) {
		if sides[key] == nil {
			sides[key] = map[string]bool{}
		}
		sides[key][side] = true
	}
	for _, old := range before {
		for _, m := range old.members {
			note("subject "+m.SubjectID, m.Side)
			note("content "+m.ContentHash, m.Side)
		}
	}
	other := map[string]string{"train": "validation", "validation": "train"}
	held := 0
	for _, m := range v.members {
		if m.Side == "validation" {
			held++
		}
		for _, key := range []string{"subject " + m.SubjectID, "content " + m.ContentHash} {
			if sides[key][other[m.Side]] {
				t.Errorf("step %d: %s is in %s, and was in %s", step, key, m.Side, other[m.Side])
			}
		}
	}
	if held == 0 {
		t.Errorf("step %d: nothing is held out", step)
	}
	checkTies(t, session, sides, v, step)
}

// checkTies walks from each member over what ties examples, and looks for
// somebody who was on the other side.
func checkTies(t *testing.T, session *duck.Session, sides map[string]map[string]bool, v version, step int) {
	t.Helper()
	type place struct{ example, subject, content, group string }
	lines, err := session.Strings(t.Context(), `
		select concat_ws(' ', example_id, subject_id, content_hash, group_id)
		from curated.example_keys join curated.split_groups using (example_id) order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string][]place{}
	of := map[string]place{}
	for _, line := range lines {
		f := strings.Fields(line)
		p := place{f[0], f[1], f[2], f[3]}
		groups[p.group] = append(groups[p.group], p)
		of[p.example] = p
	}
	was := func(p place, side string) bool {
		return sides["subject "+p.subject][side] || sides["content "+p.content][side]
	}
	in := map[string]string{} // group → side of its members
	for _, m := range v.members {
		p := of[m.ExampleID]
		if side, ok := in[p.group]; ok && side != m.Side {
			t.Errorf("step %d: group %s has members on both sides", step, p.group)
		}
		in[p.group] = m.Side
		for _, tied := range groups[p.group] {
			switch {
			case m.Side == "validation" && was(tied, "train"):
				t.Errorf("step %d: %s validates, and is tied to %s, which was trained on", step, p.example, tied.example)
			case m.Side == "train" && was(tied, "validation") && !was(p, "train"):
				t.Errorf("step %d: %s is new to train, and is tied to %s, which was held out", step, p.example, tied.example)
			}
		}
	}
	// Who was dropped for a merge says so: of a group with both histories, nobody
	// who was not trained on stays, and nobody is missing without a reason.
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		both := slices.ContainsFunc(groups[group], func(p place) bool { return was(p, "train") }) &&
			slices.ContainsFunc(groups[group], func(p place) bool { return was(p, "validation") })
		if !both {
			continue
		}
		for _, p := range groups[group] {
			dropped := countNow(t, session, "select count(*) from curated.funnel where example_id = "+duck.Literal(p.example)+
				" and fate in ('excluded', 'open') and reason is not null")
			if !was(p, "train") && dropped == 0 {
				t.Errorf("step %d: %s of a merged group was never trained on, and is not dropped", step, p.example)
			}
		}
	}
}

// checkRebuilt makes a version again in two ways: from the tables as they were,
// and from the events as they were, computed anew.
func checkRebuilt(t *testing.T, lk *lake.Lake, session *duck.Session, v version, number int) {
	t.Helper()
	moment := duck.Moment{At: v.at}
	frozen, _, err := duck.OpenLakeAt(t.Context(), lk, moment, duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	if hash := hashOf(membersNow(t, frozen)); hash != v.hash {
		t.Errorf("version %d from the tables as they were: %s, was %s", number, hash, v.hash)
	}
	if number%2 == 1 { // each takes a whole build
		return
	}
	all, err := Tables(lk.ErasureKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := derive.Build(t.Context(), lk, all, derive.Options{Session: session, At: moment}); err != nil {
		t.Fatal(err)
	}
	if hash := hashOf(membersNow(t, session)); hash != v.hash {
		t.Errorf("version %d from the events as they were: %s, was %s", number, hash, v.hash)
	}
}
