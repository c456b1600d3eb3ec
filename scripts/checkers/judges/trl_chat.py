"""TRL: is_conversational, apply_chat_template, and the tokens as SFTTrainer
makes them: with assistant_only_loss, or of prompt and completion."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
import tokenizer
from trl.data_utils import _tokenize, apply_chat_template, is_conversational

TOKENIZER = tokenizer.make()


def check(target, row):
    if not is_conversational(row):
        raise judge.Refused("not conversational")
    tools = row.get("tools")
    tools = json.loads(tools) if isinstance(tools, str) else tools
    apply_chat_template(row, TOKENIZER, tools)
    if "chosen" in row:
        return  # DPOTrainer takes the texts
    if "messages" in row:
        tokens = _tokenize(TOKENIZER, row["messages"], tools=tools, return_assistant_tokens_mask=True)
        if 1 not in tokens["assistant_masks"]:
            raise judge.Refused("at least one example has no assistant tokens")  # SFTTrainer's own check
        return
    prompt = _tokenize(TOKENIZER, row["prompt"], tools=tools, add_generation_prompt=True)["input_ids"]
    whole = _tokenize(TOKENIZER, row["prompt"] + row["completion"], tools=tools)["input_ids"]
    if whole[: len(prompt)] != prompt or len(whole) == len(prompt):
        raise judge.Refused("the tokens of the prompt do not begin those of prompt and completion")


judge.serve("chat template", judge.version("trl"), check, arrow=True)
