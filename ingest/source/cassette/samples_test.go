package cassette

import (
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
	"github.com/weir-lake/weir/lake"
)

// sampleCalls is what each recorded file holds: exchanges less polls, token
// counts and stored conversations.
var sampleCalls = map[string]int{
	"test_anthropic/test_anthropic_advisor_tool.yaml":                                                               1,
	"test_anthropic/test_anthropic_cache_bedrock_real_api.yaml":                                                     2,
	"test_anthropic/test_anthropic_code_execution_tool_container_reuse.yaml":                                        2,
	"test_anthropic/test_anthropic_count_tokens_with_adaptive_thinking_and_output_tools.yaml":                       1,
	"test_anthropic/test_anthropic_deferred_capability_without_tool_search_across_models[claude-opus-5].yaml":       3,
	"test_anthropic/test_anthropic_fable_5_lazy_advertisement_live.yaml":                                            3,
	"test_anthropic/test_anthropic_memory_tool.yaml":                                                                2,
	"test_anthropic/test_anthropic_model_thinking_part_redacted.yaml":                                               2,
	"test_anthropic/test_anthropic_model_web_search_tool_stream.yaml":                                               1,
	"test_anthropic/test_anthropic_server_tool_receive_history_from_another_provider.yaml":                          2,
	"test_anthropic/test_anthropic_text_parts_ahead_of_built_in_tool_call.yaml":                                     4,
	"test_anthropic/test_anthropic_web_fetch_tool_stream.yaml":                                                      1,
	"test_openai/test_compatible_api_with_tool_calls_without_id.yaml":                                               2,
	"test_openai/test_multiple_agent_tool_calls.yaml":                                                               4,
	"test_openai/test_openai_instructions_with_responses_logprobs.yaml":                                             1,
	"test_openai/test_openai_instructions_with_responses_logprobs_streaming.yaml":                                   1,
	"test_openai/test_openai_instructions_with_tool_calls_keep_instructions.yaml":                                   2,
	"test_openai/test_openai_model_cerebras_provider_qwen_3_coder.yaml":                                             2,
	"test_openai/test_openai_model_thinking_part.yaml":                                                              2,
	"test_openai/test_openai_moderation.yaml":                                                                       1,
	"test_openai/test_openai_moderation_block_policy.yaml":                                                          1,
	"test_openai/test_openai_moderation_flagged.yaml":                                                               1,
	"test_openai/test_openai_moderation_stream.yaml":                                                                1,
	"test_openai/test_openai_native_output.yaml":                                                                    2,
	"test_openai/test_openai_native_output_multiple.yaml":                                                           2,
	"test_openai/test_openai_prompted_output.yaml":                                                                  2,
	"test_openai/test_openai_prompted_output_multiple.yaml":                                                         2,
	"test_openai/test_openai_responses_native_output_decimal_strict.yaml":                                           1,
	"test_openai/test_openai_text_output_function.yaml":                                                             2,
	"test_openai/test_openai_tool_output.yaml":                                                                      2,
	"test_openai/test_openai_web_search_tool_with_user_location.yaml":                                               1,
	"test_openai/test_run_stream_sync_streams_real_model.yaml":                                                      2,
	"test_openai_responses/test_azure_responses_reasoning_context_default_wire_contract[gpt-5.4].yaml":              1,
	"test_openai_responses/test_background_mode_streaming_continuation_vcr.yaml":                                    1,
	"test_openai_responses/test_background_mode_vcr.yaml":                                                           1,
	"test_openai_responses/test_native_output_multiple.yaml":                                                        2,
	"test_openai_responses/test_openai_conversation_id_preserves_mismatched_history.yaml":                           1,
	"test_openai_responses/test_openai_include_raw_annotations_streaming.yaml":                                      3,
	"test_openai_responses/test_openai_responses_compact_messages_direct.yaml":                                      3,
	"test_openai_responses/test_openai_responses_compact_with_instructions.yaml":                                    2,
	"test_openai_responses/test_openai_responses_history_with_combined_tool_call_id.yaml":                           1,
	"test_openai_responses/test_openai_responses_model_mcp_server_tool_stream.yaml":                                 1,
	"test_openai_responses/test_openai_responses_model_thinking_part.yaml":                                          2,
	"test_openai_responses/test_openai_responses_model_web_search_tool_with_invalid_region.yaml":                    1,
	"test_openai_responses/test_openai_responses_moderation_block_policy.yaml":                                      1,
	"test_openai_responses/test_openai_responses_phase_live.yaml":                                                   2,
	"test_openai_responses/test_openai_responses_reasoning_context_default_wire_contract[default-unsupported].yaml": 1,
	"test_openai_responses/test_openai_responses_reasoning_mode_pro.yaml":                                           1,
	"test_openai_responses/test_openai_responses_streaming_usage.yaml":                                              1,
	"test_openai_responses/test_openai_responses_thinking_with_code_execution_tool_stream.yaml":                     1,
	"test_openai_responses/test_prompted_output_multiple.yaml":                                                      2,
	"test_openai_responses/test_tool_output.yaml":                                                                   2,
}

