#!/usr/bin/env python3
"""Trains small tokenizers of the common kinds and counts random texts with
Hugging Face's own library, for exporters/tokens/hf to agree with.

Usage: tokenizer_counts.py DIR TEXTS [TOKENIZER.json …]

Writes one file for each kind and counts.json into DIR; further tokenizers are
copied there and counted with. Needs: pip install tokenizers
"""
import json
import pathlib
import random
import shutil
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

out, number, more = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
out.mkdir(parents=True, exist_ok=True)
rng = random.Random(1)
CORPUS = [
    "The ferry leaves at 07:40, and nobody on board knows why it isn't full.",
    "def berth(ship, quay):\n    return quay.free[ship.length] + 1  # it's the first\n",
    '{"ship": "Aurora", "passengers": 1203, "cabins": [101, 102], "late": false}',
    "Die Fähre fährt um sieben; für Größe und Gewicht gilt die Übersicht.",
    "Паром отходит в семь часов утра.", "渡し船は七時に出ます。", "轮渡七点出发，请提前到达。", "👩‍🚀🙂🎉 é e\u0301 가 각",
] * 8
LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)


def make(name, pre, normalizer=None, added=(), ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer, tokenizer.decoder = pre, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<|begin|>", "<|im_start|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens(list(added))
    text = json.loads(tokenizer.to_str())
    if name == "gpt2":  # as files before 2024 have them
        text["model"]["merges"] = [" ".join(merge) for merge in text["model"]["merges"]]
    (out / f"{name}.json").write_text(json.dumps(text) + "\n")
    return name


plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
names = [
    make("llama3", pre_tokenizers.Sequence([split(LLAMA), plain]), ignore_merges=True),
    make("qwen", pre_tokenizers.Sequence([split(LLAMA.replace("{1,3}", "")), plain]), normalizers.NFC(), [AddedToken("<think>", normalized=False)]),
    make("gpt2", pre_tokenizers.ByteLevel(add_prefix_space=True), None, [
        AddedToken("[MID]", lstrip=True, rstrip=True), AddedToken("ship", single_word=True),
    ]),
    make("digits", pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), split(r"[\r\n]"), plain]), normalizers.NFKC()),
]
for path in more:
    shutil.copy(path, out)
    names.append(pathlib.Path(path).stem)

PIECES = [
    " ", "  ", "\n", "\r\n", "\t", " \n ", "\u00a0", "\u3000", "ship", "Ship", "SHIP", "it's", "'s", "'LL", "'ſ", "1", "12345", '{"a":', '"b"}', "//", "...",
    "é", "e\u0301", "你好", "，", "🙂", "👩‍🚀", "ß", "ſ", "<|im_start|>", "<|begin|>", "<think>", "[MID]", "_x_", "-", "日本 語", "x= 1", "\u200b", "\x85", "—",
    "ǅ", "٣", "Ⅷ", "the ", " ferry", "\u1e9b\u0323", "ａ", "가", "\u2028", "ships", "steamship", "\x1f", "\ufeff", "ﬁ", "²", "½", "Å",
]
words = " ".join(CORPUS[:8]).split()
texts = [""]
while len(texts) < number:
    if len(texts) % 2:
        texts.append("".join(rng.choice(PIECES) for _ in range(rng.randrange(14))))
    else:
        texts.append("".join(rng.choice([rng.choice(words), rng.choice(PIECES)]) + rng.choice([" ", "", " ", "\n"]) for _ in range(rng.randrange(25))))
counts = {name: [len(e.ids) for e in Tokenizer.from_file(str(out / f"{name}.json")).encode_batch(texts, add_special_tokens=False)] for name in names}
(out / "counts.json").write_text(json.dumps({"texts": texts, "counts": counts}, ensure_ascii=True) + "\n")
print({name: sum(c) for name, c in counts.items()})
