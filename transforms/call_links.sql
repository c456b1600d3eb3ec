-- Trajectories: for each call that nothing continues (a leaf), the calls that
-- led to it, and where their outputs stand in its request.
--
-- grain:   one row per leaf and call on the way to it, the leaf included
-- key:     leaf_id, call_id
-- scope:   all
-- inputs:  curated.call_keys, curated.turns
-- rules:   (semantics §2)
--   continues    call k continues call j if k's request begins with j's request and output; the longest such
--                beginning wins, then the same conversation, then the latest call before k. Where no native id
--                says that they belong together, only within 24 hours (a conversation is settled by then): equal
--                short histories are common
--   native link  else by previous_response_id, if that call is in the lake
--   once         an output is owned by one leaf: where branches share it, by the branch that was called first
--   twice seen   of an output logged by two recorders (same response id) the first counts; one that a chat
--                log holds too belongs to the chat
-- columns:
--   leaf_id          VARCHAR      event id of the leaf
--   call_id          VARCHAR      event id of the call on the way
--   subject_id       VARCHAR      the leaf's
--   call_subject_id  VARCHAR      the call's
--   segment_id       VARCHAR      event id of the call whose request shows this one's output; the call itself if it ends its segment
--   example_id       VARCHAR      md5 of the first call that the leaf owns: stable as the trajectory grows
--   model            VARCHAR      model of the call's output
--   finish_reason    VARCHAR      of the call
--   tools_hash       VARCHAR      of the tools that the call declared
--   response_format  VARCHAR      of the call
--   depth            BIGINT       0 for the first call
--   segment          BIGINT       0-based: a native link, whose request does not repeat the history, begins the next
--   from_message     BIGINT       messages of the segment's request before the output
--   to_message       BIGINT       messages of the segment's request up to and with the output
--   is_owned         BOOLEAN      the output may be a target in this leaf's example
--   is_final         BOOLEAN      the call ends its conversation
--   occurred_at      TIMESTAMPTZ  when the call was made
with called as (
    select
        *,
        row_number() over (
            partition by coalesce(response_id, call_id), choice_index
            order by occurred_at, position, call_id
        ) > 1 as is_repeat,
        response_id in (select response_id from curated.turns where kind = 'output') as is_in_chat,

    from curated.call_keys
),

known as (
    select * from called where not is_repeat
),

prefixes as (
    select call_id, unnest(reply_ends) as message_no, prefix_hashes[unnest(reply_ends)] as prefix_hash from known
),

parents as (
    select
        children.call_id,
        candidates.call_id as parent_id,
        false as is_native,

    from prefixes

    inner join known as children on children.call_id = prefixes.call_id

    inner join known as candidates
        on candidates.reply_hash = prefixes.prefix_hash
        and candidates.call_id <> children.call_id
        and (
            candidates.conversation_id = children.conversation_id
            or candidates.occurred_at between children.occurred_at - interval 24 hours and children.occurred_at
        )

    qualify row_number() over (
        partition by children.call_id
        order by
            prefixes.message_no desc,
            case
                when candidates.conversation_id = children.conversation_id then 0
                when candidates.conversation_id is null or children.conversation_id is null then 1
                else 2
            end,
            (candidates.occurred_at, candidates.position, candidates.call_id)
                >= (children.occurred_at, children.position, children.call_id),
            candidates.occurred_at desc,
            candidates.position desc,
            candidates.call_id
    ) = 1
),

linked as (
    select * from parents

    union all

    select
        children.call_id,
        candidates.call_id as parent_id,
        true as is_native,

    from known as children

    inner join known as candidates
        on candidates.response_id = children.previous_response_id
        and candidates.choice_index = 0
        and candidates.call_id <> children.call_id

    anti join parents on parents.call_id = children.call_id
),

-- Down from the roots, each call is visited once: a loop of damaged links has
-- no root and is left out.
placed as (
    with recursive walk as (
        select known.call_id, null::VARCHAR as parent_id, false as is_native, 0 as depth, 0 as segment

        from known

        anti join linked on linked.call_id = known.call_id

        union all

        select
            linked.call_id,
            linked.parent_id,
            linked.is_native,
            walk.depth + 1,
            walk.segment + linked.is_native::INTEGER,

        from walk

        inner join linked on linked.parent_id = walk.call_id
    )

    select
        walk.*,
        row_number() over (
            partition by walk.parent_id
            order by known.occurred_at, known.position, known.call_id
        ) = 1 as is_first_child,

    from walk

    inner join known on known.call_id = walk.call_id
),

-- Up from the leaves. A call that branches is owned by the leaf that its first
-- child leads to.
steps as (
    with recursive climb as (
        select
            placed.call_id as leaf_id,
            placed.call_id,
            placed.call_id as segment_id,
            placed.parent_id,
            placed.depth,
            placed.segment,
            placed.is_native,
            placed.is_first_child,
            true as is_owner,

        from placed

        where placed.call_id not in (select parent_id from placed where parent_id is not null)

        union all

        select
            climb.leaf_id,
            placed.call_id,
            case when climb.is_native then placed.call_id else climb.segment_id end,
            placed.parent_id,
            placed.depth,
            placed.segment,
            placed.is_native,
            placed.is_first_child,
            climb.is_owner and climb.is_first_child,

        from climb

        inner join placed on placed.call_id = climb.parent_id
    )

    select * from climb
)

select
    steps.leaf_id,
    steps.call_id,
    leaf.subject_id,
    calls.subject_id as call_subject_id,
    steps.segment_id,
    md5('gateway' || chr(31) || first_value(steps.call_id) over (
        partition by steps.leaf_id
        order by case when steps.is_owner then 0 else 1 end, steps.depth
    )) as example_id,
    calls.model,
    calls.finish_reason,
    calls.tools_hash,
    calls.response_format,
    steps.depth::BIGINT as depth,
    steps.segment::BIGINT as segment,
    case
        when steps.segment_id = steps.call_id then calls.message_count
        when calls.message_count = 0 then 0
        else list_position(segment_ends.prefix_hashes, calls.request_hash)
    end::BIGINT as from_message,
    case
        when steps.segment_id <> steps.call_id then list_position(segment_ends.prefix_hashes, calls.reply_hash)
    end::BIGINT as to_message,
    steps.is_owner and not coalesce(calls.is_in_chat, false) as is_owned,
    calls.is_final,
    calls.occurred_at,

from steps

inner join known as calls on calls.call_id = steps.call_id

inner join known as leaf on leaf.call_id = steps.leaf_id

inner join known as segment_ends on segment_ends.call_id = steps.segment_id
