#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As many governed names as a catalogue can hold: 64 providers of 32 hosts, the real ones among them. Certificates, map and programs
# bear it, and so does a proxy in the environment, whose NO_PROXY has room for some of them.
. "$(dirname "$0")/lib.sh"
play "two thousand governed names"
provider
python3 - "$T/providers.yaml" <<'P'
import re, sys
text = open(sys.argv[1]).read()
room = 64 - len(re.findall(r"^  - id:", text, re.M))
base = re.search(r"base_url: (\S+)", text).group(1)
for provider in range(room):
    hosts = ", ".join(f"host-{provider:02}-{host:02}.many.test" for host in range(32))
    text += f"  - id: many-{provider:02}\n    dialect: openai\n    hosts: [{hosts}]\n    base_url: {base}\n" \
            f"    ca_file: {re.search(r'ca_file: (.+)', text).group(1)}\n    local: true\n    key_header: authorization\n    price_family: openai\n"
open(sys.argv[1], "w").write(text)
P
agent
names=$("$TOLLGATE" doctor | sed -n 's/^ok *map *\([0-9]*\) governed names.*/\1/p')
check "two thousand are governed" [ "$names" -gt 1500 ]
has "a call to a known one" "$(openai "$(openai_body)")" chat.completion
check "the last one's address answers, and its certificate is ours" governed curl -sS -o "$T/out" --max-time 20 https://host-40-31.many.test/v1/models
has "so does a program behind a proxy" "$(HTTPS_PROXY=http://127.0.0.1:9 openai "$(openai_body)")" chat.completion
has "of whose NO_PROXY the doctor speaks" "$(HTTPS_PROXY=http://127.0.0.1:9 "$TOLLGATE" doctor)" "not all of the governed names find room in NO_PROXY"
is "what is added to it is taken out again" "$(HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=a.test governed sh -c \
    'eval "$("$0" env --shell bash --off)"; echo "$NO_PROXY"' "$TOLLGATE")" a.test
has "having been there" "$(HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=a.test governed printenv NO_PROXY)" "a.test,api.anthropic.com,"
stop_agent
done_playing
