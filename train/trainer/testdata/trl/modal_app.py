"""Trains on Modal: sends this folder, runs run.sh there, fetches output/.

usage: modal run modal_app.py              train, and fetch
       modal run --detach modal_app.py     train on when this machine is gone
       modal run modal_app.py::fetch       fetch what is there by now: log, checkpoints, adapter

A run is stopped after 12 hours of 1 x A100-80GB. HF_TOKEN of the
environment goes along, for base models that ask for it.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import modal

HERE = pathlib.Path(__file__).resolve().parent
SENT = "/root/sent"  # this folder, there
WORK = "/root/work"  # a copy that may be written to
KEPT = "/root/kept"  # the volume: what outlives the machine
NAME = "weir-trl-0a0a0a0a"

app = modal.App(NAME)
volume = modal.Volume.from_name(NAME, create_if_missing=True)
image = (
    modal.Image.debian_slim(python_version="3.11")
    .apt_install("git", "build-essential")
    .pip_install_from_requirements(str(HERE / "requirements.txt"))
    .env({"HF_HOME": KEPT + "/.huggingface"})
    .add_local_dir(str(HERE), SENT, ignore=["output/**", "**/__pycache__/**"])
)
secrets = [modal.Secret.from_local_environ(["HF_TOKEN"])] if "HF_TOKEN" in os.environ else []


@app.function(image=image, gpu="A100-80GB:1", timeout=43200, volumes={KEPT: volume}, secrets=secrets)
def train():
    shutil.copytree(SENT, WORK, dirs_exist_ok=True)
    output = pathlib.Path(KEPT) / "output"
    output.mkdir(exist_ok=True)
    pathlib.Path(WORK, "output").symlink_to(output)
    with open(output / "train.log", "ab", buffering=0) as log:
        run = subprocess.Popen(["sh", "run.sh"], cwd=WORK, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in run.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            log.write(line)
        code = run.wait()
    volume.commit()
    if code != 0:
        raise SystemExit(f"run.sh ended with {code}; the log is in output/train.log")


def download():
    """Writes what the volume holds of output/ beside this file."""
    for entry in volume.iterdir("/output", recursive=True):
        if entry.type != modal.volume.FileEntryType.FILE:
            continue
        path = HERE / entry.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as out:
            for chunk in volume.read_file(entry.path):
                out.write(chunk)
        print(path.relative_to(HERE))


@app.local_entrypoint()
def main():
    try:
        train.remote()
    finally:
        download()  # the log of a run that failed says why


@app.local_entrypoint()
def fetch():
    download()
