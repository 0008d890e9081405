#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""43-secrets.py DIRECTORY CA-DIRECTORY: looks for what 43-operate.sh has planted in every file below DIRECTORY: raw, as
base64 at each of its three offsets, as URLs and JSON write it; and for the private keys of the CA. Prints "clean", or
each find."""
import base64, json, os, pathlib, re, sys, urllib.parse

planted = [os.environ[name] for name in ("PLANT_KEY", "PLANT_METRICS", "PLANT_SIGN")]
planted += ["PLANTstored/0123456789\\x", "PLANTproxypass%2F99", "PLANTproxypass/99", "kt_cg_PLANTplaceholder_0123456789", "PLANThook0123456789", "PLANTaccount0123456789",
            "PLANTbefore0123456789",
            "PLANTargument0123456789", "sk-PLANTcomment0123456789", "PLANTpasted0123456789abcdef", 'PLANTprompt: my secret plan for 2027 + 1/2',
            "plan for 2027", "PLANTrefused prompt 0123456789", "PLANTprompt"]


def forms(text):
    raw = text.encode()
    yield raw
    yield urllib.parse.quote(text).encode()
    yield urllib.parse.quote(text, safe="").encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].replace("/", "\\/").encode()
    for offset in range(3):  # what stands before shifts the digits; those that its neighbours share are left out
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            digits = encode(b"\0" * offset + raw).rstrip(b"=")
            yield digits[(0, 2, 3)[offset]:len(digits) - 1]


needles = {form: text for text in planted for form in forms(text) if len(form) > 7}
for file in pathlib.Path(sys.argv[2]).rglob("*"):
    if file.is_file() and b"PRIVATE KEY" in file.read_bytes():
        body = re.sub(rb"-----[^-]+-----|\s", b"", file.read_bytes())
        needles.update({body[i:i + 40]: str(file.name) for i in range(0, len(body) - 40, 20)})
if not any(".pem" in text or "key" in text.lower() for text in needles.values()):
    print("no private key was found to look for")
found = [f"{file.name}: {text}" for file in pathlib.Path(sys.argv[1]).rglob("*") if file.is_file()
         for form, text in needles.items() if form in file.read_bytes()]
print("\n".join(sorted(set(found))) or "clean")
