package lineage

import (
	"context"
	"errors"
	"strings"
)

// heldBy hangs the dataset versions below a node that have a member, and what
// was trained on them.
func (t *tracer) heldBy(ctx context.Context, below *Node, where string, args ...any) error {
	rows, err := t.query(ctx, `
with held as (
    select dataset, version, content_hash as version_hash, unnest(members) as member from curated.dataset_members
)

select
    held.dataset,
    held.version,
    held.version_hash,
    held.member.side as side,
    count(distinct held.member.example_id) as examples,
    (
        select any_value(json_extract_string(versions.manifest, '$.target'))
        from curated.dataset_versions as versions
        where json_valid(versions.manifest) and versions.dataset = held.dataset and versions.version = held.version
    ) as target,

from held

where `+where+`

group by held.dataset, held.version, held.version_hash, held.member.side

order by held.dataset, held.version, side`, args...)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		node := Node{Relation: "in", Kind: Dataset, ID: row[0] + "@" + row[1], What: words(row[3]+" side", one(row[4], "example"), exportedFor(row[5]))}
		if err := t.trainedOn(ctx, &node, row[0], row[1], row[2]); err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	t.hang(below, nodes)
	return nil
}

func exportedFor(target string) string {
	if target == "" {
		return ""
	}
	return "exported for " + target
}

const modelColumns = `
    run_id, provider, base_model, status, result_model, standing, array_to_string(aliases, ', ') as aliases, array_to_string(taints, ', ') as taints,
    case when cost_usd is not null then printf('$%.2f', cost_usd) end as cost,
    dataset, dataset_version, dataset_hash, export_hash`

// trainedOn hangs the runs below a dataset version, and their models: those that
// name it, and those that name none on record but have its hash. Versions with
// the same members have one hash.
func (t *tracer) trainedOn(ctx context.Context, below *Node, dataset, version, hash string) error {
	return t.runsWhere(ctx, below, `dataset = ? and dataset_version = ? or dataset_hash = nullif(?, '') and not exists (
    select 1 from curated.dataset_versions as versions where versions.dataset = models.dataset and versions.version = models.dataset_version
)`, dataset, version, hash)
}

func (t *tracer) runsWhere(ctx context.Context, below *Node, where string, args ...any) error {
	rows, err := t.query(ctx, "select "+modelColumns+" from curated.models as models where "+where+" order by planned_at, run_id", args...)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		node := runNode("trained", row)
		if err := t.cameOut(ctx, &node, row); err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	t.hang(below, nodes)
	return nil
}

func runNode(relation string, row []string) Node {
	return Node{Relation: relation, Kind: Run, ID: row[0], What: words(row[1], row[2], row[3], row[8])}
}

// cameOut hangs a run's model below it, with what suites say of it.
func (t *tracer) cameOut(ctx context.Context, below *Node, row []string) error {
	if row[4] == "" {
		return nil
	}
	what := []string{row[5]}
	if row[6] != "" {
		what[0] = row[5] + " as " + row[6]
	}
	if row[7] != "" {
		what = append(what, "tainted: "+row[7])
	}
	node := Node{Relation: "made", Kind: Model, ID: row[4], What: words(what...)}
	if err := t.asked(ctx, &node, row[4]); err != nil {
		return err
	}
	below.Nodes = append(below.Nodes, node)
	return nil
}

// asked hangs the eval suites below a model.
func (t *tracer) asked(ctx context.Context, below *Node, model string) error {
	rows, err := t.query(ctx, `
select suite, count(*) filter (where passed) as passed, count(*) filter (where passed is not null) as judged, count(*) as results

from curated.results

where model = ?

group by suite

order by suite`, model)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		what := row[1] + " of " + row[2] + " passed"
		if row[2] != row[3] {
			what = words(what, row[3]+" results")
		}
		nodes = append(nodes, Node{Relation: "evaluated by", Kind: Suite, ID: row[0], What: what})
	}
	t.hang(below, nodes)
	return nil
}

