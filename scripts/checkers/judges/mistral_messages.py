"""Mistral: the classes and the fine-tuning validator of mistral-common.

With MISTRAL_FINETUNE=DIR, a checkout of mistralai/mistral-finetune, its own
build_instruct_sample judges instead, on the mistral-common that it was written
for, in MISTRAL_COMMON=DIR. Neither is on PyPI in that form, so a CI without
them runs what build_instruct_sample calls.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge

if checkout := os.environ.get("MISTRAL_FINETUNE"):
    sys.path[:0] = [os.environ["MISTRAL_COMMON"], checkout]
    from standin import stand_in

    stand_in("torch", "sentencepiece", "simple_parsing", "fire", "cv2")
    from standin import without_init

    without_init("finetune.data")  # its __init__ imports the loader of batches
    from finetune.data.tokenize import build_instruct_sample

    def check(target, row):
        build_instruct_sample(row)

    judge.serve("build_instruct_sample", "mistral-finetune", check)
else:
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
