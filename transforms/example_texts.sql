-- What is to be seen in an example's words: language, length, loops, reactions.
--
-- grain:   one row per example
-- key:     example_id
-- scope:   subject
-- inputs:  curated.examples
-- order:   started_at
-- rules:
--   prose       the targets' texts without code blocks, the first 4,000 characters of each
--   language    by script where a third of the prose is beyond ASCII and of one script, else the European language
--               most of whose 10 commonest words stand in the first 1,500 characters, at least 3 and 5 % of the
--               words; code where there is no prose but code; und where none of this decides. A label: it decides
--               nothing
--   sentences   parted by line ends and by . ! ? before a space or the end; those of fewer than 4 characters do not count
--   reactions   what a user says right after a target; the words are those of curated.exchanges, which knows more of
--               sessions: interruptions, refusals, prompts without an answer
--   suspected   results that the log does not rate and that begin with an error, or in whose first 200 characters an
--               error is filled in or a code says failure
-- sources:
--   error words: Data-Juicer, tool_success_tagger_mapper.py, without "not found", which searches say of themselves;
--   think tags: NeMo, heuristic_filters.py; the rest is ours
-- columns:
--   example_id             VARCHAR      the example
--   subject_id             VARCHAR      the unit that a split never cuts through
--   language               VARCHAR      en, de, fr, es, it, pt, nl, zh, ja, ko, ru, ar, el, he, hi, th, code or und
--   prompt_chars           BIGINT       characters of the last user message before the last target
--   answer_chars           BIGINT       characters of the last target's text
--   target_chars           BIGINT       characters of the targets, arguments of calls included
--   token_estimate         BIGINT       tokens of the whole example, characters / 4
--   longest_sentence_run   BIGINT       equal sentences in a row within a target
--   repeated_target_count  BIGINT       targets of 20 characters or more that say what an earlier one said
--   suspected_error_count  BIGINT       results that look like failures, see rules
--   think_tag_count        BIGINT       targets in whose text a think tag is left
--   reaction_count         BIGINT       user messages right after a target
--   repaired_count         BIGINT       of them, that correct the target
--   frustrated_count       BIGINT       of them, that complain
--   thanked_count          BIGINT       of them, that thank
--   started_at             TIMESTAMPTZ  first event of the example
with spoken as (
    select example_id, unnest(messages) as message, generate_subscripts(messages, 1) as message_no

    from curated.examples
),

placed as (
    select
        *,
        coalesce(lag(message.weight) over (partition by example_id order by message_no) > 0, false) as follows_target,
        message.weight > 0 as is_target,
        case
            when message.weight > 0
                then left(regexp_replace(message.content, '(?s)```.*?(```|$)', ' ', 'g'), 4000)
        end as prose,

    from spoken
),

parted as (
    select
        *,
        [
            trim(sentence)
            for sentence in string_split_regex(prose, '[.!?]+(\s+|$)|\n+')
            if len(trim(sentence)) >= 4
        ] as sentences,

    from placed
),

-- Only where some repeat is it worth to look for runs.
runs as (
    select example_id, max(run_length) as longest_run

    from (
        select example_id, message_no, run_no, count(*) as run_length

        from (
            select
                *,
                count(*) filter (where not is_same) over (
                    partition by example_id, message_no
                    order by sentence_no
                ) as run_no,

            from (
                select
                    *,
                    coalesce(
                        sentence = lag(sentence) over (partition by example_id, message_no order by sentence_no), false
                    ) as is_same,

                from (
                    select
                        example_id,
                        message_no,
                        unnest(sentences) as sentence,
                        generate_subscripts(sentences, 1) as sentence_no,

                    from parted

                    where len(sentences) > len(list_distinct(sentences))
                )
            )
        )

        group by example_id, message_no, run_no
    )

    group by example_id
),

repeats as (
    select example_id, sum(copies - 1)::BIGINT as repeated_count

    from (
        select example_id, trim(message.content) as text, count(*) as copies

        from parted

        where is_target and len(trim(message.content)) >= 20

        group by example_id, trim(message.content)
    )

    group by example_id
),

