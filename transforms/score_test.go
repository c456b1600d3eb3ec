package transforms

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake/duck"
)

// signalColumns are what the score hangs on, from good to bad. Others stay as they are.
var signalColumns = []struct {
	table, column string
	levels        []string
}{
	{"checks", "tool_error_count", []string{"0", "1", "2", "4"}},
	{"checks", "longest_repeat", []string{"1", "2", "3", "9"}},
	{"checks", "duplicate_line_rate", []string{"0", "0.1", "0.5", "0.9"}},
	{"checks", "is_refusal", []string{"false", "true"}},
	{"checks", "is_provider_identity", []string{"false", "true"}},
	{"checks", "hosted_tool_count", []string{"0", "1"}},
	{"checks", "echo_count", []string{"0", "1", "2"}},
	{"checks", "is_given_up", []string{"false", "true"}},
	{"texts", "suspected_error_count", []string{"0", "1", "2", "4"}},
	{"texts", "repeated_target_count", []string{"0", "1", "2"}},
	{"texts", "longest_sentence_run", []string{"1", "3", "4", "30"}},
	{"texts", "answer_chars", []string{"90", "20", "1"}},
	{"texts", "repaired_count", []string{"0", "1", "2"}},
	{"texts", "frustrated_count", []string{"0", "1", "2"}},
	{"texts", "thanked_count", []string{"2", "1", "0"}},
	{"texts", "think_tag_count", []string{"0", "1"}},
	{"feedback", "value", []string{"1", "0.7", "0.5", "0.3", "0"}},
	{"judgements", "passed", []string{"true", "false"}},
	{"outcomes", "value", []string{"'success'", "'unknown'", "'failure'"}},
}

// TestScoreIsMonotone makes one signal worse at a time, with all others drawn:
// the score never rises.
func TestScoreIsMonotone(t *testing.T) {
	session, err := duck.Open(t.Context(), duck.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	r := rand.New(rand.NewPCG(3, 9))
	rows := map[string][]string{}
	for base := range 60 {
		drawn := make([]string, len(signalColumns))
		for i, signal := range signalColumns {
			// The good end more often: where a fault drops, nothing else is to be seen.
			drawn[i] = signal.levels[min(r.IntN(len(signal.levels)), r.IntN(len(signal.levels)), r.IntN(len(signal.levels)))]
		}
		for i, signal := range signalColumns {
			for level, value := range signal.levels {
				id := fmt.Sprintf("'%03d/%02d/%d'", base, i, level)
				values := map[string][]string{}
				for j, other := range signalColumns {
					v := drawn[j]
					if j == i {
						v = value
					}
					values[other.table] = append(values[other.table], v)
				}
				for table, list := range values {
					rows[table] = append(rows[table], "("+id+", "+strings.Join(list, ", ")+")")
				}
			}
		}
	}
	columns := map[string]string{}
	for _, signal := range signalColumns {
		columns[signal.table] += ", " + signal.column
	}
	var statements []string
	for table, list := range rows {
		statements = append(statements, fmt.Sprintf("create table drawn_%s as select * from (values %s) as t(id%s)", table, strings.Join(list, ", "), columns[table]))
	}
	const at = "timestamptz '2026-03-02 09:00:00+00'"
	statements = append(statements,
		`create table curated.examples as select id as example_id, id as subject_id, id as conversation_id, 'gateway' as source, null::varchar as task_id, 'other' as task_type,
			id as content_hash, [id] as origin_event_ids, []::varchar[] as notes, []::struct(event_id varchar)[] as messages, 0 as window_index, 3 as target_count,
			false as is_context_missing, `+at+` as started_at from drawn_checks`,
		`create table curated.example_checks as select id as example_id, id as subject_id, 'assistant' as ends_on, 0 as call_count, 4 as result_count, tool_error_count, 0 as unanswered_count,
			0 as orphan_count, 0 as bad_argument_count, 0 as undeclared_count, 0 as role_order_count, 0 as empty_target_count, longest_repeat, 0 as repeated_call_count, 4 as line_count,
			duplicate_line_rate, is_refusal, false as is_honest_decline, is_provider_identity, false as has_secret, `+at+` as started_at, hosted_tool_count, echo_count, is_given_up from drawn_checks`,
		`create table curated.example_texts as select id as example_id, id as subject_id, 'en' as language, 100 as prompt_chars, answer_chars, 100 as target_chars, 50 as token_estimate,
			longest_sentence_run, repeated_target_count, suspected_error_count, think_tag_count, 2 as reaction_count, repaired_count, frustrated_count, thanked_count, `+at+` as started_at from drawn_texts`,
		`create table curated.evidence as
			select id as subject_id, id as target_id, 'feedback' as kind, null as level, null as value, null as origin, value as rating, null as passed, `+at+` as occurred_at from drawn_feedback
			union all select id, id, 'judgement', null, null, null, null, passed, `+at+` from drawn_judgements
			union all select id, id, 'outcome', 'task', value, 'tests', null, null, `+at+` from drawn_outcomes`,
		`create table curated.reviews (example_id varchar, subject_id varchar, content_hash varchar, verdict varchar, reviewer varchar, occurred_at timestamptz, event_id varchar)`,
		`create table curated.turns (subject_id varchar, conversation_id varchar, outcome varchar, ended_at timestamptz)`,
		`create table curated.checkpoints (subject_id varchar, task_id varchar, outcome varchar, occurred_at timestamptz)`,
		`create table curated.exchanges (subject_id varchar, conversation_id varchar, window_index bigint, is_repaired boolean, is_frustrated boolean, is_interrupted boolean, is_thanked boolean)`,
		`create table curated.configs (event_id varchar, kind varchar, name varchar, content varchar, occurred_at timestamptz)`,
	)
	for _, statement := range statements {
		if err := session.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := runThresholds(t.Context(), session, "curated.thresholds"); err != nil {
		t.Fatal(err)
	}
	if err := session.Exec(t.Context(), "create table scored as "+readSQL(t, "quality.sql")); err != nil {
		t.Fatal(err)
	}
	rising, err := session.Strings(t.Context(), `
		select concat_ws(' ', worse.example_id, better.success_score, worse.success_score)
		from scored as worse join scored as better on better.example_id = worse.example_id[:7] || (worse.example_id[8:]::int - 1)
		where worse.example_id[8:]::int > 0 and worse.success_score > better.success_score order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	if len(rising) > 0 {
		t.Errorf("%d scores rise as a signal gets worse, first %s", len(rising), rising[0])
	}
	var n, falling int
	if err := session.Get(t.Context(), "select count(*) from scored", &n); err != nil {
		t.Fatal(err)
	}
	// A test that saw no difference would hold for a constant.
	if err := session.Get(t.Context(), `select count(distinct worse.example_id[5:6])
		from scored as worse join scored as better on better.example_id = worse.example_id[:7] || (worse.example_id[8:]::int - 1)
		where worse.example_id[8:]::int > 0 and worse.success_score < better.success_score`, &falling); err != nil {
		t.Fatal(err)
	}
	if n == 0 || falling != len(signalColumns) {
		t.Errorf("%d of %d signals ever lower a score, of %d examples", falling, len(signalColumns), n)
	}
}
