-- What holds the largest groups together?
-- For whoever sees a group of more than 5 % of the examples, which trains as a whole: how many of its examples each kind of
-- tie joins to another, and the knot that most of them share. Often it is a template that should be boilerplate.
with largest as (
    select group_id, any_value(group_size) as group_size, any_value(split) as split, any_value(basis) as basis

    from curated.splits

    group by group_id

    having any_value(group_size) > 1

    order by group_size desc, group_id
    limit 10
),

tied as (
    select
        splits.group_id,
        edges.kind,
        edges.right_id,
        count(distinct edges.left_id) as examples,

    from curated.splits as splits

    inner join largest on largest.group_id = splits.group_id

    inner join curated.group_edges as edges on edges.left_id = splits.example_id

    group by splits.group_id, edges.kind, edges.right_id
)

select
    largest.group_id,
    largest.group_size,
    largest.split,
    largest.basis,
    tied.kind,
    count(*) as knots,
    max(tied.examples) as examples_of_largest_knot,
    arg_max(tied.right_id, (tied.examples, tied.right_id)) as largest_knot,

from largest

inner join tied on tied.group_id = largest.group_id

group by largest.group_id, largest.group_size, largest.split, largest.basis, tied.kind

order by largest.group_size desc, largest.group_id, examples_of_largest_knot desc, tied.kind;