gathered as (
    select
        example_id,
        string_agg(prose, ' ' order by message_no) as prose,
        sum(len(message.content)) filter (where is_target) as text_chars,
        sum(
            len(message.content)
            + coalesce(list_sum([len(coalesce(call.arguments, '')) for call in message.tool_calls]), 0)
        ) filter (where is_target) as target_chars,
        arg_max(len(message.content), message_no) filter (where is_target) as answer_chars,
        max(message_no) filter (where is_target) as last_target,
        count(*) filter (where is_target and regexp_matches(message.content, '</?think(ing)?>')) as think_tag_count,
        count(*) filter (
            where message.role = 'tool'
                and message.is_error is null
                and regexp_matches(
                    left(message.content, 200),
                    '^[\s*#>(\[-]{0,5}(error|exception|fatal|traceback \(most recent|permission denied|access is denied)\b|'
                        || '"error": ?"[^"]|exit(ed with)? code:? [1-9]|status ?code.{0,5}[45][0-9][0-9]',
                    'i'
                )
        ) as suspected_error_count,
        count(*) filter (where message.role = 'user' and follows_target) as reaction_count,
        count(*) filter (
            where message.role = 'user' and follows_target and regexp_matches(
                left(message.content, 400),
                '\bi meant\b|\bnot what i\b|\bthat(''s| is|s)? ?(not|n''t)\b|\blet me rephrase\b|\byou (forgot|'
                    || 'missed|didn''?t|did not)\b|\bstill (not|fail|broken|doesn''?t|does not)|\b(doesn''?t|does not|'
                    || 'didn''?t|did not) work|\bis(n''t| not) (right|correct|working)\b|\bwrong\b|\bcan(not|'
                    || '''?t) see any\b',
                'i'
            )
        ) as repaired_count,
        count(*) filter (
            where message.role = 'user' and follows_target and regexp_matches(
                left(message.content, 400),
                '\b(frustrat|annoying|useless|ridiculous|i give up|waste of time|what the (hell|heck))|[!?]{3}',
                'i'
            )
        ) as frustrated_count,
        count(*) filter (
            where message.role = 'user' and follows_target and regexp_matches(
                left(message.content, 400), '\b(thanks|thank you|that worked|works now|perfect|great job|well done)\b', 'i'
            )
        ) as thanked_count,

    from parted

    group by example_id
),

prompts as (
    select parted.example_id, arg_max(len(parted.message.content), parted.message_no) as prompt_chars

    from parted

    inner join gathered on gathered.example_id = parted.example_id

    where parted.message.role = 'user' and parted.message_no < gathered.last_target

    group by parted.example_id
),

letters as (
    select
        example_id,
        coalesce(left(prose, 4000), '') as prose,
        lower(coalesce(left(prose, 1500), '')) as opening,
        regexp_replace(coalesce(left(prose, 4000), ''), '[\x00-\x7F]', '', 'g') as beyond_ascii,
        coalesce(text_chars, 0) as text_chars,

    from gathered
),

-- Each pattern is written out: one that came from a row would be compiled for
-- every row anew.
counted as (
    select
        example_id,
        prose,
        text_chars,
        len(beyond_ascii) * 3 > len(regexp_replace(prose, '\s', '', 'g')) as is_beyond_ascii,
        beyond_ascii,
        len(regexp_extract_all(opening, '[a-z]+')) as word_count,
        [
            {'l': 'en', 'n': len(regexp_extract_all(opening, '\b(the|of|and|to|is|that|for|you|it|with)\b'))},
            {'l': 'de', 'n': len(regexp_extract_all(opening, '\b(der|die|und|das|ist|nicht|ein|zu|mit|ich)\b'))},
            {'l': 'fr', 'n': len(regexp_extract_all(opening, '\b(le|la|les|et|est|des|un|une|pour|vous)\b'))},
            {'l': 'es', 'n': len(regexp_extract_all(opening, '\b(el|los|las|que|es|por|una|con|para|del)\b'))},
            {'l': 'it', 'n': len(regexp_extract_all(opening, '\b(il|che|di|per|non|una|sono|con|della|gli)\b'))},
            {'l': 'pt', 'n': len(regexp_extract_all(opening, '\b(o|os|que|não|uma|com|para|do|da|em)\b'))},
            {'l': 'nl', 'n': len(regexp_extract_all(opening, '\b(het|een|van|en|dat|niet|ik|je|voor|met)\b'))}
        ] as commons,

    from letters
),

-- Japanese is written in Han letters, too: some kana decide.
languages as (
    select
        example_id,
        case
            when is_beyond_ascii and regexp_matches(beyond_ascii, '[\p{Hiragana}\p{Katakana}]')
                and len(regexp_extract_all(beyond_ascii, '[\p{Hiragana}\p{Katakana}]')) * 10
                > len(regexp_extract_all(beyond_ascii, '\p{Han}')) then 'ja'
            when is_beyond_ascii
                then list_sort([
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Han}')), 'l': 'zh'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Hangul}')), 'l': 'ko'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Cyrillic}')), 'l': 'ru'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Arabic}')), 'l': 'ar'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Greek}')), 'l': 'el'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Hebrew}')), 'l': 'he'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Devanagari}')), 'l': 'hi'},
                    {'m': -len(regexp_extract_all(beyond_ascii, '\p{Thai}')), 'l': 'th'},
                    {'m': 0, 'l': 'a'}
                ])[1].l
            when len(prose) < 0.2 * least(text_chars, 4000) or trim(prose) = ''
                then case when text_chars > 0 then 'code' else 'und' end
            else list_sort([
                {'m': -common.n, 'l': common.l}
                for common in commons
                if common.n >= greatest(3, 0.05 * word_count)
            ])[1].l
        end as label,

    from counted
)

select
    examples.example_id,
    examples.subject_id,
    case when languages.label = 'a' then 'und' else coalesce(languages.label, 'und') end as language,
    coalesce(prompts.prompt_chars, 0) as prompt_chars,
    coalesce(gathered.answer_chars, 0) as answer_chars,
    coalesce(gathered.target_chars, 0)::BIGINT as target_chars,
    (examples.char_count // 4)::BIGINT as token_estimate,
    coalesce(runs.longest_run, 1) as longest_sentence_run,
    coalesce(repeats.repeated_count, 0) as repeated_target_count,
    gathered.suspected_error_count,
    gathered.think_tag_count,
    gathered.reaction_count,
    gathered.repaired_count,
    gathered.frustrated_count,
    gathered.thanked_count,
    examples.started_at,

from curated.examples as examples

inner join gathered on gathered.example_id = examples.example_id

inner join languages on languages.example_id = examples.example_id

left join prompts on prompts.example_id = examples.example_id

left join runs on runs.example_id = examples.example_id

left join repeats on repeats.example_id = examples.example_id
