package transforms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/exporters/canonical"
	"github.com/weir-lake/weir/exporters/target"
	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/autogen"
	"github.com/weir-lake/weir/ingest/source/cassette"
	"github.com/weir-lake/weir/ingest/source/chatdev"
	"github.com/weir-lake/weir/ingest/source/chatgpt"
	"github.com/weir-lake/weir/ingest/source/claudecode"
	"github.com/weir-lake/weir/ingest/source/codex"
	"github.com/weir-lake/weir/ingest/source/entire"
	"github.com/weir-lake/weir/ingest/source/geminicli"
	"github.com/weir-lake/weir/ingest/source/irc"
	"github.com/weir-lake/weir/ingest/source/langfuse"
	"github.com/weir-lake/weir/ingest/source/langgraph"
	"github.com/weir-lake/weir/ingest/source/litellm"
	"github.com/weir-lake/weir/ingest/source/openhands"
	"github.com/weir-lake/weir/ingest/source/sharegpt"
	"github.com/weir-lake/weir/ingest/source/sweagent"
	"github.com/weir-lake/weir/ingest/source/tensorzero"
	"github.com/weir-lake/weir/ingest/source/toolbench"
	"github.com/weir-lake/weir/lake"
	"github.com/weir-lake/weir/lake/duck"
	"github.com/weir-lake/weir/lake/laketest"
	"github.com/weir-lake/weir/transforms/transformstest"
)

// sampleCheck is a fact: what it is about, what is expected, how it is found.
type sampleCheck struct{ about, want, query string }

// decided are the checks in which those who counted say another thing than
// weir: their figure and why it is not ours.
var decided = map[string][2]string{
	"cd: targets by window; neither synthetic, refused nor thought-only outputs": {"50, 77, 93, 5 outputs", "the refused output and the one that only thought are context"},
	"failed chats: outputs before the mistakes of algorithm-made ones":           {"49, or 48", "one label names the script's line; the mistake is the output before it"},
	"six cassettes: recorded once more by another API, and dropped for that":     {"none of the six is a duplicate of another", "its twin is none of the six: same prompt, schema, tools and answer"},
	"ShareGPT: conversations that open with the flight to London":                {"16", "16 records, two of them copies of others: one event each"},
	"ShareGPT: pairs at 0.7, all texts":                                          {"12", "near the edge it matters how calls are spelt: ours are the name and the arguments"},
	"ShareGPT: duplicates: three with a tool worded otherwise, one alike at 0.8": {"3 and 2", "of the two pairs one has other tools at hand, so that its answer is another lesson"},
}

