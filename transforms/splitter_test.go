package transforms

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
)

// TestLeaksNameWhatTheSplitterLost plants, for each kind of link, two examples
// that nothing else ties, with subjects whose hashes lie on different sides. As
// the splitter is, no kind counts anything. Then what it goes by is taken away,
// and curated.leaks must count that kind, and no other.
func TestLeaksNameWhatTheSplitterLost(t *testing.T) {
	p := newPlanter()
	planted := map[string]string{}
	for _, kind := range linkKinds {
		from := len(p.subjects)
		kind.plant(p)
		planted[kind.name] = "select example_id from whole.example_keys where subject_id in ('" + strings.Join(p.subjects[from:], "', '") + "')"
	}
	p.add("weir.config.set.v1", "config:complete", &lake.Config{Kind: "complete"})
	lk := laketest.New(t)
	laketest.Append(t, lk, p.events...)
	session := openSession(t, 2)
	build(t, lk, session)
	checkInvariants(t, session)
	if found := leaksNow(t, session, "curated.leaks"); len(found) > 0 {
		t.Fatalf("with the splitter as it is: %v", found)
	}
	if sides := sidesNow(t, session); sides["train"] == 0 || sides["validation"] == 0 || sides["test"] == 0 {
		t.Fatalf("sides %v: nothing could leak", sides)
	}
	keepWhole(t, session)
	for _, kind := range linkKinds {
		t.Run(kind.name, func(t *testing.T) {
			broken := breakSplitter(t, session, kind.broken(planted[kind.name]))
			found := leaksNow(t, session, broken)
			if len(found) != 1 || found[kind.leak] == 0 {
				t.Errorf("found %v, want %s alone", found, kind.leak)
			}
		})
	}
}

// linkKind is a way in which two examples may be tied, and how a splitter that
// does not see it is made: broken says what stands in place of a table.
type linkKind struct {
	name   string
	leak   string // what curated.leaks calls it
	plant  func(*planter)
	broken func(planted string) map[string]string // planted: a query for the planted examples
}

// withoutEdges takes edges of some kinds away from the planted examples.
func withoutEdges(kinds ...string) func(planted string) map[string]string {
	list := make([]string, len(kinds))
	for i, kind := range kinds {
		list[i] = duck.Literal(kind)
	}
	return func(planted string) map[string]string {
		return map[string]string{"curated.group_edges": "select * from whole.group_edges where kind not in (" +
			strings.Join(list, ", ") + ") or left_id not in (" + planted + ")"}
	}
}

// instead puts a query in place of a table, whatever was planted.
func instead(table, query string) func(planted string) map[string]string {
	return func(string) map[string]string { return map[string]string{table: query} }
}

