package derivetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/lake/derive"
)

const upper = `-- Shouts.
--
-- grain: one row per shout
-- key: shout_id
-- scope: SCOPE
-- inputs: INPUTS
-- columns:
--   shout_id    VARCHAR
--   subject_id  VARCHAR
--   content     VARCHAR
--   tools       TOOL[]
--   shout_date  VARCHAR
`

const query = `select event_id as shout_id, subject_id, upper(content) as content, tools,
    strftime(occurred_at at time zone 'UTC', '%Y-%m-%d') as shout_date
from curated.lines`

const lines = `-- Lines.
--
-- grain: one row per line
-- key: event_id
-- scope: all
-- inputs: none
-- columns:
--   event_id     VARCHAR
--   subject_id   VARCHAR
--   content      VARCHAR
--   tools        TOOL[]
--   occurred_at  TIMESTAMPTZ
select 1
`

const sound = `A shout is the line in capitals; ids stay text.
-- curated.lines.jsonl --
{"event_id": "2026-01-02T03:04:05Z", "subject_id": "s", "content": "a\nb", "occurred_at": "2026-01-02T03:04:05Z"}
{"event_id": "2", "subject_id": "t", "content": "", "tools": [{"name": "x"}]}
-- want.jsonl --
{"shout_id": "2", "content": "", "tools": [{"name": "x"}], "shout_date": null}
{"shout_id": "2026-01-02T03:04:05Z", "content": "A\nB", "shout_date": "2026-01-02"}
`

func runCase(t *testing.T, query, scope, inputs, text string) error {
	t.Helper()
	var tables []*derive.Table
	header := strings.NewReplacer("SCOPE", scope, "INPUTS", inputs).Replace(upper)
	for name, text := range map[string]string{"x/shouts.sql": header + query, "x/lines.sql": lines} {
		table, err := derive.Parse(name, "curated", text)
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	path := filepath.Join(t.TempDir(), "case.txtar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := read(path)
	if err != nil {
		return err
	}
	table := find(tables, "shouts")
	for _, zone := range []string{"America/New_York", "UTC"} {
		session := open(t, zone)
		if err := c.run(t.Context(), session, table, tables); err != nil {
			return err
		}
		if zone == "UTC" && table.Scope != derive.ScopeAll {
			return c.checkScope(t.Context(), session, table)
		}
	}
	return nil
}

func TestRunner(t *testing.T) {
	t.Setenv("UPDATE", "")
	in := "curated.lines"
	cases := []struct{ name, query, scope, inputs, from, to, want string }{
		{"sound", query, "subject", in, "", "", ""},
		{"wrong_value", query, "subject", in, `"A\nB"`, `"AB"`, `got "A\nB"`},
		{"null_is_not_empty", query, "subject", in, `"content": "", "tools": [{"name": "x"}], "shout_date"`, `"content": null, "shout_date"`, `want null`},
		{"missing_row", query, "subject", in, `{"shout_id": "2", "content": "", "tools": [{"name": "x"}], "shout_date": null}`, "", "unwanted"},
		{"misspelt_input_column", query, "subject", in, `"tools"`, `"tool"`, `no column "tool"`},
		{"misspelt_nested_field", query, "subject", in, `[{"name": "x"}]}`, `[{"nam": "x"}]}`, `no column "nam"`},
		{"misspelt_wanted_column", query, "subject", in, `"shout_date": null`, `"shout": null`, `no column "shout"`},
		{"unknown_input", query, "subject", in, "curated.lines.jsonl", "curated.line.jsonl", "is no input"},
		{"no_sentence", query, "subject", in, "A shout is the line in capitals; ids stay text.\n", "", "begins with a sentence"},
		{"key_twice", query + " union all " + query, "all", in, "", "", "on 2 rows"},
		{"date_of_the_session", strings.Replace(query, "at time zone 'UTC'", "", 1), "subject", in, "", "", "2026-01-01"},
		{"scope_is_a_lie", strings.Replace(query, "content)", "content || (select count(*) from curated.lines))", 1), "subject", in, `"A\nB", "shout`, `"A\nB2", "shout`, "not of scope subject"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(sound, c.from) {
				t.Fatalf("the case has no %q", c.from)
			}
			text := strings.Replace(sound, c.from, c.to, 1)
			if c.name == "scope_is_a_lie" {
				text = strings.Replace(text, `"content": "", "tools": [{"name": "x"}], "shout_date"`, `"content": "2", "shout_date"`, 1)
			}
			err := runCase(t, c.query, c.scope, c.inputs, text)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
