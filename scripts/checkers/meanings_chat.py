"""What the meaning of the chat form forbids, that OpenAI began: functions that
break a row by one rule (see meanings.py)."""

import copy
import json


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
