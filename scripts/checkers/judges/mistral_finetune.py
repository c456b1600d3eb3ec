"""mistral-finetune's own build_instruct_sample, from the checkout that
MISTRAL_FINETUNE names, on the release of mistral-common that it was written
for, which MISTRAL_COMMON names."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path[:0] = [os.environ["MISTRAL_COMMON"], os.environ["MISTRAL_FINETUNE"]]
import judge
from standin import stand_in, without_init

# For tokens and training; the check of a line needs none of them.
stand_in("torch", "sentencepiece", "tiktoken", "simple_parsing", "fire", "cv2")
without_init("finetune.data")  # its __init__ imports the loader of batches
from finetune.data.tokenize import build_instruct_sample


def check(target, row):
    build_instruct_sample(row)


judge.serve("build_instruct_sample", "mistral-finetune, mistral-common 1.5.1", check)
