"""Axolotl: the config schema for the stanza that docs/targets.md gives, then
each line through the chat_template strategy with message_field_training."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
import tokenizer
from standin import stand_in

# torch: for the dtypes that the schema names; the others are for training.
stand_in("torch", "peft", "accelerate", "bitsandbytes")
from axolotl.prompt_strategies import chat_template
from axolotl.utils.schemas.datasets import SFTDataset

STANZA = SFTDataset.model_validate(
    {"path": "train.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "messages", "message_field_training": "train"}
)
TOKENIZER = tokenizer.make()
STRATEGY = chat_template.ChatTemplateStrategy(
    chat_template.ChatTemplatePrompter(
        TOKENIZER,
        chat_template=TOKENIZER.chat_template,
        field_messages=STANZA.field_messages,
        message_field_training=STANZA.message_field_training,
    ),
    TOKENIZER,
    train_on_inputs=False,
    sequence_len=1 << 20,
    roles_to_train=["assistant"],
    train_on_eos="turn",
)


def check(target, row):
    labels = STRATEGY.tokenize_prompt(row)["labels"]
    if all(label == -100 for label in labels):
        raise judge.Refused("no token is trained")


judge.serve("chat_template strategy", judge.version("axolotl"), check, arrow=True)
