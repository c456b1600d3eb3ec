package transforms

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
)

// erased makes curated.erased: the events that staging leaves out. It is a step
// in Go because it needs the lake's key: erasures are stored as keyed hashes, so
// that the ledger itself names nobody.
//
// An event is left out with all its copies: what one parser read as a person's
// words, another may have read without naming the person. What an erased
// document seeded goes with it: it has a subject of its own.
func erased(key []byte) derive.Step {
	inputs := []string{"events.erasures"}
	for _, payload := range lake.Payloads() {
		// Dead letters have no reader, so there is nothing to leave them out of.
		if payload.Table != "events.erasures" && payload.Table != "events.dead_letters" {
			inputs = append(inputs, payload.Table)
		}
	}
	return derive.Step{
		Name:    "curated.erased",
		Doc:     "Events that are left out everywhere, because their subject or a person in them was erased",
		Grain:   "one row per event and subject of a copy of it",
		Key:     []string{"event_id", "subject_id", "event_table"},
		Inputs:  inputs,
		Version: "3",
		Columns: []lake.Column{
			{Name: "event_id", Type: lake.Varchar, Doc: "event to leave out"},
			{Name: "subject_id", Type: lake.Varchar, Doc: "subject of the event, or of a copy of it"},
			{Name: "event_table", Type: lake.Varchar, Doc: "table that holds the event"},
		},
		Run: func(ctx context.Context, session *duck.Session, into string) error {
			var erasures int64
			if err := session.Get(ctx, "select count(*) from events.erasures", &erasures); err != nil {
				return err
			}
			if erasures == 0 { // then nobody is looked for in all the events
				return session.Exec(ctx, "create table "+into+" (event_id varchar, subject_id varchar, event_table varchar)")
			}
			return session.Exec(ctx, "create table "+into+" as "+erasedQuery(key, inputs[1:]))
		},
	}
}

// erasedQuery hashes every subject and person in DuckDB: a lake may have
// millions, and they are compared with the few that were erased.
func erasedQuery(key []byte, tables []string) string {
	selects := make([]string, len(tables))
	for i, table := range tables {
		selects[i] = "select id, subject, person_ids, " + duck.Literal(table) + " as event_table from " + table
	}
	copies := "(" + strings.Join(selects, " union all ") + ")"
	named := func(kind, names string) string {
		return fmt.Sprintf("select name from (%s) where %s in (select keyed_hash from events.erasures where kind = '%s')",
			names, duck.KeyedHash(key, kind, "name"), kind)
	}
	return `
with erased_subjects as (
    ` + named("subject", "select distinct subject as name from "+copies) + `
),
erased_persons as (
    ` + named("person", "select distinct unnest(person_ids) as name from "+copies) + `
),
erased_events as (
    select id from ` + copies + ` where subject in (select name from erased_subjects)
    union
    select id from (select id, unnest(person_ids) as name from ` + copies + `)
    where name in (select name from erased_persons)
),
seeded as (
    select id from (select id, unnest(document_ids) as document_id from events.generated_examples)
    where document_id in (select id from erased_events)
)
select distinct id as event_id, subject as subject_id, event_table
from ` + copies + `
where id in (select id from erased_events union select id from seeded)`
}
