#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The bad-input tables: named inputs with the verdict that each must have. Prints them as lines
    KIND <tab> NAME <tab> VERDICT <tab> INPUT
with \\xHH, \\\\ in the input; the same lines on every run. A verdict is `accept`, `more` (an unfinished message), or the
code of the error (base/errors.def), or `refuse` where the reader has no code. Verdicts follow from how a case was made
(RFC 9112, RFC 8259, RFC 7578, WHATWG HTML 9.2, shim/contract.h), never from what our readers say.
    cases.py [KIND…]    default: all"""
import itertools, json, os, pathlib, re, struct, sys

CASES, NAMES = [], set()

def case(kind, name, verdict, data):
    data = data.encode("latin-1") if isinstance(data, str) else data
    assert (kind, name) not in NAMES, (kind, name)
    NAMES.add((kind, name))
    CASES.append((kind, name, verdict, data))

# ---- HTTP (RFC 9112, and wire.md: what could be understood in two ways is refused) ----
LINE, HOST, TARGET = "POST /v1/chat/completions HTTP/1.1\r\n", "Host: api.openai.com\r\n", "/v1/chat/completions"
BAD = "http_malformed"
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

def http(name, verdict, data): case("http", name, verdict, data)

def http_bytes():
    for byte in range(256):
        c = chr(byte)
        if c not in "\r\n":
            ok = 0x21 <= byte < 0x7F and c not in "#?"
            http(f"byte {byte:02x} in the target", "accept" if ok or c == "?" else BAD, f"GET /v1/a{c}b HTTP/1.1\r\n{HOST}\r\n")
            http(f"byte {byte:02x} in a field's value", BAD if (byte < 0x20 and c != "\t") or byte == 0x7F else "accept",
                 f"GET / HTTP/1.1\r\n{HOST}X: a{c}b\r\n\r\n")
            if c != ":":
                http(f"byte {byte:02x} in a field's name", "accept" if c in TOKEN else BAD, f"GET / HTTP/1.1\r\n{HOST}X{c}Y: b\r\n\r\n")
                http(f"byte {byte:02x} before a field's colon", "accept" if c in TOKEN else BAD, f"GET / HTTP/1.1\r\n{HOST}X{c}: b\r\n\r\n")
        if c not in "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._\r\n":
            http(f"byte {byte:02x} in the Host", BAD, f"GET / HTTP/1.1\r\nHost: api{c}openai.com\r\n\r\n")
        if not (c.isascii() and c.isupper()):
            http(f"byte {byte:02x} in the method", BAD, f"GE{c}T / HTTP/1.1\r\n{HOST}\r\n")

def http_framing():
    body = "5\r\nhello\r\n0\r\n\r\n"
    for spelling in ["".join(x) for x in itertools.islice(itertools.product(*[(c, c.upper()) for c in "chunked"]), 64)]:
        http(f"Transfer-Encoding {spelling}", "accept", f"{LINE}{HOST}Transfer-Encoding: {spelling}\r\n\r\n{body}")
    for value in ["", "identity", "gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "chunked,", ",chunked", "chunked;q=1", "chunked ;a", "xchunked", "chunkedx",
                  "chun ked", "\"chunked\"", "'chunked'", "chunked\x0b", "\x0bchunked", "chunked\x00", "\x00chunked", "chunked\x7f", "\xa0chunked", "chunked\xa0", "chunked chunked",
                  "chunked=chunked", "deflate", "compress", "br", "trailers", "cow", "x-chunked", "chunked/1", "(chunked)", "chunked, identity", "identity, chunked", " , chunked", "chunked\x1f",
                  "\xc2\x85chunked", "ch\xc3\xbcnked", "chunked;", "chunke", "hunked", "0", "chunked, ", "chunked\t,x", "chunKed,\tchunked", "%63hunked", "chunked#", "chunked?"]:
        http(f"Transfer-Encoding is {value!r}", BAD, f"{LINE}{HOST}Transfer-Encoding: {value}\r\n\r\n{body}")
    for before, after in itertools.product(["", " ", "\t", " \t "], ["", " ", "\t", "  "]):
        http(f"Transfer-Encoding between {before!r} and {after!r}", "accept", f"{LINE}{HOST}Transfer-Encoding:{before}chunked{after}\r\n\r\n{body}")
        # llhttp takes no tab alone behind the digits: stricter than RFC 9110 5.6.3, and nobody sends it
        http(f"Content-Length between {before!r} and {after!r}", BAD if after == "\t" else "accept", f"{LINE}{HOST}Content-Length:{before}5{after}\r\n\r\nhello")
    for name in ["Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "Transfer-Encoding\x00", "Transfer\x0bEncoding", "Content-Length ", "Content-Length\t", " Content-Length", "Content-Length\x00"]:
        value = "chunked" if "Tr" in name else "5"
        http(f"the field's name is {name!r}", BAD, f"{LINE}{HOST}{name}: {value}\r\n\r\n{body}")
    for value in ["", "+5", "-5", "5 5", "5,5", "5, 5", "0x5", "5.0", "5e0", "5;", "\"5\"", "five", "5a", "a5", "5\x00", "\x005", "5\x0b", "5\x7f", "5\xa0", "\xb2", "\xef\xbc\x95", "0005\x0c", "99999999999999999999", "18446744073709551616",
                  "18446744073709551621", "4294967301x", "0000000000000000005", "--5", "5-", "5_0", "1'0", "5 ;", "inf", "NaN", "0b101", "0o5", "#5", "5#", "%35", "5/1", "=5", "5=5"]:
        http(f"Content-Length is {value!r}", BAD, f"{LINE}{HOST}Content-Length: {value}\r\n\r\nhello")
    for value in ["5", "05", "005", "000000000000000005"]:
        http(f"Content-Length is {value}", "accept", f"{LINE}{HOST}Content-Length: {value}\r\n\r\nhello")
    fields = {"cl5": "Content-Length: 5\r\n", "cl6": "Content-Length: 6\r\n", "cl0": "Content-Length: 0\r\n", "te": "Transfer-Encoding: chunked\r\n", "tei": "Transfer-Encoding: identity\r\n", "TE": "TRANSFER-ENCODING: chunked\r\n"}
    for a, b in itertools.product(fields, repeat=2):
        http(f"two of {a} and {b}", BAD, f"{LINE}{HOST}{fields[a]}{fields[b]}\r\n{body}")
        http(f"two of {a} and {b} around another field", BAD, f"{LINE}{fields[a]}{HOST}X: y\r\n{fields[b]}\r\n{body}")
    http("chunks in HTTP/1.0", BAD, f"POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}")
    for length in (16385, 65536, 999999999, 999999999999999999):
        http(f"a body of {length}", "http_body_too_large", f"{LINE}{HOST}Content-Length: {length}\r\n\r\nx")

def http_chunks():
    def chunks(name, verdict, data): http(f"chunks: {name}", verdict, f"{LINE}{HOST}Transfer-Encoding: chunked\r\n\r\n{data}")
    for name, data in {"two": "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", "none": "0\r\n\r\n", "upper case": "A\r\n0123456789\r\n0\r\n\r\n", "lower case": "a\r\n0123456789\r\n0\r\n\r\n", "zeros": "005\r\nhello\r\n000\r\n\r\n",
                       "extension": "5;a\r\nhello\r\n0\r\n\r\n", "extension with value": "5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "CRLF in the data": "2\r\n\r\n\r\n0\r\n\r\n", "one byte each": "1\r\na\r\n1\r\nb\r\n0\r\n\r\n"}.items():
        chunks(name, "accept", data)
    for byte in range(256):
        c = chr(byte)
        if c in "0123456789abcdefABCDEF": continue
        chunks(f"byte {byte:02x} before the size", BAD, f"{c}5\r\nhello\r\n0\r\n\r\n")
        if c not in ";\r": chunks(f"byte {byte:02x} behind the size", BAD, f"5{c}\r\nhello\r\n0\r\n\r\n")
        if c != "\n": chunks(f"byte {byte:02x} for the LF behind the size", BAD, f"5\r{c}hello\r\n0\r\n\r\n")
        if c != "\r": chunks(f"byte {byte:02x} for the CR behind the data", BAD, f"5\r\nhello{c}\n0\r\n\r\n")
        if byte < 0x20 and c not in "\t\r": chunks(f"byte {byte:02x} in an extension", BAD, f"5;a{c}\r\nhello\r\n0\r\n\r\n")
    for name, data in {"bare LF behind the size": "5\nhello\r\n0\r\n\r\n", "bare LF behind the data": "5\r\nhello\n0\r\n\r\n", "too short a size": "4\r\nhello\r\n0\r\n\r\n", "too long a size": "6\r\nhello\r\n0\r\n\r\n", "no size": "\r\nhello\r\n0\r\n\r\n",
                       "a trailer": "0\r\nA: b\r\n\r\n", "bare LF at the end": "0\r\n\n", "0x": "0x5\r\nhello\r\n0\r\n\r\n", "a wrapping size": "10000000000000005\r\nhello\r\n0\r\n\r\n", "16 digits": "0000000000000005\r\nhello\r\n0\r\n\r\n",
                       "a long extension": "5;" + "a" * 1100 + "\r\nhello\r\n0\r\n\r\n", "CR in an extension": "5;a\rb\r\nhello\r\n0\r\n\r\n", "CR behind the data only": "5\r\nhello\rX0\r\n\r\n", "CR at the end only": "0\r\n\rX"}.items():
        chunks(name, BAD, data)
    chunks("a size beyond the limit", "http_body_too_large", "ffffff\r\n")
    chunks("a size of 15 digits", "http_body_too_large", "fffffffffffffff\r\n")

def http_lines():
    message = f"POST /v1/x HTTP/1.1\r\n{HOST}X: y\r\nContent-Length: 2\r\n\r\n"
    ends = [m.start() for m in re.finditer("\r\n", message)]
    for number, at in enumerate(ends):
        for name, end in {"LF": "\n", "CR": "\r", "LF CR": "\n\r", "CR CR LF": "\r\r\n", "NUL": "\0", "CR NUL LF": "\r\0\n", "VT": "\v\r\n", "LF LF": "\n\n", "FF LF": "\f\n", "NEL": "\x85\n"}.items():
            if not (number == len(ends) - 1 and name in ("CR", "NUL")): # then the head has no end yet
                http(f"line {number} ends in {name}", BAD, message[:at] + end + message[at + 2:] + "{}\r\n\r\n")
    whole = message + "{}"
    for length in range(len(whole)):
        http(f"the first {length} bytes", "more", whole[:length])
    for fold in (" ", "\t", "  ", " \t"):
        for what in ("y", "", "Content-Length: 5", ": z"):
            http(f"a line continued by {fold!r} and {what!r}", BAD, f"{LINE}{HOST}X: y\r\n{fold}{what}\r\n\r\n")
        http(f"the first field begins with {fold!r}", BAD, f"GET / HTTP/1.1\r\n{fold}{HOST}\r\n")
    for count, verdict in ((0, "accept"), (1, "accept"), (2, BAD), (3, BAD)):
        http(f"{count} empty lines before the request", verdict, "\r\n" * count + f"GET / HTTP/1.1\r\n{HOST}\r\n")
    for line in ["nocolon", ": novalue", ":", "=", "X", "X y: z", "X\x00: y", "\x00: y", "(comment)", "\"X\": y", "X,Y: z", "[X]: y", "{X}: y", "X@y: z", "<X>: y", "X/y: z", "X;y: z", "X=y: z", "X?y: z", "X\\y: z"]:
        http(f"a field line {line!r}", BAD, f"GET / HTTP/1.1\r\n{HOST}{line}\r\n\r\n")

def http_requests():
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/2", "HTTP/3", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/1.10", "HTTP/01.1", "HTTP/1.01", "HTTP/11.1", "http/1.1", "HTTP/1,1", "HTTP 1.1", "HTTP-1.1", "HTTPS/1.1", "HTP/1.1", "HTTP/1.1 ", " HTTP/1.1", "\tHTTP/1.1",
                    "HTTP/1.1\t", "HTTP/1.1x", "xHTTP/1.1", "HTTP/1.1;", "HTTP//1.1", "HTTP/1.1/", "HTTP/+1.1", "HTTP/1.-1", "HTTP/\xb9.1", "RTSP/1.0", "ICY", "", "HTTP/1.1 HTTP/1.1", "HTTP/9.9", "HTTP/1.1\x00"]:
        http(f"version {version!r}", BAD, f"GET / {version}\r\n{HOST}\r\n")
    for version in ["HTTP/1.0", "HTTP/1.1"]: http(f"version {version}", "accept", f"GET / {version}\r\n{HOST}\r\n")
    for target in ["*", "api.openai.com", "api.openai.com:443", "http://api.openai.com/", "https://api.openai.com/v1", "HTTP://a/", "//".replace("//", "v1/models"), "?a", "#", "", "a/b", "\\v1", "%2fv1", "http:/v1", "ftp://a/", "@/", "urn:x", "javascript:1", "/a#b", "/#", "/a b", "/a\tb"]:
        http(f"target {target!r}", BAD, f"GET {target} HTTP/1.1\r\n{HOST}\r\n")
    dots = [".", "..", "%2e", "%2E", "%2e%2e", "%2E%2e", ".%2e", "%2E.", "..".replace("..", "%2E%2E")]
    for segment in sorted(set(dots)):
        for shape in ("/{}", "/{}/", "/v1/{}", "/v1/{}/x", "/{}/{}/x", "/v1/{}?q=1"):
            http(f"dot segment {shape.format(segment, segment)}", BAD, f"GET {shape.format(segment, segment)} HTTP/1.1\r\n{HOST}\r\n")
    for target in ["/", "//", "/...", "/..a", "/a..", "/.a", "/a.", "/%2ea", "/a%2e", "/%2e%2e%2e", "/%", "/%zz", "/?../", "/a?b?c", "/a;b=c", "/a//b", "/~a", "/a:b", "/a@b", "/[x]", "/{x}", "/a|b", "/a\\b", "/\"", "/a^b", "/`", "/<a>", "/%00", "/%0d%0a", "/%20"]:
        http(f"target {target!r}", "accept", f"GET {target} HTTP/1.1\r\n{HOST}\r\n")
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]:
        http(f"method {method}", "accept", f"{method} / HTTP/1.1\r\n{HOST}\r\n")
    for method in ["get", "Get", "gET", "FROB", "G", "GETGET", "PRI", "CONNECT", "", "GET,POST", "P\xd6ST", "(GET)", "\"GET\"", "GET/", "GET:", "0", "-", "POST\0", "\0POST", "X" * 200]:
        http(f"method {method[:20]!r}", BAD, f"{method} / HTTP/1.1\r\n{HOST}\r\n")
    for spaces in ["GET  / HTTP/1.1", "GET /  HTTP/1.1", " GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET / HTTP/1.1 ", "GET/ HTTP/1.1", "GET /HTTP/1.1", "GET", "GET /", "GET / ", "/ HTTP/1.1", "GET HTTP/1.1", "HTTP/1.1 GET /", "\x16\x03\x01", "\x80\x2e", "SSH-2.0-x", "{}", "\x00\x00\x12\x04", "EHLO a"]:
        http(f"request line {spaces!r}", BAD, f"{spaces}\r\n{HOST}\r\n")

def http_hosts():
    for host in ["api.openai.com", "API.OpenAI.COM", "api.openai.com:443", "a", "a_b.c", "127.0.0.1", "xn--a.b", "a-b.c", "a..b", "a.", ".a", "0", "a" * 253]:
        http(f"Host {host[:40]!r} of {len(host)} bytes", "accept", f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
    for host in ["", ":443", ":", "a.b:", "a.b:80", "a.b:8443", "a.b:0443", "a.b:443:443", "a.b:x", "a.b:-443", "a.b, c.d", "a.b c.d", "u@a.b", "u:p@a.b", "[::1]", "[::1]:443", "http://a.b", "a.b/c", "a.b?c", "a.b#c", "a.b\\c", "%61.b", "a.b\x00", "\x00a.b", "a.b;c", "*", "a.b\x7f", "\xe4.b", "a\xa0b",
                 "a.b,", "(a.b)", "'a.b'", "\"a.b\"", "a=b", "a&b", "a+b", "a!b", "a$b", "a~b", "a|b", "a^b", "a`b", "a{b}", "a<b>", "a" * 254]:
        http(f"Host {host[:40]!r} of {len(host)} bytes", BAD, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
    http("no Host", BAD, "GET / HTTP/1.1\r\n\r\n")
    http("no Host in HTTP/1.0", BAD, "GET / HTTP/1.0\r\n\r\n")
    for second in ["Host: api.openai.com", "host: api.openai.com", "HOST: evil.example", "Host:", "Host: a.b"]:
        http(f"a second {second!r}", BAD, f"GET / HTTP/1.1\r\n{HOST}{second}\r\n\r\n")
        http(f"a second {second!r} behind others", BAD, f"GET / HTTP/1.1\r\n{HOST}A: b\r\nC: d\r\n{second}\r\n\r\n")

def http_limits(): # those of the runner: line 2,048, head 8,192, 40 fields, body 16,384
    for extra, verdict in ((0, "accept"), (1, "http_head_too_large"), (5000, "http_head_too_large")):
        target = "/" + "a" * (2048 + extra - len("GET / HTTP/1.1"))
        http(f"a request line of {2048 + extra}", verdict, f"GET {target} HTTP/1.1\r\n{HOST}\r\n")
        head = f"GET / HTTP/1.1\r\n{HOST}X: "
        http(f"a head of {8192 + extra}", verdict, head + "a" * (8192 + extra - len(head) - 4) + "\r\n\r\n")
        http(f"{40 + extra} fields", verdict, f"GET / HTTP/1.1\r\n{HOST}" + "".join(f"A{i % 10}: b\r\n" for i in range(39 + extra)) + "\r\n")
        http(f"a body of {16384 + extra} bytes", verdict.replace("head", "body"), f"{LINE}{HOST}Content-Length: {16384 + extra}\r\n\r\n" + "x" * (16384 + extra))

# ---- JSON (RFC 8259) ----
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
def no_duplicates(pairs):
    if len({name for name, _ in pairs}) != len(pairs): raise ValueError("duplicate")
    return dict(pairs)
def no_constant(name): raise ValueError(name)
def is_json(text):
    try:
        json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        return True
    except (ValueError, RecursionError):
        return False
def js(name, ok, data): case("json", name, "accept" if ok else "body_malformed", data)

def json_cases():
    for length in range(1, 5):
        for letters in itertools.product("01-+.e", repeat=length):
            text = "".join(letters)
            js(f"number {text}", bool(NUMBER.match(text)), text)
    for length in range(1, 5):
        for letters in itertools.product(["[", "]", "{", "}", ",", ":", '"a"', "1"], repeat=length):
            text = "".join(letters)
            if length < 4 or letters[0] in "[{":
                if (length, text) != (1, "1"): js(f"structure {text}", is_json(text), text)
    for byte in range(256):
        c = bytes([byte])
        js(f"byte {byte:02x} in a string", byte >= 0x20 and byte < 0x80 and c not in (b'"', b"\\"), b'"a' + c + b'z"')
        if c not in b"0123456789.eE": js(f"byte {byte:02x} behind a number", c in b" \t\r\n", b"1" + c)
        if c not in b"0123456789-": js(f"byte {byte:02x} before a number", c in b" \t\r\n", c + b"1")
        js(f"byte {byte:02x} escaped", c in b'"\\/bfnrt', b'"\\' + c + b'"')
        js(f"byte {byte:02x} in \\u", c in b"0123456789abcdefABCDEF", b'"\\u00' + c + b'1"')
        if c not in b" \t\r\n": js(f"byte {byte:02x} between members", False, b'{"a":1' + c + b',"b":2}' if c not in b"0123456789" else b'{"a"1' + c + b"}")
    for word in ["null", "true", "false"]:
        js(f"word {word}", True, word)
        for other in (word.upper(), word.title(), word[:-1], word + "x", word + word, " ".join(word)): js(f"word {other}", False, other)
    for text in ["NaN", "Infinity", "-Infinity", "undefined", "None", "'a'", "/* */1", "//x\n1", "1 // x", "[1,]", '{"a":1,}', "{a:1}", "{'a':1}", "0x10", "1_000", "\ufeff{}".encode().decode("latin-1"), "", " ", "\n", "[1 2]", '{"a" 1}', '{"a"::1}', '{:1}', '{1:1}', "[,1]", "[1,,2]", '"a" "b"', "{}{}", "[][]", '{"a":}', "\0", "1\0", '{"a":1}\0', "[1]x", '"a', '"', '"\\', '"\\u', '"\\u1', '"\\u12', '"\\u123', '"\t"', '"a\nb"']:
        js(f"text {text!r}", False, text)
    for code in [0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xD834]: js(f"half a pair \\u{code:04x}", False, f'"\\u{code:04x}"')
    for high, low, ok in [(0xD800, 0xDC00, 1), (0xDBFF, 0xDFFF, 1), (0xD83D, 0xDE00, 1), (0xD800, 0xD800, 0), (0xDC00, 0xD800, 0), (0xD800, 0x41, 0), (0xDC00, 0xDC00, 0)]: js(f"pair {high:04x} {low:04x}", ok, f'"\\u{high:04x}\\u{low:04x}"')
    for lead, trail in itertools.product((0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF), (0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0)):
        for more in (b"", b"\x80", b"\x80\x80"):
            data = bytes([lead, trail]) + more
            try: ok = data.decode("utf-8") is not None
            except UnicodeDecodeError: ok = False
            js(f"UTF-8 {data.hex()}", ok and 0x7F not in data[:0], b'"' + data + b'"')
    for depth, ok in ((1, 1), (64, 1), (127, 1), (128, 1), (129, 0), (130, 0), (1000, 0), (30000, 0)):
        js(f"arrays {depth} deep", ok, "[" * depth + "]" * depth)
        js(f"objects {depth} deep", ok, '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1))
    for name, a, b in [("plain", "a", "a"), ("escaped", "a", "\\u0061"), ("empty", "", ""), ("accent", "\\u00e9", "é".encode().decode("latin-1")), ("slash", "/", "\\/"), ("upper hex", "\\u00E9", "\\u00e9")]:
        js(f"the same name twice: {name}", False, f'{{"{a}":1,"{b}":2}}')
        js(f"the same name twice, inside: {name}", False, f'[{{"x":{{"{a}":1,"y":2,"{b}":2}}}}]')
    js("names that differ in case", True, '{"a":1,"A":2}')
    js("300 names", True, "{" + ",".join(f'"{i}":1' for i in range(300)) + "}")
    js("300 names and one again", False, "{" + ",".join(f'"{i}":1' for i in range(300)) + ',"7":1}')
    js("a name with U+0000", False, '{"\\u0000":1}')
    js("a string with U+0000", True, '"\\u0000"')
    for number, ok in [("1e308", 1), ("1e309", 0), ("-1e309", 0), ("1e-400", 1), ("123456789012345678901234567890", 1), ("1" * 400, 0), ("0." + "1" * 400, 1), ("1e99999999999999999999", 0)]: js(f"number {number[:40]}", ok, number)

# ---- forms (RFC 7578), behind "multipart/form-data; boundary=xYz" ----
def forms():
    part = lambda head, value="v": f"--xYz\r\n{head}\r\n\r\n{value}\r\n"
    good, end = 'Content-Disposition: form-data; name="a"', "--xYz--\r\n"
    def form(name, ok, data): case("form", name, "accept" if ok else "body_malformed", data)
    form("one part", True, part(good) + end)
    form("no CRLF at the end", True, part(good) + "--xYz--")
    form("no part", False, end)
    form("64 parts", True, part(good) * 64 + end)
    form("65 parts", False, part(good) * 65 + end)
    for name, head, ok in [("unquoted name", "Content-Disposition: form-data; name=a", 1), ("a file", good + '; filename="b"', 1), ("filename*", good + "; filename*=utf-8''b", 1), ("name*", "Content-Disposition: form-data; name*=utf-8''a", 0), ("name and name*", good + "; name*=utf-8''a", 0),
                           ("two names", good + '; name="b"', 0), ("no name", "Content-Disposition: form-data", 0), ("empty name", 'Content-Disposition: form-data; name=""', 0), ("attachment", 'Content-Disposition: attachment; name="a"', 0), ("no disposition", "Content-Type: text/plain", 0),
                           ("two dispositions", good + "\r\n" + good, 0), ("upper case", good.upper().replace("NAME", "name"), 1), ("backslash", 'Content-Disposition: form-data; name="a\\"b"', 0), ("open quote", 'Content-Disposition: form-data; name="a', 0), ("behind the quote", good + "x", 0),
                           ("folded", good + ";\r\n filename=b", 0), ("no colon", good + "\r\nx", 0), ("space before the colon", 'Content-Disposition : form-data; name="a"', 0), ("bare LF", good + "\nX: y", 0), ("NUL", good + "\0", 0), ("DEL", good + "\x7f", 0), ("base64", good + "\r\nContent-Transfer-Encoding: base64", 0),
                           ("quoted-printable", good + "\r\nContent-Transfer-Encoding: quoted-printable", 0), ("binary", good + "\r\nContent-Transfer-Encoding: binary", 1), ("8bit", good + "\r\nContent-Transfer-Encoding: 8BIT", 1), ("a type", good + "\r\nContent-Type: a/b; c=d", 1), ("a long head", good + "\r\nX: " + "y" * 5000, 0), ("a parameter without value", good + "; x", 0)]:
        form(f"head: {name}", ok, part(head) + end)
    for byte in range(32):
        if chr(byte) not in "\t\r\n": form(f"byte {byte:02x} in a head", False, part(good + chr(byte) + "x") + end)
    for name, data in {"a preamble": "x\r\n" + part(good) + end, "CRLF first": "\r\n" + part(good) + end, "an epilogue": part(good) + end + "x", "no end": part(good), "half an end": part(good) + "--xYz-", "LF lines": (part(good) + end).replace("\r\n", "\n"), "another boundary": (part(good) + end).replace("xYz", "abc"),
                       "the boundary inside": part(good, "a--xYzb") + end, "the boundary in a name": part(good.replace('"a"', '"--xYz"')) + end, "space behind a boundary": part(good).replace("xYz\r", "xYz \r") + end, "one dash": part(good).replace("--xYz", "-xYz") + end, "empty": "", "no head": "--xYz\r\n\r\nv\r\n" + end, "JSON": "{}", "case of the boundary": part(good).replace("xYz", "xyz") + end}.items():
        form(f"body: {name}", False, data)
    whole = part(good) + end
    for length in range(len(whole) - 2): form(f"the first {length} bytes", False, whole[:length])

# ---- server-sent events: is each line of an event one that the standard knows ----
def sse():
    for line in ["data: x", "data:x", "data", "data:", "event: a", "event", "id: 1", "id", "retry: 10", "retry", ": comment", ":", "", "data: a\ndata: b", "data: x\r\nid: 1", "data: x\revent: y"]:
        case("sse", f"line {line!r}", "accept", line + "\n\n")
    for line in ["x", "dat: x", "datax", "data :x", " data: x", "\tdata: x", "Data: x", "DATA: x", "events: a", "ids: 1", "retries: 1", "{}", "{\"a\":1}", "HTTP/1.1 200 OK", "<html>", "\0", "data\0: x", "\xff", "id1: x", "=", "-", "data=x", "event;x", "\x0bdata: x", "data: a\nb: c", "x: y\ndata: z"]:
        case("sse", f"line {line!r}", "refuse", line + "\n\n")
    for byte in range(256):
        if chr(byte) not in "\r\n:": case("sse", f"byte {byte:02x} before the field", "refuse", bytes([byte]) + b"data: x\n\n")
        if chr(byte) not in "\r\n:": case("sse", f"byte {byte:02x} behind the field", "refuse", b"data" + bytes([byte]) + b": x\n\n")
        if chr(byte) not in "\r\n": case("sse", f"byte {byte:02x} in the value", "accept", b"data: a" + bytes([byte]) + b"b\n\n")

# ---- policies ----
def policies():
    group = "consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]\n"
    def policy(name, ok, text): case("policy", name, "accept" if ok else "settings_invalid", text.encode())
    policy("plain", True, group)
    policy("comments", True, "# x\n" + group + "# y\n")
    policy("quoted", True, group.replace("name: g", 'name: "g"'))
    policy("JSON", True, '{"consumer_groups": [{"name": "g", "api_key": "kt_cg_g", "wallet_team_id": "w"}]}')
    policy("CRLF", True, group.replace("\n", "\r\n"))
    for name, text in {"empty": "", "a scalar": "x\n", "a list": "- a\n", "null": "~\n", "only a comment": "# x\n", "an anchor": "a: &b 1\n", "an alias": "a: *b\n", "billion laughs": "a: &a [x]\nb: [*a, *a]\n", "a tag": "environment: !!str dev\n", "a local tag": "environment: !x dev\n", "merge": "<<: {a: 1}\n",
                       "%YAML": "%YAML 1.1\n---\n" + group, "%TAG": "%TAG !a! b\n---\n" + group, "two documents": group + "---\n" + group, "a second document": group + "---\n{}\n", "the same key twice": group + group, "an unknown key": group + "foo: 1\n", "a misspelt key": group + "budgetz: []\n", "a tab": "consumer_groups:\n\t- a\n",
                       "open flow": "consumer_groups: [", "open quote": "environment: \"dev\n", "bad escape": "environment: \"\\q\"\n", "bad indent": "a:\n  b: 1\n c: 2\n", "a NUL": "environment: d\0ev\n", "a key that is a list": "? [a]\n: b\n", "a key that is empty": ": b\n", "a BOM inside": group + "\ufeffa: 1\n", "a control": "environment: \x01\n", "deep": "[" * 40 + "]" * 40 + "\n", "deep mapping": "a: " + "{a: " * 40 + "1" + "}" * 40 + "\n"}.items():
        policy(f"YAML: {name}", False, text)
    for byte in list(range(1, 9)) + list(range(14, 32)) + [0x7F]:
        policy(f"control {byte:02x} in a text", False, group.replace("name: g", f"name: \"g{chr(byte)}\""))
    for key, bad in {"environment": ["x", "[dev]", "{}", "1", "''", "DEV"], "budgets": ["1", "{}", "x", "[1]", "[{}]", "[{id: a}]", "[{id: a, amount: x}]", "[{id: a, amount: -1}]", "[{id: a, amount: 1, window: x}]", "[{id: a, amount: 1, foo: 2}]", "[{id: a, amount: 0.0000000001}]", "[{id: a, amount: 99999999999}]", "[{id: a, amount: 1}, {id: a, amount: 1}]"],
                     "limits": ["1", "[]", "{loops: -1}", "{loops: x}", "{loops: 1.5}", "{loops: 99999999999}", "{loops: [1]}", "{foo: 1}", "{body_bytes_max: -1}", "{fields_max: 0x}", "{json_depth_max: 100000}", "{head_bytes_max: ''}", "{connections_max: {}}"], "policies": ["1", "{rules: 1}", "{rules: [{}]}", "{rules: [{id: a}]}", "{rules: [{id: a, action: x}]}", "{rules: [{id: a, action: block, when: {regex: ['(']}}]}",
                     "{rules: [{id: a, action: block, when: {hours: 25-26}}]}", "{rules: [{id: a, action: block, when: {days: [x]}}]}", "{rules: [{id: a, action: block, when: {detect: [x]}}]}", "{rules: [{id: a, action: block, when: {foo: 1}}]}"], "cache": ["x", "[]", "{enabled: x}", "{foo: 1}", "{ttl_seconds: -5}"], "capture": ["1", "{network: 10.0.0.0/8}", "{network: 127.0.0.0/16}", "{network: 127.77.0.0/24}", "{network: 127.256.0.0/16}", "{network: x}",
                     "{hosts: [x]}", "{hosts: ['a..b']}", "{hosts: ['a b.c']}", "{hosts: ['https://a.b']}", "{addresses: [1.2.3]}", "{addresses: ['::g']}", "{addresses: [1.2.3.4/8]}"], "access": ["1", "{uids: x}", "{uids: [-1]}", "{uids: [nobody-of-that-name]}", "{uids: [4294967295]}", "{foo: 1}"], "alerts": ["1", "{foo: 1}", "{webhook: {url: ftp://a}}", "{webhook: {url: 'https://u:p@a.b'}}", "{low_balance_percent: 101}"], "evidence": ["1", "{foo: 1}"]}.items():
        for value in bad: policy(f"{key}: {value}", False, f"{group}{key}: {value}\n")
    for value in ["1", "{}", "x", "[1]", "[{}]", "[{name: g}]", "[{name: '', api_key: kt_cg_g, wallet_team_id: w}]", "[{name: g, api_key: sk-1, wallet_team_id: w}]", "[{name: g, api_key: kt_cg_g, wallet_team_id: w}, {name: g, api_key: kt_cg_h, wallet_team_id: w}]",
                  "[{name: g, api_key: kt_cg_g, wallet_team_id: w, foo: 1}]", "[{name: [g], api_key: kt_cg_g, wallet_team_id: w}]", "[{name: g, api_key: kt_cg_g, wallet_team_id: w}, {name: h, api_key: kt_cg_g, wallet_team_id: w}]"]:
        policy(f"consumer_groups: {value}", False, f"consumer_groups: {value}\n")

# ---- what comes over the Unix sockets ----
def datagrams():
    text = lambda value, size: value + b"\0" * (size - len(value))
    original = b"\0" * 10 + b"\xff\xff\x01\x02\x03\x04"
    def hello(magic=0x4F4C4C48, version=2, size=656, cookie=7, group=b"g", project=b"p", executable=b"/x", directory=b"/y"):
        return struct.pack("<IHHQ", magic, version, size, cookie) + text(group, 64) + text(project, 64) + text(executable, 256) + text(directory, 256)
    def redirect(magic=0x52444952, version=3, size=680, cookie=7, group=b"g", project=b"p", port=443, has_socket=0, pid=5):
        return struct.pack("<IHHQ", magic, version, size, cookie) + original + struct.pack("<HHi", port, has_socket, pid) + text(group, 64) + text(project, 64) + text(b"/x", 256) + text(b"/y", 256)
    for kind, make, size, version in (("hello", hello, 656, 2), ("redirect", redirect, 680, 3)):
        case(kind, "plain", "accept", make())
        case(kind, "no names", "accept", make(group=b"", project=b""))
        case(kind, "names of 63 bytes", "accept", make(group=b"a" * 63, project=b"b" * 63))
        for bit in range(32): case(kind, f"bit {bit} of the magic", "refuse", make(magic=struct.unpack("<I", make()[:4])[0] ^ 1 << bit))
        for bit in range(16):
            case(kind, f"bit {bit} of the version", "refuse", make(version=version ^ 1 << bit))
            case(kind, f"bit {bit} of the size", "refuse", make(size=size ^ 1 << bit))
        for length in [0, 1, 4, 8, 15, 16, size - 64, size - 1]: case(kind, f"{length} bytes", "refuse", make()[:length])
        for more in [1, 4, 1000]: case(kind, f"{more} bytes too many", "refuse", make() + b"\0" * more)
        case(kind, "no cookie", "refuse", make(cookie=0))
        for which in ("group", "project"):
            case(kind, f"a {which} without end", "refuse", make(**{which: b"a" * 64}))
            for byte in range(256):
                ok = byte > 0x20 and byte != 0x7F
                if byte: case(kind, f"byte {byte:02x} in the {which}", "accept" if ok else "refuse", make(**{which: b"a" + bytes([byte]) + b"b"}))
    for byte in range(1, 32): case("hello", f"byte {byte:02x} in a path is left out", "accept", hello(executable=b"/a" + bytes([byte])))
    case("hello", "a path without end is left out", "accept", hello(directory=b"/" * 256))
    case("redirect", "with a socket", "accept", redirect(has_socket=1))
    for number in (2, 3, 255, 256, 65535): case("redirect", f"has_socket {number}", "refuse", redirect(has_socket=number))
    case("redirect", "port 0, which who compares it with the map's refuses", "accept", redirect(port=0))
    case("redirect", "pid 0", "refuse", redirect(pid=0))
    case("redirect", "a negative pid", "refuse", redirect(pid=-1))

def fnv(data):
    value = 14695981039346656037
    for byte in data: value = (value ^ byte) * 1099511628211 % 2**64
    return value
def maps():
    names = b"api.anthropic.com\0api.openai.com\0"
    original = b"\0" * 10 + b"\xff\xff\x01\x02\x03\x04"
    fields = ("magic", "version", "file_size", "checksum", "network", "mask", "ports", "names", "text_size", "generation", "redirect_network", "redirects", "flags", "base_url_port")
    def build(text=names, addresses=((0x7F4D0002, 0), (0x7F4D0001, 18)), stand_in=0x7F4E0005, cut=None, more=b"", mend=True, **changes):
        rows = struct.pack("<HH", 443, 8443) + b"".join(struct.pack("<II", *a) for a in addresses) + original + struct.pack("<I", stand_in)
        values = dict(magic=0x50414D474C4C4F54, version=3, file_size=64 + len(rows) + len(text), checksum=0, network=0x7F4D0000, mask=0xFFFF0000, ports=1, names=len(addresses), text_size=len(text), generation=1, redirect_network=0x7F4E0000, redirects=1, flags=0, base_url_port=0)
        values.update(changes)
        data = struct.pack("<QIIQ10I", *(values[f] for f in fields)) + rows + text + more
        if mend: data = data[:16] + struct.pack("<Q", fnv(data[:16] + b"\0" * 8 + data[24:])) + data[24:]
        return data[:cut]
    plain = build()
    case("map", "plain", "accept", plain)
    case("map", "strict", "accept", build(flags=1))
    case("map", "with base URLs", "accept", build(base_url_port=8080))
    for bit in range(64 * 8): # the checksum covers all
        case("map", f"bit {bit} of the header", "refuse", bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(plain)))
    for at in range(64, len(plain)): case("map", f"byte {at} is another", "refuse", plain[:at] + bytes([plain[at] ^ 0x55]) + plain[at + 1:])
    for length in range(0, len(plain), 3): case("map", f"{length} bytes", "refuse", plain[:length])
    for name, changes in {"another magic": dict(magic=1), "version 2": dict(version=2), "version 4": dict(version=4), "a size of 0": dict(file_size=0), "a size too large": dict(file_size=10**6), "ports beyond": dict(ports=2), "no ports counted": dict(ports=0), "names beyond": dict(names=3), "2^32-1 names": dict(names=2**32 - 1), "2^31 ports": dict(ports=2**31),
                          "text beyond": dict(text_size=100), "no text counted": dict(text_size=0), "2^32-1 of text": dict(text_size=2**32 - 1), "redirects beyond": dict(redirects=2), "2^32-1 redirects": dict(redirects=2**32 - 1), "another network": dict(network=0x0A000000), "another redirect network": dict(redirect_network=0x0A000000), "a narrower mask": dict(mask=0xFFFFFFFF), "bytes behind": dict(more=b"x"),
                          "a wrap of counts": dict(names=2**29, ports=2**30), "a name's address outside": dict(addresses=((0x08080808, 0), (0x7F4D0001, 18))), "a name outside the text": dict(addresses=((0x7F4D0002, 1000), (0x7F4D0001, 18))), "a name at the text's end": dict(addresses=((0x7F4D0002, 33), (0x7F4D0001, 18))), "text without an end": dict(text=names[:-1] + b"x"), "a stand-in outside": dict(stand_in=0x08080808)}.items():
        case("map", f"mended: {name}", "refuse", build(**changes))

# ---- other people's, where they are at hand ----
def shared():
    root = pathlib.Path(os.environ.get("TOLLGATE_SHARED", pathlib.Path(__file__).resolve().parents[3] / "shared")) / "corpus"
    for path in sorted((root / "json" / "test_parsing").glob("*.json")): # y_ accept, n_ refuse, i_ either
        kind = path.name[:2]
        if kind in ("y_", "n_"):
            # base/json.h: names that repeat and names with U+0000 are refused, as two readers may take them differently
            differs = "duplicated_key" in path.name or "escaped_null_in_key" in path.name
            js(f"suite {path.name}", kind == "y_" and not differs, path.read_bytes())
    for path in sorted((root / "yaml" / "src").glob("*.yaml")): # tests of YAML: none of them is a policy
        case("policy", f"suite {path.name}", "settings_invalid", path.read_bytes())

TABLES = {"http": [http_bytes, http_framing, http_chunks, http_lines, http_requests, http_hosts, http_limits], "json": [json_cases], "form": [forms], "sse": [sse], "policy": [policies], "datagram": [datagrams], "map": [maps], "shared": [shared]}
for table in sys.argv[1:] or TABLES:
    for function in TABLES[table]: function()
out = sys.stdout.buffer
for kind, name, verdict, data in CASES:
    text = "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\x{b:02x}" for b in data)
    label = name.encode("ascii", "backslashreplace").decode().replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")
    out.write(f"{kind}\t{label}\t{verdict}\t{text}\n".encode("ascii"))
