#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tollgate jupyter: kernelspecs around existing ones, by Jupyter's own rules of where things are; then, where Jupyter can
# be installed (kept in TOLLGATE_COMPAT_CACHE), a real notebook whose calls are charged, interrupts and restarts.
. "$(dirname "$0")/lib.sh"
venv=${TOLLGATE_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tollgate-compat}/notebook
has_jupyter() { "$venv/bin/python" -c 'import jupyter_client, ipykernel, nbclient, nbformat, openai' 2>/dev/null; }
if ! has_jupyter; then
    mkdir -p "$venv"
    { python3 -m venv "$venv" && "$venv/bin/pip" install -q jupyter-client ipykernel nbclient nbformat openai; } >"$venv/install.log" 2>&1
fi
play "notebooks: kernels under tollgate run"
unset TOLLGATE_ENV TOLLGATE_RUNTIME JUPYTER_PATH JUPYTER_DATA_DIR XDG_DATA_HOME JUPYTER_PREFER_ENV_PATH VIRTUAL_ENV
PATH=/usr/local/bin:/usr/bin:/bin
jupyter() { "$TOLLGATE" jupyter "$@" </dev/null; }
user=$HOME/.local/share/jupyter

# ---- kernelspecs as files
prefix=$T/opt/lab
kernels=$prefix/share/jupyter/kernels
mkdir -p "$kernels/python3/static/more" "$kernels/ir" "$kernels/broken" "$kernels/pipe" "$prefix/bin"
cat >"$kernels/python3/kernel.json" <<'JSON'
{"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Python \"3\"", "language": "python",
 "interrupt_mode": "message", "metadata": {"debugger": true}, "env": {"MODE": "x", "OPENAI_API_KEY": "sk-in-a-kernelspec"}}
JSON
printf 'PNG' >"$kernels/python3/logo-64x64.png"
printf 'js' >"$kernels/python3/static/more/kernel.js"
mkfifo "$kernels/python3/pipe"
printf '{"argv": ["/usr/bin/R", "--slave", "{connection_file}"], "display_name": "R", "language": "R"}' >"$kernels/ir/kernel.json"
printf '{"argv": []}' >"$kernels/broken/kernel.json"
mkfifo "$kernels/pipe/kernel.json"
ln -s /usr/bin/python3 "$prefix/bin/python"
printf '#!/bin/sh\n' >"$prefix/bin/jupyter" && chmod +x "$prefix/bin/jupyter"
spec() { json "$2" <"$user/kernels/$1/kernel.json"; }

jupyter install >/dev/null 2>"$T/err"
is "without any kernel it says so" "$? $(cat "$T/err")" "66 tollgate: no kernel is named python3; install one first, e.g. python3 -m ipykernel install --user"
export PATH=$prefix/bin:$PATH
has "the kernels of the jupyter in PATH are found" "$(timeout 20 "$TOLLGATE" jupyter list)" "$kernels/ir"
lacks "broken ones are no kernels" "$(jupyter list)" "broken"
check "install" jupyter install
new=tollgate-dev-python3
is "its argv is tollgate run and the kernel's" "$(spec $new '" ".join(d["argv"])')" \
    "$TOLLGATE run --env dev -- $prefix/bin/python -m ipykernel_launcher -f {connection_file}"
