package target

import (
	"slices"
	"strings"
	"testing"
)

const (
	plainLine = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`
	toolLine  = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[{"id":"a1b2c3d4e","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a1b2c3d4e","content":"x"},{"role":"assistant","content":"b"}],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}]}`
)

const (
	shareGPTLineOK = `{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{}}"},{"from":"observation","value":"x"},{"from":"gpt","value":"b"}],"system":null,"tools":"[{\"name\":\"f\",\"parameters\":{\"properties\":{}}}]"}`
	geminiLineOK   = `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]},{"role":"model","parts":[{"text":"b"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`
	converseLineOK = `{"schemaVersion":"x","messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"f","input":{}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"x"}]}}]},{"role":"assistant","content":[{"text":"b"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}}`
	claudeLineOK   = `{"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`
	swiftLineOK    = `{"messages":[{"role":"user","content":"a"},{"role":"tool_call","content":"{\"name\":\"f\",\"arguments\":{}}","loss":true},{"role":"tool_response","content":"x"},{"role":"assistant","content":"b","loss":false}],"tools":"[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"}`
)

const (
	choiceLineOK   = `{"input":{"messages":[{"role":"user","content":"a"}]},"preferred_output":[{"role":"assistant","content":"b"}],"non_preferred_output":[{"role":"assistant","content":"c"}]}`
	choiceToolsOK  = `{"input":{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"}}]},"preferred_output":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}],"non_preferred_output":[{"role":"assistant","content":"c"}]}`
	trlPairOK      = `{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}`
	axolotlPairOK  = `{"messages":[{"role":"user","content":"a"}],"chosen":{"role":"assistant","content":"b"},"rejected":{"role":"assistant","content":"c"}}`
	shareGPTPairOK = `{"conversations":[{"from":"human","value":"a"}],"chosen":{"from":"gpt","value":"b"},"rejected":{"from":"gpt","value":"c"},"system":"","tools":""}`
	rftLineOK      = `{"messages":[{"role":"developer","content":"s"},{"role":"user","content":"17*2?"}],"answer":"34"}`
	swiftPairOK    = `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected_response":[{"role":"assistant","content":"c"}]}`
)

