"""Reads what weir train config wrote with the trainer's own schema.

usage: python check.py TRAINER|modal|runpod DIR…

A line for each folder: accepted, or refused and why. Exits 1 if one was refused.

axolotl: its pydantic models, unknown keys refused. llama-factory and ms-swift:
their argument dataclasses through Hugging Face's argument parser, which knows
names, types and choices. trl: the script itself is run to the point where it
would train, with TRL's own SFTConfig, PEFT's LoraConfig, the real data loader and
a trainer that only notes what it is given. mlx: trained, on a model of a few
thousand weights. modal: the app is built by Modal's own client. runpod: the
script is run against RunPod's own client with the network taken away, and a pod
that is a folder.
"""

import ast
import dataclasses
import importlib.util
import inspect
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import traceback

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "checkers"))

import standin

UNREADABLE = ("torch", "accelerate", "deepspeed", "bitsandbytes", "triton", "modelscope")


class Refused(Exception):
    pass


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(path):
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def known(found, names, what):
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise Refused(f"{what} knows no {', '.join(unknown)}")


def arguments(classes, found):
    """Gives the settings to the trainer's argument classes as its command line
    would: names, types and choices are theirs."""
    from transformers import HfArgumentParser

    for cls in classes:
        cls.__post_init__ = lambda self: None  # asks for devices, models and the network
    line = []
    for key, value in found.items():
        line.append(f"--{key}")
        line += [str(item) for item in value] if isinstance(value, list) else [json.dumps(value) if isinstance(value, dict) else str(value)]
    try:
        parsed = HfArgumentParser(classes, allow_abbrev=False).parse_args_into_dataclasses(line, look_for_args_file=False)
    except SystemExit:
        raise Refused("a value of another kind, see above")
    except ValueError as err:
        raise Refused(err)
    merged = {}
    for one in parsed:
        merged.update({f.name: getattr(one, f.name, None) for f in dataclasses.fields(one)})
    for key, value in found.items():
        if isinstance(value, (bool, int, float)) and str(merged[key]) != str(value) and merged[key] != value:
            raise Refused(f"{key}: {value!r} became {merged[key]!r}")
    return len(found)


def data_is_there(folder, names):
    for name in names:
        if not (folder / name).is_file():
            raise Refused(f"{name}: no such file")


def axolotl(folder):
    standin.packages(*UNREADABLE, "peft", "axolotl_contribs")
    standin.without_init("axolotl")
    from axolotl.utils.schemas.config import AxolotlInputConfig
    from axolotl.utils.schemas.datasets import SFTDataset
    from pydantic import ValidationError

    found = settings(folder / "axolotl.yaml")
    known(found, AxolotlInputConfig.model_fields, "Axolotl")
    for dataset in found["datasets"] + found.get("test_datasets", []):
        known(dataset, SFTDataset.model_fields, "a dataset of Axolotl")
        data_is_there(folder, [dataset["path"]])
    try:
        AxolotlInputConfig(**found)
    except (ValidationError, ValueError) as err:
        raise Refused(err)
    return len(found)


def llama_factory(folder):
    os.environ["DISABLE_VERSION_CHECK"] = "1"
    standin.packages(*UNREADABLE, "peft")
    standin.without_init("llamafactory")
    from llamafactory.hparams.data_args import DataArguments
    from llamafactory.hparams.finetuning_args import FinetuningArguments
    from llamafactory.hparams.generating_args import GeneratingArguments
    from llamafactory.hparams.model_args import ModelArguments
    from llamafactory.hparams.training_args import TrainingArguments

    found = settings(folder / "llama_factory.yaml")
    data = folder / found["dataset_dir"]
    info = json.loads((data / "dataset_info.json").read_text(encoding="utf-8"))
    for name in (found["dataset"], found.get("eval_dataset")):
        if name:
            data_is_there(data, [info[name]["file_name"]])
    return arguments([ModelArguments, DataArguments, TrainingArguments, FinetuningArguments, GeneratingArguments], found)


