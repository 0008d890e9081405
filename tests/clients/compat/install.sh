# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $cache and $extent are those of scripts/compat
# Sourced by scripts/compat: installs the clients from the registries of their languages into $cache and builds the small
# programs. What cannot be had is a skip that says so; its rows are skips, too. Nothing is done twice.
clients=$ROOT/tests/clients/compat/clients
venv=$cache/venv

# install_all LOG COMMAND…: each of $packages together, and when that fails one by one, so that one cannot hide the others
install_all() {
    local log=$1 package
    shift
    timeout 600 "$@" "${packages[@]}" >"$log" 2>&1 && return 0
    for package in "${packages[@]}"; do
        timeout 300 "$@" "$package" >>"$log" 2>&1 || skip "$package cannot be installed: $(grep -v '^$' "$log" | tail -1 | cut -c1-200)"
    done
}

# build NAME SOURCE COMMAND…: makes $cache/NAME, unless it was made of the same source
build() {
    local name=$1 source=$2
    shift 2
    [ -e "$cache/$name" ] && cmp -s "$source" "$cache/$name.source" && return 0
    say "building $name"
    if timeout 600 "$@" >"$cache/$name.log" 2>&1; then
        cp "$source" "$cache/$name.source"
    else
        skip "$name cannot be built: $(grep -v '^$' "$cache/$name.log" | tail -1 | cut -c1-200)"
    fi
}

install_python() {
    local wanted=(openai anthropic httpx aiohttp requests pydantic langchain-core langchain-openai langchain-anthropic
        google-genai pycurl) more=(litellm uv ipykernel jupyter-client) package installed
    [ "$extent" = --full ] && wanted+=("${more[@]}")
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv" >"$cache/pip.log" 2>&1
    installed=$("$venv/bin/python" -c 'import importlib.metadata as m; print(*(d.name.lower().replace("_", "-") for d in m.distributions()))')
    packages=()
    for package in "${wanted[@]}"; do [[ " $installed " == *" $package "* ]] || packages+=("$package"); done
    if [ ${#packages[@]} -gt 0 ]; then
        say "installing the Python clients"
        install_all "$cache/pip.log" "$venv/bin/pip" install -q
    fi
    # apart from the others: aiohttp takes it wherever it finds it
    packages=(aiodns)
    [ -d "$cache/aiodns/aiodns" ] || install_all "$cache/pip.log" "$venv/bin/pip" install -q --target "$cache/aiodns"
}

# uv's Python is a download of its own, not a package: most machines that have only registries have none
install_uv_python() {
    [ -e "$cache/uv-python/bin/python" ] && return
    [ -x "$venv/bin/uv" ] || { skip "uv's Python: no uv"; return; }
    if timeout 120 "$venv/bin/uv" python install --install-dir "$cache/uv" 3.13 >"$cache/uv.log" 2>&1; then
        ln -sfn "$(dirname "$(dirname "$(ls "$cache"/uv/*/bin/python3 | head -1)")")" "$cache/uv-python"
    else
        skip "uv's Python cannot be downloaded: $(grep -v '^$' "$cache/uv.log" | head -1 | cut -c1-200)"
    fi
}

# install_npm DIR LABEL PACKAGE…
install_npm() {
    local dir=$1 label=$2 package
    shift 2
    packages=()
    for package; do [ -d "$dir/node_modules/${package%@[0-9]*}" ] || packages+=("$package"); done
    [ ${#packages[@]} -eq 0 ] && return
    command -v npm >/dev/null || { skip "$label: no npm"; return; }
    say "installing $label"
    mkdir -p "$dir"
    install_all "$cache/npm.log" npm --prefix "$dir" install --silent --no-audit --no-fund
}

install_java() {
    mkdir -p "$cache/java" "$cache/maven"
    if [ "$extent" = --full ] && [ ! -d "$cache/maven/jars" ]; then
        cp "$clients/java/pom.xml" "$cache/maven/"
        if ! command -v mvn >/dev/null; then
            skip "OkHttp, openai-java: no mvn"
        elif ! timeout 600 mvn -q -B -f "$cache/maven/pom.xml" dependency:copy-dependencies -DoutputDirectory=jars >"$cache/maven.log" 2>&1; then
            skip "OkHttp, openai-java cannot be installed: $(tail -1 "$cache/maven.log" | cut -c1-200)"
        fi
    fi
    command -v javac >/dev/null || return
    local source program
    for source in "$clients"/java/*.java; do
        program=$(basename "$source" .java)
        case $program in OkHttp* | OpenAi*) [ -d "$cache/maven/jars" ] || continue ;; esac
        build "java/$program.class" "$source" javac -d "$cache/java" -cp "$cache/maven/jars/*" "$source"
    done
}

build_go() {
    command -v go >/dev/null || { skip "Go clients: no go"; return; }
    build go-http-static "$clients/go/http.go" env CGO_ENABLED=0 go build -o "$cache/go-http-static" "$clients/go/http.go"
    build go-http-cgo "$clients/go/http.go" env CGO_ENABLED=1 go build -o "$cache/go-http-cgo" "$clients/go/http.go"
    [ "$extent" = --full ] || return
    mkdir -p "$cache/go-module"
    cp "$clients/go/openai/main.go" "$cache/go-module/"
    build go-openai "$clients/go/openai/main.go" sh -c 'cd "$1" && { [ -e go.mod ] || go mod init compat; } &&
        go mod tidy && CGO_ENABLED=0 go build -o ../go-openai .' sh "$cache/go-module"
}

build_rust() {
    local target=x86_64-unknown-linux-musl crate=$cache/crate
    command -v cargo >/dev/null || { skip "Rust clients: no cargo"; return; }
    mkdir -p "$crate/src"
    cmp -s "$clients/rust/Cargo.toml" "$crate/Cargo.toml" || cp "$clients/rust/Cargo.toml" "$crate/"
    cp "$clients/rust/main.rs" "$crate/src/"
    build compat-rust "$clients/rust/main.rs" sh -c 'cd "$1" && cargo build -q && cp target/debug/compat ../compat-rust' sh "$crate"
    if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ] && ! timeout 120 rustup target add $target >"$cache/rustup.log" 2>&1; then
        skip "the static Rust client: no target $target: $(tail -1 "$cache/rustup.log" | cut -c1-200)"
        return
    fi
    build compat-rust-musl "$clients/rust/main.rs" sh -c \
        'cd "$1" && cargo build -q --target "$2" && cp "target/$2/debug/compat" ../compat-rust-musl' sh "$crate" $target
}

install_clients() {
    mkdir -p "$cache"
    install_python
    install_npm "$cache/node" "the Node clients" openai @anthropic-ai/sdk zod ai @ai-sdk/openai @ai-sdk/anthropic @google/genai \
        @langchain/core @langchain/openai @langchain/anthropic undici@6
    install_npm "$cache/tools" "agents and runtimes" bun deno @anthropic-ai/claude-code @openai/codex opencode-ai @google/gemini-cli
    install_java
    build_go
    build c-static "$clients/c_static.c" gcc -O1 -static -w -o "$cache/c-static" "$clients/c_static.c" -lssl -lcrypto -lpthread
    build c-probe "$clients/c_probe.c" gcc -O1 -static -o "$cache/c-probe" "$clients/c_probe.c"
    [ "$extent" = --full ] || return 0
    build_rust
    install_uv_python
}
