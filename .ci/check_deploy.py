"""Checks the examples of deployment against the program that they start.

compose: reads a compose model as JSON; units: reads systemd units. Every weir
command in them must be one, with flags that it has: a renamed flag would
otherwise be found by an operator.
"""
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
        if unit.has_option("Service", "ExecStart"):
            for words in commands(shlex.split(unit["Service"]["ExecStart"])):
                check(path, words)


if sys.argv[1] == "compose":
    compose()
else:
    units(sys.argv[2:])
