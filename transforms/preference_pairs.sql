-- Preference pairs: two ways to go on from one context, and which is better.
-- The texts stand in curated.examples: context is messages[1:context_count] of
-- the rejected example, chosen and rejected are the messages from the numbers
-- given here on.
--
-- grain:   one row per rejected continuation
-- key:     pair_id
-- scope:   all
-- inputs:  curated.target_keys, curated.quality, curated.funnel, curated.splits, curated.lineage,
--   curated.review_decisions
-- rules:   (semantics §3)
--   context   byte-equal; the first message that differs is an assistant's, and a target in both
--   edit      a reviewer's edit against what it was made from
--   branch    other examples that go on from the same context (best of K, retries of one request). The better one
--             has the better evidence of one kind, the first kind that tells them apart: reviews, then outcome, then
--             judge. Of several better ones the best score is chosen, then the least id. Words that did as well in
--             another of them are not rejected
--   retry     an answer that the client sent back, against the one that it then took; the context is that of the
--             first answer
--   chosen    goes to train or validation; the rejected is on the same side, and nothing is wrong with it but what
--             makes it worse: a secret or a broken call is no preference
-- thresholds:
--   16        continuations of one context at most, those of the least hash: 120 pairs (ours)
--   judge     pass rates at least 0.5 apart (ours): an uncalibrated judge's small differences say nothing
-- columns:
--   pair_id              VARCHAR  md5 of both examples and where they part
--   subject_id           VARCHAR  the chosen example's
--   split                VARCHAR  train or validation
--   basis                VARCHAR  edit, review, outcome, judge or retry: what says which is better
--   context_hash         VARCHAR  md5 of the context
--   chosen_example_id    VARCHAR  example that holds the better continuation
--   rejected_example_id  VARCHAR  example that holds the worse one
--   context_count        BIGINT   messages of the context
--   chosen_from          BIGINT   first message of the better continuation, 1-based
--   chosen_to            BIGINT   last one; null: the example's last
--   rejected_from        BIGINT   first message of the worse continuation, 1-based
--   rejected_to          BIGINT   last one; null: the example's last
with reviewed as (
    select
        example_id,
        case
            when count(*) filter (where verdict <> 'accept') >= count(*) filter (where verdict = 'accept') then 0.0
            else 1.0
        end as value,

    from curated.review_decisions

    where not is_stale and verdict in ('accept', 'reject', 'edit')

    group by example_id
),

known as (
    select
        target_keys.example_id,
        target_keys.context_hash,
        target_keys.target_hash,
        target_keys.message_no,
        target_keys.retried_no,
        funnel.subject_id,
        splits.split,
        funnel.fate in ('train', 'validation') as is_used,
        funnel.fate <> 'open' and len([
            reason for reason in quality.reasons
            if reason not in ('outcome_failure', 'review_reject', 'repetition', 'repeated_calls')
        ]) = 0 as is_sound,
        quality.success_score,
        reviewed.value as review_value,
        case quality.outcome when 'success' then 1.0 when 'failure' then 0.0 end as outcome_value,
        quality.judge_pass_rate as judge_value,

    from curated.target_keys as target_keys

    inner join curated.funnel as funnel on funnel.example_id = target_keys.example_id

    inner join curated.quality as quality on quality.example_id = target_keys.example_id

    inner join curated.splits as splits on splits.example_id = target_keys.example_id

    left join reviewed on reviewed.example_id = target_keys.example_id
),

edits as (
    select
        children.subject_id,
        children.split,
        'edit' as basis,
        children.context_hash,
        children.example_id as chosen_example_id,
        parents.example_id as rejected_example_id,
        children.message_no - 1 as context_count,
        children.message_no as chosen_from,
        null::BIGINT as chosen_to,
        parents.message_no as rejected_from,
        null::BIGINT as rejected_to,

    from curated.lineage as lineage

    inner join known as children on children.example_id = lineage.child_id

    inner join known as parents
        on parents.example_id = lineage.parent_id
        and parents.message_no = children.message_no
        and parents.context_hash = children.context_hash
        and parents.split = children.split
        and parents.target_hash <> children.target_hash

    where lineage.method = 'edit'
        and children.is_used
        and parents.is_sound
),

shared as (
    select
        *,
        coalesce(review_value, outcome_value, judge_value) as value,
        max(coalesce(review_value, outcome_value, judge_value)) over (partition by context_hash, target_hash)
            as best_of_words,

    from known

    where is_sound and context_hash in (
        select context_hash from known group by context_hash having count(distinct target_hash) > 1
    )

    qualify row_number() over (partition by context_hash order by md5(example_id), example_id) <= 16
),

compared as (
    select
        better.subject_id,
        better.split,
        case
            when better.review_value > worse.review_value then 'review'
            when better.review_value < worse.review_value then null
            when better.outcome_value > worse.outcome_value then 'outcome'
            when better.outcome_value < worse.outcome_value then null
            when better.judge_value >= worse.judge_value + 0.5 then 'judge'
        end as basis,
        better.context_hash,
        better.example_id as chosen_example_id,
        worse.example_id as rejected_example_id,
        better.message_no - 1 as context_count,
        better.message_no as chosen_from,
        null::BIGINT as chosen_to,
        worse.message_no as rejected_from,
        null::BIGINT as rejected_to,
        better.judge_value,
        better.success_score,

    from shared as better

    inner join shared as worse
        on worse.context_hash = better.context_hash
        and worse.message_no = better.message_no
        and worse.split = better.split
        and worse.target_hash <> better.target_hash

    where better.is_used
        and worse.best_of_words < better.value
),

branches as (
    select * exclude (judge_value, success_score)

    from compared

    where basis is not null
        and (chosen_example_id, rejected_example_id) not in (
            select (chosen_example_id, rejected_example_id) from edits
        )

    qualify row_number() over (
        partition by rejected_example_id, rejected_from
        order by
            case basis when 'review' then 0 when 'outcome' then 1 else 2 end,
            case when basis = 'judge' then judge_value end desc,
            success_score desc,
            chosen_example_id
    ) = 1
),

-- The context of an answer that was sent back is that of any target before it
-- or of the opening: its hash is its own, made of the retry's.
retries as (
    select
        subject_id,
        split,
        'retry' as basis,
        md5(context_hash || chr(31) || retried_no) as context_hash,
        example_id as chosen_example_id,
        example_id as rejected_example_id,
        retried_no - 1 as context_count,
        message_no as chosen_from,
        message_no as chosen_to,
        retried_no as rejected_from,
        retried_no as rejected_to,

    from known

    where retried_no is not null and is_used
),

pairs as (
    select * from edits

    union all

    select * from branches

    union all

    select * from retries
)

select
    md5(concat_ws(chr(31), chosen_example_id, chosen_from, rejected_example_id, rejected_from)) as pair_id,
    *,

from pairs
