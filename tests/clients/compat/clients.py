# SPDX-License-Identifier: Apache-2.0
"""The table of clients: what scripts/compat plays, and the rows of README.md's table. See README.md beside this file.

Words in braces are filled in by governed.py: {here} this folder's clients, {cache} what was installed, {python} of the cache,
{node} and {site} its packages, {tools} its programs, {first_python} the first python3 of PATH, {go_cache} what Go has compiled before,
{clean} the cleared environment; {prompt} is what an agent is asked."""
from dataclasses import dataclass

# What a client prints: the answer's bytes; ANSWER and the text; what it likes (a script that is given modes, an agent that is
# given a prompt).
RAW, SDK, SCRIPT, AGENT = "raw", "sdk", "script", "agent"
MODES = ("json", "stream", "tools")
SITUATIONS = ("stdin", "fds", "restart", "proxy", "ipv6")
# What of the product governs a client. A row whose engine is not in the build is a skip.
ENGINES = ("preload", "hosts", "supervised")


@dataclass(frozen=True)
class Client:
    name: str
    executable: str  # as the events have it, without version; several: "a b"
    kind: str
    needs: str  # files (absolute) and programs that must be there
    command: str
    modes: tuple = MODES
    situations: tuple = ("stdin", "fds", "restart", "proxy")
    engine: str = "preload"
    stack: str = ""  # the TLS stack, for the rows that meet a forged certificate
    is_small: bool = True  # played in --small


def raw(name, executable, needs, command, kind=RAW, **more):
    return Client(name, executable, kind, needs, command, **more)


def sdk(name, executable, needs, command, **more):
    return Client(name, executable, SDK, needs, command, **more)


def agent(name, executable, needs, command, modes=("stream", "tools"), **more):
    return Client(name, executable, AGENT, needs, command, modes=modes, **more)


def python(name, package, file, kind=RAW, **more):
    return Client(name, "python", kind, "{site}/" + package, "{python} {here}/" + file, **more)


def debian(package, **more):
    """What Debian's own Python has as a package of Debian's."""
    return raw(f"Debian's python3, {package}", "python", f"/usr/lib/python3/dist-packages/{package}*",
               f"/usr/bin/python3 {{here}}/py_{package}.py", **more)


def node(name, package, file, kind=SDK, **more):
    return Client(name, "node", kind, "node " + (f"{{node}}/node_modules/{package}" if package else ""), "node {here}/" + file, **more)


def java(name, program, kind=RAW, **more):
    return Client(name, "java", kind, f"java {{cache}}/java/{program}.class",
                  f"java -cp {{cache}}/java:{{cache}}/maven/jars/* {program}", **more)


def supervised(name, executable, needs, command, kind=RAW, **more):
    return Client(name, executable, kind, needs, command, engine="supervised", **more)


IPV6 = ("stdin", "fds", "restart", "proxy", "ipv6")
JSON = ("json",)
NONE = ()

