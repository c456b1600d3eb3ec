"""What the meaning of each form forbids: functions that break a row by one rule.

Each takes the row and its messages (turns, contents), changes them, and gives
False where the row has nothing to break. MEANINGS says which hold for which
target, by its provider's documentation.
"""

import copy
import json

# Of the chat form: a list of messages with roles. Each takes the row
# and its messages, and gives False where the row has nothing to break.


def calls_of(messages):
    return [(i, m) for i, m in enumerate(messages) if m.get("tool_calls")]


def answered(messages):
    """Messages that call and are not the last."""
    return [(i, m) for i, m in calls_of(messages) if i < len(messages) - 1]


def first(messages, role):
    return next((m for m in messages if m["role"] == role), None)


def tools_of(row):
    tools = row.get("tools")
    return json.loads(tools) if isinstance(tools, str) else tools


def put_tools(row, tools):
    row["tools"] = json.dumps(tools) if isinstance(row["tools"], str) else tools


def role_unknown(row, messages):
    messages[0]["role"] = "narrator"


def role_capital(row, messages):
    messages[-1]["role"] = "Assistant"


def role_developer(row, messages):
    messages[0]["role"] = "developer"


def messages_none(row, messages):
    messages.clear()


def message_text(row, messages):
    messages[0] = "hello"


def message_empty(row, messages):
    messages[0] = {}


def content_number(row, messages):
    messages[0]["content"] = 5


def content_part_unknown(row, messages):
    messages[0]["content"] = [{"type": "smell", "text": "x"}]


def content_empty_list(row, messages):
    messages[0]["content"] = []


def content_part_without_text(row, messages):
    messages[0]["content"] = [{"type": "text"}]


def content_none_and_no_calls(row, messages):
    reply = next((m for m in messages if m["role"] == "assistant" and not m.get("tool_calls")), None)
    if reply is None:
        return False
    del reply["content"]


def content_image_of_assistant(row, messages):
    for m in messages:
        m["content"] = [{"type": "text", "text": "x"}]
    messages[-1]["content"] = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