// sampleChecks are facts about public logs of real tools, counted by hand and by
// scripts of other people. In a query, events(file) and examples(file) are the
// rows that come from the sample file whose name begins so.
var sampleChecks = []sampleCheck{
	// One whole coding session.
	{"37: model outputs, calls, results", "42, 41, 41", `
		select concat_ws(', ', count(*) filter (where kind = 'output'), sum(len(tool_calls)), count(*) filter (where kind in ('tool_result', 'refusal')))
		from turns('37')`},
	{"37: windows, human prompts", "1, 5", `select concat_ws(', ', count(distinct window_index), count(*) filter (where kind = 'prompt')) from turns('37')`},
	{"37: targets; the refused output is context", "41, 1", `
		select concat_ws(', ', (select sum(target_count) from examples('37')), count(*) filter (where is_refused)) from turns('37')`},
	{"37: the refusal is no tool error", "0", `
		select sum(tool_error_count) from curated.exchanges join turns('37') as t on t.turn_id = exchange_id where refused_count > 0`},
	{"37: the turn that record 134 corrects is repaired and scores less", "true, true", `
		select concat_ws(', ', bool_or(is_repaired) filter (where line = 111), min(score) filter (where line = 111) < min(score) filter (where line = 134))
		from (select *, line('37', exchange_id) as line from curated.exchanges)`},
	{"37: sub-agent examples", "0", `select count(*) from examples('37') where task_type = 'handoff'`},
	{"37: record 131, written again on resume, is there once", "1", `
		select count(*) from curated.messages join sample_events using (event_id) where starts_with(file, '37') and sample_events.position // 1000 in (127, 131)`},
	{"37: output tokens, without the sub-agent's", "7047", `select sum(output_tokens) from turns('37') where kind = 'output'`},

	// Three compactions.
	{"cd: outputs by window", "50, 77, 93, 5", `select string_agg(n, ', ' order by w) from (select window_index as w, count(*) as n from turns('cd') where kind = 'output' group by w)`},
	{"cd: calls by window", "48, 69, 83, 6", `select string_agg(n, ', ' order by w) from (select window_index as w, sum(call_count) as n from judged('cd') group by w)`},
	{"cd: results by window, the last call's trimmed", "0 unanswered, 0 orphaned", `select concat(sum(unanswered_count), ' unanswered, ', sum(orphan_count), ' orphaned') from judged('cd')`},
	{"cd: human prompts by window", "14, 11, 17, 0", `
		select string_agg(n, ', ' order by w) from (select window_index as w, count(*) filter (where kind = 'prompt') as n from turns('cd') group by w)`},
	{"cd: targets by window; neither synthetic, refused nor thought-only outputs", "50, 76, 92, 5", `select string_agg(target_count, ', ' order by window_index) from examples('cd')`},
	{"cd: windows that a summary opens", "3", `select count(*) from examples('cd') where messages[1].role = 'user' and list_contains(notes, 'opens_with_summary')`},
	{"cd: split groups", "1", `select count(distinct group_id) from curated.splits join examples('cd') using (example_id)`},
	{"cd: interruptions", "6", `select count(*) from turns('cd') where kind = 'interrupt'`},
	{"cd: who speaks after the prompts 369, 570, 760 and 584", "user, user, user, user", `
		select string_agg(distinct_roles, ', ') from (
			select lead(message.role) over (partition by example_id order by message_no) as distinct_roles, line('cd', message.event_id) as line
			from (select example_id, unnest(messages) as message, generate_subscripts(messages, 1) as message_no from examples('cd'))
		) where line in (369, 570, 760, 584)`},
	{"cd: each window ends on a target", "true", `select bool_and(messages[-1].weight = 1) from examples('cd')`},
	{"cd: /exit and its answer, in lines 99 to 101", "0", `
		select count(*) from (select unnest(messages) as m from examples('cd')) where line('cd', m.event_id) between 99 and 101`},

	// Slices with holes, and hand-offs.
	{"slices: conversations, outputs", "1, 253", `
		select concat_ws(', ', count(distinct conversation_id), count(*)) from slices() where kind = 'output' and parent_conversation_id is null`},
	{"slices: windows that lack context", "5", `select count(distinct window_index) from slices() where is_context_missing`},
	{"slices: of them in train or validation", "0", `
		select count(*) from curated.funnel join curated.examples using (example_id) where is_context_missing and fate in ('train', 'validation')`},
	{"slices: outputs of the windows that hold all", "53, 59, 31", `
		select string_agg(n, ', ' order by w) from (
			select window_index as w, count(*) as n from slices()
			where kind = 'output' and not is_context_missing and parent_conversation_id is null group by w)`},
	{"slices: sub-agents, calls and results", "8/8, 9/9", `
		select string_agg(concat(calls, '/', results), ', ' order by calls) from (
			select sum(len(tool_calls)) as calls, count(*) filter (where kind = 'tool_result') as results
			from slices() where parent_conversation_id is not null group by conversation_id)`},
	{"slices: sub-agents are hand-offs in the parent's group", "2, 1", `
		select concat_ws(', ', count(*) filter (where task_type = 'handoff'), count(distinct group_id))
		from curated.examples join curated.splits using (example_id) where conversation_id in (select conversation_id from slices())`},
	{"slices: the calls that sub-agents answer are known", "2", `
		select count(distinct parent_call_id) from slices()
		where parent_call_id in (select unnest(tool_calls).id from slices())`},
	{"slices: outputs and their tokens by file, as their checkpoints have them", "44 149/430, 48 27/69, 72 16/36, 8b 8/56, ba 6/20", `
		select string_agg(file || ' ' || n || '/' || tokens, ', ' order by file) from (
			select left(file, 2) as file, count(*) as n, sum(output_tokens) as tokens from slices() join (
				select event_id, min(file) as file from sample_events group by event_id) on event_id = turn_id
			where kind = 'output' and parent_conversation_id is null and left(file, 2) in ('44', '48', '72', '8b', 'ba') group by all)`},

	// What a human typed while the agent worked.
	{"44: queued words, each after a tool result", "3, tool", `
		select concat_ws(', ', count(*), string_agg(distinct role_before, ' ')) from (
			select message.event_id as id, lag(message.role) over (partition by example_id order by message_no) as role_before
			from (select example_id, unnest(messages) as message, generate_subscripts(messages, 1) as message_no from curated.examples)
		) join turns('44') as t on t.turn_id = id where t.kind = 'queued'`},
	{"4b: a queued prompt that became a line appears once", "1", `
		select count(*) from turns('4b') where content = (select content from curated.messages where line('4b', messages.event_id) = 78)`},
	{"44: outputs by window", "37, 53, 59", `select string_agg(n, ', ' order by w) from (select window_index as w, count(*) as n from turns('44') where kind = 'output' group by w)`},
	{"44: record 183 is context, 158-160 and 428-430 are left out", "context", `
		select string_agg(kind, ' ') from turns('44') where line('44', turn_id) in (183, 158, 159, 160, 428, 429, 430)`},
	{"thinking tags in targets", "0", `
		select count(*) from (select unnest(messages) as message from curated.examples where source = 'claude_code')
		where message.weight > 0 and starts_with(trim(message.content), '<thinking>')`},
	{"44: record 180 answers record 173", "true", `
		select bool_or(asked < answered) from (
			select example_id, min(place) filter (where m.content = 'using your skill?') as asked, min(place) filter (where m.role = 'assistant' and starts_with(m.content, 'Good point')) as answered
			from (select example_id, unnest(messages) as m, generate_subscripts(messages, 1) as place from examples('44')) group by example_id)`},
	{"encrypted and signed blocks in reasoning and parts", "0", `
		select count(*) from (select unnest(messages) as m from curated.examples)
		where regexp_matches(concat_ws(' ', m.reasoning, m.parts), 'encrypted_content|"(thought_)?signature"')`},

	// Overhead.
	{"37, bd, cd: input tokens of the first call", "41471, 41818, 42454", `
		select string_agg(n, ', ' order by n) from (
			select arg_min(input_tokens, turn_index) as n from curated.turns
			where kind = 'output' and input_tokens > 0 and conversation_id in (select conversation_id from examples('37') union select conversation_id from examples('bd') union select conversation_id from examples('cd'))
			group by conversation_id)`},
	{"coding sessions: where their tools come from", "inferred", `select string_agg(distinct tools_origin, ' ') from curated.examples where source = 'claude_code'`},
	{"coding sessions: output tokens of 37, 44, bd, cd, as recorded", "7047, 430, 181, 70618", `
		select concat_ws(', ', (select sum(output_tokens) from turns('37') where kind = 'output'),
			(select sum(output_tokens) from turns('44') where kind = 'output' and parent_conversation_id is null),
			(select sum(output_tokens) from turns('bd') where kind = 'output'), (select sum(output_tokens) from turns('cd') where kind = 'output'))`},

	// Same words, three answers.
	{"six cassettes: trajectories, calls, targets", "6, 12, 12", `
		select concat_ws(', ', count(*), sum(len(origin_event_ids)), sum(target_count)) from six()`},
	{"six cassettes: split groups, duplicates of another of the six", "1, 0", `
		select concat_ws(', ', count(distinct group_id), count(*) filter (where not is_representative and representative_id in (select example_id from six())))
		from six() join curated.splits using (example_id) left join curated.duplicate_clusters using (example_id)`},
	{"six cassettes: recorded once more by another API, and dropped for that", "test_openai_prompted_output_multiple.yaml", `
		select string_agg(file, ' ') from six() join curated.funnel using (example_id) where reason = 'duplicate'`},
	{"cassettes with their first user message: trajectories, calls", "10, 19", `
		select concat_ws(', ', count(*), sum(len(origin_event_ids))) from curated.examples
		where 'What is the largest city in the user country?' in (messages[1].content, messages[2].content)`},
	{"equal questions: contents, response formats", "3, 2", `
		select concat_ws(', ', count(distinct content_hash), count(distinct response_format)) from six()
		where file in ('test_openai_native_output.yaml', 'test_openai_native_output_multiple.yaml', 'test_openai_text_output_function.yaml')`},

	// What is a model's own word in a request.
	{"deferred capability: trajectories, calls, targets, others' words", "1, 3, 3, 1", `
		select concat_ws(', ', count(*), sum(len(origin_event_ids)), sum(target_count),
			sum(len([m for m in messages if m.role = 'assistant' and m.weight = 0])))
		from examples('test_anthropic_deferred_capability_without_tool_search')`},
	// A fourth tool is the provider's own search, which is no function.
	{"lazy advertisement: targets, functions, noted", "3, 3, true", `
		select concat_ws(', ', sum(target_count), max(len(tools)), bool_or(list_contains(notes, 'tools_changed'))) from examples('test_anthropic_fable_5_lazy')`},
	{"several agents: each target has its own model", "2 gemini-2.0-flash-exp, 2 gpt-4o-mini", `
		select string_agg(n || ' ' || model, ', ' order by model) from (
			select count(*) as n, regexp_replace(m.model, '-20.*', '') as model from (select unnest(messages) as m from examples('test_multiple_agent_tool_calls')) where m.weight > 0 group by all)`},
	{"cerebras: targets, the first answer was sent back", "1, true", `
		select concat_ws(', ', sum(target_count), bool_or(list_contains(notes, 'answer_refused'))) from examples('test_openai_model_cerebras')`},
	{"cerebras: the answer sent back is rejected for the one taken", "1", `
		select count(*) from curated.preference_pairs where basis = 'retry' and chosen_example_id in (select example_id from examples('test_openai_model_cerebras'))`},
	{"mismatched history: calls, targets", "1, 1", `
		select concat_ws(', ', sum(len(origin_event_ids)), sum(target_count)) from examples('test_openai_conversation_id_preserves')`},
	{"combined call id: calls, targets", "1, 1", `
		select concat_ws(', ', sum(len(origin_event_ids)), sum(target_count)) from examples('test_openai_responses_history_with_combined')`},
	{"background: targets", "1", `select sum(target_count) from examples('test_background_mode_vcr')`},
	{"count tokens: targets", "1", `select sum(target_count) from examples('test_anthropic_count_tokens')`},
	{"compact: targets", "2", `select sum(target_count) from examples('test_openai_responses_compact_messages_direct')`},
	{"calls without id: trajectories, targets", "1, 2", `
		select concat_ws(', ', count(*), sum(target_count)) from examples('test_compatible_api_with_tool_calls_without_id')`},
	{"right refusals of harmful requests are kept", "keep", `
		select string_agg(distinct verdict, ' ') from curated.quality where example_id in (
			select example_id from examples('test_openai_moderation_flagged') union select example_id from examples('test_openai_moderation_block') union select example_id from examples('test_openai_responses_moderation_block'))`},

	// Checkpoints that forget.
	{"langgraph: checkpoints, distinct messages", "19, 12", `
		select concat_ws(', ', (select count(*) from curated.checkpoints where starts_with(source_uri, 'langgraph:')), count(distinct m.event_id))
		from (select unnest(messages) as m from curated.checkpoints where starts_with(source_uri, 'langgraph:'))`},
	{"langgraph: targets by window", "4, 2", `select string_agg(target_count, ', ' order by window_index) from examples('academy')`},
	{"langgraph: the second window opens with the summary and one assistant message of the first", "system, 1", `
		select concat_ws(', ', messages[1].role, len([m for m in messages if m.role = 'assistant' and m.weight = 0])) from examples('academy') where window_index = 1`},
	{"langgraph: outcome, models", "unknown, claude-3-5-sonnet-20240620", `
		select concat_ws(', ', (select string_agg(distinct outcome, ' ') from curated.quality join examples('academy') using (example_id)), string_agg(distinct m.model, ' '))
		from (select unnest(messages) as m from examples('academy')) where m.weight > 0`},

	// One trace, one trajectory. Of a reply in three pieces, the last call holds it.
	{"traces: calls, trajectories, targets", "14, 7, 12", `
		select concat_ws(', ', (select count(*) from curated.calls where source_uri like 'langfuse:%'), count(*), sum(target_count)) from traces()`},
	{"traces: usage of agno's two calls, not of their wrappers", "163/20, 663/225", `
		select string_agg(concat(input_tokens, '/', output_tokens), ', ' order by occurred_at) from curated.calls
		where event_id in (select event_id from sample_events where starts_with(file, 'agno'))`},
	{"traces: a reply in pieces", "system, user, assistant 2, tool, tool, assistant 0", `
		select array_to_string([m.role || case when m.role = 'assistant' then ' ' || len(coalesce(m.tool_calls, [])) else '' end for m in messages], ', ')
		from examples('claude-agent')`},
	{"traces: requests that hold only what is new", "system, user, assistant, tool, assistant", `
		select array_to_string([m.role for m in messages], ', ') from examples('microsoft-agent')`},
	{"traces: ends on its call", "user, assistant", `select array_to_string([m.role for m in messages], ', ') from examples('vercel')`},
	{"traces: langgraph-js, calls among its observations", "2", `select sum(len(origin_event_ids)) from examples('langgraph')`},
	{"traces: google-adk, the result is the next request's", "true", `
		select bool_or(contains(m.content, 'greeting')) from (select unnest(messages) as m from examples('google')) where m.role = 'tool'`},
	{"traces: scores, those better low; verdicts", "12, 10, keep", `
		select concat_ws(', ', (select count(*) from curated.judgements), (select count(*) from curated.judgements where not higher_is_better), string_agg(distinct verdict, ' '))
		from curated.quality where example_id in (select example_id from traces())`},

	// Group chats that failed.
	{"failed chats: conversations, questions, groups", "46, 43, 43", `
		select concat_ws(', ', count(distinct conversation_id), count(distinct task_id), count(distinct group_id)) from failed() join curated.splits using (example_id)`},
	{"failed chats: why nothing of them trains", "outcome_failure", `select string_agg(distinct reason, ' ') from failed() join curated.funnel using (example_id)`},
	// A task's attachment is called by the question's id: the models saw that.
	{"failed chats: labels and ids in examples, but in names of files", "0", `
		select count(*) from (select unnest(messages).content as content, task_id from failed())
		where regexp_matches(content, task_id || '(/|\s|$)') or regexp_matches(content, 'mistake_(agent|step|reason)|ground_truth|SCENARIO\.PY')`},
	{"failed chats: targets by the terminal, first messages that are targets", "0, 0", `
		select concat_ws(', ', count(*) filter (where agent = 'Computer_terminal'), count(*) filter (where messages[2].weight > 0)) from failed()`},
	// One set of prompts leaves out an agent that speaks.
	{"failed chats: agents of algorithm-made ones without a prompt of their own", "WebServing_Expert", `
		select string_agg(agent, ' ') from failed() where messages[1].event_id is null and agent not in ('Orchestrator', 'Assistant', 'WebSurfer', 'FileSurfer', 'ComputerTerminal')`},
	{"failed chats: others' thoughts in what an agent sees", "0", `
		select count(*) from (select unnest(messages) as m from failed()) where m.role = 'user' and m.reasoning is not null`},
	{"failed chats: the Orchestrator's thoughts, which are reasoning, and what it says to others", "454, 200", `
		select concat_ws(', ', count(reasoning), count(*) - count(reasoning)) from turns('hand') where kind = 'output' and agent = 'Orchestrator'`},
	{"failed chats: messages by the terminal, and lines that end a run", "82, 7", `
		select concat_ws(', ', count(*) filter (where starts_with(source_file, 'algorithm')), count(*) filter (where starts_with(source_file, 'hand')))
		from (select turn_id, min(file) as source_file from curated.turns join sample_events on event_id = turn_id
			where starts_with(source_uri, 'groupchat://autogen') and kind = 'environment' group by turn_id)`},
	{"failed chats: outputs before the mistakes of algorithm-made ones", "48", `
		select count(*) from turns('algorithm') as t join curated.credits using (subject_id, conversation_id)
		where kind = 'output' and t.turn_index < credits.turn_index`},

	// Role-play log, and a chat without an agent.
	{"role-play: outputs by run", "14, 12, 24, 45", `
		select concat_ws(', ', (select count(*) from turns('Gomoku') where kind = 'output'), (select count(*) from turns('Notebook') where kind = 'output'),
			(select count(*) from turns('2048') where kind = 'output'), (select count(*) from turns('md2html') where kind = 'output'))`},
	{"role-play: targets, words of people", "95, 3", `
		select concat_ws(', ', sum(target_count), (select count(*) from curated.turns where starts_with(source_uri, 'chatdev:') and kind = 'prompt'))
		from curated.examples where starts_with(source_uri, 'chatdev:')`},
	{"role-play: templates, spoken in a role's name, are context", "14, 12, 17, 29", `
		select concat_ws(', ', (select count(*) from turns('Gomoku') where kind = 'context'), (select count(*) from turns('Notebook') where kind = 'context'),
			(select count(*) from turns('2048') where kind = 'context'), (select count(*) from turns('md2html') where kind = 'context'))`},
	// The runs' first phases put one template in the same words: they are tied, too.
	{"role-play: runs that are cut", "0", `
		select count(*) from (select split_part(conversation_id, '/', 1) as run from curated.examples join curated.splits using (example_id)
		where starts_with(source_uri, 'chatdev:') group by run having count(distinct group_id) > 1)`},
	{"role-play: examples of Gomoku", "14", `select count(*) from examples('Gomoku')`},
	// 5,378 messages, and two actions.
	{"a chat without an agent: messages, examples", "5380, 0", `
		select concat_ws(', ', count(*), (select count(*) from curated.examples where starts_with(source_uri, 'irc:'))) from curated.messages
		where starts_with(source_uri, 'irc:') and kind = 'prompt'`},

	// Outcome words.
	{"SWE-agent: targets by file", "15, 18, 4, 5, 7, 11, 12, 21", `
		select string_agg(n, ', ' order by file) from (
			select file, sum(target_count) as n from curated.examples join sample_events on event_id = origin_event_ids[1] where starts_with(source_uri, 'swe-agent:') group by file)`},
	{"SWE-agent: outcomes, files with calls", "unknown, 2", `
		select concat_ws(', ', string_agg(distinct outcome, ' '), count(*) filter (where call_count > 0)) from curated.quality join curated.examples using (example_id)
		where starts_with(source_uri, 'swe-agent:')`},
	{"OpenHands: calls, tools, outcome of the three runs on an issue", "23, 33, 49; 4; unknown", `
		select concat_ws('; ', string_agg(call_count, ', ' order by call_count), string_agg(distinct len(tools), ' '), string_agg(distinct outcome, ' '))
		from curated.quality join examples('multi_swe') using (example_id)`},
	{"ToolBench: outputs by file", "3, 5, 4, 3, 4", `
		select string_agg(target_count, ', ' order by file) from curated.examples join sample_events on event_id = origin_event_ids[1] where starts_with(source_uri, 'toolbench:')`},
	{"ToolBench: successes; gave up; calls what it has not", "0; failure; undeclared_tool", `
		select concat_ws('; ', count(*) filter (where outcome = 'success'), any_value(outcome) filter (where starts_with(file, 'G2_answer_10')), any_value(reasons[1]) filter (where starts_with(file, 'G3')))
		from curated.quality join curated.examples using (example_id) join sample_events on event_id = origin_event_ids[1] where starts_with(source_uri, 'toolbench:')`},
	{"ToolBench: the harness's words are context, and repair nothing", "context, 0", `
		select concat_ws(', ', (select string_agg(distinct kind, ' ') from curated.turns where starts_with(content, 'This is not the first time')),
			(select count(*) from curated.exchanges join turns('G') as t on t.turn_id = exchange_id where is_repaired))`},

	// Duplicates and honest refusals.
	{"ShareGPT: distinct with tools, without", "265, 262", `
		select concat_ws(', ', count(distinct content_hash), count(distinct list_transform(messages, lambda m: {'r': m.role, 'c': m.content, 't': m.tool_calls})))
		from shared()`},
	// Of two pairs that are alike at 0.8 one has other tools at hand, so that its answer is another lesson: it stays.
	{"ShareGPT: duplicates: three with a tool worded otherwise, one alike at 0.8", "4", `
		select count(*) from shared() join curated.funnel using (example_id) where reason = 'duplicate'`},
	{"ShareGPT: the three with other tools are in one group each", "3", `
		select count(*) from (
			select list_transform(messages, lambda m: {'r': m.role, 'c': m.content, 't': m.tool_calls}) as words, count(distinct group_id) as g
			from shared() join curated.splits using (example_id) group by words having count(*) > 1) where g = 1`},
	{"ShareGPT: that decline and are excluded for another reason than duplicates", "0", `
		select count(*) from shared() join curated.funnel using (example_id) join curated.quality using (example_id)
		where (is_refusal or contains(messages[-1].content, 'I''m sorry, but')) and reason is not null and reason <> 'duplicate'`},
	{"ShareGPT: same first prompt, dropped as duplicates", "0", `
		select count(*) from shared() join curated.funnel using (example_id)
		where reason = 'duplicate' and contains(messages[1].content || coalesce(messages[2].content, ''), 'Can you please book a flight for me from New York to London?')`},
	{"ShareGPT: conversations that open with the flight to London", "14", `
		select count(*) from shared() where [m for m in messages if m.role = 'user'][1].content = 'Can you please book a flight for me from New York to London?'`},
	{"ShareGPT: pairs at 0.8, all texts", "2", `select count(*) from alike(0.8)`},
	{"ShareGPT: pairs at 0.7, all texts", "7", `select count(*) from alike(0.7)`},
	{"ShareGPT: accepted pairs of them that what is said and the answer are not 0.8 alike", "0", `
		select count(*) from curated.duplicate_pairs where accepted and kind = 'near' and least(jaccard, target_jaccard) < 0.8
			and left_id in (select example_id from shared())`},

	// Two runs of one task.
	{"marshmallow-1867: alike in the first prompt, and in all texts", "true, false", `
		with spelt as (
			select example_id, words([m for m in messages if m.role = 'user'][1].content) as prompt,
				words(array_to_string([m.content for m in messages if m.role <> 'system'], ' ')) as texts
			from examples('replay__marshmallow')),
		sets as (select example_id, grams(prompt) as prompt, grams(texts) as texts from spelt)
		select concat_ws(', ', jaccard(a.prompt, b.prompt) > 0.9, jaccard(a.texts, b.texts) >= 0.8) from sets as a join sets as b on a.example_id < b.example_id`},
	{"marshmallow-1867: runs in one group", "2, 1", `
		select concat_ws(', ', count(distinct subject_id), count(distinct group_id)) from examples('replay__marshmallow')
		join (select example_id, group_id from curated.splits) using (example_id)`},

	// All of them.
	{"outcomes without evidence", "0", `
		select count(*) from curated.quality join curated.examples using (example_id)
		where outcome <> 'unknown' and examples.subject_id not in (select subject_id from curated.outcomes)`},
	{"examples without a fate, links across sides", "0, 0", `
		select concat_ws(', ', (select count(*) from curated.examples) - (select count(*) from curated.funnel), sum(link_count)) from curated.leaks`},
	{"outputs that are targets twice", "0", `
		select count(*) from (select unnest(messages) as m, source from curated.examples) where m.weight > 0
		group by m.event_id having count(*) > 1 union all select 0 limit 1`},
}

