package erasure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// match finds the rows to take out, in a session on the whole lake. It makes
//
//	gone.subjects(name)            subjects that a request names
//	gone.persons(name)             persons that a request names
//	gone.ids(name)                 what other rows may call the erased by
//	gone.rows(event_table, id)     rows to take out
type match struct {
	session *duck.Session
	key     []byte
	names   []string
}

const (
	erasures       = "events.erasures"
	deadLetters    = "events.dead_letters"
	datasetMembers = "events.dataset_members"
)

// ledgers stay: they are what keeps the erased from coming back, and what tells
// how a table or a dataset came about. Members of erased subjects are taken out
// of their lists.
var ledgers = []string{erasures, datasetMembers, "events.dataset_versions", "events.configs"}

// targets are the columns by which rows point at a subject, an event, a call or
// an example of somebody else's row.
var targets = map[string]string{
	"events.judgements":         "[target_id]",
	"events.reviews":            "[example_id]",
	"events.outcomes":           "[target_id]",
	"events.feedback":           "[unit_id]",
	"events.assignments":        "[unit_id]",
	"events.generated_examples": "list_concat(coalesce(parent_ids, []), coalesce(document_ids, []))",
	"events.swarm":              "[parent_id]",
}

// minID keeps short ids, such as a counter of a chat, from naming rows of others.
const minID = 12

