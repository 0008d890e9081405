# SPDX-License-Identifier: Apache-2.0
import io
import pycurl
import compat


def ask(url, headers, body):
    got, handle = io.BytesIO(), pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.POSTFIELDS, body)
    handle.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
    handle.setopt(pycurl.WRITEDATA, got)
    handle.setopt(pycurl.FAILONERROR, True)
    handle.setopt(pycurl.TIMEOUT, 60)
    if compat.is_ipv6():
        handle.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V6)
    handle.perform()
    return got.getvalue()


compat.post(ask)
