# SPDX-License-Identifier: Apache-2.0
"""Types into an interactive shell: prints the command line that TAB makes of each argument. SHELL HOW LINE…
HOW is what the shell evaluates first. The line is shown by putting `echo ` before it: keys are read in order, so that
nothing has to be waited for but the answer."""
import os, pty, select, sys, time

shell, how, lines = sys.argv[1], sys.argv[2], sys.argv[3:]
arguments = {"bash": ["bash", "--norc", "--noprofile"], "zsh": ["zsh", "-f"]}[shell]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="", TERM="dumb", PROMPT_EOL_MARK="")
    os.execvp(arguments[0], arguments)


def wait(mark, seconds=30):
    text, end = b"", time.monotonic() + seconds
    while mark not in text:
        if time.monotonic() > end or not select.select([fd], [], [], 1)[0]:
            if time.monotonic() > end:
                sys.exit(f"{shell} does not answer: {text!r}")
            continue
        text += os.read(fd, 65536)
    return text


os.write(fd, b"stty -echo; " + how.encode() + b"; printf 'rea%s\\n' dy\n")
wait(b"ready")
for number, line in enumerate(lines):
    # the words go to a file, out of the way of what the line editor draws
    os.write(fd, line.encode() + b"\t\x01printf '%s|' \x05 >shown; printf 'do%s\\n' ne" + str(number).encode() + b"\n")
    wait(b"done" + str(number).encode())
    print(open("shown").read())
os.close(fd)
os.waitpid(pid, 0)
