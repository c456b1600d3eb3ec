package erasure

import (
	"slices"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Links say how the rows of an events table point at people and at what others
// said, in SQL over the table's columns.
type Links struct {
	Persons string // VARCHAR[]: ids of the people who speak or are spoken of
	// Targets are subjects, events, calls and examples that the row is about,
	// VARCHAR[]; empty: it is about nothing but itself.
	Targets string
	// Bears are columns, beside the id, that others name the row by.
	Bears []string
}

// LinksOf are those of an events table.
func LinksOf(table string) Links {
	links := Links{Persons: "person_ids", Targets: targets[table], Bears: slices.Concat(bearers[table].own, bearers[table].shared)}
	if more, ok := persons[table]; ok {
		links.Persons = "list_concat(person_ids, [" + more + "])"
	}
	return links
}

// persons are columns that name somebody who need not stand in person_ids. A
// display name is none: two people may share it.
var persons = map[string]string{
	"events.feedback":        "author",
	"events.reviews":         "reviewer",
	"events.model_decisions": "decided_by",
	"events.assignments":     "case when unit_kind = 'person' then unit_id end",
}

// targets are the columns by which rows point at others.
var targets = map[string]string{
	"events.judgements":         "[target_id, compared_id]",
	"events.reviews":            "[example_id]",
	"events.outcomes":           "[target_id]",
	"events.feedback":           "[unit_id]",
	"events.assignments":        "[unit_id]",
	"events.generated_examples": "list_concat(parent_ids, document_ids)",
	"events.swarm":              "[parent_id]",
}

// bearers are the columns of a row, beside its id, that others name it by. Rows
// of several people may bear the same id of what they take part in, and what was
// one person's may be others' later, as a channel is.
var bearers = map[string]struct{ own, shared []string }{
	"events.chat_messages":      {own: []string{"message_id", "response_id"}, shared: []string{"subject", "conversation_id"}},
	"events.gateway_calls":      {own: []string{"request_id", "response_id"}, shared: []string{"subject", "conversation_id"}},
	"events.checkpoints":        {own: []string{"checkpoint_id"}, shared: []string{"subject", "conversation_id"}},
	"events.generated_examples": {own: []string{"subject"}},
}

const (
	erasures       = "events.erasures"
	deadLetters    = "events.dead_letters"
	datasetMembers = "events.dataset_members"
)

// asNow is an events table with the columns of today: an older weir may have
// written it.
func asNow(table string) string {
	for _, payload := range lake.Payloads() {
		if payload.Table == table {
			return "(" + duck.EmptySelect(payload.Columns()) + " union all by name select * from " + table + ")"
		}
	}
	return table
}

// isLedger tells of the tables that stay: they are what keeps the erased from
// coming back, and what tells how a table or a dataset came about. Members of
// erased subjects are taken out of their lists.
func isLedger(table string) bool {
	switch table {
	case erasures, datasetMembers, "events.dataset_versions", "events.configs":
		return true
	}
	return false
}

// tables are those whose rows can be taken out, but for dead letters.
func tables() []string {
	var list []string
	for _, payload := range lake.Payloads() {
		if !isLedger(payload.Table) && payload.Table != deadLetters {
			list = append(list, payload.Table)
		}
	}
	return list
}