// sampleMacros name what comes from a file.
const sampleMacros = `
create macro line(prefix, id) as (select any_value(position // 1000) from sample_events where event_id = id and starts_with(file, prefix));
create macro turns(prefix) as table select * from curated.turns where turn_id in (select event_id from sample_events where starts_with(file, prefix));
create macro examples(prefix) as table select * from curated.examples where origin_event_ids[1] in (select event_id from sample_events where starts_with(file, prefix));
create macro judged(prefix) as table select * from curated.quality join (select example_id, window_index from examples(prefix)) using (example_id);
create macro failed() as table select * from curated.examples where starts_with(source_uri, 'groupchat://autogen');
create macro shared() as table select * from curated.examples where starts_with(source_uri, 'sharegpt:');
create macro traces() as table select * from curated.examples where source_uri like 'langfuse:%';
create macro words(text) as regexp_extract_all(lower(text), '[\pL\pN_]+');
create macro grams(w) as list_distinct([concat_ws(' ', z[1], z[2], z[3]) for z in list_zip(w, w[2:], w[3:], len(w) > 2)]);
create macro jaccard(a, b) as len(list_intersect(a, b)) / (len(a) + len(b) - len(list_intersect(a, b)));
create macro alike(least) as table
	with texts as (
		select any_value(example_id) as example_id, text from (
			select example_id, array_to_string([concat_ws(' ', m.content, array_to_string([concat_ws(' ', c.name, c.arguments) for c in m.tool_calls], ' ')) for m in messages], ' ') as text
			from shared()) group by text),
	spelt as (select example_id, words(text) as w from texts),
	sets as (select example_id, grams(w) as g from spelt)
	select a.example_id as left_id, b.example_id as right_id from sets as a join sets as b on a.example_id < b.example_id where jaccard(a.g, b.g) >= least;
create macro slices() as table select * from curated.turns where turn_id in (
	select event_id from sample_events where regexp_matches(file, '^(8b|10|48|ba|44|4b|72)_'));
create macro six() as table select made.*, file from curated.examples as made join sample_events on event_id = origin_event_ids[1]
	where regexp_matches(file, '^test_openai_(native_output|native_output_multiple|prompted_output|prompted_output_multiple|text_output_function|tool_output)\.yaml$');`