func (m *match) find(ctx context.Context, lk *lake.Lake) error {
	if err := m.session.Exec(ctx, "create schema gone"); err != nil {
		return err
	}
	tables := m.tables()
	var names, persons, rows []string
	for _, table := range tables {
		names = append(names, "select subject as name from "+table)
		persons = append(persons, "select unnest(person_ids) as name from "+table)
		rows = append(rows, fmt.Sprintf("select %s as event_table, id from %s where subject in (from gone.subjects) or list_has_any(person_ids, (select coalesce(list(name), []) from gone.persons))",
			duck.Literal(table), table))
	}
	asked := func(kind string, of []string) string {
		return fmt.Sprintf("select name from (%s) where name is not null and %s in (select keyed_hash from %s where kind = %s)",
			strings.Join(of, " union "), duck.KeyedHash(m.key, kind, "name"), erasures, duck.Literal(kind))
	}
	for _, statement := range []string{
		"create table gone.subjects as " + asked("subject", names),
		"create table gone.persons as " + asked("person", persons),
		"create table gone.rows as " + strings.Join(rows, " union "),
		"create table gone.earlier(name varchar)", // ids that an earlier run had found
		"create table gone.ids(name varchar)",
	} {
		if err := m.session.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := m.resume(ctx, lk); err != nil {
		return err
	}
	if err := m.follow(ctx); err != nil {
		return err
	}
	return m.letters(ctx)
}

// tables are those whose rows can be taken out.
func (m *match) tables() []string {
	var tables []string
	for _, payload := range lake.Payloads() {
		if !slices.Contains(ledgers, payload.Table) && payload.Table != deadLetters {
			tables = append(tables, payload.Table)
		}
	}
	return tables
}

// follow adds what depends on the rows found, until nothing is added: copies of
// an event under another subject, words about a call or an example, and what was
// generated from one.
func (m *match) follow(ctx context.Context) error {
	tables := m.tables()
	var before int64 = -1
	for {
		var ids, dependents []string
		ids = append(ids, "select name from gone.subjects", "select name from gone.earlier", "select id from gone.rows")
		for _, table := range tables {
			in := fmt.Sprintf("%s where id in (select id from gone.rows where event_table = %s)", table, duck.Literal(table))
			for _, column := range identifying[table] {
				ids = append(ids, "select "+column+" from "+in)
			}
			dependents = append(dependents, fmt.Sprintf("select %s, id from %s where id in (select id from gone.rows)", duck.Literal(table), table))
			if target, ok := targets[table]; ok {
				dependents = append(dependents, fmt.Sprintf("select %s, id from (select id, unnest(%s) as name from %s) where name in (from gone.ids)", duck.Literal(table), target, table))
			}
		}
		if m.has(ctx, "curated.examples") {
			ids = append(ids, "select example_id from curated.examples where subject_id in (from gone.subjects) or list_has_any(origin_event_ids, (select coalesce(list(id), []) from gone.rows))")
		}
		for _, statement := range []string{
			fmt.Sprintf("create or replace table gone.ids as select distinct name from (%s) as t(name) where length(name) >= %d union select name from gone.subjects union select name from gone.persons", strings.Join(ids, " union "), minID),
			"insert into gone.rows select * from (" + strings.Join(dependents, " union ") + ") except select * from gone.rows",
		} {
			if err := m.session.Exec(ctx, statement); err != nil {
				return err
			}
		}
		var after int64
		if err := m.session.Get(ctx, "select count(*) from gone.rows", &after); err != nil {
			return err
		}
		if after == before {
			return nil
		}
		before = after
	}
}

// identifying are the columns of a row that others name it by, beside its id.
var identifying = map[string][]string{
	"events.chat_messages":      {"conversation_id", "response_id"},
	"events.gateway_calls":      {"request_id", "response_id", "conversation_id"},
	"events.checkpoints":        {"checkpoint_id", "conversation_id"},
	"events.generated_examples": {"subject"},
}

func (m *match) has(ctx context.Context, table string) bool {
	return m.session.Exec(ctx, "from "+table+" limit 0") == nil
}

// letters adds dead letters that speak of the erased: by an id of theirs, or by
// a name that the caller knows. A short one has to stand in quotes. A body in
// base64 is looked through as bytes.
func (m *match) letters(ctx context.Context) error {
	names := "select name from gone.ids union select name from gone.persons union select name from gone.subjects"
	for _, name := range m.names {
		names += " union select " + duck.Literal(name)
	}
	return m.session.Exec(ctx, fmt.Sprintf(`
		insert into gone.rows
		select distinct %[1]s, id
		from %[2]s, (select case when length(name) < %[3]d then '"' || name || '"' else name end as name from (%[4]s) where name <> '')
		where contains(coalesce(body, ''), name) or contains(coalesce(detail, ''), name) or contains(coalesce(file, ''), name)
		   or encoding = 'base64' and contains(hex(from_base64(body)), hex(encode(name)))`,
		duck.Literal(deadLetters), deadLetters, minID, names))
}

// counts gives how many rows each table is to lose. Dataset members count in
// lists that have to be shortened.
func (m *match) counts(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, table := range append(m.tables(), deadLetters, datasetMembers) {
		var n int64
		if err := m.session.Get(ctx, "select count(*) from "+table+" where "+m.condition(table), &n); err != nil {
			return nil, err
		}
		if n > 0 {
			counts[table] = n
		}
	}
	return counts, nil
}

// condition tells which rows of a table are concerned.
func (m *match) condition(table string) string {
	if table == datasetMembers {
		return "list_has_any(list_transform(coalesce(members, []), lambda x: x.subject_id), (select coalesce(list(name), []) from gone.subjects))" +
			" or list_has_any(list_transform(coalesce(members, []), lambda x: x.example_id), (select coalesce(list(name), []) from gone.ids))"
	}
	return "id in (select id from gone.rows where event_table = " + duck.Literal(table) + ")"
}

// kept is what a table's files hold afterwards: the rows that are not
// concerned, and lists of members without the erased.
func (m *match) kept(table, scan string) string {
	if table != datasetMembers {
		return "select * from " + scan + " where not (" + m.condition(table) + ")"
	}
	return `select t.* replace (list_filter(t.members, lambda x:
		not coalesce(list_contains(g.subjects, x.subject_id) or list_contains(g.ids, x.example_id), false)) as members)
	from ` + scan + ` as t, (select
		(select coalesce(list(name), []) from gone.subjects) as subjects,
		(select coalesce(list(name), []) from gone.ids) as ids) as g`
}

// held reports the dataset versions that had members of the erased, and the runs
// that trained on them.
func (m *match) held(ctx context.Context, report *Report) error {
	rows, err := m.session.DB().QueryContext(ctx, fmt.Sprintf(`
		select dataset, version, count(*) from (select dataset, version, unnest(members) as m from %s)
		where m.subject_id in (from gone.subjects) or m.example_id in (from gone.ids) group by all order by all`, datasetMembers))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var held DatasetHeld
		if err := rows.Scan(&held.Dataset, &held.Version, &held.Members); err != nil {
			return err
		}
		if !slices.ContainsFunc(report.Datasets, func(d DatasetHeld) bool { return d.Dataset == held.Dataset && d.Version == held.Version }) {
			report.Datasets = append(report.Datasets, held)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, held := range report.Datasets {
		runs, err := m.session.Strings(ctx, "select distinct run_id from events.training_runs where dataset = ? and dataset_version = ? and run_id is not null order by all", held.Dataset, held.Version)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if !slices.Contains(report.Runs, run) {
				report.Runs = append(report.Runs, run)
			}
		}
	}
	return nil
}
