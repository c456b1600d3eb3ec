// Package review lets people decide on examples: it hands out the items of a
// queue to several blind reviewers, takes their decisions from a program, a
// JSONL file, Label Studio or Argilla, and turns them into events. A decision
// names the example and the content that was seen; an edit makes a child in
// the lineage. What decisions mean for an example is the transforms' matter.
// Start at Open, or at Export and Import.
package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
)

// Verdicts that a reviewer may give. Withdraw takes back the reviewer's own.
const (
	Accept   = "accept"
	Reject   = "reject"
	Edit     = "edit"
	Skip     = "skip"
	Withdraw = "withdraw"
)

// The queues: SampleQueue is of the review sample, curated.review_sample;
// AuditQueue of what rules exclude, curated.audit_sample.
const (
	SampleQueue = "sample"
	AuditQueue  = "audit"
)

// ErrInvalid says that a decision makes no sense; the text says why.
var ErrInvalid = errors.New("invalid decision")

// Item is an example as a reviewer sees it. It bears nobody's decision:
// reviewers are blind to each other.
type Item struct {
	ExampleID      string         `json:"example_id"`
	ContentHash    string         `json:"content_hash"`
	SubjectID      string         `json:"subject_id"`
	Queue          string         `json:"queue"`
	Stratum        string         `json:"stratum"`
	Source         string         `json:"source"`
	TaskType       string         `json:"task_type"`
	Messages       []lake.Message `json:"messages"`
	Tools          []lake.Tool    `json:"tools,omitempty"`
	ToolsOrigin    string         `json:"tools_origin,omitempty"`
	ResponseFormat string         `json:"response_format,omitempty"`

	// What an edited child takes over and no reviewer needs to see.
	ToolChoice        string   `json:"-"`
	ParallelToolCalls *bool    `json:"-"`
	PersonIDs         []string `json:"-"` // set by Source.Item alone
}

// Decision is what one reviewer says of one item.
type Decision struct {
	ExampleID      string         `json:"example_id"`
	ContentHash    string         `json:"content_hash"` // of what was seen
	Reviewer       string         `json:"reviewer"`
	Verdict        string         `json:"verdict"`
	EditedMessages []lake.Message `json:"edited_messages,omitempty"` // with Edit: all messages as they should be
	Note           string         `json:"note,omitempty"`
	Queue          string         `json:"queue,omitempty"`
	DurationMS     *float64       `json:"duration_ms,omitempty"`
	DecidedAt      time.Time      `json:"decided_at,omitzero"` // zero: when it is taken in
}

// Source reads items from a lake's tables as they stand when it is opened.
type Source struct {
	session *duck.Session
}

// OpenSource opens the tables of a lake. It is to be closed.
func OpenSource(ctx context.Context, lk *lake.Lake, opts duck.Options) (*Source, error) {
	session, versions, err := duck.OpenLake(ctx, lk, opts)
	if err != nil {
		return nil, err
	}
	for _, table := range []string{"curated.review_sample", "curated.review_decisions", "curated.examples"} {
		if _, ok := versions[table]; !ok {
			return nil, errors.Join(lake.WithHint(fmt.Errorf("review: %s: %w", table, lake.ErrNoTable), "weir transform --lake "+lk.Dir()), session.Close())
		}
	}
	return &Source{session: session}, nil
}

// Close ends the session.
func (s *Source) Close() error { return s.session.Close() }

const selectItem = `
select
    examples.example_id,
    examples.content_hash,
    examples.subject_id,
    coalesce(review_sample.stratum, '') as stratum,
    examples.source,
    coalesce(examples.task_type, '') as task_type,
    to_json(examples.messages)::VARCHAR as messages,
    coalesce(to_json(examples.tools)::VARCHAR, '[]') as tools,
    coalesce(examples.tools_origin, '') as tools_origin,
    coalesce(examples.response_format, '') as response_format,
    coalesce(examples.tool_choice, '') as tool_choice,
    examples.parallel_tool_calls

from curated.examples as examples

left join curated.review_sample as review_sample on review_sample.example_id = examples.example_id
`

const selectAudit = `
select
    examples.example_id,
    examples.content_hash,
    examples.subject_id,
    drawn.stratum,
    examples.source,
    coalesce(examples.task_type, '') as task_type,
    to_json(examples.messages)::VARCHAR as messages,
    coalesce(to_json(examples.tools)::VARCHAR, '[]') as tools,
    coalesce(examples.tools_origin, '') as tools_origin,
    coalesce(examples.response_format, '') as response_format,
    coalesce(examples.tool_choice, '') as tool_choice,
    examples.parallel_tool_calls

from curated.examples as examples

inner join (
    select example_id, min((draw, stratum))[1] as draw, min((draw, stratum))[2] as stratum
    from curated.audit_sample
    group by example_id
) as drawn on drawn.example_id = examples.example_id

order by drawn.draw, examples.example_id`

