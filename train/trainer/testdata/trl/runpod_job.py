"""Trains on RunPod: rents the pod of runpod.json, sends this folder, runs run.sh
there, fetches output/, and gives the pod back.

usage: python runpod_job.py              all of it
       python runpod_job.py up           rent only; prints the pod's id
       python runpod_job.py send|run|logs|fetch|down POD

Needs: pip install runpod, RUNPOD_API_KEY, ssh with a key (--key). The pod is
given back after 12 hours at most, by itself: it does not need this
machine for that. HF_TOKEN of the environment goes along.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import runpod

HERE = pathlib.Path(__file__).resolve().parent
WORK = "/workspace/weir"
SECONDS = 43200
# The pod removes itself when its time is up, whatever becomes of the run.
START = (
    f"cd {WORK} && rm -f output/exit && mkdir -p output && "
    f"(nohup sh -c 'sleep {SECONDS}; runpodctl remove pod $RUNPOD_POD_ID' >/dev/null 2>&1 &) && "
    "(nohup sh -c 'pip install -r requirements.txt && sh run.sh; echo $? > output/exit' > output/train.log 2>&1 &)"
)


def up(args):
    spec = json.loads((HERE / "runpod.json").read_text(encoding="utf-8"))
    env = {"PUBLIC_KEY": pathlib.Path(args.key + ".pub").read_text(encoding="utf-8").strip()}
    if "HF_TOKEN" in os.environ:
        env["HF_TOKEN"] = os.environ["HF_TOKEN"]
    pod = runpod.create_pod(**spec, env=env)["id"]
    print(pod, flush=True)
    return pod


def address(pod, patience=600):
    """The pod's public address, once it has one and answers there."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        runtime = (runpod.get_pod(pod) or {}).get("runtime") or {}
        for port in runtime.get("ports") or []:
            if port["privatePort"] == 22 and port["isIpPublic"]:
                return port["ip"], port["publicPort"]
        time.sleep(5)
    raise SystemExit(f"pod {pod} has no public address after {patience} s: python runpod_job.py down {pod}")


def ssh(args, command, **more):
    ip, port = address(args.pod)
    line = ["ssh", "-i", args.key, "-p", str(port), "-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=20", f"root@{ip}", command]
    return subprocess.run(line, check=True, **more)


def send(args):
    for attempt in range(30):  # sshd starts after the pod does
        try:
            ssh(args, f"mkdir -p {WORK}")
            break
        except subprocess.CalledProcessError:
            if attempt == 29:
                raise
            time.sleep(5)
    with subprocess.Popen(["tar", "-czf", "-", "--exclude=./output", "-C", str(HERE), "."], stdout=subprocess.PIPE) as tar:
        ssh(args, f"tar -xzf - -C {WORK}", stdin=tar.stdout)
    if tar.returncode != 0:
        raise SystemExit("tar failed")


def run(args):
    ssh(args, START)
    seen, until = 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            new = ssh(args, f"tail -c +{seen + 1} {WORK}/output/train.log; echo; cat {WORK}/output/exit 2>/dev/null || echo going", stdout=subprocess.PIPE).stdout
        except subprocess.CalledProcessError:  # the line broke; the run goes on
            time.sleep(15)
            continue
        text, _, state = new.rstrip(b"\n").rpartition(b"\n")
        text = text.removesuffix(b"\n")
        seen += len(text)
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        if state != b"going":
            if state.strip() != b"0":
                raise SystemExit(f"run.sh ended with {state.decode()}; the log is in output/train.log")
            return
        time.sleep(15)
    raise SystemExit(f"not done after {SECONDS} s: it is stopped")


def logs(args):
    ssh(args, f"cat {WORK}/output/train.log")


def fetch(args):
    with subprocess.Popen(["tar", "-xzf", "-", "-C", str(HERE)], stdin=subprocess.PIPE) as tar:
        ssh(args, f"tar -czf - -C {WORK} output", stdout=tar.stdin)
        tar.stdin.close()
    if tar.returncode != 0:
        raise SystemExit("tar failed")


def down(args):
    runpod.terminate_pod(args.pod)


def everything(args):
    args.pod = up(args)
    try:
        send(args)
        try:
            run(args)
        finally:
            fetch(args)  # the log of a run that failed says why
    finally:
        down(args)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--key", default=os.path.expanduser("~/.ssh/id_ed25519"), help="ssh key; its .pub goes to the pod")
    parser.add_argument("what", nargs="?", choices=["up", "send", "run", "logs", "fetch", "down"], help="one step; without it, all of them")
    parser.add_argument("pod", nargs="?", help="its id")
    args = parser.parse_args(argv)
    if args.what not in (None, "up") and not args.pod:
        parser.error(f"{args.what} needs the pod's id")
    runpod.api_key = os.environ["RUNPOD_API_KEY"]
    {"up": up, "send": send, "run": run, "logs": logs, "fetch": fetch, "down": down, None: everything}[args.what](args)


if __name__ == "__main__":
    main()
