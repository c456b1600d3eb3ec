"""Fireworks: the typed parameters of its package, by pydantic. weight is a key
of training files alone and is left out."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from fireworks.types import shared_params
from fireworks.types.shared_params import chat_completion_message_tool_call, chat_completion_tool, chat_message
from pydantic import TypeAdapter

judge.strict_types(shared_params, chat_message, chat_completion_tool, chat_completion_message_tool_call)
MESSAGES = TypeAdapter(list[shared_params.ChatMessage])
TOOLS = TypeAdapter(list[shared_params.ChatCompletionTool])


def check(target, row):
    if "input" in row:  # a preference pair
        asked = row["input"]
        judged(asked["messages"] + row["preferred_output"], asked)
        judged(row["non_preferred_output"], {})
    else:
        judged(row["messages"], row)


def judged(messages, request):
    if isinstance(messages, list):
        messages = [{k: v for k, v in m.items() if k != "weight"} if isinstance(m, dict) else m for m in messages]
    judge.validate(MESSAGES, messages)
    if "tools" in request:
        judge.validate(TOOLS, request["tools"])


judge.serve("typed parameters", judge.version("fireworks-ai"), check)