def content_beside_calls(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["content"] = "text"


def content_mixed(row, messages):
    messages[0]["content"] = [{"type": "text", "text": "x"}]


def name_with_space(row, messages):
    first(messages, "user")["name"] = "Ann B"


def weight_half(row, messages):
    messages[-1]["weight"] = 0.5


def weight_two(row, messages):
    messages[-1]["weight"] = 2


def weight_text(row, messages):
    messages[-1]["weight"] = "1"


def weight_of_user(row, messages):
    first(messages, "user")["weight"] = 1


def train_text(row, messages):
    messages[-1]["train"] = "yes"


def trained_none(row, messages):
    for m in messages:
        if m["role"] == "assistant":
            m["weight"] = 0


def trained_none_by_train(row, messages):
    for m in messages:
        m["train"] = False


def trained_no_assistant(row, messages):
    del messages[1 + next(i for i, m in enumerate(messages) if m["role"] == "user") :]


def ends_on_user(row, messages):
    messages.append({"role": "user", "content": "and then?"})


def ends_on_result(row, messages):
    if not answered(messages):
        return False
    i, m = answered(messages)[0]
    del messages[i + 1 + len(m["tool_calls"]) :]


def ends_on_reply(row, messages):
    messages.append({"role": "assistant", "content": "hello"})


def order_two_users(row, messages):
    messages.insert(messages.index(first(messages, "user")), {"role": "user", "content": "hello"})


def order_two_assistants(row, messages):
    messages.append(copy.deepcopy(messages[-1]))
    if messages[-1].get("tool_calls"):
        return False


def order_assistant_first(row, messages):
    at = messages.index(first(messages, "user"))
    messages.insert(at, {"role": "assistant", "content": "hello"})


def order_second_system(row, messages):
    if messages[0]["role"] != "system":
        return False
    messages.insert(1, {"role": "system", "content": "Be brief."})


def order_system_in_the_middle(row, messages):
    messages.insert(messages.index(first(messages, "user")) + 1, {"role": "system", "content": "Be brief."})


def order_user_after_result(row, messages):
    if not answered(messages):
        return False
    i, m = answered(messages)[0]
    messages.insert(i + 1 + len(m["tool_calls"]), {"role": "user", "content": "hello"})


def call_without_tools(row, messages):
    if not calls_of(messages):
        return False
    del row["tools"]


def call_name(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["name"] = "queue depth"


def call_name_long(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["name"] = "q" * 65


def call_type(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["type"] = "custom"


def call_id_twice(row, messages):
    for _, m in calls_of(messages):
        if len(m["tool_calls"]) > 1 and m["tool_calls"][0].get("id"):
            m["tool_calls"][1]["id"] = m["tool_calls"][0]["id"]
            return None
    return False


def call_without_id(row, messages):
    if not answered(messages):
        return False
    del answered(messages)[0][1]["tool_calls"][0]["id"]


def call_id_form(row, messages):
    """OpenAI's form of ids, which Mistral does not take."""
    if not answered(messages):
        return False
    i, m = answered(messages)[0]
    m["tool_calls"][0]["id"] = messages[i + 1]["tool_call_id"] = "call_abc123"


def call_of_user(row, messages):
    if not calls_of(messages):
        return False
    first(messages, "user")["tool_calls"] = copy.deepcopy(calls_of(messages)[0][1]["tool_calls"])


def call_arguments_object(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["arguments"] = {"queue": "a"}


def call_arguments_text(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["arguments"] = '{"queue":"a"}'


def call_arguments_no_json(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["arguments"] = "{queue}"


def call_several_at_the_end(row, messages):
    for i, m in answered(messages):
        if len(m["tool_calls"]) > 1:
            del messages[i + 1 :]
            return None
    return False


def call_undeclared(row, messages):
    if not calls_of(messages):
        return False
    calls_of(messages)[0][1]["tool_calls"][0]["function"]["name"] = "unheard_of"


def answer_removed(row, messages):
    if not answered(messages):
        return False
    del messages[answered(messages)[0][0] + 1]


def answer_of_nobody(row, messages):
    if not answered(messages):
        return False
    messages[answered(messages)[0][0] + 1]["tool_call_id"] = "zzzzzzzzz"


def answer_twice(row, messages):
    if not answered(messages):
        return False
    at = answered(messages)[0][0] + 1
    messages.insert(at, copy.deepcopy(messages[at]))


def answer_without_call(row, messages):
    messages.insert(-1, {"role": "tool", "content": "42", "tool_call_id": "call00001"})


def tool_twice(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    put_tools(row, tools + [copy.deepcopy(tools[0])])


def tool_name(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    tools[-1]["function"]["name"] = "queue depth"
    put_tools(row, tools)


def tool_type(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    tools[0]["type"] = "retrieval"
    put_tools(row, tools)


def tool_parameters_text(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    tools[0]["function"]["parameters"] = "{}"
    put_tools(row, tools)


def tool_parameters_no_schema(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    tools[0]["function"]["parameters"] = {"type": "objekt"}
    put_tools(row, tools)


def tool_without_description(row, messages):
    if not row.get("tools"):
        return False
    tools = tools_of(row)
    del tools[0]["function"]["description"]
    put_tools(row, tools)


def tools_no_json(row, messages):
    if not row.get("tools"):
        return False
    row["tools"] = "[{"


def tools_object(row, messages):
    if not row.get("tools"):
        return False
    put_tools(row, {"name": "f"})


def other_format(row, messages):
    row["prompt"], row["completion"] = "a", "b"


CHAT = [
    role_unknown, role_capital, messages_none, message_text, message_empty, content_number, content_part_unknown, content_empty_list,
    content_part_without_text, content_none_and_no_calls, call_without_tools, call_name, call_name_long, call_type, call_without_id, call_id_twice,
    call_of_user, answer_removed, answer_of_nobody, answer_twice, answer_without_call, tool_twice, tool_name, tool_type,
    tool_parameters_text, tools_object, trained_no_assistant,
]  # fmt: skip
ENDING = [ends_on_user, ends_on_result]
WEIGHTS = [weight_half, weight_two, weight_text, trained_none]
OPENAI = CHAT + ENDING + WEIGHTS + [role_developer, content_image_of_assistant, call_arguments_object, name_with_space, weight_of_user]
FIREWORKS = CHAT + ENDING + WEIGHTS + [
    role_developer, content_image_of_assistant, call_arguments_object, order_second_system, order_system_in_the_middle,
]  # fmt: skip
TOGETHER = CHAT + WEIGHTS + [
    role_developer, content_image_of_assistant, content_mixed, call_arguments_object, other_format, order_two_users,
    order_two_assistants, order_assistant_first, order_second_system, order_system_in_the_middle,
]  # fmt: skip
MISTRAL = CHAT + ENDING + WEIGHTS + [
    role_developer, content_beside_calls, call_arguments_object, call_id_form, call_undeclared, call_several_at_the_end,
    order_second_system, order_user_after_result, tool_parameters_no_schema, tool_without_description, weight_of_user,
]  # fmt: skip
OPEN = CHAT + [order_second_system, order_system_in_the_middle]


# The forms that are not OpenAI's have meanings of their own.


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



# Preference pairs: these take the whole line. The others break its context.


def worse(row):
    return next(key for key in ("non_preferred_output", "rejected_response", "rejected") if key in row)


def pair_text(row, messages):
    row[worse(row)] = "no"


def pair_of_user(row, messages):
    answer = row[worse(row)]
    answer = answer[-1] if isinstance(answer, list) else answer
    answer.update({"from": "human"} if "from" in answer else {"role": "user"})


def pair_of_system(row, messages):
    answer = row[worse(row)]
    answer = answer[-1] if isinstance(answer, list) else answer
    answer.update({"from": "system"} if "from" in answer else {"role": "system"})


def pair_two_answers(row, messages):
    row[worse(row)].append(copy.deepcopy(row[worse(row)][-1]))


def pair_list_for_object(row, messages):
    row[worse(row)] = [row[worse(row)]]


def pair_object_for_list(row, messages):
    row[worse(row)] = row[worse(row)][0]


def pair_same_text(row, messages):
    if messages[-1]["role"] != "assistant":
        return False
    row[worse(row)] = messages[-1]["content"]


def pair_odd_context(row, messages):
    messages.append({"from": "gpt", "value": "hello"})


def pair_prompt_of_system(row, messages):
    messages[:] = [{"role": "system", "content": "Be brief."}]


PAIR = {pair_text, pair_of_user, pair_of_system, pair_two_answers, pair_list_for_object, pair_object_for_list, pair_same_text}
CONTEXT = [
    role_unknown, message_text, message_empty, messages_none, content_number, content_part_unknown, content_empty_list,
    content_part_without_text, content_none_and_no_calls, call_name, call_name_long, call_type, call_without_id, call_id_twice, call_of_user,
    call_without_tools, answer_of_nobody, answer_twice, tool_twice, tool_name, tool_type, tool_parameters_text, tools_object,
]  # fmt: skip
CHOICE = CONTEXT + [role_developer, call_arguments_object, weight_of_user, pair_text, pair_of_user, pair_of_system, pair_object_for_list]
SHARE_CONTEXT = [
    share_role, share_openai_role, share_two_humans, share_reply_first, share_none, share_turn_text, share_call_no_json,
    share_call_without_name, share_call_without_arguments, share_call_arguments_text, share_call_without_tools,
    share_observation_without_call, share_tools_no_json, share_tools_list, share_tools_object, share_tool_name,
    share_tool_without_name, share_tool_without_parameters, share_tool_without_properties,
]  # fmt: skip

MEANINGS = {
    "openai": OPENAI,
    "azure": OPENAI,
    "fireworks": FIREWORKS,
    "together": TOGETHER,
    "mistral": MISTRAL,
    "trl": OPEN + ENDING + [call_arguments_text, tools_no_json],
    "trl-completion": OPEN + [call_arguments_text, tools_no_json],
    "axolotl": OPEN + ENDING + [call_arguments_no_json, tools_no_json, train_text, trained_none_by_train],
    "mlx": OPEN + ENDING + [call_arguments_no_json],
    "llama-factory": SHAREGPT,
    "ms-swift": SWIFT,
    "gemini": GEMINI,
    "bedrock-nova": NOVA,
    "bedrock-claude": CLAUDE,
    "openai-rft": CONTEXT + [call_arguments_object, name_with_space, ends_on_reply],
    "openai-dpo": CHOICE + [pair_two_answers, name_with_space],
    "azure-dpo": CHOICE + [name_with_space],
    "fireworks-dpo": CHOICE + [pair_two_answers, order_second_system, order_system_in_the_middle],
    "together-dpo": CHOICE + [pair_two_answers, order_two_users, order_second_system, order_system_in_the_middle],
    "trl-dpo": CONTEXT + [order_second_system, order_system_in_the_middle, tools_no_json, call_arguments_text, pair_text, pair_of_user, pair_of_system, pair_object_for_list, pair_prompt_of_system],
    "axolotl-dpo": [
        role_unknown, message_text, message_empty, messages_none, content_number, order_second_system, order_system_in_the_middle,
        pair_text, pair_of_user, pair_of_system, pair_list_for_object,
    ],
    "llama-factory-dpo": SHARE_CONTEXT + [pair_text, pair_of_user, pair_of_system, pair_list_for_object, pair_odd_context],
    "ms-swift-dpo": SWIFT + [pair_of_user, pair_object_for_list, pair_same_text],
}
