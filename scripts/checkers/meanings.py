"""What the meaning of each form forbids: functions that break a row by one rule.

Each takes the row and its messages (turns, contents), changes them, and gives
False where the row has nothing to break. MEANINGS says which hold for which
target, by its provider's documentation.
"""

import copy

from meanings_chat import *  # the functions that the lists below name
from meanings_forms import *

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