// dataset is a version, or all of a name, with its members by source and what
// was trained on it.
func (t *tracer) dataset(ctx context.Context, id string) (Node, error) {
	name, version, _ := strings.Cut(id, "@")
	rows, err := t.query(ctx, `
select dataset, version, content_hash, max(member_count),
    any_value(case when json_valid(manifest) then json_extract_string(manifest, '$.target') end), strftime(min(occurred_at) at time zone 'UTC', '%Y-%m-%d')

from curated.dataset_versions

where dataset = ? and starts_with(version, ?)

group by dataset, version, content_hash

order by min(occurred_at), version`, name, version)
	if err != nil {
		return Node{}, err
	}
	if len(rows) == 0 {
		return Node{}, ErrNothing
	}
	var nodes []Node
	for _, row := range rows {
		node := Node{Relation: "version", Kind: Dataset, ID: row[0] + "@" + row[1], What: words(one(row[3], "example"), exportedFor(row[4]), row[5])}
		if err := t.members(ctx, &node, row[0], row[1]); err != nil {
			return node, err
		}
		if err := errors.Join(t.exports(ctx, &node, row[0], row[1]), t.trainedOn(ctx, &node, row[0], row[1], row[2])); err != nil {
			return node, err
		}
		nodes = append(nodes, node)
	}
	if len(nodes) == 1 {
		nodes[0].Relation = ""
		return nodes[0], nil
	}
	all := Node{Kind: Dataset, ID: name, What: one(count(len(nodes)), "version")}
	t.hang(&all, nodes)
	return all, nil
}

// exports hangs below a version its recorded exports, each a version of its own
// with what was trained on it; or, below an export, the version that it is of.
func (t *tracer) exports(ctx context.Context, below *Node, dataset, version string) error {
	rows, err := t.query(ctx, `
with named as (
    select
        dataset,
        version,
        content_hash,
        json_extract_string(manifest, '$.target') as target,
        json_extract_string(manifest, '$.dataset.name') as of_dataset,
        json_extract_string(manifest, '$.dataset.version') as of_version,

    from curated.dataset_versions

    where json_valid(manifest)
)

select distinct 'exported as' as relation, dataset, version, content_hash, target from named where of_dataset = ? and of_version = ?

union all

select distinct 'of', of_dataset, of_version, '', '' from named where dataset = ? and version = ? and of_dataset is not null

order by all`, dataset, version, dataset, version)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		node := Node{Relation: row[0], Kind: Dataset, ID: row[1] + "@" + row[2], What: exportedFor(row[4])}
		if row[3] != "" {
			if err := t.trainedOn(ctx, &node, row[1], row[2], row[3]); err != nil {
				return err
			}
		}
		nodes = append(nodes, node)
	}
	t.hang(below, nodes)
	return nil
}

// members hangs the sources of a version's members below it.
func (t *tracer) members(ctx context.Context, below *Node, dataset, version string) error {
	rows, err := t.query(ctx, `
with held as (
    select unnest(members) as member from curated.dataset_members where dataset = ? and version = ?
)

select
    coalesce(example_keys.source, 'gone') as source,
    held.member.side as side,
    count(distinct held.member.example_id) as examples,
    count(distinct held.member.subject_id) as subjects,

from held

left join curated.example_keys as example_keys on example_keys.example_id = held.member.example_id

group by all

order by side, count(*) desc, source`, dataset, version)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		nodes = append(nodes, Node{Relation: row[1], Kind: Source, ID: row[0], What: words(one(row[2], "example"), "of "+one(row[3], "subject"))})
	}
	t.hang(below, nodes)
	return nil
}

// model is a training run and its model, with what it was trained on.
func (t *tracer) model(ctx context.Context, id string) (Node, error) {
	rows, err := t.query(ctx, "select "+modelColumns+`
from curated.models

where ? in (run_id, job_id, result_model) or list_contains(aliases, ?)

order by list_contains(aliases, ?) desc, planned_at, run_id`, id, id, id)
	if err != nil {
		return Node{}, err
	}
	if len(rows) == 0 {
		return Node{}, ErrNothing
	}
	row := rows[0]
	node := runNode("", row)
	if err := t.cameOut(ctx, &node, row); err != nil {
		return node, err
	}
	if err := t.decisions(ctx, &node, row[0]); err != nil {
		return node, err
	}
	if row[9] == "" {
		return node, nil
	}
	on := Node{Relation: "trained on", Kind: Dataset, ID: row[9] + "@" + row[10]}
	if err := errors.Join(t.members(ctx, &on, row[9], row[10]), t.exports(ctx, &on, row[9], row[10])); err != nil {
		return node, err
	}
	node.Nodes = append(node.Nodes, on)
	return node, nil
}

// decisions hangs below a run what was decided on its model.
func (t *tracer) decisions(ctx context.Context, below *Node, run string) error {
	rows, err := t.query(ctx, `
select decision, alias, reason, decided_by, strftime(occurred_at at time zone 'UTC', '%Y-%m-%d')

from curated.model_decisions

where run_id = ?

order by occurred_at, event_id`, run)
	if err != nil {
		return err
	}
	var nodes []Node
	for _, row := range rows {
		nodes = append(nodes, Node{Relation: row[0], Kind: "decision", ID: strings.TrimSpace(row[4] + " " + row[1]), What: words(row[3] + ": " + row[2])})
	}
	t.hang(below, nodes)
	return nil
}
