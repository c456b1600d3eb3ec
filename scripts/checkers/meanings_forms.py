"""What the meaning of the forms forbids that are not OpenAI's: ms-swift's,
LLaMA-Factory's sharegpt, Gemini's, and Bedrock's two (see meanings.py)."""

import json

from meanings_chat import *  # what the forms have in common with the chat form


def swift_calls(messages):
    return [i for i, m in enumerate(messages) if m["role"] == "tool_call"]


def swift_call_no_json(row, messages):
    if not swift_calls(messages):
        return False
    messages[swift_calls(messages)[0]]["content"] = "{queue}"


def swift_call_without_name(row, messages):
    if not swift_calls(messages):
        return False
    messages[swift_calls(messages)[0]]["content"] = '{"arguments":{}}'


def swift_call_without_arguments(row, messages):
    if not swift_calls(messages):
        return False
    messages[swift_calls(messages)[0]]["content"] = '{"name":"note"}'


def swift_call_arguments_text(row, messages):
    if not swift_calls(messages):
        return False
    messages[swift_calls(messages)[0]]["content"] = '{"name":"note","arguments":"a"}'


def swift_call_list(row, messages):
    if not swift_calls(messages):
        return False
    messages[swift_calls(messages)[0]]["content"] = '[{"name":"note","arguments":{}}]'


def swift_call_without_tools(row, messages):
    if not swift_calls(messages):
        return False
    del row["tools"]


def swift_answer_removed(row, messages):
    at = next((i for i, m in enumerate(messages) if m["role"] == "tool_response"), None)
    if at is None:
        return False
    del messages[at]


def swift_answer_without_call(row, messages):
    messages.insert(-1, {"role": "tool_response", "content": "42"})


def swift_loss_text(row, messages):
    messages[-1]["loss"] = "yes"


def swift_trained_none(row, messages):
    for m in messages:
        m["loss"] = False


SWIFT = [
    role_unknown, role_capital, role_developer, messages_none, message_text, message_empty, content_number, order_system_in_the_middle,
    order_second_system, ends_on_user, trained_no_assistant, tools_no_json, tools_object, tool_twice, tool_name,
    tool_parameters_text, swift_call_no_json, swift_call_without_name, swift_call_without_arguments, swift_call_arguments_text,
    swift_call_list, swift_call_without_tools, swift_answer_removed, swift_answer_without_call, swift_loss_text, swift_trained_none,
]  # fmt: skip


def share_role(row, turns):
    turns[0]["from"] = "narrator"


def share_openai_role(row, turns):
    turns[0]["from"] = "user"


def share_two_humans(row, turns):
    turns.insert(0, {"from": "human", "value": "hello"})


def share_two_replies(row, turns):
    turns.append({"from": "gpt", "value": "hello"})


def share_reply_first(row, turns):
    turns.insert(0, {"from": "gpt", "value": "hello"})


def share_ends_on_human(row, turns):
    turns.append({"from": "human", "value": "hello"})


def share_none(row, turns):
    turns.clear()


def share_turn_text(row, turns):
    turns[0] = "hello"


def share_system_turn_in_the_middle(row, turns):
    turns.insert(1, {"from": "system", "value": "Be brief."})


def share_calls(turns):
    return [i for i, t in enumerate(turns) if t["from"] == "function_call"]


def share_call_no_json(row, turns):
    if not share_calls(turns):
        return False
    turns[share_calls(turns)[0]]["value"] = "{queue}"


def share_call_without_name(row, turns):
    if not share_calls(turns):
        return False
    turns[share_calls(turns)[0]]["value"] = '{"arguments":{}}'


def share_call_without_arguments(row, turns):
    if not share_calls(turns):
        return False
    turns[share_calls(turns)[0]]["value"] = '{"name":"note"}'


def share_call_arguments_text(row, turns):
    if not share_calls(turns):
        return False
    turns[share_calls(turns)[0]]["value"] = '{"name":"note","arguments":"{}"}'


def share_call_without_tools(row, turns):
    if not share_calls(turns):
        return False
    row["tools"] = ""


def share_observation_without_call(row, turns):
    turns[0]["from"] = "observation"


def share_tools_no_json(row, turns):
    row["tools"] = "[{"


def share_tools_list(row, turns):
    if not row["tools"]:
        return False
    row["tools"] = json.loads(row["tools"])


def share_tools_object(row, turns):
    row["tools"] = '{"name":"f"}'


def share_first_tool(row, change):
    if not row["tools"]:
        return False
    tools = json.loads(row["tools"])
    change(tools[0])
    row["tools"] = json.dumps(tools)


