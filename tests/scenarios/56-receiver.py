#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A webhook's receiver: checks the signature as a user would, answers 500 a few times, and notes every post.
Usage: 56-receiver.py FILE FAILURES PORT (0: any, printed)"""
import hashlib, hmac, http.server, json, os, sys, time

path, failures, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global failures
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = dict(part.split("=", 1) for part in self.headers["tollgate-signature"].split(","))
        wanted = hmac.new(os.environ["ALERT_SECRET"].encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        status = 200
        if failures > 0:
            failures, status = failures - 1, 500
        with open(path, "a") as file:
            row = {"status": status, "is_signed": hmac.compare_digest(wanted, parts["v1"]), "time": int(parts["t"]),
                   "received": time.time(), "delivery": self.headers["tollgate-delivery"], "body": json.loads(body)}
            file.write(json.dumps(row) + "\n")
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
