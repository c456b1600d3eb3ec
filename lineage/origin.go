package lineage

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/weir-lake/weir/lake"
)

// eventColumns are asked of every events table.
const eventColumns = `id, replace(replace(type, 'weir.', ''), '.v1', '') as what, source, subject,
    strftime(time at time zone 'UTC', '%Y-%m-%d %H:%M:%S') as happened_at, kafka_topic || '/' || kafka_partition || '@' || kafka_offset as record`

// events asks the tables of events that something may be made from, or all.
func events(where string, origins bool) string {
	var selects []string
	for _, payload := range lake.Payloads() {
		switch payload.Family {
		case "deadletter", "erasure", "config", "dataset", "training":
			continue // of what weir itself does
		case "chat", "checkpoint", "gateway", "example", "swarm":
		default:
			if origins {
				continue
			}
		}
		selects = append(selects, "select "+eventColumns+" from "+payload.Table+" where "+where)
	}
	return strings.Join(selects, "\nunion all\n")
}

// example is an example with what it is made from and what has it.
func (t *tracer) example(ctx context.Context, id string) (Node, error) {
	rows, err := t.query(ctx, `
select examples.source, examples.task_type, examples.subject_id, examples.content_hash, funnel.fate, funnel.reason, to_json(examples.origin_event_ids)::varchar

from (select source, task_type, subject_id, content_hash, origin_event_ids, example_id from curated.examples where example_id = ?) as examples

left join curated.funnel as funnel on funnel.example_id = examples.example_id`, id)
	if err != nil {
		return Node{}, err
	}
	if len(rows) == 0 {
		return t.goneExample(ctx, id)
	}
	row := rows[0]
	node := Node{Kind: Example, ID: id, What: words(row[0], row[1], strings.TrimSuffix("now "+row[4]+": "+row[5], ": "))}
	node.Nodes = append(node.Nodes, Node{Relation: "of", Kind: Subject, ID: row[2]})
	var origins []string
	if err := json.Unmarshal([]byte(row[6]), &origins); err != nil {
		return node, err
	}
	if err := t.madeFrom(ctx, &node, origins); err != nil {
		return node, err
	}
	if err := t.relatives(ctx, &node, id); err != nil {
		return node, err
	}
	return node, t.heldBy(ctx, &node, "member.example_id = ? or member.content_hash = ?", id, row[3])
}

// goneExample is one that only the lists of dataset versions know.
func (t *tracer) goneExample(ctx context.Context, id string) (Node, error) {
	node := Node{Kind: Example, ID: id, What: "not in the lake any more"}
	if err := t.heldBy(ctx, &node, "member.example_id = ?", id); err != nil {
		return node, err
	}
	if len(node.Nodes) == 0 {
		return node, ErrNothing
	}
	return node, nil
}

func (t *tracer) madeFrom(ctx context.Context, below *Node, ids []string) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	if err := t.session.Exec(ctx, `create or replace table lineage_asked as select unnest(from_json(?::json, '["VARCHAR"]')) as id`, string(list)); err != nil {
		return err
	}
	rows, err := t.query(ctx, "select distinct on (id) * from ("+events("id in (select id from lineage_asked)", true)+") order by happened_at, id")
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		nodes = append(nodes, eventNode("made from", row))
	}
	t.hang(below, nodes)
	return nil
}

func eventNode(relation string, row []string) Node {
	return Node{Relation: relation, Kind: Event, ID: row[0], What: words(row[1], row[4], row[5], row[2])}
}

// relatives are the parents and children of an example that was generated.
func (t *tracer) relatives(ctx context.Context, below *Node, id string) error {
	for _, side := range []struct{ relation, other, own string }{{"made from", "parent_id", "child_id"}, {"made into", "child_id", "parent_id"}} {
		rows, err := t.query(ctx, "select distinct "+side.other+" as other, method from curated.lineage where "+side.own+" = ? order by other, method", id)
		if err != nil {
			return err
		}
		var nodes []Node
		for _, row := range rows {
			nodes = append(nodes, Node{Relation: side.relation, Kind: Example, ID: row[0], What: row[1]})
		}
		t.hang(below, nodes)
	}
	return nil
}

// event is an event with the examples that were made from it.
func (t *tracer) event(ctx context.Context, id string) (Node, error) {
	rows, err := t.query(ctx, events("id = ?", false)+" limit 1", repeated(id, strings.Count(events("id = ?", false), "?"))...)
	if err != nil {
		return Node{}, err
	}
	if len(rows) == 0 {
		return Node{}, ErrNothing
	}
	node := eventNode("", rows[0])
	node.Nodes = append(node.Nodes, Node{Relation: "of", Kind: Subject, ID: rows[0][3]})
	// Those of its subject first: other subjects' examples seldom have it.
	for _, where := range []string{"subject_id = ? and list_contains(origin_event_ids, ?)", "subject_id <> ? and list_contains(origin_event_ids, ?)"} {
		found, err := t.examplesWhere(ctx, &node, "made into", where, rows[0][3], id)
		if err != nil || found {
			return node, err
		}
	}
	return node, nil
}

func repeated(arg string, times int) []any {
	args := make([]any, times)
	for i := range args {
		args[i] = arg
	}
	return args
}

// subject is a conversation, task or request with its events by kind, its
// examples and what has them.
func (t *tracer) subject(ctx context.Context, id string) (Node, error) {
	node := Node{Kind: Subject, ID: id}
	all := events("subject = ?", false)
	rows, err := t.query(ctx, `
select what, count(distinct id) as events, any_value(source order by happened_at, id) as source, min(happened_at) as first, max(happened_at) as last

from (`+all+`)

group by what

order by first, what`, repeated(id, strings.Count(all, "?"))...)
	if err != nil {
		return node, err
	}
	var events []Node
	for _, row := range rows {
		events = append(events, Node{Relation: "holds", Kind: Event, ID: row[0], What: words(one(row[1], "event"), row[3]+" to "+row[4], row[2])})
	}
	t.hang(&node, events)
	if _, err := t.examplesWhere(ctx, &node, "made into", "subject_id = ?", id); err != nil {
		return node, err
	}
	if err := t.heldBy(ctx, &node, "member.subject_id = ?", id); err != nil {
		return node, err
	}
	if len(node.Nodes) == 0 {
		return node, ErrNothing
	}
	return node, nil
}

// examplesWhere hangs examples below a node; the root's get what has them, too.
func (t *tracer) examplesWhere(ctx context.Context, below *Node, relation, where string, args ...any) (found bool, err error) {
	rows, err := t.query(ctx, `
select examples.example_id, examples.source, examples.task_type, funnel.fate, funnel.reason, examples.content_hash

from (select example_id, source, task_type, content_hash from curated.examples where `+where+`) as examples

left join curated.funnel as funnel on funnel.example_id = examples.example_id

order by examples.example_id`, args...)
	if err != nil {
		return false, err
	}
	var nodes []Node
	for i, row := range rows {
		node := Node{Relation: relation, Kind: Example, ID: row[0], What: words(row[1], row[2], strings.TrimSuffix("now "+row[3]+": "+row[4], ": "))}
		if below.Kind == Event && (t.limit == 0 || i < t.limit) {
			if err := t.heldBy(ctx, &node, "member.example_id = ? or member.content_hash = ?", row[0], row[5]); err != nil {
				return false, err
			}
		}
		nodes = append(nodes, node)
	}
	t.hang(below, nodes)
	return len(rows) > 0, nil
}
