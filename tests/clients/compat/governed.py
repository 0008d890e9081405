# SPDX-License-Identifier: Apache-2.0
"""How a row of clients.py becomes a governed command line: what its words in braces stand for, the cleared environment it
begins with, whether this machine has what it needs and this build its engine."""
import glob
import json
import os
import re
import shlex
import shutil
import subprocess

T, CACHE = os.environ["T"], os.environ["COMPAT_CACHE"]
TOLLGATE = os.environ["TOLLGATE"]
HERE = os.path.dirname(os.path.abspath(__file__))
URL = "https://api.openai.com/v1/chat/completions"
PAUSE = os.path.join(T, "pause")
KEY_VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "CODEX_API_KEY")


def first(pattern):
    return next(iter(sorted(glob.glob(pattern))), pattern)


def node_version():
    found = re.search(r"\d+", subprocess.run(["node", "--version"], capture_output=True, text=True).stdout) if shutil.which("node") else None
    return int(found[0]) if found else 0


NODE_VERSION = node_version()


def clean_environment(url=URL):
    """What a program has: no variable of ours, and the key of a group as its own."""
    return [f"PATH={os.environ['PATH']}", "LANG=C.UTF-8", f"COMPAT_NODE={CACHE}/node", f"COMPAT_BODIES={HERE}/bodies", f"COMPAT_URL={url}",
            f"COMPAT_PAUSE={PAUSE}", *(f"{name}=kt_cg_matrix" for name in KEY_VARIABLES)]


WORDS = {"here": f"{HERE}/clients", "cache": CACHE, "python": f"{CACHE}/venv/bin/python", "node": f"{CACHE}/node",
         "site": first(f"{CACHE}/venv/lib/python3*/site-packages"), "tools": f"{CACHE}/tools/node_modules/.bin",
         "first_python": shutil.which("python3"), "go_cache": (CACHE if os.access(CACHE, os.W_OK) else T) + "/go-build"}


def node_is_too_old(path):
    """Whether the package around this file wants a newer Node than is here: Debian 12's is older than some want."""
    folder = os.path.realpath(path)
    while len(folder) > 1 and not os.path.exists(folder + "/package.json"):
        folder = os.path.dirname(folder)
    try:
        with open(folder + "/package.json", encoding="utf-8") as file:
            oldest = re.search(r"\d+", json.load(file).get("engines", {}).get("node", "0"))
    except OSError:
        return False
    return oldest is not None and NODE_VERSION < int(oldest[0])


def missing(client):
    """The first thing that a client needs and this machine lacks."""
    needs = shlex.split(client.needs.format(**WORDS))
    for need in needs:
        if not (glob.glob(need) if need.startswith("/") else shutil.which(need)):
            return os.path.basename(need)
        if "node" in needs and need.startswith("/") and node_is_too_old(need):
            return "a Node new enough for " + os.path.basename(need)
    return None


def is_named(name, only):
    """Whether a row is one of those asked for; none asked for: all are."""
    return not only or any(name.lower().startswith(word.lower()) for word in only)


def command_of(client, prompt="hello"):
    words = []
    for word in shlex.split(client.command):
        words += clean_environment() if word == "{clean}" else [word.format(prompt=prompt, **WORDS)]
    return words


def run_governed(environment, command):
    """The words that run a command in exactly this environment, and the variables of ours that our hooks put back."""
    return [TOLLGATE, "run", "--env", "dev", "--", "env", "-i", *environment, *command]


def probe_engines():
    """The engines of this build: what a governed program sees of them."""
    def shown(*command):
        return subprocess.run([TOLLGATE, "run", "--env", "dev", "--", *command], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout

    engines, probe = {"preload"}, os.path.join(CACHE, "c-probe")
    if not os.environ.get("COMPAT_NAMES"): # there, the file itself has names already
        engines.add("hosts")
    if os.path.exists(probe) and "TOLLGATE_SUPERVISED=" in shown(probe):
        engines.add("supervised")
    return engines