func TestSamples(t *testing.T) {
	dir := llmtest.Samples(t, "llm-http")
	ids := map[string]string{}
	for name, want := range sampleCalls {
		got := llmtest.ReadFile(t, Format(), filepath.Join(dir, name))
		if len(got.Events) != want || len(got.Rejects) != 0 {
			t.Errorf("%s: %d calls and %d rejects, want %d and none", name, len(got.Events), len(got.Rejects), want)
		}
		for _, e := range got.Events {
			if other := ids[e.ID]; other != "" {
				t.Errorf("event %s of %s is also in %s", e.ID, name, other)
			}
			ids[e.ID] = name
			call := e.Data.(*lake.GatewayCall)
			if call.Status != "success" || call.Provider == "" || call.Model == "" || call.InputTokens == nil || len(call.Messages) == 0 {
				t.Errorf("%s: %+v lacks what every sample says", name, call)
			}
			if len(call.Output) != 1 != (call.Purpose == "compaction") {
				t.Errorf("%s: %d outputs with purpose %q", name, len(call.Output), call.Purpose)
			}
			text, err := e.Encode()
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"encrypted_content", `signature\":`, "thoughtSignature"} {
				if hasAny(text, word) {
					t.Errorf("%s: the event holds %q", name, word)
				}
			}
		}
	}
}

// TestSamplesContinue checks on the samples what transforms build on: the
// request of a call that follows holds the output before it, unchanged.
func TestSamplesContinue(t *testing.T) {
	dir := llmtest.Samples(t, "llm-http")
	for name, want := range map[string]int{ // calls that continue the one before
		"test_openai/test_openai_native_output.yaml":                                                              1,
		"test_openai/test_openai_native_output_multiple.yaml":                                                     1,
		"test_openai/test_openai_prompted_output.yaml":                                                            1,
		"test_openai/test_openai_prompted_output_multiple.yaml":                                                   1,
		"test_openai/test_openai_text_output_function.yaml":                                                       1,
		"test_openai/test_openai_tool_output.yaml":                                                                1,
		"test_openai/test_multiple_agent_tool_calls.yaml":                                                         3,
		"test_openai/test_compatible_api_with_tool_calls_without_id.yaml":                                         1,
		"test_openai/test_openai_model_thinking_part.yaml":                                                        1,
		"test_openai/test_openai_model_cerebras_provider_qwen_3_coder.yaml":                                       1,
		"test_openai/test_run_stream_sync_streams_real_model.yaml":                                                1,
		"test_openai_responses/test_openai_responses_phase_live.yaml":                                             1,
		"test_openai_responses/test_openai_responses_model_thinking_part.yaml":                                    1,
		"test_openai_responses/test_openai_responses_compact_messages_direct.yaml":                                2,
		"test_openai_responses/test_tool_output.yaml":                                                             1,
		"test_anthropic/test_anthropic_fable_5_lazy_advertisement_live.yaml":                                      2,
		"test_anthropic/test_anthropic_deferred_capability_without_tool_search_across_models[claude-opus-5].yaml": 2,
		"test_anthropic/test_anthropic_model_thinking_part_redacted.yaml":                                         1,
		"test_anthropic/test_anthropic_memory_tool.yaml":                                                          1,
	} {
		calls := llmtest.ReadFile(t, Format(), filepath.Join(dir, name)).Calls()
		got := 0
		for i := 1; i < len(calls); i++ {
			if continues(calls[i], calls[i-1]) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d of %d calls continue the one before, want %d", name, got, len(calls), want)
		}
	}
}

func continues(call, before *lake.GatewayCall) bool {
	history := append(append([]lake.Message{}, before.Messages...), before.Output...)
	if len(call.Messages) < len(history) {
		return false
	}
	for i, m := range history {
		if say(m) != say(call.Messages[i]) {
			return false
		}
	}
	return true
}

// say is what a message says, without ids, reasoning and parts.
func say(m lake.Message) string {
	text := m.Role + "\n" + m.Content
	for _, call := range m.ToolCalls {
		text += "\n" + call.Name + call.Arguments
	}
	return text
}