// Lines that weir did not write, for the targets that check_test.go leaves
// out: the rules that each breaks. edit replaces a text of the line by another.
var targetCases = []struct {
	target, name, line string
	edit               []string
	want               []string
}{
	{target: "azure", name: "plain_chat", line: plainLine},
	{target: "azure", name: "eleven_images", line: `{"messages":[{"role":"user","content":[` + strings.Repeat(`{"type":"image_url","image_url":{"url":"u"}},`, 10) + `{"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":"b"}]}`},
	{target: "azure", name: "sixty_five_images", line: `{"messages":[{"role":"user","content":[` + strings.Repeat(`{"type":"image_url","image_url":{"url":"u"}},`, 64) + `{"type":"image_url","image_url":{"url":"u"}}]},{"role":"assistant","content":"b"}]}`, want: []string{ruleImages}},
	{target: "fireworks", name: "tools", line: toolLine},
	{target: "fireworks", name: "call_without_id", line: toolLine, edit: []string{`"id":"a1b2c3d4e",`, "", `"tool_call_id":"a1b2c3d4e",`, ""}},
	{target: "fireworks", name: "negative_root_weight", line: plainLine, edit: []string{`]}`, `],"weight":-0.5}`}},
	{target: "fireworks", name: "late_system", line: plainLine, edit: []string{`{"role":"assistant"`, `{"role":"system","content":"s"},{"role":"assistant"`}, want: []string{ruleOrder}},
	{target: "fireworks", name: "ends_on_user", line: plainLine, edit: []string{`]}`, `,{"role":"user","content":"c"}]}`}, want: []string{ruleEnding}},
	{target: "fireworks", name: "arguments_as_object", line: toolLine, edit: []string{`"{}"`, `{}`}, want: []string{ruleType}},
	{target: "mistral", name: "plain_chat", line: plainLine},
	{target: "mistral", name: "tools", line: toolLine},
	{target: "mistral", name: "two_users", line: plainLine, edit: []string{`{"role":"assistant"`, `{"role":"user","content":"s"},{"role":"assistant"`}},
	{target: "mistral", name: "openai_ids", line: toolLine, edit: []string{"a1b2c3d4e", "call_abc123"}, want: []string{ruleCall}},
	{target: "mistral", name: "text_beside_calls", line: toolLine, edit: []string{`"tool_calls"`, `"content":"t","tool_calls"`}, want: []string{ruleContent}},
	{target: "mistral", name: "empty_text_beside_calls", line: toolLine, edit: []string{`"tool_calls"`, `"content":"","tool_calls"`}},
	{target: "mistral", name: "empty_text", line: plainLine, edit: []string{`"b"`, `""`}, want: []string{ruleContent}},
	{target: "mistral", name: "tool_without_description", line: toolLine, edit: []string{`"description":"d",`, ``}, want: []string{ruleMissing}},
	{target: "mistral", name: "no_such_type", line: toolLine, edit: []string{`"type":"object"`, `"type":"thing"`}, want: []string{ruleTool}},
	{target: "mistral", name: "user_after_tool", line: toolLine, edit: []string{`{"role":"assistant","content"`, `{"role":"user","content":"c"},{"role":"assistant","content"`}, want: []string{ruleOrder}},
	{target: "mistral", name: "ends_on_a_call", line: toolLine, edit: []string{`,{"role":"tool","tool_call_id":"a1b2c3d4e","content":"x"},{"role":"assistant","content":"b"}`, ``}},
	{target: "mistral", name: "ends_on_two_calls", line: toolLine, edit: []string{`,{"role":"tool","tool_call_id":"a1b2c3d4e","content":"x"},{"role":"assistant","content":"b"}`, ``, `"tool_calls":[`, `"tool_calls":[{"id":"b1b2c3d4e","type":"function","function":{"name":"f","arguments":"{}"}},`}, want: []string{ruleCall}},
	{target: "mistral", name: "assistant_first", line: plainLine, edit: []string{`{"role":"user","content":"a"},`, ``}, want: []string{ruleOrder}},
	{target: "mistral", name: "two_systems", line: plainLine, edit: []string{`[{`, `[{"role":"system","content":"s"},{"role":"system","content":"s"},{`}, want: []string{ruleOrder}},
	{target: "mistral", name: "half_weight", line: plainLine, edit: []string{`"b"`, `"b","weight":0.5`}, want: []string{ruleTrained, ruleWeight}},
	{target: "mistral", name: "undeclared", line: toolLine, edit: []string{`"name":"f","arguments"`, `"name":"g","arguments"`}, want: []string{ruleTool}},
	{target: "mistral", name: "ends_on_user", line: plainLine, edit: []string{`]}`, `,{"role":"user","content":"c"}]}`}, want: []string{ruleEnding}},
	{target: "trl", name: "plain_chat", line: plainLine},
	{target: "trl", name: "tools", line: toolLine, edit: []string{`"{}"`, `{}`}},
	{target: "trl", name: "tools_in_a_text", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":"[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]"}`},
	{target: "trl", name: "tools_in_a_broken_text", line: plainLine, edit: []string{`]}`, `],"tools":"[{"}`}, want: []string{ruleType}},
	{target: "trl", name: "arguments_as_text", line: toolLine, want: []string{ruleCall}},
	{target: "trl", name: "prompt_beside_messages", line: plainLine, edit: []string{`]}`, `],"prompt":[]}`}, want: []string{ruleKey}},
	{target: "trl-completion", name: "plain", line: `{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`},
	{target: "trl-completion", name: "empty_prompt", line: `{"prompt":[],"completion":[{"role":"assistant","content":"b"}]}`, want: []string{ruleMissing}},
	{target: "trl-completion", name: "prompt_of_the_system", line: `{"prompt":[{"role":"system","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`, want: []string{ruleEnding}},
	{target: "trl-completion", name: "no_assistant", line: `{"prompt":[{"role":"user","content":"a"}],"completion":[{"role":"user","content":"b"}]}`, want: []string{ruleTrained}},
	{target: "trl-completion", name: "messages", line: plainLine, want: []string{ruleMissing, ruleMissing, ruleKey}},
	{target: "axolotl", name: "tools", line: toolLine},
	{target: "axolotl", name: "marks", line: plainLine, edit: []string{`"b"`, `"b","train":true`}},
	{target: "axolotl", name: "nothing_trained", line: plainLine, edit: []string{`"b"`, `"b","train":false`}, want: []string{ruleTrained}},
	{target: "axolotl", name: "mark_is_a_text", line: plainLine, edit: []string{`"b"`, `"b","train":"yes"`}, want: []string{ruleType}},
	{target: "axolotl", name: "broken_arguments", line: toolLine, edit: []string{`"{}"`, `"{"`}, want: []string{ruleType}},
	{target: "llama-factory", name: "tools", line: shareGPTLineOK},
	{target: "llama-factory", name: "list_of_calls", line: shareGPTLineOK, edit: []string{`"{\"name\":\"f\",\"arguments\":{}}"`, `"[{\"name\":\"f\",\"arguments\":{}},{\"name\":\"f\",\"arguments\":{}}]"`}},
	{target: "llama-factory", name: "arguments_as_text", line: shareGPTLineOK, edit: []string{`\"arguments\":{}`, `\"arguments\":\"{}\"`}, want: []string{ruleCall}},
	{target: "llama-factory", name: "tool_without_properties", line: shareGPTLineOK, edit: []string{`{\"properties\":{}}`, `{}`}, want: []string{ruleTool}},
	{target: "llama-factory", name: "two_humans", line: shareGPTLineOK, edit: []string{`{"from":"human","value":"a"}`, `{"from":"human","value":"a"},{"from":"human","value":"a"}`}, want: []string{ruleEnding, ruleOrder, ruleOrder, ruleOrder, ruleOrder}},
	{target: "llama-factory", name: "ends_on_human", line: `{"conversations":[{"from":"human","value":"a"}],"system":"","tools":""}`, want: []string{ruleEnding}},
	{target: "llama-factory", name: "role_of_openai", line: `{"conversations":[{"from":"user","value":"a"},{"from":"gpt","value":"a"}],"system":"","tools":""}`, want: []string{ruleRole}},
	{target: "llama-factory", name: "tools_as_list", line: `{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"a"}],"system":"","tools":[]}`, want: []string{ruleType}},
	{target: "gemini", name: "tools", line: geminiLineOK},
	{target: "gemini", name: "arguments_as_text", line: geminiLineOK, edit: []string{`"args":{}`, `"args":"{}"`}, want: []string{ruleCall}},
	{target: "gemini", name: "response_as_text", line: geminiLineOK, edit: []string{`"response":{}`, `"response":"x"`}, want: []string{ruleCall}},
	{target: "gemini", name: "answer_of_another", line: geminiLineOK, edit: []string{`{"name":"f","response"`, `{"name":"g","response"`}, want: []string{ruleAnswer, ruleAnswer}},
	{target: "gemini", name: "assistant_role", line: geminiLineOK, edit: []string{`"role":"model"`, `"role":"assistant"`}, want: []string{ruleEnding, ruleRole, ruleRole, ruleRole}},
	{target: "gemini", name: "ends_on_user", line: `{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`, want: []string{ruleEnding}},
	{target: "gemini", name: "messages", line: plainLine, want: []string{ruleMissing, ruleKey}},
	{target: "bedrock-nova", name: "tools", line: converseLineOK},
	{target: "bedrock-nova", name: "reserved", line: converseLineOK, edit: []string{`"text":"a"`, `"text":"say User: a"`}, want: []string{ruleReserved}},
	{target: "bedrock-nova", name: "id_of_no_call", line: converseLineOK, edit: []string{`{"toolResult":{"toolUseId":"1"`, `{"toolResult":{"toolUseId":"2"`}, want: []string{ruleAnswer, ruleAnswer}},
	{target: "bedrock-nova", name: "no_version", line: converseLineOK, edit: []string{`"schemaVersion":"x",`, ``}, want: []string{ruleMissing}},
	{target: "bedrock-nova", name: "content_as_text", line: `{"schemaVersion":"x","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"text":"b"}]}]}`, want: []string{ruleType}},
	{target: "bedrock-nova", name: "input_as_text", line: converseLineOK, edit: []string{`"input":{}`, `"input":"{}"`}, want: []string{ruleCall}},
	{target: "bedrock-nova", name: "call_without_tools", line: converseLineOK, edit: []string{`,"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]}`, ``}, want: []string{ruleTool}},
	{target: "bedrock-claude", name: "plain", line: claudeLineOK},
	{target: "bedrock-claude", name: "tools", line: claudeLineOK, edit: []string{`]}`, `],"tools":[]}`}, want: []string{ruleKey}},
	{target: "bedrock-claude", name: "weight", line: claudeLineOK, edit: []string{`"b"`, `"b","weight":1`}, want: []string{ruleKey}},
	{target: "bedrock-claude", name: "assistant_first", line: claudeLineOK, edit: []string{`"user"`, `"assistant"`}, want: []string{ruleOrder, ruleOrder}},
	{target: "bedrock-claude", name: "system_in_messages", line: claudeLineOK, edit: []string{`"user"`, `"system"`}, want: []string{ruleRole}},
	{target: "ms-swift", name: "tools", line: swiftLineOK},
	{target: "ms-swift", name: "call_is_no_json", line: swiftLineOK, edit: []string{`"{\"name\":\"f\",\"arguments\":{}}"`, `"f()"`}, want: []string{ruleType}},
	{target: "ms-swift", name: "nothing_trained", line: swiftLineOK, edit: []string{`true`, `false`}, want: []string{ruleTrained}},
	{target: "ms-swift", name: "orphan_result", line: swiftLineOK, edit: []string{`{"role":"user","content":"a"}`, `{"role":"tool_response","content":"x"}`}, want: []string{ruleAnswer}},
	{target: "ms-swift", name: "tools_as_list", line: `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[]}`, want: []string{ruleType}},
	{target: "mlx", name: "tools", line: toolLine},
	{target: "mlx", name: "tools_in_a_text", line: plainLine, edit: []string{`]}`, `],"tools":"[]"}`}, want: []string{ruleType}},
	{target: "openai-dpo", name: "text", line: choiceLineOK},
	{target: "openai-dpo", name: "tools", line: choiceToolsOK},
	{target: "openai-dpo", name: "completions_of_early_2025", line: choiceLineOK, edit: []string{`preferred_output`, `preferred_completion`}, want: []string{ruleMissing, ruleMissing, ruleKey, ruleKey}},
	{target: "openai-dpo", name: "two_answers", line: choiceLineOK, edit: []string{`{"role":"assistant","content":"b"}`, `{"role":"assistant","content":"b"},{"role":"assistant","content":"b"}`}, want: []string{ruleOrder}},
	{target: "openai-dpo", name: "answer_of_the_user", line: choiceLineOK, edit: []string{`{"role":"assistant","content":"b"}`, `{"role":"user","content":"b"}`}, want: []string{ruleTrained, ruleRole}},
	{target: "openai-dpo", name: "answer_as_text", line: choiceLineOK, edit: []string{`[{"role":"assistant","content":"b"}]`, `"b"`}, want: []string{ruleType}},
	{target: "openai-dpo", name: "weight", line: choiceLineOK, edit: []string{`"content":"b"`, `"content":"b","weight":1`}, want: []string{ruleKey}},
	{target: "openai-dpo", name: "no_input", line: choiceLineOK, edit: []string{`"input":{"messages":[{"role":"user","content":"a"}]},`, ``}, want: []string{ruleMissing}},
	{target: "openai-dpo", name: "call_without_tools", line: choiceToolsOK, edit: []string{`,"tools":[{"type":"function","function":{"name":"f"}}]`, ``}, want: []string{ruleTool}},
	{target: "openai-dpo", name: "messages_beside", line: plainLine, want: []string{ruleMissing, ruleMissing, ruleMissing, ruleKey}},
	{target: "azure-dpo", name: "several_messages", line: choiceToolsOK, edit: []string{`"preferred_output":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}]`, `"preferred_output":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"x"},{"role":"assistant","content":"b"}]`}},
	{target: "azure-dpo", name: "no_assistant", line: choiceLineOK, edit: []string{`{"role":"assistant","content":"b"}`, `{"role":"tool","tool_call_id":"1","content":"b"}`}, want: []string{ruleTrained}},
	{target: "fireworks-dpo", name: "text", line: choiceLineOK},
	{target: "fireworks-dpo", name: "late_system", line: choiceLineOK, edit: []string{`{"role":"user","content":"a"}`, `{"role":"user","content":"a"},{"role":"system","content":"s"}`}, want: []string{ruleOrder}},
	{target: "together-dpo", name: "tools_in_the_input", line: choiceToolsOK},
	{target: "together-dpo", name: "tools_at_the_top", line: choiceLineOK, edit: []string{`]}],`, `]}],"tools":[],`, `"b"}],`, `"b"}],"tools":[],`}, want: []string{ruleKey}},
	{target: "together-dpo", name: "two_users", line: choiceLineOK, edit: []string{`{"role":"user","content":"a"}`, `{"role":"user","content":"a"},{"role":"user","content":"a"}`}, want: []string{ruleOrder}},
	{target: "trl-dpo", name: "text", line: trlPairOK},
	{target: "trl-dpo", name: "no_prompt", line: trlPairOK, edit: []string{`"prompt":[{"role":"user","content":"a"}],`, ``}, want: []string{ruleMissing}},
	{target: "trl-dpo", name: "prompt_of_the_system", line: trlPairOK, edit: []string{`"user"`, `"system"`}, want: []string{ruleEnding}},
	{target: "trl-dpo", name: "chosen_of_the_user", line: trlPairOK, edit: []string{`"chosen":[{"role":"assistant"`, `"chosen":[{"role":"user"`}, want: []string{ruleTrained}},
	{target: "axolotl-dpo", name: "text", line: axolotlPairOK},
	{target: "axolotl-dpo", name: "chosen_as_list", line: axolotlPairOK, edit: []string{`"chosen":{"role":"assistant","content":"b"}`, `"chosen":[{"role":"assistant","content":"b"}]`}, want: []string{ruleMissing}},
	{target: "axolotl-dpo", name: "tools", line: axolotlPairOK, edit: []string{`"messages"`, `"tools":[],"messages"`}, want: []string{ruleKey}},
	{target: "llama-factory-dpo", name: "text", line: shareGPTPairOK},
	{target: "llama-factory-dpo", name: "even", line: shareGPTPairOK, edit: []string{`{"from":"human","value":"a"}`, `{"from":"human","value":"a"},{"from":"gpt","value":"a"}`}, want: []string{ruleEnding}},
	{target: "llama-factory-dpo", name: "rejected_human", line: shareGPTPairOK, edit: []string{`"rejected":{"from":"gpt"`, `"rejected":{"from":"human"`}, want: []string{ruleOrder}},
	{target: "llama-factory-dpo", name: "rejected_as_text", line: shareGPTPairOK, edit: []string{`"rejected":{"from":"gpt","value":"c"}`, `"rejected":"c"`}, want: []string{ruleMissing}},
	{target: "ms-swift-dpo", name: "list", line: swiftPairOK},
	{target: "ms-swift-dpo", name: "text", line: swiftPairOK, edit: []string{`[{"role":"assistant","content":"c"}]`, `"c"`}},
	{target: "ms-swift-dpo", name: "equal_text", line: swiftPairOK, edit: []string{`[{"role":"assistant","content":"c"}]`, `"b"`}, want: []string{ruleTrained}},
	{target: "ms-swift-dpo", name: "user_in_the_answer", line: swiftPairOK, edit: []string{`[{"role":"assistant","content":"c"}]`, `[{"role":"user","content":"d"},{"role":"assistant","content":"c"}]`}, want: []string{ruleRole}},
	{target: "ms-swift-dpo", name: "no_rejected", line: plainLine, want: []string{ruleMissing}},
	// Found by scripts/checkers.sh: a checker that is not weir's refused these.
	{target: "mistral", name: "empty_message", line: plainLine, edit: []string{`{"role":"user","content":"a"}`, `{}`}, want: []string{ruleContent, ruleMissing}},
	{target: "mistral", name: "key_of_a_call", line: toolLine, edit: []string{`"arguments":"{}"`, `"arguments":"{}","x":1`}, want: []string{ruleKey}},
	{target: "azure", name: "key_of_a_tool", line: toolLine, edit: []string{`"description":`, `"x":1,"description":`}, want: []string{ruleKey}},
	{target: "trl", name: "key_of_a_tool", line: toolLine, edit: []string{`"{}"`, `{}`, `"description":`, `"return":{},"description":`}},
	{target: "trl-completion", name: "late_system", line: `{"prompt":[{"role":"user","content":"a"},{"role":"system","content":"s"},{"role":"user","content":"a"}],"completion":[{"role":"assistant","content":"b"}]}`, want: []string{ruleOrder}},
	{target: "trl-dpo", name: "orphan_result", line: trlPairOK, edit: []string{`{"role":"user","content":"a"}`, `{"role":"user","content":"a"},{"role":"tool","tool_call_id":"1","content":"x"}`}, want: []string{ruleAnswer, ruleAnswer}},
	{target: "axolotl", name: "name_is_a_number", line: plainLine, edit: []string{`"content":"a"`, `"content":"a","name":7`}, want: []string{ruleType}},
	{target: "gemini", name: "key_of_a_tool", line: geminiLineOK, edit: []string{`"name":"f"}]}]`, `"name":"f","description":7,"strict":true}]}]`}, want: []string{ruleType, ruleKey}},
	{target: "bedrock-nova", name: "empty_block", line: converseLineOK, edit: []string{`[{"text":"a"}]`, `[{}]`}, want: []string{ruleContent}},
	{target: "bedrock-nova", name: "empty_text", line: converseLineOK, edit: []string{`{"text":"a"}`, `{"text":""}`}, want: []string{ruleContent}},
	{target: "bedrock-nova", name: "key_of_a_result", line: converseLineOK, edit: []string{`"content":[{"text":"x"}]`, `"content":[{"text":"x"}],"x":1`}, want: []string{ruleKey}},
	{target: "openai-rft", name: "item", line: rftLineOK},
	{target: "openai-rft", name: "no_reference", line: rftLineOK, edit: []string{`,"answer":"34"`, ``}},
	{target: "openai-rft", name: "ends_on_the_assistant", line: plainLine, want: []string{ruleEnding}},
	{target: "openai-rft", name: "system", line: rftLineOK, edit: []string{`developer`, `system`}, want: []string{ruleRole}},
	{target: "openai-rft", name: "weight", line: rftLineOK, edit: []string{`"content":"17*2?"`, `"content":"17*2?","weight":1`}, want: []string{ruleKey}},
	{target: "mlx", name: "no_messages", line: `{"text":"a"}`, want: []string{ruleMissing, ruleKey}},
}

func TestCheckLineOfEachTarget(t *testing.T) {
	good, bad := map[string]int{}, map[string]int{}
	for _, test := range targetCases {
		line := strings.NewReplacer(test.edit...).Replace(test.line)
		if len(test.edit) > 0 && line == test.line {
			t.Fatalf("%s/%s: the edit changes nothing", test.target, test.name)
		}
		t.Run(test.target+"/"+test.name, func(t *testing.T) {
			found := named(t, test.target).CheckLine([]byte(line))
			if got := rulesOf(found); !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v: %v", got, test.want, found)
			}
		})
		if len(test.want) == 0 {
			good[test.target]++
		} else {
			bad[test.target]++
		}
	}
	for _, target := range All() {
		if target.Name == "openai" || target.Name == "together" {
			continue // check_test.go has theirs
		}
		if good[target.Name] == 0 || bad[target.Name] == 0 {
			t.Errorf("%s has %d good and %d bad lines; it needs both", target.Name, good[target.Name], bad[target.Name])
		}
	}
}

func TestWhatAFileOfATargetIs(t *testing.T) {
	lines := strings.Repeat(plainLine+"\n", 10)
	weighted := strings.Replace(plainLine, "]}", `],"weight":0.5}`, 1) + "\n"
	for _, test := range []struct {
		target, text string
		want         []string
	}{
		{"azure", "\ufeff" + lines, nil},
		{"azure", lines, []string{ruleBOM}},
		{"azure", "\ufeff" + lines + "\ufeff" + plainLine, []string{ruleJSON}},
		{"together", "\ufeff" + lines, []string{ruleBOM}},
		{"together", lines, nil},
		{"fireworks", strings.Repeat(weighted, 3), nil},
		{"fireworks", lines + strings.Repeat(weighted, 3) + lines, []string{ruleMissing}},
		{"together", lines + weighted, nil},
	} {
		var found []Finding
		if err := named(t, test.target).CheckFile(strings.NewReader(test.text), func(f Finding) { found = append(found, f) }); err != nil {
			t.Fatal(err)
		}
		if got := rulesOf(found); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v: %v", test.target, got, test.want, found)
		}
	}
}
