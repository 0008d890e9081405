#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The listener's TLS: TLS 1.2 and 1.3 with modern suites and nothing else, whatever is offered; certificates as they are
# designed. By hand-made hellos, by OpenSSL, and by sslscan and testssl.sh where they are installed.
. "$(dirname "$0")/lib.sh"
play "TLS of the listener"
provider
agent
R=$T/r/tollgate/dev
HOST=api.openai.com
WHERE=$(cd "$ROOT/tests/clients" && python3 -c 'import sys; from shim_map import read_map; print("%s:%d" % read_map(sys.argv[1])[sys.argv[2]])' "$R/map" $HOST)
[ -n "$WHERE" ] || die "the map does not say where $HOST is"

# ---- versions, suites, groups, signatures, extensions: by hand
while IFS= read -r line; do
    case $line in "not ok "*) not_ok "${line#not ok }" ;; *) echo "$line" ;; esac
done < <(timeout 300 python3 "$ROOT/tests/scenarios/82-listener-tls.py" "$R" $HOST 2>&1 || echo "not ok hand-made hellos: exit code $?")

# ---- the same by a client that verifies
dial() { timeout 20 openssl s_client -connect "$WHERE" -servername $HOST -verify_hostname $HOST -CAfile "$R/ca.pem" "$@" 2>&1 </dev/null; }
for version in 1_2 1_3; do
    has "OpenSSL with TLS ${version/_/.} verifies" "$(dial -tls$version)" "Verify return code: 0 (ok)"
done
has "a client that asks for more security gets it" "$(dial -cipher 'DEFAULT:@SECLEVEL=2')" "Verify return code: 0 (ok)"
has "no early data" "$(dial -tls1_3 -sess_out "$T/session" -ign_eof <<<''; openssl sess_id -in "$T/session" -noout -text 2>/dev/null)" "TLS_AES_128_GCM_SHA256"
has "a session is resumed" "$(dial -tls1_3 -sess_in "$T/session" -ign_eof <<<'')" "Reused, TLSv1.3"
lacks "no session carries early data" "$(openssl sess_id -in "$T/session" -noout -text 2>/dev/null)" "Max Early Data: 1"
renegotiate() { (sleep 1; echo R; sleep 1) | timeout 20 openssl s_client -tls1_2 -connect "$WHERE" -servername $HOST -CAfile "$R/ca.pem" 2>&1; }
has "renegotiation is refused" "$(renegotiate)" "no renegotiation"

# ---- a client with little memory: records of 512 bytes, for heads and bodies that are written at once
pid=$("$TOLLGATE" status --json | json 'd["pid"]')
small() { # BODY [OPTIONS…]
    local body=$1
    shift
    printf 'POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer sk-test\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s' \
        $HOST ${#body} "$body" | governed timeout 30 openssl s_client -connect $HOST:443 -servername $HOST -CAfile "$R/ca.pem" -maxfraglen 512 -quiet -ign_eof "$@" 2>/dev/null
}
for version in 1_2 1_3; do
    answer=$(small "$(openai_body gpt-5.4-nano 'hello [[bytes=3000]]')" -tls$version)
    has "an answer in short records, TLS ${version/_/.}" "$answer" '"finish_reason"'
    has "whole" "$(tail -c 3 <<<"$answer")" '}'
done
is "by the same agent" "$("$TOLLGATE" status --json | json 'd["pid"]')" "$pid"

# ---- certificates
dial -showcerts | awk -v dir="$T" '/BEGIN CERT/ { file = dir "/sent." ++n ".pem" } file { print >file } /END CERT/ { close(file); file = "" }'
text() { openssl x509 -in "$1" -noout -text; }
is "leaf and intermediate are sent, the root is not" "$(ls "$T"/sent.*.pem | wc -l)" 2
leaf=$(text "$T/sent.1.pem") intermediate=$(text "$T/sent.2.pem") root=$(text "$R/ca.pem")
for part in "NIST CURVE: P-256" "ecdsa-with-SHA256" "Subject Key Identifier" "Authority Key Identifier" "TLS Web Server Authentication" \
    "CA:FALSE" "Digital Signature"; do
    has "leaf: $part" "$leaf" "$part"
done
is "leaf: the one name that was asked for" "$(openssl x509 -in "$T/sent.1.pem" -noout -ext subjectAltName | sed -n 's/^ *DNS/DNS/p')" "DNS:$HOST"
is "leaf: no other use" "$(openssl x509 -in "$T/sent.1.pem" -noout -ext extendedKeyUsage | sed -n 2p | tr -d ' ')" "TLSWebServerAuthentication"
lives() { # FILE: hours from now
    local end
    end=$(openssl x509 -in "$1" -noout -enddate)
    echo $((($(date -d "${end#*=}" +%s) - $(date +%s)) / 3600))
}
check "leaf: a day at most" [ "$(lives "$T/sent.1.pem")" -le 24 ]
check "leaf: not over at once" [ "$(lives "$T/sent.1.pem")" -ge 5 ]
for certificate in intermediate root; do
    for part in "NIST CURVE: P-256" "ecdsa-with-SHA256" "CA:TRUE" "X509v3 Name Constraints: critical" "Permitted:" "DNS:$HOST" "Excluded:" \
        "IP:0.0.0.0/0.0.0.0" "IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0" "Certificate Sign"; do
        has "$certificate: $part" "${!certificate}" "$part"
    done
done
has "intermediate: signs servers only" "$intermediate" "TLS Web Server Authentication"
has "intermediate: no further CA below it" "$intermediate" "pathlen:0"
check "intermediate: 400 days at most" [ "$(lives "$T/sent.2.pem")" -le 9600 ]
check "the chain holds" openssl verify -x509_strict -CAfile "$R/ca.pem" -untrusted "$T/sent.2.pem" -verify_hostname $HOST -purpose sslserver "$T/sent.1.pem"
is "no private key can be read by others" "$(find "$T/s" "$R" -name '*key*' -type f -perm /077 | head -3)" ""
# Whoever steals the intermediate's key cannot be another name with it.
KEY=$(find "$T/s" -name '*.key' -o -name 'key.pem' -o -name '*key*.pem' | head -1)
forge() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/forged.key" -subj / -out "$T/forged.csr" 2>/dev/null &&
        printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$1" >"$T/forged.ext" &&
        openssl x509 -req -in "$T/forged.csr" -CA "$T/sent.2.pem" -CAkey "$KEY" -days 1 -extfile "$T/forged.ext" -out "$T/forged.pem" 2>/dev/null &&
        openssl verify -CAfile "$R/ca.pem" -untrusted "$T/sent.2.pem" "$T/forged.pem" 2>&1
}
has "a stolen key signs what is governed" "$(forge $HOST)" "OK"
has "and nothing else" "$(forge www.example.com)" "permitted subtree violation"