is "the rest is the kernel's" "$(spec $new '[d["language"], d["interrupt_mode"], d["metadata"]["debugger"], d["env"]]')" "['python', 'message', True, {'MODE': 'x'}]"
is "its name says what it is" "$(spec $new 'd["display_name"]')" 'Python "3" (tollgate dev)'
is "its resources are copied" "$(cat "$user/kernels/$new/logo-64x64.png" "$user/kernels/$new/static/more/kernel.js")" "PNGjs"
is "no key is in it" "$(grep -rhoE 'sk-|kt_cg_' "$user")" ""
find "$user" -type f -exec sha256sum {} + | sort >"$T/before"
has "again is an update" "$(jupyter install 2>/dev/null)" "updated"
is "that changes nothing" "$(find "$user" -type f -exec sha256sum {} + | sort | diff "$T/before" -)" ""
is "and leaves nothing" "$(ls -A "$user")" kernels
printf 'NEW' >"$kernels/python3/logo-64x64.png"
has "without an agent nobody knows the group" "$(jupyter install --group research --display-name 'Ours' 2>&1)" "no agent of dev is running"
is "what changed comes along" "$(cat "$user/kernels/$new/logo-64x64.png") $(spec $new 'd["display_name"]+" "+" ".join(d["argv"][2:7])')" "NEW Ours --env dev --group research --"
jupyter install --kernel $new >/dev/null 2>"$T/err"
is "a governed kernel is not governed again" $? 64
has "with the reason" "$(cat "$T/err")" "governed already"
jupyter install --kernel ruby >/dev/null 2>"$T/err"
has "an unknown one: which there are" "$(cat "$T/err")" "one of: ir, python3"
for bad in '../x' 'a/b' '' $'a\nb' .hidden; do
    jupyter install --name "$bad" >/dev/null 2>&1
    is "no name of a kernel: ${bad//$'\n'/ }" $? 64
done
mkdir "$user/kernels/mine" && printf '{"argv": ["x"]}' >"$user/kernels/mine/kernel.json"
jupyter install --name mine >/dev/null 2>&1
is "somebody else's kernel is not overwritten" "$? $(cat "$user/kernels/mine/kernel.json")" '73 {"argv": ["x"]}'
jupyter remove --name mine >/dev/null 2>&1
is "nor removed" "$? $(ls "$user/kernels/mine")" "77 kernel.json"
check "one per environment" jupyter install --env prod --kernel ir
is "prod's says prod" "$(spec tollgate-prod-ir '" ".join(d["argv"][1:5])')" "run --env prod --"
jupyter install --prefix "$T/no/prefix" --kernel ir >/dev/null 2>"$T/err"
is "a prefix that is not there is refused" "$? $([ -e "$T/no" ] && echo there) $(cat "$T/err")" \
    "66  tollgate: --prefix $T/no/prefix is no directory: it takes an installation, e.g. a virtual environment"
mkdir -p "$T/other prefix" "$T/venv/share/jupyter/kernels/python3"
printf '{"argv": ["/venv/python", "{connection_file}"], "display_name": "V"}' >"$T/venv/share/jupyter/kernels/python3/kernel.json"
check "around the prefix's own kernel" jupyter install --prefix "$T/venv"
is "which goes before those of the jupyter in PATH" "$(json 'd["argv"][-2]' <"$T/venv/share/jupyter/kernels/tollgate-dev-python3/kernel.json")" /venv/python
check "into a prefix" jupyter install --prefix "$T/other prefix" --kernel IR
is "there it is" "$(ls "$T/other prefix/share/jupyter/kernels")" tollgate-dev-ir
has "JUPYTER_PATH is looked into first" "$(JUPYTER_PATH="$T/other prefix/share/jupyter" jupyter list)" "$T/other prefix"
(export JUPYTER_DATA_DIR=$T/data && jupyter install --kernel ir >/dev/null)
(export XDG_DATA_HOME=$T/xdg && jupyter install --kernel ir >/dev/null)
is "the user's directory is where Jupyter has it" "$(cd "$T" && echo data/kernels/* xdg/jupyter/kernels/*)" "data/kernels/tollgate-dev-ir xdg/jupyter/kernels/tollgate-dev-ir"
check "remove" jupyter remove
is "it is gone" "$(ls "$user/kernels" | tr '\n' ' ')" "mine tollgate-prod-ir "
jupyter remove >/dev/null 2>&1
is "twice is a negative" $? 1

# ---- the real thing
if ! has_jupyter; then
    skip "Jupyter cannot be installed, so no notebook was run: $(grep -v '^$' "$venv/install.log" | tail -1 | cut -c1-200)"
    done_playing
fi
provider
policy <<'YAML'
environment: dev
providers:
  targets:
    - {id: openai-gpt4o-mini, provider: openai, model: gpt-5.4-mini-mini, secret_key_ref: {env: OPENAI_API_KEY}}
consumer_groups:
  - {name: product-dev, api_key: kt_cg_product_dev, wallet_team_id: team_product_dev, default: true}
  - {name: research, api_key: kt_cg_research, wallet_team_id: team_research}
