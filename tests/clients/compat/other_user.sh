#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Programs that root starts as another user, who may not read what is ours: they find the environment that they would find
# without us, and their TLS its own trust store. The server here is one that nobody knows: curl says 60 for that, and 77 for a
# trust store that it cannot read. Called by bystanders.py with W, a folder; prints what must be the same under us.
cd "$W" || exit 1
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2 -keyout key -out certificate 2>/dev/null
python3 -c '
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("certificate", "key")
listener = socket.create_server(("127.0.0.1", 0))
open("port.new", "w").write(str(listener.getsockname()[1]))
import os; os.rename("port.new", "port")
listener.settimeout(60)
while True:
    try:
        context.wrap_socket(listener.accept()[0], server_side=True).close()
    except TimeoutError:
        break
    except OSError:
        pass
' &
server=$!
trap 'kill $server' EXIT
tries=0
while [ ! -e port ] && [ $((tries += 1)) -lt 500 ]; do sleep 0.02; done
url=https://127.0.0.1:$(cat port)/
cd /
fetch="curl -sS -o /dev/null $url"
python="import urllib.request as r
try: r.urlopen('$url')
except OSError as error: print(error)"
for way in "sudo -n -u nobody" "setpriv --reuid 65534 --regid 65534 --clear-groups"; do
    $way $fetch 2>&1
    echo $?
    $way python3 -c "$python" 2>&1
    $way env | sort
done
su nobody -s /bin/sh -c "$fetch" 2>&1
echo $?
su nobody -s /bin/sh -c "git ls-remote $url" 2>&1 | sed 's/:[0-9]*//g'
su nobody -s /bin/sh -c env | sort