# ---- what others say
if command -v sslscan >/dev/null; then
    scan=$(timeout 120 sslscan --no-colour --sni-name=$HOST "$WHERE" 2>&1)
    for version in SSLv2 SSLv3 TLSv1.0 TLSv1.1; do has "sslscan: $version" "$(grep -E "^$version +" <<<"$scan")" "disabled"; done
    for version in TLSv1.2 TLSv1.3; do has "sslscan: $version" "$(grep -E "^$version +" <<<"$scan")" "enabled"; done
    is "sslscan: suites" "$(awk '/^(Preferred|Accepted)/ { print $2, $5 }' <<<"$scan" | sort | tr '\n' ' ')" \
        "$(printf '%s\n' "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256" "TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384" "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305" \
            "TLSv1.3 TLS_AES_128_GCM_SHA256" "TLSv1.3 TLS_AES_256_GCM_SHA384" "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256" | sort | tr '\n' ' ')"
    has "sslscan: renegotiation" "$(grep -iE 'renegotiation' <<<"$scan")" "not supported"
    is "sslscan: nothing is vulnerable" "$(grep -iE 'vulnerable' <<<"$scan" | grep -vi 'not vulnerable')" ""
else
    skip "sslscan is not installed"
fi
testssl=$(command -v testssl.sh || command -v testssl)
if [ -n "$testssl" ]; then
    # No look-ups in DNS, no calls home: the address and the name are given.
    timeout 400 "$testssl" --quiet --color 0 --warnings off --nodns min --add-ca "$R/ca.pem" --ip "${WHERE%:*}" \
        --protocols --server-preference --server-defaults --vulnerable --jsonfile "$T/testssl.json" "$HOST:${WHERE#*:}" \
        >"$T/testssl.out" 2>&1
    check "testssl.sh has ended with a report" [ -s "$T/testssl.json" ]
    is "testssl.sh: protocols" "$(json '" ".join(r["id"] + "=" + r["severity"] for r in d if r["id"] in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3"))' <"$T/testssl.json")" \
        "SSLv2=OK SSLv3=OK TLS1=INFO TLS1_1=INFO TLS1_2=OK TLS1_3=OK"
    # A private CA has no CRL, no OCSP, no CAA record and no certificate transparency: nobody would ask for them. A client that
    # has left before the kernel is asked whose he was finds the connection closed, at times: a probe that found nothing out.
    untested='r["severity"] == "WARN" and any(words in r["finding"] for words in ("connect problem", "timed out", "check failed", "not tested", "stalled"))'
    is "testssl.sh: nothing above a remark" "$(json '[(r["id"], r["severity"], r["finding"]) for r in d if r["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL", "WARN") and not r["id"].startswith(("cert_crl", "cert_ocsp", "cert_revocation", "cert_chain_of_trust", "OCSP", "DNS_CAA", "certificate_transparency", "engine_problem", "cert_notAfter", "cert_expirationStatus")) and not ('"$untested"')]' <"$T/testssl.json")" "[]"
    check "testssl.sh: nearly every probe found something out" [ "$(json 'sum('"$untested"' for r in d)' <"$T/testssl.json")" -le 2 ]
else
    skip "testssl.sh is not installed"
fi

stop_agent
done_playing
