# SPDX-License-Identifier: Apache-2.0
"""A kernel, as a notebook starts it; it imports the same client that runs elsewhere."""
import os
import sys
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(startup_timeout=60)
here = os.path.dirname(os.path.abspath(__file__))
failed = []


def show(message):
    content = message["content"]
    if message["msg_type"] == "stream":
        getattr(sys, content["name"]).write(content["text"])
    elif message["msg_type"] == "error":
        failed.append(content["evalue"])


client.execute_interactive(f"import sys; sys.path.insert(0, {here!r}); sys.argv = {['notebook', *sys.argv[1:]]!r}; import py_openai",
                           output_hook=show, timeout=120)
manager.shutdown_kernel(now=True)
sys.exit(failed[0] if failed else 0)
