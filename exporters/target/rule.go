package target

import "slices"

// Rule names something that a conversion did to an example. The names stand in
// loss reports and manifests.
type Rule string

// The rules. Those that drop an example come first.
const (
	RuleMedia          Rule = "media"
	RuleNativeBlock    Rule = "native_block"
	RuleNoTarget       Rule = "no_target"
	RuleOrphanResult   Rule = "orphan_result"
	RuleUnanswered     Rule = "unanswered_call"
	RuleNoTools        Rule = "tools_missing"
	RuleBadSchema      Rule = "bad_tool_schema"
	RuleManyTools      Rule = "too_many_tools"
	RuleUnknownRole    Rule = "unknown_role"
	RuleAssistantFirst Rule = "assistant_first"
	RuleMixedTurns     Rule = "mixed_assistant_turns"
	RuleTooLong        Rule = "too_long"
	RuleContext        Rule = "longer_than_context"
	RuleUnmasked       Rule = "context_would_be_trained"
	RuleArguments      Rule = "arguments_no_object"
	RuleNotDeclared    Rule = "undeclared_call_refused"
	RuleUserAfterTool  Rule = "user_after_tool"
	RuleNoCalls        Rule = "calls_not_expressible"
	RuleReserved       Rule = "reserved_text"
	RuleNamed          Rule = "names_removed_text"
	RuleUnverified     Rule = "answer_not_verified"
	RuleNoQuestion     Rule = "no_reply_to_a_user"
	RuleNoPair         Rule = "no_preference_pair"
	RuleSameReplies    Rule = "replies_became_equal"

	RuleDivided        Rule = "divided"
	RuleTruncated      Rule = "truncated"
	RuleTargetTooLong  Rule = "target_too_long"
	RuleTailTrimmed    Rule = "tail_trimmed"
	RuleEmpty          Rule = "empty_message_removed"
	RuleResultMoved    Rule = "result_moved"
	RuleCallID         Rule = "call_id_made"
	RuleDeveloper      Rule = "developer_as_system"
	RulePerson         Rule = "person_as_pseudonym"
	RuleName           Rule = "name_rewritten"
	RuleNamePrefix     Rule = "name_as_prefix"
	RuleNameOmitted    Rule = "name_omitted"
	RuleToolName       Rule = "tool_name_rewritten"
	RuleUndeclared     Rule = "undeclared_call"
	RuleInferred       Rule = "tools_inferred"
	RuleTools          Rule = "duplicate_tool_removed"
	RuleReasoning      Rule = "reasoning_omitted"
	RuleIsError        Rule = "is_error_omitted"
	RuleAside          Rule = "annotation_omitted"
	RuleResponseFormat Rule = "response_format_omitted"
	RuleToolChoice     Rule = "tool_choice_omitted"
	RuleParallel       Rule = "parallel_tool_calls_omitted"
	RuleSystemMoved    Rule = "system_as_user"
	RuleSystemMerged   Rule = "systems_merged"
	RuleUserMerged     Rule = "users_merged"
	RuleTurnsMerged    Rule = "assistants_merged"

	RuleExpanded        Rule = "expanded"
	RuleLastOnly        Rule = "earlier_replies_not_trained"
	RuleUnmaskedCut     Rule = "cut_before_context_reply"
	RuleParallelEnd     Rule = "parallel_calls_not_trained"
	RuleArgumentsMade   Rule = "arguments_made"
	RuleCallIDRewritten Rule = "call_id_rewritten"
	RuleTextBesideCall  Rule = "text_beside_call_omitted"
	RuleToolDescription Rule = "tool_description_made"
	RuleToolParameters  Rule = "tool_parameters_made"
	RuleToolsOmitted    Rule = "tools_omitted"
	RuleResultWrapped   Rule = "result_wrapped"
	RuleResultsJoined   Rule = "results_joined"
	RuleFormatAside     Rule = "response_format_for_grader"
	RuleOneAnswer       Rule = "other_replies_not_asked"
	RuleFirstReply      Rule = "rest_of_reply_omitted"
)

// RuleInfo says what a rule does.
type RuleInfo struct {
	Rule  Rule
	Drops bool   // the example is left out
	Doc   string // what it does, and why
}

// Rules describes every rule in the order of the reports: drops first.
func Rules() []RuleInfo {
	return slices.Clone(ruleInfo)
}