def share_tool_name(row, turns):
    return share_first_tool(row, lambda tool: tool.update(name="queue depth"))


def share_tool_without_name(row, turns):
    return share_first_tool(row, lambda tool: tool.pop("name"))


def share_tool_without_parameters(row, turns):
    return share_first_tool(row, lambda tool: tool.pop("parameters"))


def share_tool_without_properties(row, turns):
    return share_first_tool(row, lambda tool: tool.update(parameters={"type": "object"}))


SHAREGPT = [
    share_role, share_openai_role, share_two_humans, share_two_replies, share_reply_first, share_ends_on_human, share_none,
    share_turn_text, share_system_turn_in_the_middle, share_call_no_json, share_call_without_name, share_call_without_arguments,
    share_call_arguments_text, share_call_without_tools, share_observation_without_call, share_tools_no_json, share_tools_list,
    share_tools_object, share_tool_name, share_tool_without_name, share_tool_without_parameters, share_tool_without_properties,
]  # fmt: skip


def gemini_part(turns, key):
    for i, turn in enumerate(turns):
        for part in turn["parts"]:
            if key in part:
                return i, turn, part
    return None


def gemini_role(row, turns):
    turns[-1]["role"] = "assistant"


def gemini_role_system(row, turns):
    turns[0]["role"] = "system"


def gemini_none(row, turns):
    turns.clear()


def gemini_turn_text(row, turns):
    turns[0] = "hello"


def gemini_parts_text(row, turns):
    turns[0]["parts"] = "hello"


def gemini_part_text(row, turns):
    turns[0]["parts"][0] = "hello"


def gemini_part_two_kinds(row, turns):
    turns[0]["parts"][0]["fileData"] = {"mimeType": "image/png", "fileUri": "gs://a/b.png"}


def gemini_part_empty(row, turns):
    turns[0]["parts"][0] = {}


def gemini_part_unknown(row, turns):
    turns[0]["parts"][0] = {"smell": "x"}


def gemini_two_users(row, turns):
    turns.insert(0, {"role": "user", "parts": [{"text": "hello"}]})


def gemini_model_first(row, turns):
    turns.insert(0, {"role": "model", "parts": [{"text": "hello"}]})


def gemini_ends_on_user(row, turns):
    turns.append({"role": "user", "parts": [{"text": "hello"}]})


def gemini_args_text(row, turns):
    found = gemini_part(turns, "functionCall")
    if not found:
        return False
    found[2]["functionCall"]["args"] = "{}"


def gemini_response_text(row, turns):
    found = gemini_part(turns, "functionResponse")
    if not found:
        return False
    found[2]["functionResponse"]["response"] = "42"


def gemini_call_of_user(row, turns):
    turns[0]["parts"].append({"functionCall": {"name": "note", "args": {}}})


def gemini_answer_removed(row, turns):
    found = gemini_part(turns, "functionResponse")
    if not found:
        return False
    i, turn, part = found
    turn["parts"].remove(part)
    turn["parts"].append({"text": "x"})


def gemini_answer_of_other(row, turns):
    found = gemini_part(turns, "functionResponse")
    if not found:
        return False
    found[2]["functionResponse"]["name"] = "unheard_of"


def gemini_call_without_tools(row, turns):
    if not gemini_part(turns, "functionCall"):
        return False
    del row["tools"]


def gemini_tool_name(row, turns):
    if "tools" not in row:
        return False
    row["tools"][0]["functionDeclarations"][0]["name"] = "queue depth"


def gemini_tool_openai(row, turns):
    if "tools" not in row:
        return False
    row["tools"] = [{"type": "function", "function": f} for f in row["tools"][0]["functionDeclarations"]]


def gemini_tool_parameters_text(row, turns):
    if "tools" not in row:
        return False
    row["tools"][0]["functionDeclarations"][0]["parameters"] = "{}"


GEMINI = [
    gemini_role, gemini_role_system, gemini_none, gemini_turn_text, gemini_parts_text, gemini_part_text, gemini_part_two_kinds,
    gemini_part_empty, gemini_part_unknown, gemini_two_users, gemini_model_first, gemini_ends_on_user, gemini_args_text,
    gemini_response_text, gemini_call_of_user, gemini_answer_removed, gemini_answer_of_other, gemini_call_without_tools,
    gemini_tool_name, gemini_tool_openai, gemini_tool_parameters_text,
]  # fmt: skip


