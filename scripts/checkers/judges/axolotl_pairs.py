"""Axolotl's preference pairs: what type chat_template.default makes of a line
with rl: dpo."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
import tokenizer
from standin import stand_in

# torch: for the dtypes that the schema names; the others are for training.
stand_in("torch", "peft", "accelerate", "bitsandbytes")
from axolotl.prompt_strategies.dpo import chat_template
from axolotl.utils.dict import DictDefault

TOKENIZER = tokenizer.make()
CONFIG = DictDefault({"chat_template": "tokenizer_default", "datasets": [{"path": "train.jsonl", "type": "chat_template.default"}]})
TRANSFORM, _ = chat_template.default(CONFIG)


def check(target, row):
    TRANSFORM(row, tokenizer=TOKENIZER)


judge.serve("dpo chat_template", judge.version("axolotl"), check, arrow=True)
