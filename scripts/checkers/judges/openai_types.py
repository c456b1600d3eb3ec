"""OpenAI and Azure: the typed parameters of the openai package, by pydantic.
weight is a key of training files alone and is left out."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from openai.types import chat, shared_params
from openai.types.chat import chat_completion_message_function_tool_call_param, chat_completion_assistant_message_param
from pydantic import TypeAdapter

judge.strict_types(chat, shared_params, chat_completion_message_function_tool_call_param, chat_completion_assistant_message_param)
MESSAGES = TypeAdapter(list[chat.ChatCompletionMessageParam])
TOOLS = TypeAdapter(list[chat.ChatCompletionToolParam])


def check(target, row):
    messages = row["messages"]
    if isinstance(messages, list):
        messages = [{k: v for k, v in m.items() if k != "weight"} if isinstance(m, dict) else m for m in messages]
    MESSAGES.validate_python(messages, strict=True)
    if "tools" in row:
        TOOLS.validate_python(row["tools"], strict=True)
    if "parallel_tool_calls" in row:
        TypeAdapter(bool).validate_python(row["parallel_tool_calls"], strict=True)


judge.serve("typed parameters", judge.version("openai"), check)