def nova_block(messages, key):
    for i, m in enumerate(messages):
        for block in m["content"]:
            if key in block:
                return i, m, block
    return None


def nova_role_system(row, messages):
    messages[0]["role"] = "system"


def nova_role(row, messages):
    messages[-1]["role"] = "model"


def nova_content_text(row, messages):
    messages[0]["content"] = "hello"


def nova_block_two_kinds(row, messages):
    messages[0]["content"][0]["toolResult"] = {"toolUseId": "a", "content": [{"text": "b"}]}


def nova_block_empty(row, messages):
    messages[0]["content"][0] = {}


def nova_block_text(row, messages):
    messages[0]["content"][0] = "hello"


def nova_text_empty(row, messages):
    messages[0]["content"][0] = {"text": ""}


def nova_two_users(row, messages):
    messages.insert(0, {"role": "user", "content": [{"text": "hello"}]})


def nova_assistant_first(row, messages):
    messages.insert(0, {"role": "assistant", "content": [{"text": "hello"}]})


def nova_ends_on_user(row, messages):
    messages.append({"role": "user", "content": [{"text": "hello"}]})


def nova_system_text(row, messages):
    row["system"] = "Be brief."


def nova_reserved(row, messages):
    messages[0]["content"][0] = {"text": "User: hello"}


def nova_input_text(row, messages):
    found = nova_block(messages, "toolUse")
    if not found:
        return False
    found[2]["toolUse"]["input"] = "{}"


def nova_use_name(row, messages):
    found = nova_block(messages, "toolUse")
    if not found:
        return False
    found[2]["toolUse"]["name"] = "queue depth"


def nova_use_of_user(row, messages):
    if "toolConfig" not in row:
        return False
    messages[0]["content"].append({"toolUse": {"toolUseId": "u1", "name": "note", "input": {}}})


def nova_use_twice(row, messages):
    for m in messages:
        uses = [b["toolUse"] for b in m["content"] if "toolUse" in b]
        if len(uses) > 1:
            uses[1]["toolUseId"] = uses[0]["toolUseId"]
            return None
    return False


def nova_result_removed(row, messages):
    found = nova_block(messages, "toolResult")
    if not found:
        return False
    i, m, block = found
    m["content"].remove(block)
    m["content"].append({"text": "x"})


def nova_result_of_nobody(row, messages):
    found = nova_block(messages, "toolResult")
    if not found:
        return False
    found[2]["toolResult"]["toolUseId"] = "zzz"


def nova_result_image(row, messages):
    found = nova_block(messages, "toolResult")
    if not found:
        return False
    found[2]["toolResult"]["content"] = [{"smell": "x"}]


def nova_use_without_tools(row, messages):
    if not nova_block(messages, "toolUse"):
        return False
    del row["toolConfig"]


def nova_tool_name(row, messages):
    if "toolConfig" not in row:
        return False
    row["toolConfig"]["tools"][0]["toolSpec"]["name"] = "queue depth"


def nova_tool_openai(row, messages):
    if "toolConfig" not in row:
        return False
    spec = row["toolConfig"]["tools"][0]["toolSpec"]
    row["toolConfig"]["tools"] = [{"type": "function", "function": {"name": spec["name"], "parameters": {}}}]


NOVA = [
    nova_role_system, nova_role, messages_none, message_text, nova_content_text, nova_block_two_kinds, nova_block_empty,
    nova_block_text, nova_text_empty, nova_two_users, nova_assistant_first, nova_ends_on_user, nova_system_text, nova_reserved,
    nova_input_text, nova_use_name, nova_use_of_user, nova_use_twice, nova_result_removed, nova_result_of_nobody,
    nova_result_image, nova_use_without_tools, nova_tool_name, nova_tool_openai,
]  # fmt: skip


def claude_system_message(row, messages):
    messages.insert(0, {"role": "system", "content": "Be brief."})


def claude_system_blocks(row, messages):
    row["system"] = [{"type": "text", "text": "Be brief."}]


def claude_content_blocks(row, messages):
    messages[0]["content"] = [{"type": "text", "text": "hello"}]


def claude_tools(row, messages):
    row["tools"] = [{"name": "f", "input_schema": {"type": "object"}}]


CLAUDE = [
    role_unknown, role_capital, role_developer, messages_none, message_text, message_empty, content_number, order_two_users,
    order_two_assistants, order_assistant_first, ends_on_user, claude_system_message, claude_system_blocks,
    claude_content_blocks, content_part_unknown, content_empty_list, trained_no_assistant, other_format, claude_tools,
]  # fmt: skip
