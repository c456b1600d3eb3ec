"""Checks the examples of deployment against the program that they start.

compose: reads a compose model as JSON; units: reads systemd units; cron: a
crontab; kubernetes: manifests, which must also fit the API's own schema; dag: an
Airflow DAG, which must compile. Every weir
command in them must be one, with flags that it has: a renamed flag would
otherwise be found by an operator.
"""
import ast
import configparser
import functools
import json
import re
import shlex
import subprocess
import sys

WEIR = "bin/weir"


@functools.cache
def flags(command):
    """The flags of a weir command, by its own help."""
    done = subprocess.run([WEIR, *command, "--help"], capture_output=True, text=True)
    usage = f"weir {' '.join(command)} - "
    if done.returncode != 0 or usage not in done.stdout:
        sys.exit(f"no command: weir {' '.join(command)}")
    return set(re.findall(r"--([a-z-]+)", done.stdout.split("OPTIONS:")[1]))


def check(where, words):
    """Checks the words after weir."""
    command = []
    while words and not words[0].startswith("-"):
        command.append(words.pop(0))
    for word in words:
        flag = word.removeprefix("--").split("=")[0]
        if word.startswith("--") and flag not in flags(tuple(command)):
            sys.exit(f"{where}: weir {' '.join(command)} has no --{flag}")
    print(f"{where}: weir {' '.join(command)}")
    return command


def commands(argv):
    """The weir commands of an argv, also of one that a shell runs."""
    if argv[:2] == ["sh", "-c"]:
        for part in re.split(r"[;&|]+", argv[2]):
            found = re.search(r"\bweir (.*)", part)
            if found:
                yield shlex.split(found[1])
    elif argv and argv[0].rsplit("/")[-1] == "weir":
        yield argv[1:]


def compose():
    model = json.load(sys.stdin)
    services = model["services"]
    started = []
    for name, service in sorted(services.items()):
        for words in commands(service.get("command") or []):
            started.append((name, check(f"docker-compose.yml: {name}", words)))
    sinks = [name for name, command in started if command == ["sink"]]
    always = {name for name, service in services.items() if not service.get("profiles")}
    if "kafka" not in always or not set(sinks) & always or not model.get("volumes"):
        sys.exit("docker-compose.yml: a broker with a volume and a sink belong there")
    if len(sinks) < 2 or ["lake", "maintain"] not in [c for _, c in started] or "prometheus" not in services:
        sys.exit("docker-compose.yml: two sinks, upkeep and Prometheus belong to the profile operations")
    for name in always:
        missing = services[name].get("depends_on", {}).keys() - always
        if missing:
            sys.exit(f"docker-compose.yml: {name} depends on {missing}, which a profile has")
    targets = set(re.findall(r'"([a-z0-9-]+):9464"', open("deploy/prometheus/prometheus.yml").read()))
    serving = {name for name, service in services.items() if "--metrics" in (service.get("command") or [])}
    if targets != serving:
        sys.exit(f"prometheus.yml asks {sorted(targets)}, metrics are served by {sorted(serving)}")


def units(paths):
    for path in paths:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(path)
        # A service may have several; configparser keeps the last.
        for line in re.findall(r"^ExecStart=(.*)", open(path).read(), re.M):
            for words in commands(shlex.split(line)):
                check(path, words)


def cron(path):
    lines = [line for line in open(path) if line.strip() and not line.startswith("#")]
    if not lines:
        sys.exit(f"{path}: no line")
    for line in lines:
        fields = line.split(None, 6)  # five of time, the user, the command
        if len(fields) != 7 or not all(re.fullmatch(r"[\d*/,-]+", field) for field in fields[:5]):
            sys.exit(f"{path}: {line}")
        found = [check(path, [word for word in words if not word.startswith(">")]) for words in commands(["sh", "-c", fields[6]])]
        if not found:
            sys.exit(f"{path}: no weir command in {line}")


def kubernetes(path):
    import kubernetes_validate
    import yaml

    for manifest in yaml.safe_load_all(open(path)):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for container in pod["initContainers"] + pod["containers"]:
            for words in commands(container["command"]):
                check(path, words)
        mounts = {m["name"] for c in pod["initContainers"] + pod["containers"] for m in c["volumeMounts"]}
        if mounts != {volume["name"] for volume in pod["volumes"]}:
            sys.exit(f"{path}: volumes and mounts differ")
        print(f"{path}: {manifest['kind']} {manifest['metadata']['name']} fits the schema of Kubernetes {kubernetes_validate.latest_version()}")


def dag(path):
    tree = ast.parse(open(path).read(), path)
    compile(tree, path, "exec")
    found = 0
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "weir":
            # What is no literal is the value of a flag.
            check(path, [a.value if isinstance(a, ast.Constant) else "value" for a in call.args])
            found += 1
    if not found:
        sys.exit(f"{path}: no weir command")


modes = {"cron": cron, "kubernetes": kubernetes, "dag": dag}
if sys.argv[1] == "compose":
    compose()
elif sys.argv[1] == "units":
    units(sys.argv[2:])
else:
    modes[sys.argv[1]](sys.argv[2])