var linkKinds = []linkKind{
	{
		name: "exact", leak: "content",
		plant: func(p *planter) {
			p.say(p.subject("train"), "Hi.", "The mill is shut on Mondays.")
			p.say(p.subject("validation"), "Hi.", "The mill is shut on Mondays.")
		},
		broken: func(planted string) map[string]string {
			broken := withoutEdges("text", "duplicate")(planted)
			broken["curated.duplicate_pairs"] = "select * from whole.duplicate_pairs where kind is distinct from 'exact'"
			return broken
		},
	},
	{
		name: "text", leak: "text",
		plant: func(p *planter) {
			p.call(p.subject("train"), "find_eel", "Go.", "Eels wait in the reeds.")
			p.call(p.subject("validation"), "find_pike", "Go.", "Eels wait in the reeds.")
		},
		broken: withoutEdges("text", "duplicate"),
	},
	{
		name: "prefix", leak: "prefix",
		plant: func(p *planter) {
			opening := p.words(60)
			p.say(p.subject("train"), "Yes?", opening)
			p.say(p.subject("validation"), "Yes?", opening, "More.", p.words(60), "And?", p.words(60))
		},
		broken: withoutEdges("prefix"),
	},
	{
		name: "near duplicate", leak: "duplicate",
		plant: func(p *planter) {
			text := p.words(80)
			p.call(p.subject("train"), "count_boats", "One.", text+" at dawn")
			p.call(p.subject("validation"), "count_barges", "One.", text+" at dusk")
		},
		broken: withoutEdges("duplicate"),
	},
	{
		name: "prompt", leak: "prompt",
		plant: func(p *planter) {
			p.say(p.subject("train"), "Which boats wait below the mill?", p.words(30))
			p.say(p.subject("validation"), "Which boats wait below the mill?", p.words(30))
		},
		broken: withoutEdges("prompt"),
	},
	{
		name: "near prompt", leak: "near_prompt",
		plant: func(p *planter) {
			task := p.words(90)
			p.say(p.subject("train"), task+" first", p.words(150))
			p.say(p.subject("validation"), task+" second", p.words(150))
		},
		broken: withoutEdges("near_prompt"),
	},
	{
		name: "task", leak: "task",
		plant: func(p *planter) {
			for _, side := range []string{"train", "validation"} {
				subject := p.subject(side)
				p.add("weir.checkpoint.saved.v1", subject, &lake.Checkpoint{
					TaskID: "task-7", CheckpointID: subject, Messages: []lake.Message{
						{Role: "user", EventID: subject + "-u", Content: "Do."},
						{Role: "assistant", EventID: subject + "-a", Content: p.words(20), Model: "m"},
					},
				})
			}
		},
		broken: withoutEdges("task"),
	},
	{
		name: "trajectory", leak: "trajectory",
		plant: func(p *planter) {
			// The second and third call both continue the first, which one of them owns.
			history := []lake.Message{{Role: "user", Content: "Now."}}
			output := lake.Message{Role: "assistant", Content: p.words(4)}
			for i, side := range []string{"train", "train", "validation"} {
				if i > 0 {
					history = []lake.Message{history[0], output, {Role: "user", Content: p.words(20)}}
				}
				answer := output
				if i > 0 {
					answer = lake.Message{Role: "assistant", Content: p.words(20)}
				}
				p.add("weir.gateway.call.v1", p.subject(side), &lake.GatewayCall{
					ResponseID: fmt.Sprint("branch-", i), Model: "m", Status: "success", Messages: history, Output: []lake.Message{answer},
				})
			}
		},
		broken: withoutEdges("trajectory"),
	},
	{
		name: "lineage", leak: "lineage",
		plant: func(p *planter) {
			// Children of what is held out go nowhere, unless the tie is not seen.
			parent := p.call(p.subject("validation"), "list_boats", "Now.", p.words(20))
			p.generated(p.subject("train"), exampleOf(parent))
		},
		broken: withoutEdges("lineage"),
	},
	{
		name: "subject", leak: "subject",
		plant: func(p *planter) {
			subject := p.subject("train")
			p.call(subject, "open_gate", "Open.", p.words(20))
			p.call(subject, "shut_gate", "Shut.", p.words(20))
		},
		// A splitter by rows, which parts the two of one subject.
		broken: instead("curated.splits", `select splits.* replace (
			case when example_id in (select min(example_id) from whole.example_keys group by subject_id having count(*) > 1) then 'validation' else split end as split
		) from whole.splits`),
	},
	{
		name: "contamination", leak: "contamination",
		plant: func(p *planter) {
			question := p.words(20)
			p.add("weir.eval.scenario.v1", "scenario", &lake.Scenario{Suite: "rules", ScenarioID: "one", Prompt: question})
			p.say(p.subject("train"), "Say: "+question, p.words(20))
			p.say(p.subject("validation"), "Tell: "+question, p.words(20))
		},
		broken: instead("curated.contamination", "select * from whole.contamination where false"),
	},
	{
		name: "trained on before, held out now", leak: "ledger",
		plant: func(p *planter) {
			p.record("trained", "train", p.say(p.subject("validation"), "Eh?", p.words(20)))
		},
		broken: withoutDataset("trained"),
	},
	{
		name: "held out before, trained on now", leak: "ledger",
		plant: func(p *planter) {
			p.record("held", "validation", p.say(p.subject("train"), "Eh?", p.words(20)))
		},
		broken: withoutDataset("held"),
	},
	{
		name: "merged", leak: "merged",
		plant: func(p *planter) {
			// Two that were on different sides, and one that is new: all with one task.
			p.record("merged", "train", p.say(p.subject("train"), "Where do the otters sleep?", p.words(20)))
			p.record("merged", "validation", p.say(p.subject("train"), "Where do the otters sleep?", p.words(20)))
			p.say(p.subject("train"), "Where do the otters sleep?", p.words(20))
		},
		// A splitter that drops who would change sides, and keeps who is new.
		broken: instead("curated.splits", `select * replace (is_conflicting and example_id in (
			select k.example_id from whole.example_keys as k
			join (select unnest(members) as member from whole.dataset_members) as r on r.member.subject_id = k.subject_id
		) as is_conflicting) from whole.splits`),
	},
	{
		name: "test", leak: "test",
		plant: func(p *planter) {
			subject := p.subject("train")
			p.say(subject, "Oh?", p.words(20))
			p.add("weir.config.set.v1", "config:test_subjects", &lake.Config{Kind: "test_subjects", Content: `["` + subject + `"]`})
		},
		broken: instead("curated.configs", "select * from whole.configs where kind <> 'test_subjects'"),
	},
}

