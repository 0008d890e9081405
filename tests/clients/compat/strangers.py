# SPDX-License-Identifier: Apache-2.0
"""Our authority signs for governed names alone: with the intermediate's own key a certificate is made for another name, and
every TLS stack that trusts us must refuse the server that shows it; called by scripts/compat.

strangers.py --small|--full [CLIENT…]
"""
import glob
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading

from clients import CLIENTS
from governed import T, clean_environment, command_of, is_named, missing, probe_engines, run_governed

STRANGER, GOVERNED = "localhost", "api.openai.com"  # a name that all stacks can look up, and one that we may sign for
SECONDS_MAX = 60


def openssl(*words):
    return subprocess.run(["openssl", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def forge(name, pair):
    """A leaf for the name, signed by the agent's intermediate, which follows it in the file; answers the file's path."""
    path = os.path.join(T, name)
    with open(path + ".ext", "w", encoding="utf-8") as file:
        file.write(f"subjectAltName=critical,DNS:{name}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n"
                   "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nbasicConstraints=CA:FALSE\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/",
            "-keyout", path + ".key", "-out", path + ".csr")
    done = openssl("x509", "-req", "-in", path + ".csr", "-CA", pair + "/intermediate.pem", "-CAkey", pair + "/intermediate.key",
                   "-set_serial", "77", "-days", "1", "-extfile", path + ".ext", "-out", path + ".pem")
    if done.returncode:
        sys.exit("no certificate can be forged: " + done.stderr)
    with open(path + ".pem", "a", encoding="utf-8") as chain, open(pair + "/intermediate.pem", encoding="utf-8") as issuer:
        chain.write(issuer.read())
    return path


def verdict(path, pair):
    done = openssl("verify", "-CAfile", pair + "/root.pem", "-untrusted", pair + "/intermediate.pem", path + ".pem")
    return done.stdout + done.stderr


class Server(threading.Thread):
    """Counts who came, and who said anything after the handshake."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path + ".pem", path + ".key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.came, self.believed = 0, 0
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            self.came += 1
            connection.settimeout(10)
            try:
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    if secure.recv(1):
                        self.believed += 1
            except OSError:
                pass


def play_stack(client, server):
    """Answers why the stack is no good, or None."""
    server.came = server.believed = 0
    url = f"https://{STRANGER}:{server.port}/v1/chat/completions"
    command = ["timeout", str(SECONDS_MAX), *command_of(client), "json"]
    words = run_governed([*clean_environment(url), f"HOME={T}"], command)
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if server.believed or done.returncode == 0:
        return f"it believed the stranger (exit {done.returncode})"
    if not server.came:
        return "it never came: " + done.stderr[-300:]
    return None


def main():
    is_small, only = sys.argv[1] == "--small", sys.argv[2:]
    pair = sorted(glob.glob(f"{T}/s/tollgate/dev/ca/pair-*"))[-1]
    stranger, counts, engines = forge(STRANGER, pair), {"ok": 0, "FAIL": 0, "skip": 0}, probe_engines()
    if "permitted subtree violation" not in verdict(stranger, pair) or ": OK" not in verdict(forge(GOVERNED, pair), pair):
        sys.exit("the forged certificates show nothing: " + verdict(stranger, pair))
    server = Server(stranger)
    print(f"{'TLS stack':<42}{'a stranger under our authority':>32}")
    for client in CLIENTS:
        if not client.stack or is_small and not client.is_small or not is_named(client.name, only):
            continue
        lacking = missing(client) or (None if client.engine in engines else f"the engine '{client.engine}'")
        why = None if lacking else play_stack(client, server)
        result = "skip" if lacking else "FAIL" if why else "ok"
        counts[result] += 1
        if why or lacking:
            print(f"SKIP: {client.stack}: {lacking} is not here" if lacking else f"  {client.stack}: {why}", file=sys.stderr)
        print(f"{client.stack:<42}{'refused' if result == 'ok' else result:>32}", flush=True)
    shutil.rmtree(os.path.join(T, ".cache"), ignore_errors=True)
    print(f"counts: {counts['ok']} {counts['FAIL']} {counts['skip']}")


main()