def ms_swift(folder):
    standin.packages(*UNREADABLE, "peft")
    standin.without_init("swift", "swift.arguments", "swift.trainers")
    standin.modules(
        swift__utils={}, swift__dataset={}, swift__model={"MODEL_MAPPING": {}}, swift__template={"TEMPLATE_MAPPING": {}}, swift__infer_engine={}, swift__hub={}, swift__tuner_plugin={"tuners_map": {}},
        swift__loss={"loss_map": {}}, swift__trainers__utils={}, swift__callbacks={"callbacks_map": {}}, swift__optimizers={"optimizers_map": {}},
        swift__ray_utils={"RayArguments": dataclasses.make_dataclass("RayArguments", [])},
    )
    from swift.trainers.arguments import Seq2SeqTrainingArguments

    sys.modules["swift.trainers"].Seq2SeqTrainingArguments = Seq2SeqTrainingArguments
    sys.modules["swift.trainers"].TrainerFactory = object
    from swift.arguments.sft_args import SftArguments

    found = settings(folder / "ms_swift.yaml")
    data_is_there(folder, found["dataset"] + found.get("val_dataset", []))
    return arguments([SftArguments], found)


def trl(folder):
    import datasets  # the real one, before torch's stand-in is there

    standin.packages(*UNREADABLE)
    standin.without_init("trl", "trl.trainer", "peft", "peft.tuners", "peft.tuners.lora")
    standin.modules(peft__utils={})
    from peft.tuners.lora.config import LoraConfig
    from trl.trainer.sft_config import SFTConfig

    given = {}

    class Trainer:
        def __init__(self, **args):
            given.update(args)

        def train(self, resume_from_checkpoint=None):
            pass

        save_state = train

        def save_model(self, output):
            pass

    for cls in (SFTConfig, LoraConfig):
        cls.__post_init__ = lambda self: None
    trained = sys.modules["trl"]
    trained.SFTConfig, trained.SFTTrainer = SFTConfig, Trainer
    sys.modules["peft"].LoraConfig = LoraConfig
    module = script(folder / "train_trl.py")
    try:
        module.main([])
    except TypeError as err:  # an argument that the class does not have
        raise Refused(err)
    if given["train_dataset"].num_rows < 1 or not isinstance(given["args"], SFTConfig):
        raise Refused(f"given {given}")
    # The script's own arguments again, for their types and choices.
    call = next(n for n in ast.walk(ast.parse((folder / "train_trl.py").read_text(encoding="utf-8"))) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "SFTConfig")
    values = {k.arg: ast.literal_eval(k.value) for k in call.keywords if k.arg not in ("output_dir", "model_init_kwargs")}
    return arguments([SFTConfig], {"output_dir": "output", **values})


def mlx(folder):
    """Trains: mlx_lm.lora with the very file, on a model made here."""
    import yaml

    tiny = folder / "tiny"
    make_tiny_model(tiny)
    found = settings(folder / "mlx.yaml")
    from mlx_lm.lora import CONFIG_DEFAULTS

    known(found, CONFIG_DEFAULTS, "MLX-LM")
    found["model"] = str(tiny)
    (folder / "here.yaml").write_text(yaml.safe_dump(found), encoding="utf-8")
    run = subprocess.run([sys.executable, "-m", "mlx_lm", "lora", "--config", "here.yaml"], cwd=folder, capture_output=True, text=True, timeout=200)
    (folder / "output").mkdir(exist_ok=True)
    (folder / "output" / "train.log").write_text(run.stdout + run.stderr, encoding="utf-8")
    if run.returncode != 0:
        raise Refused(run.stderr[-2000:])
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", run.stdout)
    if not re.search(rf"^ *{found['iters']} +[0-9.]+ [▼▲]", plain, re.MULTILINE) or not (folder / "output" / "adapters.safetensors").is_file():
        raise Refused(run.stdout[-2000:])
    return len(found)


def make_tiny_model(path):
    """A Llama of a few thousand random weights and a tokenizer of bytes."""
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.models import llama
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    path.mkdir()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)} | {"<e>": 256}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}<e>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<e>", chat_template=template).save_pretrained(path)
    config = {
        "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "vocab_size": 257, "tie_word_embeddings": True, "eos_token_id": 256,
    }
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    model = llama.Model(llama.ModelArgs.from_dict(config))
    mx.save_safetensors(str(path / "model.safetensors"), dict(tree_flatten(model.parameters())), metadata={"format": "mlx"})


