package lineage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lineage"
	"github.com/weir-lake/weir/transforms"
)

// world is a session in which every table that lineage asks is there.
type world struct {
	*duck.Session
	columns map[string][]lake.Column
}

func newWorld(t testing.TB) world {
	t.Helper()
	s, err := duck.Open(t.Context(), duck.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w := world{Session: s, columns: map[string][]lake.Column{}}
	for _, payload := range lake.Payloads() {
		w.columns[payload.Table] = payload.Columns()
	}
	tables, err := transforms.Tables(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		w.columns[table.Name] = table.Columns
	}
	for name, columns := range w.columns {
		if err := s.RegisterQuery(t.Context(), name, duck.EmptySelect(columns)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// fill puts rows into a table: a select of some of its columns.
func (w world) fill(t testing.TB, table, rows string) {
	t.Helper()
	if err := w.RegisterQuery(t.Context(), table, duck.EmptySelect(w.columns[table])+" union all by name select * from ("+rows+")"); err != nil {
		t.Fatal(err)
	}
}

// harbour is a small lake: two chats, three examples of which one was made from
// another, a version, two runs.
func harbour(t testing.TB) world {
	w := newWorld(t)
	w.fill(t, "events.gateway_calls", `select 'call-' || n as id, 'weir.gateway.call.v1' as type, 'test://desk' as source, 'chat-' || n as subject,
		timestamptz '2026-03-02 09:00:00+00' as time, 'weir.gateway' as kafka_topic, 0 as kafka_partition, n as kafka_offset from range(1, 3) as r(n)`)
	w.fill(t, "curated.examples", `select 'example-' || n as example_id, 'chat-' || n as subject_id, 'hash-' || n as content_hash, 'gateway' as source, 'other' as task_type,
		['call-' || n] as origin_event_ids from range(1, 3) as r(n)
		union all select 'child', 'child', 'hash-child', 'generated', 'other', ['call-1']`)
	w.fill(t, "curated.funnel", `select 'example-1' as example_id, 'train' as fate, null as reason union all select 'example-2', 'excluded', 'duplicate'`)
	w.fill(t, "curated.example_keys", `select 'example-1' as example_id, 'gateway' as source`)
	w.fill(t, "curated.lineage", `select 'child' as child_id, 'example-1' as parent_id, 'paraphrase' as method`)
	w.fill(t, "curated.dataset_versions", `select 'd' as dataset, 'abc123' as version, 'version-hash' as content_hash, 2 as member_count, '{"target":"openai"}' as manifest,
		timestamptz '2026-03-03 09:00:00+00' as occurred_at
		union all select 'export-openai', 'def456', 'other-hash', 2, '{"target":"openai","dataset":{"name":"frozen","version":"v1"}}', timestamptz '2026-03-03 10:00:00+00'
		union all select 'twin', 'v1', 'version-hash', 2, null, timestamptz '2026-03-03 10:00:00+00'
		union all select 'frozen', 'v1', 'frozen-hash', 2, 'not JSON', timestamptz '2026-03-03 08:00:00+00'`)
	w.fill(t, "curated.dataset_members", `select 'd' as dataset, 'abc123' as version, 'version-hash' as content_hash, [
		{'example_id': 'example-1', 'content_hash': 'hash-1', 'subject_id': 'chat-1', 'side': 'train', 'target': null::varchar, 'place': null::bigint, 'group_id': null::varchar, 'success_score': null::double},
		{'example_id': 'gone', 'content_hash': 'hash-gone', 'subject_id': 'chat-9', 'side': 'validation', 'target': null, 'place': null, 'group_id': null, 'success_score': null}] as members`)
	w.fill(t, "curated.models", `select 'run-1' as run_id, 'job-1' as job_id, 'openai' as provider, 'base' as base_model, 'succeeded' as status, 'tuned' as result_model, 'promoted' as standing,
		['production'] as aliases, ['erased'] as taints, 3.5 as cost_usd, 'd' as dataset, 'abc123' as dataset_version, 'version-hash' as dataset_hash, 'files-1' as export_hash,
		timestamptz '2026-03-04 09:00:00+00' as planned_at
		union all select 'run-0', null, 'trl', 'base', 'failed', null, 'none', [], [], null, 'twin', 'v1', 'version-hash', null, timestamptz '2026-03-04 08:00:00+00'
		union all select 'run-2', null, 'trl', 'base', 'failed', null, 'none', [], [], null, 'd', 'abc123', null, 'files-2', timestamptz '2026-03-05 09:00:00+00'`)
	w.fill(t, "curated.results", `select 'r' || n as event_id, 'rules' as suite, 'tuned' as model, case when n < 4 then n < 3 end as passed from range(1, 5) as r(n)`)
	w.fill(t, "curated.model_decisions", `select 'x' as event_id, 'run-1' as run_id, 'promoted' as decision, 'production' as alias, 'good' as reason, 'ann' as decided_by, timestamptz '2026-03-06 09:00:00+00' as occurred_at`)
	return w
}

// flat is a tree as lines.
func flat(n lineage.Node, depth int) string {
	text := strings.TrimRight(fmt.Sprintf("%s%s %s %s | %s", strings.Repeat("  ", depth), n.Relation, n.Kind, n.ID, n.What), " |") + "\n"
	if n.More > 0 {
		text = fmt.Sprintf("%s%s %s and %d more\n", strings.Repeat("  ", depth), n.Relation, n.Kind, n.More)
	}
	for _, child := range n.Nodes {
		text += flat(child, depth+1)
	}
	return strings.ReplaceAll(text, "\t", " ")
}

const trainedOn = `trained run run-1 | openai, base, succeeded, $3.50
  made model tuned | promoted as production, tainted: erased
    evaluated by suite rules | 2 of 3 passed, 4 results
trained run run-2 | trl, base, failed
`

func indent(text string, depth int) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		all.WriteString(strings.Repeat("  ", depth) + line)
	}
	return all.String()
}

func TestTraceBothWays(t *testing.T) {
	w := harbour(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"train.jsonl":   "{}\n{}\n",
		"lineage.jsonl": `{"file":"train.jsonl","line":12,"example_id":"no"}` + "\n" + `{"file":"train.jsonl","line":2,"example_id":"example-1","subject_id":"chat-1"}` + "\n",
		"manifest.json": `{"target":"openai","content_hash":"files-1"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := "in dataset d@abc123 | train side, 1 example, exported for openai\n" + indent(trainedOn, 1)
	example := "example example-1 | gateway, other, now train\n" +
		indent("of subject chat-1\nmade from event call-1 | gateway.call, 2026-03-02 09:00:00, weir.gateway/0@1, test://desk\nmade into example child | paraphrase\n"+in, 1)
	line := filepath.Join(dir, "train.jsonl") + ":2"
	for id, want := range map[string]string{
		"example-1": " " + example,
		"example-2": " example example-2 | gateway, other, now excluded: duplicate\n  of subject chat-2\n  made from event call-2 | gateway.call, 2026-03-02 09:00:00, weir.gateway/0@2, test://desk\n",
		"gone":      " example gone | not in the lake any more\n" + indent(strings.Replace(in, "train side", "validation side", 1), 1),
		"call-1": " event call-1 | gateway.call, 2026-03-02 09:00:00, weir.gateway/0@1, test://desk\n  of subject chat-1\n" +
			indent("made into example example-1 | gateway, other, now train\n"+indent(in, 1), 1),
		"chat-1":        " subject chat-1\n" + indent("holds event gateway.call | 1 event, 2026-03-02 09:00:00 to 2026-03-02 09:00:00, test://desk\nmade into example example-1 | gateway, other, now train\n"+in, 1),
		"chat-9":        " subject chat-9\n" + indent(strings.Replace(in, "train side", "validation side", 1), 1),
		"frozen":        " dataset frozen@v1 | 2 examples, 2026-03-03\n  exported as dataset export-openai@def456 | exported for openai\n",
		"export-openai": " dataset export-openai@def456 | 2 examples, exported for openai, 2026-03-03\n  of dataset frozen@v1\n",
		"d@abc":         " dataset d@abc123 | 2 examples, exported for openai, 2026-03-03\n" + indent("train source gateway | 1 example, of 1 subject\nvalidation source gone | 1 example, of 1 subject\n"+trainedOn, 1),
		"production": " run run-1 | openai, base, succeeded, $3.50\n" + indent("made model tuned | promoted as production, tainted: erased\n  evaluated by suite rules | 2 of 3 passed, 4 results\n"+
			"promoted decision 2026-03-06 production | ann: good\ntrained on dataset d@abc123\n  train source gateway | 1 example, of 1 subject\n  validation source gone | 1 example, of 1 subject\n", 1),
		line: " line " + line + " | exported for openai, files files-1\n" + indent(strings.Split(trainedOn, "trained run run-2")[0]+"is "+example, 1),
	} {
		node, err := lineage.Trace(t.Context(), w.Session, id, lineage.Options{Limit: 10})
		if got := flat(node, 0); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", id, err, got, want)
		}
	}
	if _, err := lineage.Trace(t.Context(), w.Session, "nobody", lineage.Options{}); !errors.Is(err, lineage.ErrNothing) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := lineage.Trace(t.Context(), w.Session, "chat-1", lineage.Options{Kind: "example"}); !errors.Is(err, lineage.ErrNothing) {
		t.Errorf("a chat as an example: %v", err)
	}
	if _, err := lineage.Trace(t.Context(), w.Session, "chat-1", lineage.Options{Kind: "boat"}); err == nil {
		t.Error("kind boat passed")
	}
	if _, err := lineage.Trace(t.Context(), w.Session, filepath.Join(dir, "train.jsonl")+":7", lineage.Options{}); err == nil || !strings.Contains(err.Error(), "no line 7") {
		t.Errorf("line 7: %v", err)
	}
}

func TestTraceLimits(t *testing.T) {
	w := harbour(t)
	node, err := lineage.Trace(t.Context(), w.Session, "d", lineage.Options{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	last := node.Nodes[len(node.Nodes)-1]
	if len(node.Nodes) != 4 || last.More != 1 || last.Kind != lineage.Run {
		t.Errorf("%s", flat(node, 0))
	}
}

// BenchmarkTrace asks a lake of WEIR_ROWS examples (a million without it), as
// Parquet files: what an example is made from and which models saw it.
func BenchmarkTrace(b *testing.B) {
	rows := os.Getenv("WEIR_ROWS")
	if rows == "" {
		rows = "1000000"
	}
	w := harbour(b)
	dir := b.TempDir()
	for table, query := range map[string]string{
		"events.gateway_calls": `select md5('call' || n) as id, 'weir.gateway.call.v1' as type, 'test://desk' as source, md5('chat' || n // 4) as subject,
			timestamptz '2026-03-02 09:00:00+00' as time, 'weir.gateway' as kafka_topic, 0 as kafka_partition, n as kafka_offset from range(` + rows + `) as r(n)`,
		"curated.examples": `select md5('example' || n) as example_id, md5('chat' || n // 4) as subject_id, md5('content' || n) as content_hash, 'gateway' as source, 'other' as task_type,
			[md5('call' || n)] as origin_event_ids from range(` + rows + `) as r(n)`,
		"curated.funnel": `select md5('example' || n) as example_id, 'train' as fate, null::varchar as reason from range(` + rows + `) as r(n)`,
		"curated.dataset_members": `select 'd' as dataset, 'abc123' as version, 'version-hash' as content_hash, list({'example_id': md5('example' || n), 'content_hash': md5('content' || n),
			'subject_id': md5('chat' || n // 4), 'side': 'train', 'target': null::varchar, 'place': null::bigint, 'group_id': null::varchar, 'success_score': null::double}) as members
			from range(` + rows + `) as r(n) group by n // 5000`,
	} {
		file := duck.Literal(filepath.Join(dir, table+".parquet"))
		if err := w.Exec(b.Context(), "copy ("+query+") to "+file+" (format parquet)"); err != nil {
			b.Fatal(err)
		}
		w.fill(b, table, "select * from read_parquet("+file+")")
	}
	ids := map[string]string{}
	for name, expression := range map[string]string{"example": "md5('example777')", "event": "md5('call777')", "subject": "md5('chat194')"} {
		var id string
		if err := w.Get(b.Context(), "select "+expression, &id); err != nil {
			b.Fatal(err)
		}
		ids[name] = id
	}
	ids["dataset"], ids["model"] = "d", "production"
	for _, name := range []string{"example", "event", "subject", "dataset", "model"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				started := time.Now()
				node, err := lineage.Trace(b.Context(), w.Session, ids[name], lineage.Options{Limit: 10})
				if err != nil || len(node.Nodes) == 0 {
					b.Fatal(node, err)
				}
				b.ReportMetric(time.Since(started).Seconds(), "s/trace")
			}
		})
	}
}