CLIENTS = (
    raw("curl", "curl", "curl", "sh {here}/curl.sh", stack="OpenSSL 3, curl"),
    raw("wget", "wget", "wget", "sh {here}/wget.sh", situations=IPV6, stack="GnuTLS, wget"),
    sdk("git", "git-remote-http", "git", "sh {here}/git.sh", modes=JSON, stack="GnuTLS, git"),
    raw("Debian's python3, urllib", "python", "/usr/bin/python3", "/usr/bin/python3 {here}/py_urllib.py", stack="Debian Python's ssl"),
    raw("first python3, urllib", "python", "{first_python}", "{first_python} {here}/py_urllib.py", stack="Python's ssl"),
    debian("requests"),
    debian("httpx", is_small=False),
    debian("aiohttp", is_small=False),
    debian("pycurl", is_small=False),
    python("Python requests", "requests", "py_requests.py", stack="Python requests"),
    python("Python httpx", "httpx", "py_httpx.py", stack="Python httpx"),
    python("Python httpx, async", "httpx", "py_httpx_async.py", situations=IPV6),
    python("Python aiohttp", "aiohttp", "py_aiohttp.py", situations=IPV6, stack="Python aiohttp"),
    Client("Python aiohttp with aiodns", "python", RAW, "{cache}/aiodns/aiodns",
           "env PYTHONPATH={cache}/aiodns {python} {here}/py_aiohttp.py aiodns", engine="hosts"),
    python("Python pycurl", "pycurl-*.dist-info", "py_pycurl.py", situations=IPV6, stack="pycurl"),
    python("Python openai", "openai", "py_openai.py", SDK),
    python("Python anthropic", "anthropic", "py_anthropic.py", SDK),
    python("Python google-genai", "google/genai", "py_genai.py", SDK),
    python("Python litellm", "litellm", "py_litellm.py", SDK, is_small=False),
    python("Python LangChain", "langchain_openai", "py_langchain.py", SDK),
    Client("uv's Python, urllib", "python", RAW, "{cache}/uv-python/bin/python", "{cache}/uv-python/bin/python {here}/py_urllib.py",
           stack="uv's Python", is_small=False),
    Client("Jupyter kernel, openai", "python", SDK, "{site}/ipykernel {site}/openai", "{python} {here}/py_jupyter.py", is_small=False),
    node("Node fetch", "", "node_fetch.mjs", RAW, stack="Node"),
    node("Node https", "", "node_https.mjs", RAW, situations=IPV6),
    node("Node undici", "undici", "node_undici.mjs", RAW, situations=IPV6),
    node("Node openai", "openai", "node_openai.mjs"),
    node("Node @anthropic-ai/sdk", "@anthropic-ai/sdk", "node_anthropic.mjs"),
    node("Node ai (Vercel)", "@ai-sdk/openai", "node_ai.mjs"),
    node("Node @google/genai", "@google/genai", "node_genai.mjs"),
    node("LangChain.js", "@langchain/openai", "node_langchain.mjs"),
    raw("Bun fetch", "bun.exe", "{tools}/bun", "{tools}/bun {here}/node_fetch.mjs", stack="BoringSSL, Bun"),
    sdk("Bun openai", "bun.exe", "{tools}/bun {node}/node_modules/openai", "{tools}/bun {here}/node_openai.mjs", is_small=False),
    raw("Deno fetch", "deno", "{tools}/deno", "{tools}/deno run -A --no-lock {here}/node_fetch.mjs", stack="rustls, Deno"),
    raw("Ruby net/http", "ruby", "ruby", "ruby {here}/ruby_client.rb", stack="Ruby's OpenSSL"),
    raw("Perl LWP", "perl", "perl", "perl {here}/perl_client.pl", stack="Perl's IO::Socket::SSL"),
    raw("PHP streams", "php", "php", "php {here}/php_client.php", stack="PHP's OpenSSL"),
    java("Java HttpClient", "JavaClient", stack="Java's JSSE"),
    java("OkHttp", "OkHttpProgram", is_small=False, stack="OkHttp"),
    java("openai-java", "OpenAiProgram", SDK, is_small=False),
    raw("Rust reqwest, rustls", "compat-rust", "{cache}/compat-rust", "{cache}/compat-rust", is_small=False, stack="rustls, reqwest"),
    agent("Claude Code", "claude.exe", "{tools}/claude", "{tools}/claude --model claude-haiku-4-5 -p {prompt}"),
    agent("Gemini CLI", "node", "node {tools}/gemini", "{tools}/gemini --skip-trust -p {prompt}"),
    agent("OpenCode", "opencode.exe", "{tools}/opencode", "{tools}/opencode run -m anthropic/claude-haiku-4-5 {prompt}",
          is_small=False),
    # children
    raw("child of sh -c", "python", "{first_python}", "sh -c 'exec \"$0\" \"$@\"' {first_python} {here}/py_urllib.py",
        modes=JSON, situations=NONE),
    raw("child of env -i", "python", "{first_python}", "env -i {clean} {first_python} {here}/py_urllib.py", modes=JSON, situations=NONE),
    raw("child of Python subprocess, empty env", "python", "{first_python}",
        "{first_python} {here}/parent.py {clean} -- {first_python} {here}/py_urllib.py", modes=JSON, situations=NONE),
    raw("child of Node child_process, empty env", "python", "node {first_python}",
        "node {here}/parent.mjs {clean} -- {first_python} {here}/py_urllib.py", modes=JSON, situations=NONE),
    raw("child of Java ProcessBuilder, empty env", "python", "{cache}/java/JavaParent.class {first_python}",
        "java -cp {cache}/java JavaParent env {clean} {first_python} {here}/py_urllib.py", modes=JSON, situations=NONE),
    raw("daemonised grandchild, curl", "curl", "curl setsid", "sh {here}/daemon.sh sh {here}/curl.sh", kind=SCRIPT, modes=JSON, situations=NONE),
    # static and Go programs
    supervised("Go net/http", "go-http-static", "{cache}/go-http-static", "{cache}/go-http-static", stack="Go's crypto/tls"),
    supervised("Go net/http, cgo", "go-http-cgo", "{cache}/go-http-cgo", "{cache}/go-http-cgo"),
    supervised("openai-go", "go-openai", "{cache}/go-openai", "{cache}/go-openai", SDK, is_small=False),
    supervised("go run", "http", "go {here}/go/http.go", "env GOCACHE={go_cache} go run {here}/go/http.go", modes=JSON, situations=NONE, is_small=False),
    supervised("Rust reqwest, rustls, static musl", "compat-rust-musl", "{cache}/compat-rust-musl", "{cache}/compat-rust-musl", is_small=False),
    supervised("C, static, OpenSSL", "c-static", "{cache}/c-static", "{cache}/c-static", stack="OpenSSL, static"),
    # it names its tools in a message of its own kind (code mode), which the stand-in does not speak
    agent("Codex (node, then static)", "codex", "node {tools}/codex", "{tools}/codex exec --skip-git-repo-check {prompt}", modes=("stream",),
          engine="supervised"),
    # trees of both kinds
    supervised("sh, then Go", "go-http-static", "{cache}/go-http-static", "sh -c '\"$0\" \"$@\"; exit $?' {cache}/go-http-static", modes=JSON,
               situations=NONE),
    supervised("python, then static C", "c-static", "{cache}/c-static {first_python}",
               "{first_python} {here}/parent.py {clean} -- {cache}/c-static", modes=JSON, situations=NONE),
    supervised("make -j, both kinds", "curl go-http-static", "{cache}/go-http-static make curl", "make -s -j4 -f {here}/both.mk GO={cache}/go-http-static",
               SCRIPT, modes=JSON, situations=NONE),
    supervised("daemonised grandchild, Go", "go-http-static", "{cache}/go-http-static setsid", "sh {here}/daemon.sh {cache}/go-http-static", SCRIPT,
               modes=JSON, situations=NONE),
)