def modal(folder):
    import modal as client

    app = script(folder / "modal_app.py")
    if not isinstance(app.app, client.App) or not isinstance(app.train, client.Function):
        raise Refused("no app, or no function")
    spec = app.train._spec_
    if not spec.gpus or spec.volumes.keys() != {app.KEPT}:
        raise Refused(f"gpus {spec.gpus}, volumes {list(spec.volumes)}")
    if set(app.app.registered_entrypoints) != {"main", "fetch"}:
        raise Refused(f"entry points {list(app.app.registered_entrypoints)}")
    # The function's body is run here, with folders of this machine.
    app.SENT, app.WORK, app.KEPT = str(folder), str(folder / "copy"), str(folder / "kept")
    (folder / "kept").mkdir()
    (folder / "run.sh").write_text("#!/bin/sh\necho trained > output/adapter.txt\necho said\n", encoding="utf-8")
    app.volume = type("Volume", (), {"commit": staticmethod(lambda: None)})
    app.train.local()
    kept = folder / "kept" / "output"
    if (kept / "adapter.txt").read_text() != "trained\n" or (kept / "train.log").read_text() != "said\n":
        raise Refused("output is not kept")
    (folder / "copy" / "run.sh").unlink()
    return len(app.app.registered_functions)


def runpod(folder):
    import runpod as client
    from runpod.api.mutations import pods

    spec = json.loads((folder / "runpod.json").read_text(encoding="utf-8"))
    try:
        inspect.signature(client.create_pod).bind(**spec, env={})
        pods.generate_pod_deployment_mutation(**{k: v for k, v in spec.items() if k in inspect.signature(pods.generate_pod_deployment_mutation).parameters})
    except TypeError as err:
        raise Refused(err)

    # A pod that is a folder: ssh runs its last argument there.
    pod, tools = folder / "pod", folder / "tools"
    tools.mkdir()
    pod.mkdir()
    ssh = tools / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n', encoding="utf-8")
    for name, text in {"pip": "#!/bin/sh\n", "runpodctl": "#!/bin/sh\n"}.items():
        (tools / name).write_text(text, encoding="utf-8")
    for tool in tools.iterdir():
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    os.environ["RUNPOD_API_KEY"] = "k"
    (folder / "key.pub").write_text("ssh-ed25519 AAAA\n", encoding="utf-8")
    (folder / "run.sh").write_text("#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho trained > output/adapter.txt\necho said\n", encoding="utf-8")
    calls = []
    client.create_pod = lambda **given: calls.append(("create", given)) or {"id": "pod-1"}
    client.get_pod = lambda name: {"runtime": {"ports": [{"privatePort": 22, "publicPort": 2222, "isIpPublic": True, "ip": "127.0.0.1"}]}}
    client.terminate_pod = lambda name: calls.append(("terminate", name))
    job = script(folder / "runpod_job.py")
    job.WORK, job.START = str(pod), job.START.replace(job.WORK, str(pod)).replace(f"sleep {job.SECONDS}", "sleep 0")
    job.time.sleep = lambda s, sleep=job.time.sleep: sleep(min(s, 0.2))
    job.main(["--key", str(folder / "key")])
    if [name for name, _ in calls] != ["create", "terminate"] or calls[0][1]["env"]["PUBLIC_KEY"] != "ssh-ed25519 AAAA":
        raise Refused(f"calls {calls}")
    if (folder / "output" / "adapter.txt").read_text() != "trained\n" or "said" not in (folder / "output" / "train.log").read_text():
        raise Refused("output was not fetched")
    # A run that fails is said, and the pod goes back all the same.
    (folder / "run.sh").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    try:
        job.main(["--key", str(folder / "key")])
        raise Refused("a run that failed passed")
    except SystemExit as end:
        if "ended with 7" not in str(end) or calls[-1][0] != "terminate":
            raise Refused(f"{end}, calls {calls}")
    return len(spec)


def judge(check, folder):
    os.chdir(folder)
    try:
        print(f"accepted: {check(folder)} keys", flush=True)
        return 0
    except Refused as why:
        print("refused: " + " ".join(str(why).split())[-600:], flush=True)
        return 1


def main():
    name, folders = sys.argv[1], [pathlib.Path(folder).resolve() for folder in sys.argv[2:]]
    check = {"axolotl": axolotl, "llama-factory": llama_factory, "ms-swift": ms_swift, "trl": trl, "mlx": mlx, "modal": modal, "runpod": runpod}[name]
    if name not in ("modal", "runpod"):
        # Once for all folders: each is judged by a process of its own.
        os.environ["TRANSFORMERS_VERBOSITY"] = "error"
        import transformers.hf_argparser
        import transformers.training_args_seq2seq
    failed = 0
    for folder in folders:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            code = 2
            try:
                code = judge(check, folder)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in (0, 1):
            print("broken: the check itself failed, see above", flush=True)
        failed |= code
    sys.exit(failed)


main()
