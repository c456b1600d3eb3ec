package transforms

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/erasure"
)

// erased makes curated.erased: the events that staging leaves out. It is a step
// in Go because it needs the lake's key: erasures are stored as keyed hashes, so
// that the ledger itself names nobody.
//
// An event is left out with all its copies: what one parser read as a person's
// words, another may have read without naming the person. So is what is said of
// it: also when the event itself is gone, since its id has left a hash.
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
		Doc:     "Events that are left out everywhere, because their subject, a person in them or what they are about was erased",
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
			var requests, hashes int64
			err := session.Get(ctx, "select count(*), count(*) filter (where id_hashes is not null) from events.erasures", &requests, &hashes)
			if err != nil {
				return err
			}
			if requests == 0 { // then nobody is looked for in all the events
				return session.Exec(ctx, "create table "+into+" (event_id varchar, subject_id varchar, event_table varchar)")
			}
			return session.Exec(ctx, "create table "+into+" as "+erasedQuery(key, inputs[1:], hashes > 0))
		},
	}
}

// erasedQuery hashes every subject and person in DuckDB: a lake may have
// millions, and they are compared with the few that were erased. With byHash it
// hashes what judgements and the like are about as well, and passes over what
// somebody else's events bear by now.
func erasedQuery(key []byte, tables []string, byHash bool) string {
	var selects, aims, living []string
	for _, table := range tables {
		links := erasure.LinksOf(table)
		selects = append(selects, "select id, subject, "+links.Persons+" as person_ids, "+duck.Literal(table)+" as event_table from "+table)
		if links.Targets != "" {
			aims = append(aims, "select id, unnest("+links.Targets+") as name from "+table)
		}
		if len(links.Bears) > 0 {
			living = append(living, "select unnest(["+strings.Join(links.Bears, ", ")+"]) as name from "+table+" where id not in (select id from erased_events)")
		}
	}
	copies := "(" + strings.Join(selects, " union all ") + ")"
	named := func(kind, names string) string {
		return fmt.Sprintf("select name from (%s) where %s in (select keyed_hash from events.erasures where kind = '%s')",
			names, duck.KeyedHash(key, kind, "name"), kind)
	}
	hashed := ""
	if byHash {
		hashed = `
    union
    select name from (select distinct name from aims where name is not null)
    where ` + duck.KeyedHash(key, erasure.KindID, "name") + ` in (select unnest(id_hashes) from events.erasures)
        and name not in (select name from (` + strings.Join(living, " union all ") + `) where name is not null)`
	}
	return `
with recursive aims as (
    ` + strings.Join(aims, " union all ") + `
),
erased_subjects as (
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
erased_names as (
    select name from erased_subjects
    union
    select id from erased_events` + hashed + `
),
said_of_them as (
    select id from aims where name in (select name from erased_names)
    union
    select aims.id from aims inner join said_of_them on said_of_them.id = aims.name
)
select distinct id as event_id, subject as subject_id, event_table
from ` + copies + `
where id in (select id from erased_events union select id from said_of_them)`
}
