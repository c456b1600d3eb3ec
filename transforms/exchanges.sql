-- Exchanges of sessions: what a person asked, and what became of it until the
-- person's next prompt.
--
-- grain:   one row per human prompt of a session
-- key:     exchange_id
-- scope:   subject
-- inputs:  curated.turns
-- order:   started_at
-- rules:
--   is_repaired    the next prompt corrects this exchange: repair words in its first 400 characters, or it says the
--                  same again: of its words of 4 letters or more and its numbers, at least 3 were in this prompt, and
--                  at most one was not, which is no number (another number or name is another request)
--   is_frustrated  the next prompt has complaint words, or 10 letters of which 80 % are capitals, or 3 "!" or "?"
--   is_thanked     the next prompt thanks
--   score          0.5; × 0.5 when repaired, × 0.7 when frustrated, × 0.8 when interrupted, × 0.5 without an
--                  answer, × (1 − 0.3 × share of results that failed); thanks then close half of the gap to 1
-- sources:
--   signals of katanemo/plano (repair, frustration, thanks; reference: curation.md §2b); "can't see any" and
--   "still not" are ours
-- columns:
--   exchange_id       VARCHAR      turn id of the prompt
--   subject_id        VARCHAR      the unit that a split never cuts through
--   conversation_id   VARCHAR      conversation that it comes from
--   last_turn_id      VARCHAR      last output before the next prompt
--   window_index      BIGINT       context window of the conversation, 0-based
--   first_turn_index  BIGINT       the prompt's place in the conversation
--   last_turn_index   BIGINT       place of the last turn before the next prompt
--   output_count      BIGINT       model outputs
--   call_count        BIGINT       tool calls
--   tool_error_count  BIGINT       results that are tool failures; a human's refusal is none
--   refused_count     BIGINT       outputs with a call that the human refused
--   score             DOUBLE       0 to 1, see rules
--   is_interrupted    BOOLEAN      the person stopped the agent
--   is_repaired       BOOLEAN      the next prompt corrects it
--   is_frustrated     BOOLEAN      the next prompt complains
--   is_thanked        BOOLEAN      the next prompt thanks
--   started_at        TIMESTAMPTZ  the prompt
--   ended_at          TIMESTAMPTZ  last turn before the next prompt
with numbered as (
    select
        *,
        count(*) filter (where kind = 'prompt') over (
            partition by subject_id, conversation_id
            order by turn_index
        ) as exchange_no,

    from curated.turns

    where form = 'session'
),

exchanges as (
    select
        subject_id,
        conversation_id,
        exchange_no,
        arg_min(turn_id, turn_index) as exchange_id,
        arg_min(content, turn_index) as prompt,
        arg_max(turn_id, turn_index) filter (where kind = 'output') as last_turn_id,
        min(window_index) as window_index,
        min(turn_index) as first_turn_index,
        max(turn_index) as last_turn_index,
        count(*) filter (where kind = 'output') as output_count,
        coalesce(sum(len(tool_calls)) filter (where kind = 'output'), 0)::BIGINT as call_count,
        count(*) filter (where kind = 'tool_result') as result_count,
        count(*) filter (where kind = 'tool_result' and is_error) as tool_error_count,
        count(*) filter (where is_refused) as refused_count,
        bool_or(kind = 'interrupt') as is_interrupted,
        min(started_at) as started_at,
        max(ended_at) as ended_at,

    from numbered

    where exchange_no > 0

    group by subject_id, conversation_id, exchange_no
),

followed as (
    select
        *,
        left(lead(prompt) over (partition by subject_id, conversation_id order by exchange_no), 400) as next_prompt,

    from exchanges
),

heard as (
    select
        *,
        list_distinct(regexp_extract_all(lower(left(prompt, 400)), '[\pL\pN]*\pN[\pL\pN]*|\pL{4,}')) as words,
        list_distinct(regexp_extract_all(lower(next_prompt), '[\pL\pN]*\pN[\pL\pN]*|\pL{4,}')) as next_words,
        regexp_replace(next_prompt, '[^\pL]', '', 'g') as next_letters,

    from followed
),

signalled as (
    select
        *,
        coalesce(
            regexp_matches(
                next_prompt,
                '\bi meant\b|\bnot what i\b|\bthat(''s| is|s)? ?(not|n''t)\b|\blet me rephrase\b|\byou (forgot|'
                    || 'missed|didn''?t|did not)\b|\bstill (not|fail|broken|doesn''?t|does not)|\b(doesn''?t|does not|'
                    || 'didn''?t|did not) work|\bis(n''t| not) (right|correct|working)\b|\bwrong\b|\bcan(not|'
                    || '''?t) see any\b',
                'i'
            )
            or (
                len(list_intersect(words, next_words)) >= 3
                and len(list_intersect(words, next_words)) >= len(next_words) - 1
                and len([word for word in next_words if regexp_matches(word, '\pN') and not list_contains(words, word)]) = 0
            ),
            false
        ) as is_repaired,
        coalesce(
            regexp_matches(
                next_prompt, '\b(frustrat|annoying|useless|ridiculous|i give up|waste of time|what the (hell|heck))|[!?]{3}', 'i'
            )
            or (len(next_letters) >= 10 and len(regexp_replace(next_letters, '[^\p{Lu}]', '', 'g')) >= 0.8 * len(next_letters)),
            false
        ) as is_frustrated,
        coalesce(
            regexp_matches(next_prompt, '\b(thanks|thank you|that worked|works now|perfect|great job|well done)\b', 'i'), false
        ) as is_thanked,

    from heard
),

scored as (
    select
        *,
        0.5
            * case when is_repaired then 0.5 else 1 end
            * case when is_frustrated then 0.7 else 1 end
            * case when is_interrupted then 0.8 else 1 end
            * case when output_count = 0 then 0.5 else 1 end
            * (1 - 0.3 * case when result_count > 0 then tool_error_count / result_count else 0 end) as faulted,

    from signalled
)

select
    exchange_id,
    subject_id,
    conversation_id,
    last_turn_id,
    window_index,
    first_turn_index,
    last_turn_index,
    output_count,
    call_count,
    tool_error_count,
    refused_count,
    round(case when is_thanked then faulted + (1 - faulted) * 0.5 else faulted end, 4)::DOUBLE as score,
    is_interrupted,
    is_repaired,
    is_frustrated,
    is_thanked,
    started_at,
    ended_at,

from scored
