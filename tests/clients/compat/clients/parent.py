# SPDX-License-Identifier: Apache-2.0
"""parent.py [NAME=value…] -- COMMAND…: a child of subprocess with nothing but these in its environment."""
import subprocess
import sys

at = sys.argv.index("--")
environment = dict(pair.split("=", 1) for pair in sys.argv[1:at])
sys.exit(subprocess.run(sys.argv[at + 1:], env=environment, close_fds=True).returncode)
