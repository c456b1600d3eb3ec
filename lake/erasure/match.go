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
//	gone.events                    every event: what it is, and what its Links say
//	gone.listed                    the members in the lists of datasets
//	gone.names(name)               plain ids that are known, whether asked for or not
//	gone.subjects(name)            subjects that a request names
//	gone.persons(name)             persons that a request names
//	gone.earlier(name)             ids that an earlier run had found
//	gone.ids(name)                 what other rows may call the erased by
//	gone.dead(name, is_own)        those of them that nothing else in the lake bears;
//	                               own: and nothing ever will
//	gone.rows(event_table, id)     rows to take out
//	gone.members(name)             examples to take out of the lists of datasets
//
// The frozen rows of datasets go by what they were made from. They are not derived
// like the curated tables: nothing would take anybody out of them.
type match struct {
	session  *duck.Session
	key      []byte
	names    []string
	datasets []string // tables of frozen rows
}

// minID keeps short ids, such as a counter of a chat, from naming rows of others.
const minID = 12

// KindID is what hashes of ids are made with (lake.KeyedHash): an id that equals
// somebody's name must not have its hash.
const KindID = "id"

func (m *match) run(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if err := m.session.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (m *match) find(ctx context.Context, lk *lake.Lake) (err error) {
	if m.datasets, err = lk.Tables(ctx, "datasets"); err != nil {
		return err
	}
	var events []string
	for _, table := range tables() {
		links := LinksOf(table)
		columns := func(names []string) string { return "[" + strings.Join(names, ", ") + "]::VARCHAR[]" }
		to := links.Targets
		if to == "" {
			to = "[]::VARCHAR[]"
		}
		events = append(events, fmt.Sprintf("select %s as event_table, id, subject, %s as persons, %s as targets, %s as own, %s as shared from %s",
			duck.Literal(table), links.Persons, to, columns(bearers[table].own), columns(bearers[table].shared), asNow(table)))
	}
	err = m.run(ctx,
		"create schema gone",
		"create table gone.events as "+strings.Join(events, " union all "),
		"create table gone.listed as select dataset, version, content_hash, unnest(members) as member from "+datasetMembers,
		"create table gone.ledger as select kind, keyed_hash, id_hashes from "+asNow(erasures),
		"create table gone.names(name varchar)",
		"create table gone.earlier(name varchar)",
		"create table gone.rows(event_table varchar, id varchar)",
	)
	if err != nil {
		return err
	}
	p, err := loadPlan(ctx, lk)
	if err != nil {
		return err
	}
	if err := m.insert(ctx, "gone.names", append(p.Names, m.names...)); err != nil {
		return err
	}
	if err := m.asked(ctx); err != nil {
		return err
	}
	if err := m.resume(ctx, p); err != nil {
		return err
	}
	if err := m.late(ctx); err != nil {
		return err
	}
	if err := m.follow(ctx); err != nil {
		return err
	}
	return m.letters(ctx)
}

// asked finds whom the requests name, and the rows that are theirs.
func (m *match) asked(ctx context.Context) error {
	who := func(kind, of string) string {
		return fmt.Sprintf("select name from (%s union select name from gone.names) where name is not null and %s in (select keyed_hash from gone.ledger where kind = %s)",
			of, duck.KeyedHash(m.key, kind, "name"), duck.Literal(kind))
	}
	return m.run(ctx,
		"create table gone.subjects as "+who("subject", "select subject as name from gone.events union select member.subject_id from gone.listed"),
		"create table gone.persons as "+who("person", "select unnest(persons) as name from gone.events"),
		`insert into gone.rows select distinct event_table, id from gone.events
			where subject in (from gone.subjects) or list_has_any(persons, (select coalesce(list(name), []) from gone.persons))`)
}

// late finds what came after a run that has taken out what it is about, and
// copies of what was taken out: by the hashes of ids that the run has left, unless
// somebody else's rows bear the id by now.
func (m *match) late(ctx context.Context) error {
	var hashes int64
	if err := m.session.Get(ctx, "select count(*) from gone.ledger where id_hashes is not null", &hashes); err != nil || hashes == 0 {
		return err
	}
	return m.run(ctx,
		fmt.Sprintf(`create table gone.late as select name
			from (select unnest(list_append(targets, id)) as name from gone.events union select member.example_id from gone.listed)
			where name is not null and %s in (select unnest(id_hashes) from gone.ledger)`, duck.KeyedHash(m.key, KindID, "name")),
		`insert into gone.earlier select name from gone.late where name not in (
			select name from (select unnest(list_concat(own, shared)) as name from gone.events where id not in (select id from gone.rows))
			where name in (from gone.late))`)
}

// follow adds what depends on the rows found, until nothing is added: copies of
// an event under another subject, words about a call or an example, and what was
// generated from one.
func (m *match) follow(ctx context.Context) error {
	var before int64 = -1
	for {
		if err := m.ids(ctx); err != nil {
			return err
		}
		err := m.run(ctx, `insert into gone.rows select distinct event_table, id from gone.events
			where id in (select id from gone.rows) or id in (from gone.earlier)
			   or id in (select id from (select id, unnest(targets) as name from gone.events) where name in (from gone.ids))
			except select * from gone.rows`)
		if err != nil {
			return err
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

// ids makes gone.ids and gone.dead from the rows found so far. What several
// people take part in goes by an id of its own: words about it are those about
// an erased one only where nobody else is left in it.
func (m *match) ids(ctx context.Context) error {
	examples := "select null::varchar as name, false as is_dead where false"
	made := slices.Clone(m.datasets) // a frozen row may be of an example that is no more
	if m.has(ctx, "curated.examples") {
		made = append(made, "curated.examples")
	}
	for i, table := range made {
		made[i] = "select example_id, subject_id, origin_event_ids from " + duck.TableIdent(table)
	}
	if len(made) > 0 {
		examples = fmt.Sprintf(`
			select example_id, bool_and(origin in (select id from gone.rows))
			from (select example_id, unnest(origin_event_ids) as origin from (%[1]s))
			group by example_id
			having bool_or(origin in (select id from gone.rows))
			union
			select example_id, true from (%[1]s) where subject_id in (from gone.subjects)`, strings.Join(made, " union all "))
	}
	return m.run(ctx,
		fmt.Sprintf(`create or replace table gone.borne as select distinct name
			from (select unnest(list_concat(own, shared)) as name from gone.events where id in (select id from gone.rows))
			where length(name) >= %d`, minID),
		`create or replace table gone.units as
			select name, bool_and(is_gone) as is_dead, bool_or(is_gone and is_shared) and not bool_or(has_person and not is_gone) as is_left_alone
			from (
				select unnest(own) as name, false as is_shared, coalesce(len(persons), 0) > 0 as has_person, id in (select id from gone.rows) as is_gone from gone.events
				union all
				select unnest(shared), true, coalesce(len(persons), 0) > 0, id in (select id from gone.rows) from gone.events)
			where name in (from gone.borne)
			group by name having bool_or(is_gone)`,
		fmt.Sprintf(`create or replace table gone.found as
			select name, true as is_dead, true as is_own from gone.subjects
			union select name, true, true from gone.persons
			union select id, true, true from gone.rows where length(id) >= %[1]d
			union select name, is_dead, false from gone.units where is_dead or is_left_alone
			union select name, is_dead, true from (%[2]s) as t(name, is_dead) where length(name) >= %[1]d`, minID, examples),
		fmt.Sprintf("create or replace table gone.ids as select name from gone.found union select name from gone.earlier where length(name) >= %d", minID),
		"create or replace table gone.dead as select name, bool_or(is_own) as is_own from gone.found where is_dead group by name",
		`create or replace table gone.members as select distinct member.example_id as name from gone.listed
			where member.subject_id in (from gone.subjects) or member.example_id in (from gone.ids)`,
	)
}

func (m *match) has(ctx context.Context, table string) bool {
	return m.session.Exec(ctx, "from "+table+" limit 0") == nil
}

// letters adds dead letters that speak of the erased: by an id of theirs, or by
// a name that is known. A short one has to stand in quotes. A body in base64 is
// looked through as bytes.
func (m *match) letters(ctx context.Context) error {
	return m.run(ctx, fmt.Sprintf(`
		insert into gone.rows
		select distinct %[1]s, id
		from %[2]s, (select case when length(name) < %[3]d then '"' || name || '"' else name end as name from gone.ids where name <> '')
		where contains(coalesce(body, ''), name) or contains(coalesce(detail, ''), name) or contains(coalesce(file, ''), name)
		   or encoding = 'base64' and contains(hex(from_base64(body)), hex(encode(name)))
		except select * from gone.rows`,
		duck.Literal(deadLetters), deadLetters, minID))
}

// counts gives how many rows each table is to lose. Dataset members count in
// lists that have to be shortened.
func (m *match) counts(ctx context.Context) (map[string]int64, error) {
	var frozen string
	for _, table := range m.datasets {
		frozen += fmt.Sprintf(" union all select %s from %s where %s", duck.Literal(table), duck.TableIdent(table), m.condition(table))
	}
	rows, err := m.session.DB().QueryContext(ctx, fmt.Sprintf(`
		select event_table, count(*) from (
			select event_table from gone.events where (event_table, id) in (select (event_table, id) from gone.rows)
			union all select %[1]s from %[2]s where %[3]s
			union all select %[4]s from %[5]s where %[6]s
			%[7]s)
		group by event_table`,
		duck.Literal(deadLetters), deadLetters, m.condition(deadLetters), duck.Literal(datasetMembers), datasetMembers, m.condition(datasetMembers), frozen))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var table string
		var n int64
		if err := rows.Scan(&table, &n); err != nil {
			return nil, err
		}
		counts[table] = n
	}
	return counts, rows.Err()
}

// condition tells which rows of a table are concerned.
func (m *match) condition(table string) string {
	if slices.Contains(m.datasets, table) {
		return "(subject_id in (from gone.subjects) or example_id in (from gone.ids)" +
			" or list_has_any(origin_event_ids, (select coalesce(list(distinct id), []) from gone.rows)))"
	}
	if table == datasetMembers {
		return "list_has_any(list_transform(coalesce(members, []), lambda x: x.subject_id), (select coalesce(list(name), []) from gone.subjects))" +
			" or list_has_any(list_transform(coalesce(members, []), lambda x: x.example_id), (select coalesce(list(name), []) from gone.members))"
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
		not coalesce(list_contains(g.subjects, x.subject_id) or list_contains(g.members, x.example_id), false)) as members)
	from ` + scan + ` as t, (select
		(select coalesce(list(name), []) from gone.subjects) as subjects,
		(select coalesce(list(name), []) from gone.members) as members) as g`
}

// held reports the dataset versions that had members of the erased, and the runs
// that trained on them.
func (m *match) held(ctx context.Context, p *plan) error {
	rows, err := m.session.DB().QueryContext(ctx, `
		select coalesce(dataset, ''), coalesce(version, ''), coalesce(max(content_hash), ''), count(distinct member)
		from gone.listed
		where member.subject_id in (from gone.subjects) or member.example_id in (from gone.members)
		group by dataset, version order by dataset, version`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var held DatasetHeld
		var hash string
		if err := rows.Scan(&held.Dataset, &held.Version, &hash, &held.Members); err != nil {
			return err
		}
		if slices.ContainsFunc(p.Datasets, func(d DatasetHeld) bool { return d.Dataset == held.Dataset && d.Version == held.Version }) {
			continue
		}
		p.Datasets = append(p.Datasets, held)
		runs, err := m.session.Strings(ctx, `
			select distinct run_id from events.training_runs
			where run_id is not null and (dataset = ? and dataset_version = ? or dataset_hash = nullif(?, '')) order by all`, held.Dataset, held.Version, hash)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if !slices.Contains(p.Runs, run) {
				p.Runs = append(p.Runs, run)
			}
		}
	}
	return rows.Err()
}
