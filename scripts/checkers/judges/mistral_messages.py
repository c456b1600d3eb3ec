"""Mistral: the classes and the fine-tuning validator of mistral-common, called
as mistral-finetune's build_instruct_sample calls them. mistral-finetune itself
is not on PyPI; mistral_finetune.py runs it from a checkout."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
from mistral_common.protocol.instruct import messages, tool_calls, validator

CLASSES = {
    "system": messages.SystemMessage,
    "user": messages.UserMessage,
    "assistant": messages.FinetuningAssistantMessage,
    "tool": messages.ToolMessage,
}
VALIDATOR = validator.MistralRequestValidatorV3(validator.ValidationMode.finetuning)


def check(target, row):
    VALIDATOR.validate_messages([CLASSES[m["role"]].model_validate(m) for m in row["messages"]])
    VALIDATOR._validate_tools([tool_calls.Tool.model_validate(t) for t in row.get("tools") or []])


judge.serve("request validator", judge.version("mistral-common"), check)