YAML
agent
export PATH=$venv/bin:/usr/local/bin:/usr/bin:/bin
check "install, of the installation in PATH" jupyter install
jupyter install --group nosuch >/dev/null 2>"$T/err"
is "a running agent knows its groups" "$? $(grep -c 'no consumer group is named nosuch' "$T/err") $(spec $new '"nosuch" in d["argv"]')" "77 1 False"
check "such as this" jupyter install --group research --name governed
has "Jupyter sees it" "$("$venv/bin/python" -m jupyter kernelspec list 2>&1)" $new
work=$HOME/notebooks
mkdir -p "$work" && cd "$work" || exit 1
printf 'project: thesis\ngroup: research\n' >.tollgate.yaml
"$TOLLGATE" trust >/dev/null
cat >"$T/notebook.py" <<'PYTHON'
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell("""
import openai, os
client = openai.OpenAI()
answer = client.chat.completions.create(model="gpt-5.4-mini-mini", messages=[{"role": "user", "content": "hello"}])
print(bool(answer.choices[0].message.content), os.environ["OPENAI_API_KEY"])
"""), nbformat.v4.new_code_cell("""
import json, urllib.request
request = urllib.request.Request("https://api.openai.com/v1/chat/completions",
    json.dumps({"model": "gpt-5.4-mini-mini", "messages": [{"role": "user", "content": "hi"}]}).encode(),
    {"authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "content-type": "application/json"})
print(urllib.request.urlopen(request).status)
""")]
NotebookClient(notebook, timeout=60, kernel_name=sys.argv[1], resources={"metadata": {"path": "."}}).execute()
print("".join(output.text for cell in notebook.cells for output in cell.outputs))
PYTHON
note_events
is "a notebook's cells call" "$(timeout 120 "$venv/bin/python" "$T/notebook.py" $new 2>"$T/err" | tr '\n' ' ')" "True kt_cg_research 200  "
settled team_research
is "what they cost is the project's" "$(last_event '["project"]') $(last_event '["group"]') $(last_event '["wallet"]') $(last_event '["status"]')" "thesis research team_research 200"
is "both calls are there" "$(events | json 'len(d["events"])')" 2
cat >"$T/kernel.py" <<'PYTHON'
import os, sys, time
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name=sys.argv[1], startup_timeout=60)

def run(code, before=None):
    seen = {"text": "", "error": ""}
    def take(message):
        if message["msg_type"] == "stream":
            seen["text"] += message["content"]["text"]
            if before and "begun" in seen["text"]:
                before()
        if message["msg_type"] == "error":
            seen["error"] = message["content"]["ename"]
    client.execute_interactive(code, timeout=60, output_hook=take)
    return seen["error"] or seen["text"].strip()

call = "import openai; print(openai.OpenAI().chat.completions.create(model='gpt-5.4-mini-mini', messages=[{'role': 'user', 'content': 'x'}]).object)"
print("in place:", run("import os; print(os.getpid())") == str(manager.provisioner.pid))
print("interrupted:", run("import time; print('begun', flush=True); time.sleep(50)", manager.interrupt_kernel))
print("goes on:", run("print(1 + 1)"))
manager.restart_kernel(now=False)
client.wait_for_ready(timeout=60)
print("restarted:", run(call))
manager.shutdown_kernel()
print("ends:", not manager.is_alive())
client.stop_channels()
PYTHON
timeout 180 "$venv/bin/python" "$T/kernel.py" $new >"$T/out" 2>"$T/err"
for line in "in place: True" "interrupted: KeyboardInterrupt" "goes on: 2" "restarted: chat.completion" "ends: True"; do
    has "a kernel: $line" "$(cat "$T/out")" "$line"
done
rm .tollgate.yaml
note_events
timeout 120 "$venv/bin/python" "$T/notebook.py" $new >/dev/null 2>"$T/err"
is "elsewhere the policy decides" "[$(last_event '["project"]')] $(last_event '["wallet"]')" "[] team_product_dev"
cd "$T" || exit 1
stop_agent
done_playing
