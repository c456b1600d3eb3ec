"""A tokenizer made on the spot: a token a byte, and a chat template of TRL's
own, the one of Qwen3 2507 that marks what the assistant says."""

import importlib.util
import pathlib

import tokenizers
import transformers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def make():
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(SPECIAL + alphabet)}
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=SPECIAL[1:2]
    )
    trl = pathlib.Path(importlib.util.find_spec("trl").submodule_search_locations[0])
    tokenizer.chat_template = (trl / "chat_templates" / "qwen3_instruct_2507_training.jinja").read_text(encoding="utf-8")
    return tokenizer