// TestSamples reads real logs, where there are some, and compares what is made
// of them with what they are known to hold. With -v it prints the table.
func TestSamples(t *testing.T) {
	dir := os.Getenv("WEIR_SAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "samples")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no sample logs: set WEIR_SAMPLES to their folder")
	}
	lk := laketest.New(t)
	in := &sampleReader{t: t, table: "create table sample_events (event_id varchar, file varchar, position bigint)"}
	for _, sample := range []struct {
		format  source.Format
		pattern string
	}{
		{claudecode.Format(), "claude-code/*.jsonl"}, {cassette.Format(), "llm-http/*/*.yaml"}, {langgraph.Format(), "langgraph/*.db"},
		{sweagent.Format(), "swe-agent/*.traj"}, {langfuse.Format(), "langfuse/*.json"}, {autogen.Format(), "ag2-groupchat/*.json"},
		{chatdev.Format(), "chatdev-log/*.log"}, {irc.Format(), "irc/*.raw.txt"}, {openhands.Format(), "openhands/*.json*"},
		{toolbench.Format(), "toolbench/*.json"}, {sharegpt.Format(), "sharegpt/*.json"}, {chatgpt.Format(), "chatgpt-export/*.json"},
		{geminicli.Format(), "gemini-cli/*.jsonl"}, {codex.Format(), "codex-shape-only/*.jsonl"}, {entire.Format(), "entire-checkpoint/*.json"},
		{litellm.Format(), "litellm/*.json"}, {tensorzero.Format(), "tensorzero/*.jsonl"},
	} {
		in.read(sample.format, filepath.Join(dir, filepath.FromSlash(sample.pattern)))
	}
	laketest.Append(t, lk, in.events...)

	session, err := duck.Open(t.Context(), duck.Options{Threads: 2, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	transformstest.BuildIn(t, lk, session)
	in.register(session)
	var report strings.Builder
	for _, check := range sampleChecks {
		found, err := session.Strings(t.Context(), "select coalesce((select x::varchar from ("+check.query+") as t(x)), 'none')")
		if err != nil {
			t.Errorf("%s: %v", check.about, err)
			continue
		}
		fmt.Fprintf(&report, "%-88s  expected %-48s found %s\n", check.about, check.want, found[0])
		if other, ok := decided[check.about]; ok {
			fmt.Fprintf(&report, "%-88s  they say %s: %s\n", "", other[0], other[1])
		}
		if found[0] != check.want {
			t.Errorf("%s: expected %s, found %s", check.about, check.want, found[0])
		}
	}
	divided(t, session, &report)
	t.Logf("%d events\n%s", len(in.events), report.String())
	for about := range decided {
		if !slices.ContainsFunc(sampleChecks, func(c sampleCheck) bool { return c.about == about }) {
			t.Errorf("%q is decided, and is no check", about)
		}
	}
}

// divided converts a window that is longer than a target takes: the pieces'
// targets are the window's, and each piece opens as it does.
func divided(t *testing.T, session *duck.Session, report *strings.Builder) {
	t.Helper()
	texts, err := session.Strings(t.Context(), "select to_json(messages)::varchar from examples('cd') where window_index = 0")
	if err != nil || len(texts) != 1 {
		t.Fatalf("%d windows, %v", len(texts), err)
	}
	example := canonical.Example{ID: "cd", ToolsOrigin: "none"}
	if err := json.Unmarshal([]byte(texts[0]), &example.Messages); err != nil {
		t.Fatal(err)
	}
	to, err := target.Named("openai")
	if err != nil {
		t.Fatal(err)
	}
	example.Tools, example.ToolsOrigin = toolsOf(example.Messages), "inferred"
	const limit = 65_536
	result, err := to.Convert(example, target.Options{MaxTokens: limit, Count: func(m lake.Message) int {
		n := len(m.Content)
		for _, call := range m.ToolCalls {
			n += len(call.Name) + len(call.Arguments)
		}
		return n / 4
	}})
	if err != nil {
		t.Fatal(err)
	}
	targets := 0
	for _, line := range result.Lines {
		targets += line.Targets
		if line.Example.Messages[0].Content != result.Lines[0].Example.Messages[0].Content {
			t.Error("a piece does not repeat the window's opening")
		}
	}
	found := fmt.Sprintf("%d targets", targets)
	fmt.Fprintf(report, "%-88s  expected %-48s found %s in %d pieces\n", "cd: the first window's targets, divided", "50 targets", found, len(result.Lines))
	if want := canonical.Targets(example.Messages); targets != want || want != 50 || len(result.Lines) < 2 {
		t.Errorf("%s in %d pieces, want %d: %v", found, len(result.Lines), want, result.Losses)
	}
}

func toolsOf(messages []lake.Message) (tools []lake.Tool) {
	for _, m := range messages {
		for _, call := range m.ToolCalls {
			if !slices.ContainsFunc(tools, func(had lake.Tool) bool { return had.Name == call.Name }) {
				tools = append(tools, lake.Tool{Name: call.Name, Parameters: `{"type":"object"}`})
			}
		}
	}
	return tools
}

// sampleReader collects the events of sample files, each once, and remembers
// where they came from.
type sampleReader struct {
	t      *testing.T
	events []lake.Event
	table  string
	rows   []string
	seen   map[string]bool
	file   string
	format source.Format
}

func (r *sampleReader) read(format source.Format, pattern string) {
	r.t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		r.t.Fatalf("%s: no sample files (%v)", pattern, err)
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			r.t.Fatal(err)
		}
		r.file, r.format = filepath.Base(path), format
		err = format.Read(context.Background(), &source.Input{Name: path, Path: path, R: file}, r)
		file.Close()
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// Emit implements source.Out. A record that stands in two files is one event:
// its row names the first.
func (r *sampleReader) Emit(event lake.Event) error {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	if r.seen[event.ID] {
		return nil
	}
	r.seen[event.ID] = true
	event.ParserVersion = r.format.Version
	r.events = append(r.events, event)
	position := int64(0)
	if message, ok := event.Data.(*lake.ChatMessage); ok {
		position = message.Position
	}
	r.rows = append(r.rows, fmt.Sprintf("(%s, %s, %d)", duck.Literal(event.ID), duck.Literal(r.file), position))
	return nil
}

// Reject implements source.Out: the samples are whole.
func (r *sampleReader) Reject(reject source.Reject) error {
	r.t.Errorf("%s:%d: %s: %s", r.file, reject.Line, reject.Reason, reject.Detail)
	return nil
}

func (r *sampleReader) register(session *duck.Session) {
	r.t.Helper()
	for _, statement := range []string{r.table, "insert into sample_events values " + strings.Join(r.rows, ", "), sampleMacros} {
		if err := session.Exec(r.t.Context(), statement); err != nil {
			r.t.Fatal(err)
		}
	}
}
