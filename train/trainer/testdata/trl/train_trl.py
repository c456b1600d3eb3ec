"""Trains meta-llama/Llama-3.1-8B-Instruct with TRL's SFTTrainer.

usage: python train_trl.py [--model MODEL] [--data DIR] [--output DIR] [--resume]

Written by weir train config: TRL's SFTTrainer, of an export for trl with content hash 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a.
assistant_only_loss needs a chat template with generation marks: TRL has them for the usual models, and says so of another
"""

import argparse
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
TRAIN = ["train.jsonl"]
VALIDATION = ["validation.jsonl"]


def options(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="meta-llama/Llama-3.1-8B-Instruct", help="base model, a name or a folder")
    parser.add_argument("--data", type=pathlib.Path, default=HERE / "data", help="folder of the export's files")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "output", help="folder of checkpoints, log and adapter")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    return parser.parse_args(argv)


def config(output):
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=3.0,
        per_device_train_batch_size=4,
        per_device_eval_batch_size=4,
        gradient_accumulation_steps=1,
        learning_rate=0.00002,
        lr_scheduler_type="cosine",
        warmup_steps=100,
        weight_decay=0.0,
        max_length=4096,
        packing=False,
        bf16=True,
        fp16=False,
        gradient_checkpointing=True,
        seed=42,
        logging_steps=10,
        include_num_input_tokens_seen=True,
        report_to="none",
        model_init_kwargs={"dtype": "auto"},
        assistant_only_loss=True,
        eval_strategy="steps",
        eval_steps=100,
        save_strategy="steps",
        save_steps=500,
    )


def adapter():
    from peft import LoraConfig

    return LoraConfig(
        r=16,
        lora_alpha=32,
        lora_dropout=0.05,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def read(folder, names):
    from datasets import load_dataset

    if not names:
        return None
    return load_dataset("json", data_files=[str(folder / name) for name in names], split="train")


def main(argv=None):
    from trl import SFTTrainer

    args = options(argv)
    trainer = SFTTrainer(
        model=args.model,
        args=config(args.output),
        train_dataset=read(args.data, TRAIN),
        eval_dataset=read(args.data, VALIDATION),
        peft_config=adapter(),
    )
    trainer.train(resume_from_checkpoint=args.resume or None)
    trainer.save_model(str(args.output))
    trainer.save_state()


if __name__ == "__main__":
    main()
