# SPDX-License-Identifier: Apache-2.0
"""What the shim would read of a map file (shim/contract.h): the governed names and where they lead."""
import socket
import struct

HEADER = struct.Struct("=QIIQIIIIIIIIII")
VERSION = 3


def read_map(path):
    """name -> (address, port) of the agent that answers for it on port 443."""
    with open(path, "rb") as file:
        data = file.read()
    header = HEADER.unpack_from(data)
    if header[1] != VERSION:
        raise ValueError(f"{path}: map version {header[1]}, this reads {VERSION}")
    ports, names, text_size = header[6:9]
    port = dict(struct.unpack_from("=HH", data, HEADER.size + i * 4) for i in range(ports))[443]
    start, text = HEADER.size + ports * 4, data[len(data) - text_size :]
    found = {}
    for i in range(names):
        address, offset = struct.unpack_from("=II", data, start + i * 8)
        found[text[offset : text.index(b"\0", offset)].decode()] = (socket.inet_ntoa(struct.pack("!I", address)), port)
    return found
