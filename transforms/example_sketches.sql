-- What examples are compared by: sets of word shingles. New examples are
-- compared with old ones by this table, without reading old texts again.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples, curated.boilerplate (whole)
-- order:   started_at
-- rules:   (semantics §3)
--   words     runs of letters, digits and underscores in lower case; digits stay: other numbers are other facts
--   shingle   three words in a row, as the first 60 bits of their md5; a text of one or two words is one shingle
--   left out  system prompts, tool schemas and the frozen boilerplate
--   frame     an example is no duplicate of one with other tools or another response format
-- columns:
--   example_id           VARCHAR      the example
--   subject_id           VARCHAR      the unit that a split never cuts through
--   said                 BIGINT[]     shingles of what people and agents said, calls included, sorted
--   seen                 BIGINT[]     shingles of tool results, sorted
--   target               BIGINT[]     shingles of the targets, sorted
--   sketch_hash          VARCHAR      md5 of the three and of the frame
--   context_hash         VARCHAR      md5 of what stands before the last target, without system prompts
--   frame_hash           VARCHAR      md5 of tools and response format
--   boilerplate_version  VARCHAR      version of the list that was left out; none
--   started_at           TIMESTAMPTZ  first event
with frozen as (
    select
        coalesce(list(shingle order by shingle), []) as shingles,
        coalesce(bitstring_agg((shingle % 65536)::INTEGER, 0, 65535), repeat('0', 65536)::BIT) as slots,
        coalesce(min(version), 'none') as version,

    from curated.boilerplate
),

texts as (
    select
        example_id,
        subject_id,
        started_at,
        [
            struct_pack(
                role := message.role,
                is_target := message.weight > 0,
                words := regexp_extract_all(
                    lower(concat_ws(
                        ' ',
                        message.content,
                        array_to_string(
                            [
                                concat_ws(' ', call.name, call.arguments)
                                for call in coalesce(message.tool_calls, [])
                            ],
                            ' '
                        )
                    )),
                    '[\pL\pN_]+'
                )
            )
            for message in messages
            if message.role not in ('system', 'developer')
        ] as parts,
        md5(concat_ws(
            chr(30),
            array_to_string(list_sort([tool.name for tool in coalesce(tools, [])]), chr(31)),
            coalesce(response_format, '')
        )) as frame_hash,

    from curated.examples
),

worded as (
    select
        *,
        flatten([part.words for part in parts if part.role <> 'tool']) as said_words,
        flatten([part.words for part in parts if part.role = 'tool']) as seen_words,
        flatten([part.words for part in parts if part.is_target]) as target_words,
        md5(array_to_string(
            [concat_ws(' ', part.role, array_to_string(part.words, ' ')) for part in parts[:-2]], chr(30)
        )) as context_hash,

    from texts
),

hashed as (
    select
        *,
        [
            ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT
            for w in list_zip(said_words, said_words[2:], said_words[3:], len(said_words) > 2)
        ] as said_all,
        [
            ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT
            for w in list_zip(seen_words, seen_words[2:], seen_words[3:], len(seen_words) > 2)
        ] as seen_all,
        -- Mostly the targets are what was said last: their shingles are the last of
        -- those, and are not hashed again.
        case
            when len(target_words) > 2 and said_words[len(said_words) - len(target_words) + 1:] = target_words
                then said_all[len(said_words) - len(target_words) + 1:]
            else [
                ('0x' || left(md5(concat_ws(' ', w[1], w[2], w[3])), 15))::BIGINT
                for w in list_zip(target_words, target_words[2:], target_words[3:], len(target_words) > 2)
            ]
        end as target_all,

    from worded
),

-- Few examples hold boilerplate: which of it may be there, a bit for each slot
-- tells; only then is it looked for, and only that little among the shingles.
held as (
    select
        hashed.*,
        frozen.version as boilerplate_version,
        [
            x for x in list_distinct([x for x in said_all if get_bit(frozen.slots, (x % 65536)::INTEGER) = 1])
            if list_contains(frozen.shingles, x)
        ] as said_frozen,
        [
            x for x in list_distinct([x for x in seen_all if get_bit(frozen.slots, (x % 65536)::INTEGER) = 1])
            if list_contains(frozen.shingles, x)
        ] as seen_frozen,
        [
            x for x in list_distinct([x for x in target_all if get_bit(frozen.slots, (x % 65536)::INTEGER) = 1])
            if list_contains(frozen.shingles, x)
        ] as target_frozen,

    from hashed

    cross join frozen
),

cleaned as (
    select
        *,
        list_sort(list_distinct(
            case when len(said_frozen) = 0 then said_all else list_filter(said_all, lambda x: not list_contains(said_frozen, x)) end
        )) as said,
        list_sort(list_distinct(
            case when len(seen_frozen) = 0 then seen_all else list_filter(seen_all, lambda x: not list_contains(seen_frozen, x)) end
        )) as seen,
        list_sort(list_distinct(
            case when len(target_frozen) = 0 then target_all else list_filter(target_all, lambda x: not list_contains(target_frozen, x)) end
        )) as target,

    from held
)

select
    example_id,
    subject_id,
    said,
    seen,
    target,
    md5(concat_ws(
        chr(30), array_to_string(said, ','), array_to_string(seen, ','), array_to_string(target, ','), frame_hash
    )) as sketch_hash,
    context_hash,
    frame_hash,
    boilerplate_version,
    started_at,

from cleaned
