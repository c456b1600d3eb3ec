"""MLX-LM: create_dataset with mask_prompt and what it makes of a row."""

import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
import tokenizer
from standin import stand_in, without_init

stand_in("mlx")  # for arrays
without_init("mlx_lm")
without_init("mlx_lm.tuner")
from mlx_lm.tuner.datasets import create_dataset

TOKENIZER = tokenizer.make()
CONFIG = types.SimpleNamespace(mask_prompt=True)


def check(target, row):
    tokens, offset = create_dataset([row], TOKENIZER, CONFIG).process(row)
    if offset >= len(tokens):
        raise judge.Refused("the mask of the prompt leaves no token to train")


judge.serve("ChatDataset", judge.version("mlx-lm"), check)
