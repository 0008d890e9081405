# SPDX-License-Identifier: Apache-2.0
"""gRPC's TLS, which is BoringSSL: a channel to the host of COMPAT_URL becomes ready, or does not."""
import os
import sys
import urllib.parse
import grpc

url = urllib.parse.urlsplit(os.environ["COMPAT_URL"])
channel = grpc.secure_channel(f"{url.hostname}:{url.port or 443}", grpc.ssl_channel_credentials())
try:
    grpc.channel_ready_future(channel).result(timeout=5)
except grpc.FutureTimeoutError:
    sys.exit("the channel does not become ready")