var ruleInfo = []RuleInfo{
	{RuleMedia, true, "an image, a sound or a file is part of a message; only text is exported"},
	{RuleNativeBlock, true, "a provider's own block (server tool, unknown part) is part of a message and has no form elsewhere"},
	{RuleNoTarget, true, "no message is left that would be trained"},
	{RuleOrphanResult, true, "a tool result answers no call of the messages before"},
	{RuleUnanswered, true, "a call has no result, and the conversation goes on"},
	{RuleNoTools, true, "there are calls but no tool is declared, not even an inferred one"},
	{RuleBadSchema, true, "the parameters of a tool are no JSON object, or it has no name"},
	{RuleManyTools, true, "more tools are declared than the provider takes"},
	{RuleUnknownRole, true, "a message has a role that no target knows"},
	{RuleAssistantFirst, true, "an assistant message comes before any user message; the provider wants a user first"},
	{RuleMixedTurns, true, "assistant messages in a row, of which some are trained and some not, where turns must alternate"},
	{RuleTooLong, true, "longer than the limit, and it could not be divided"},
	{RuleContext, true, "longer than the model's context, and the policy is to drop such examples"},
	{RuleUnmasked, true, "an assistant message that is context only, where the target trains every assistant message, and more than a tenth of what is to be trained comes after it"},
	{RuleArguments, true, "the arguments of a call are no JSON object, and the target wants one"},
	{RuleNotDeclared, true, "a call of a tool that is not declared, where the provider refuses it"},
	{RuleUserAfterTool, true, "a user speaks after a tool result, where the assistant must"},
	{RuleNoCalls, true, "there are calls, and the format has none"},
	{RuleReserved, true, "a text has a string that the provider reserves: its job would fail"},
	{RuleNamed, true, "an answer names what the distillation rules took out of the prompt"},
	{RuleUnverified, true, "neither a review nor an outcome says that the answers are right: they are no reference"},
	{RuleNoQuestion, true, "no reply that is to be trained follows a user's message directly, on which a prompt must end"},
	{RuleNoPair, true, "the example is no preference pair, or one without a reply on either side"},
	{RuleSameReplies, true, "without what the format cannot carry, the better and the worse reply are equal"},
	{RuleTruncated, false, "longer than the model's context: what fits from the beginning stays, up to a reply; later replies are not trained"},
	{RuleDivided, false, "longer than the limit: divided at human prompts, else at calls; each piece repeats the opening"},
	{RuleTargetTooLong, false, "a trained message and what it answers are longer than the limit: left out of the pieces"},
	{RuleTailTrimmed, false, "messages after the last trained one: they would only cost tokens"},
	{RuleEmpty, false, "a message without text and calls"},
	{RuleResultMoved, false, "a tool result stood after another message and was moved to its call"},
	{RuleCallID, false, "a call had no id, or that of another call of its message: one was made, in the order of the calls"},
	{RuleDeveloper, false, "role developer became system"},
	{RulePerson, false, "a speaker who is not known to be an agent became person_1, person_2, …"},
	{RuleName, false, "a speaker's name has characters that the provider refuses"},
	{RuleNamePrefix, false, "the format has no names: the speaker stands before the text"},
	{RuleNameOmitted, false, "an assistant's or a system message's name, where the format has none"},
	{RuleToolName, false, "a tool's name has characters that the provider refuses"},
	{RuleUndeclared, false, "a call of a tool that is not among those declared"},
	{RuleInferred, false, "the tools were inferred from observed calls, not declared by the log"},
	{RuleTools, false, "a tool was declared twice: the first declaration stays"},
	{RuleReasoning, false, "reasoning, for which the format has no place"},
	{RuleIsError, false, "a tool failed; the format has no mark for it, the text stays"},
	{RuleAside, false, "annotations of a text (citations, a refusal mark); the text stays"},
	{RuleResponseFormat, false, "the request asked for an output format; a training line cannot say so"},
	{RuleToolChoice, false, "the request forced or forbade tools; a training line cannot say so"},
	{RuleParallel, false, "the request forbade or allowed parallel calls; the format cannot say so"},
	{RuleSystemMoved, false, "a system message in the middle became the user's"},
	{RuleSystemMerged, false, "system messages at the start became one"},
	{RuleUserMerged, false, "user messages in a row became one, where turns must alternate"},
	{RuleTurnsMerged, false, "assistant messages in a row became one, where turns must alternate"},
	{RuleExpanded, false, "the target trains the last message only, which has less than nine tenths of what is to be trained: a line for each trained message, what comes before it is context"},
	{RuleLastOnly, false, "the target trains the last message only, which has nine tenths of what is to be trained or more: the replies before it are context"},
	{RuleUnmaskedCut, false, "a reply that is context only, where the target trains every assistant message: the example ends before it, and the little that came after is not trained"},
	{RuleParallelEnd, false, "a reply that makes several calls, where a line cannot end on one: it is context and not trained"},
	{RuleArgumentsMade, false, "a call had no arguments: {} stands for them"},
	{RuleCallIDRewritten, false, "a call's id has a form that the provider refuses, or is another call's too"},
	{RuleTextBesideCall, false, "an assistant's text beside its calls, where the format has one of the two"},
	{RuleToolDescription, false, "a tool has no description, and the provider wants one: its name stands for it"},
	{RuleToolParameters, false, "a tool has no parameters or a schema without properties, and the provider wants them: empty ones stand for them"},
	{RuleToolsOmitted, false, "tools were declared and not called; the format has none"},
	{RuleResultWrapped, false, "a tool result that is no JSON object was put into one"},
	{RuleResultsJoined, false, "the results of parallel calls became one, in the order of the calls"},
	{RuleFormatAside, false, "the output format that the request wanted stands beside the prompt, for the grader; the model is told by the job, once for all items"},
	{RuleOneAnswer, false, "an item asks for one reply, the last one to a user: replies before are context, what follows is left out"},
	{RuleFirstReply, false, "the better or the worse way to go on is longer than an answer of the format: what follows the first message, or the first turn, is left out"},
}

// Losses counts how often each rule fired on an example.
type Losses map[Rule]int

func (l Losses) add(rule Rule) { l[rule]++ }
