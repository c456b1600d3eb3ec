"""OpenAI and Azure: the typed parameters of the openai package, by pydantic.
weight is a key of training files alone and is left out."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from openai.types import chat, graders, shared_params
from openai.types.chat import chat_completion_message_function_tool_call_param, chat_completion_assistant_message_param
from pydantic import TypeAdapter

judge.strict_types(chat, shared_params, graders, chat_completion_message_function_tool_call_param, chat_completion_assistant_message_param)
MESSAGES = TypeAdapter(list[chat.ChatCompletionMessageParam])
FLAG = TypeAdapter(bool)
TOOLS = TypeAdapter(list[chat.ChatCompletionToolParam])


if sys.argv[1] == "openai-rft":
    grader = (pathlib.Path(sys.argv[2]).parent / "grader.json").read_text(encoding="utf-8")
    TypeAdapter(graders.PythonGraderParam).validate_json(grader)


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
    if "parallel_tool_calls" in request:
        FLAG.validate_python(request["parallel_tool_calls"], strict=True)


judge.serve("typed parameters", judge.version("openai"), check)