// Items gives the items of the review sample to visit, in the order in which
// people are asked: by draw, so that any beginning of it is a sample as well.
func (s *Source) Items(ctx context.Context, visit func(Item) error) error {
	return s.each(ctx, selectItem+"where review_sample.example_id is not null order by review_sample.draw, examples.example_id", SampleQueue, visit)
}

// AuditItems gives the items of the audit of rules to visit, in the order of
// the draw. An example that several rules exclude comes once, under the rule
// that drew it first.
func (s *Source) AuditItems(ctx context.Context, visit func(Item) error) error {
	return s.each(ctx, selectAudit, AuditQueue, visit)
}

// each gives the rows of a statement to visit, as items of a queue.
func (s *Source) each(ctx context.Context, statement, queue string, visit func(Item) error) error {
	rows, err := s.session.DB().QueryContext(ctx, statement)
	if err != nil {
		return lake.WithHint(err, "weir transform builds what is reviewed")
	}
	defer rows.Close()
	for rows.Next() {
		item, err := scanItem(rows.Scan)
		if err != nil {
			return err
		}
		item.Queue = queue
		if err := visit(item); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Item gives an example by its id; ok is false if there is none.
func (s *Source) Item(ctx context.Context, id string) (item Item, ok bool, err error) {
	rows, err := s.session.DB().QueryContext(ctx, selectItem+"where examples.example_id = ?", id)
	if err != nil {
		return Item{}, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return Item{}, false, rows.Err()
	}
	if item, err = scanItem(rows.Scan); err != nil {
		return Item{}, false, err
	}
	item.Queue = SampleQueue
	item.PersonIDs, err = s.personIDs(ctx, id)
	return item, err == nil, err
}

// personIDs are the people of the events that an example was made from: an
// erasure of one of them takes what was made of it along.
func (s *Source) personIDs(ctx context.Context, exampleID string) ([]string, error) {
	rows, err := s.session.DB().QueryContext(ctx, `
with origins as (
    select unnest(list_concat(coalesce(origin_event_ids, []), [message.event_id for message in messages])) as event_id
    from curated.examples
    where example_id = ?
)
select distinct unnest(person_ids) as person_id
from (
    select event_id, person_ids from curated.messages
    union all
    select event_id, person_ids from curated.calls
    union all
    select event_id, person_ids from curated.checkpoints
    union all
    select event_id, person_ids from curated.generated
)
where event_id in (select event_id from origins)
order by person_id`, exampleID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func scanItem(scan func(...any) error) (Item, error) {
	var item Item
	var messages, tools string
	err := scan(&item.ExampleID, &item.ContentHash, &item.SubjectID, &item.Stratum, &item.Source, &item.TaskType,
		&messages, &tools, &item.ToolsOrigin, &item.ResponseFormat, &item.ToolChoice, &item.ParallelToolCalls)
	if err != nil {
		return Item{}, err
	}
	if err := json.Unmarshal([]byte(messages), &item.Messages); err != nil {
		return Item{}, fmt.Errorf("example %s: messages: %w", item.ExampleID, err)
	}
	if err := json.Unmarshal([]byte(tools), &item.Tools); err != nil {
		return Item{}, fmt.Errorf("example %s: tools: %w", item.ExampleID, err)
	}
	return item, nil
}

// Standing is a reviewer's standing decision, as curated.review_decisions has it.
type Standing struct {
	ExampleID string
	Reviewer  string
	Verdict   string
	EventID   string
	Stratum   string // empty: not of the sample
	IsStale   bool
	DecidedAt time.Time
}

// Standings gives the standing decisions, sorted by example and reviewer.
func (s *Source) Standings(ctx context.Context) ([]Standing, error) {
	rows, err := s.session.DB().QueryContext(ctx, `
select
    decisions.example_id,
    decisions.reviewer,
    decisions.verdict,
    decisions.event_id,
    coalesce(review_sample.stratum, '') as stratum,
    decisions.is_stale,
    decisions.decided_at

from curated.review_decisions as decisions

left join curated.review_sample as review_sample on review_sample.example_id = decisions.example_id

order by decisions.example_id, decisions.reviewer`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Standing
	for rows.Next() {
		var d Standing
		if err := rows.Scan(&d.ExampleID, &d.Reviewer, &d.Verdict, &d.EventID, &d.Stratum, &d.IsStale, &d.DecidedAt); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}
