"""LLaMA-Factory: the converter, by the dataset_info.json beside the file, and
its template's encoding. A row that the converter skips is refused."""

import json
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import judge
import tokenizer
from standin import stand_in, without_init

# torch and its like: for tensors, images and sound; peft: for file names.
stand_in("torch", "torchaudio", "peft", "accelerate", "av")
without_init("llamafactory.data")  # its __init__ imports the collators
from llamafactory.data import converter, formatter, parser, template

INFO = json.loads((pathlib.Path(sys.argv[2]).parent / "dataset_info.json").read_text(encoding="utf-8"))
ATTRIBUTES = parser.DatasetAttr("file", dataset_name="weir_train")
ATTRIBUTES.join(INFO["weir_train"])
CONVERTER = converter.get_dataset_converter(ATTRIBUTES.formatting, ATTRIBUTES, types.SimpleNamespace(media_dir="."))
TOKENIZER = tokenizer.make()
TEMPLATE = template.TEMPLATES["qwen3_nothink"]


def check(target, row):
    converted = CONVERTER(row)
    prompt, answers = converted["_prompt"], converted["_response"]
    # The own checks of SupervisedDatasetProcessor and PairwiseDatasetProcessor.
    if len(prompt) % 2 != 1 or len(answers) != (2 if ATTRIBUTES.ranking else 1):
        raise judge.Refused("the row is skipped")
    for answer in answers:
        TEMPLATE.encode_multiturn(TOKENIZER, prompt + [answer], converted["_system"], converted["_tools"])


judge.serve("sharegpt converter", judge.version("llamafactory"), check, arrow=True)