func withoutDataset(name string) func(string) map[string]string {
	return instead("curated.dataset_members", "select * from whole.dataset_members where dataset <> "+duck.Literal(name))
}

// splitter are the tables between what ties examples and what leaks.
var splitter = []string{"curated.split_groups", "curated.duplicate_clusters", "curated.splits", "curated.funnel"}

// keepWhole copies the tables as they were built to the schema whole.
func keepWhole(t *testing.T, session *duck.Session) {
	t.Helper()
	mustExec(t, session, "create schema whole")
	for _, table := range tables(t) {
		mustExec(t, session, "create table "+wholeName(table.Name)+" as from "+table.Name)
	}
}

func wholeName(table string) string { return "whole." + strings.TrimPrefix(table, Layer+".") }

func mustExec(t *testing.T, session *duck.Session, statement string) {
	t.Helper()
	if err := session.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// breakSplitter makes the splitter's tables anew, or takes them as the test has
// them, where the test says what stands in place of its inputs; and then
// curated.leaks, which sees what the splitter decided and all else as it is.
// It names the table of leaks.
func breakSplitter(t *testing.T, session *duck.Session, broken map[string]string) string {
	t.Helper()
	all := tables(t)
	mustExec(t, session, "drop schema if exists made cascade; create schema made")
	show := func(name, query string) {
		t.Helper()
		if err := session.RegisterQuery(t.Context(), name, query); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range all {
		show(table.Name, "select * from "+wholeName(table.Name))
	}
	remake := func(name string) string {
		t.Helper()
		into := "made." + strings.TrimPrefix(name, Layer+".")
		i := slices.IndexFunc(all, func(table *derive.Table) bool { return table.Name == name })
		if err := all[i].Make(t.Context(), session, into); err != nil {
			t.Fatal(err)
		}
		return into
	}
	for name, query := range broken {
		show(name, query)
	}
	for _, name := range splitter {
		if _, given := broken[name]; !given {
			show(name, "select * from "+remake(name))
		}
	}
	for _, table := range all {
		if table.Name != "curated.funnel" {
			show(table.Name, "select * from "+wholeName(table.Name))
		}
	}
	return remake("curated.leaks")
}

func leaksNow(t *testing.T, session *duck.Session, table string) map[string]int {
	t.Helper()
	lines, err := session.Strings(t.Context(), "select kind || ' ' || link_count from "+table+" where link_count > 0")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, line := range lines {
		var kind string
		var n int
		if _, err := fmt.Sscan(line, &kind, &n); err != nil {
			t.Fatal(err)
		}
		found[kind] = n
	}
	return found
}

func sidesNow(t *testing.T, session *duck.Session) map[string]int {
	t.Helper()
	fates, err := session.Strings(t.Context(), "select fate from curated.funnel")
	if err != nil {
		t.Fatal(err)
	}
	sides := map[string]int{}
	for _, fate := range fates {
		sides[fate]++
	}
	return sides
}

// planter writes events of which nothing is alike unless a test says so.
type planter struct {
	events   []lake.Event
	subjects []string // in the order in which they were given out
	at       time.Time
	serial   int
}

func newPlanter() *planter { return &planter{at: laketest.Start.AddDate(0, 0, -30)} }

// subject gives a new subject that lies on a side by its hash.
func (p *planter) subject(side string) string {
	for {
		p.serial++
		subject := fmt.Sprint("s", p.serial)
		sum := md5.Sum([]byte("weir\x1f" + subject))
		if (hex.EncodeToString(sum[:]) < "1999") == (side == "validation") {
			p.subjects = append(p.subjects, subject)
			return subject
		}
	}
}

// words gives n words that nobody said before.
func (p *planter) words(n int) string {
	out := make([]string, n)
	for i := range out {
		p.serial++
		out[i] = fmt.Sprint("w", p.serial)
	}
	return strings.Join(out, " ")
}

func (p *planter) add(eventType, subject string, data any) string {
	p.serial++
	p.at = p.at.Add(time.Minute)
	id := fmt.Sprint("e", p.serial)
	p.events = append(p.events, lake.Event{ID: id, Source: "weir://tests", Type: eventType, Subject: subject, Time: p.at, Data: data})
	return id
}

// say plants a conversation in which user and agent take turns, and gives its subject.
func (p *planter) say(subject string, turns ...string) string {
	for i, text := range turns {
		message := &lake.ChatMessage{ConversationID: subject, MessageID: fmt.Sprint(subject, "-", i), Kind: lake.KindPrompt, Role: "user", Content: text, Position: int64(i) * 1000, OrderedAt: p.at.Add(time.Minute)}
		if i > 0 {
			message.ParentID = fmt.Sprint(subject, "-", i-1)
		}
		if i%2 == 1 {
			message.Kind, message.Role, message.Agent, message.Model, message.ResponseID = lake.KindOutput, "assistant", "main", "m", fmt.Sprint(subject, "-r", i)
		}
		p.add("weir.chat.message.v1", subject, message)
	}
	return subject
}

// call plants one model call that declares a tool, and gives its event's id.
func (p *planter) call(subject, tool, prompt, answer string) string {
	return p.add("weir.gateway.call.v1", subject, &lake.GatewayCall{
		ResponseID: subject + tool, Model: "m", Status: "success", Messages: []lake.Message{{Role: "user", Content: prompt}},
		Output: []lake.Message{{Role: "assistant", Content: answer}}, Tools: []lake.Tool{{Name: tool, Parameters: `{"type":"object"}`}},
	})
}

// generated plants an example that was made from others, and gives its id.
func (p *planter) generated(subject string, parents ...string) string {
	return p.add("weir.example.generated.v1", subject, &lake.GeneratedExample{
		Method: "persona", ParentIDs: parents,
		Messages: []lake.Message{{Role: "user", Content: p.words(40)}, {Role: "assistant", Content: p.words(60)}},
	})
}

// exampleOf is the id of the example that a call alone makes.
func exampleOf(call string) string {
	sum := md5.Sum([]byte("gateway\x1f" + call))
	return hex.EncodeToString(sum[:])
}

// record plants a version of a dataset that had the subject on a side.
func (p *planter) record(dataset, side, subject string) {
	p.add("weir.dataset.members.v1", "dataset:"+dataset, &lake.DatasetMembers{
		Dataset: dataset, Version: fmt.Sprint(p.serial), Members: []lake.DatasetMember{{ExampleID: "gone", ContentHash: "gone-" + subject, SubjectID: subject, Side: side}},
	})
}
