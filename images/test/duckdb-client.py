"""A client of PostgreSQL's wire protocol with SCRAM: PORT USER DATABASE STATEMENT, the password on standard input."""

import base64
import hashlib
import hmac
import os
import socket
import struct
import sys

port, user, database, statement = sys.argv[1:]
password = sys.stdin.buffer.read()
raw = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
stream = raw.makefile("rb")


def send(kind, body):
    raw.sendall(kind + struct.pack("!I", len(body) + 4) + body)


def receive():
    kind = stream.read(1)
    return kind, stream.read(struct.unpack("!I", stream.read(4))[0] - 4)


def keyed(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


send(b"", struct.pack("!I", 196608) + f"user\0{user}\0database\0{database}\0\0".encode())
receive()
bare = "n=,r=" + base64.b64encode(os.urandom(12)).decode()
send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(bare) + 3) + b"n,," + bare.encode())
first = receive()[1][4:].decode()
parts = dict(p.split("=", 1) for p in first.split(","))
salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(parts["s"]), int(parts["i"]))
final = f"c=biws,r={parts['r']}"
client_key = keyed(salted, b"Client Key")
signature = keyed(hashlib.sha256(client_key).digest(), f"{bare},{first},{final}".encode())
proof = bytes(a ^ b for a, b in zip(client_key, signature))
send(b"p", (final + ",p=" + base64.b64encode(proof).decode()).encode())
asked = False
while True:
    kind, body = receive()
    if kind == b"E":
        sys.exit(body.replace(b"\0", b" ").decode())
    if kind == b"Z":
        if asked:
            break
        asked = True
        send(b"Q", statement.encode() + b"\0")
    if kind == b"D":
        cells, at = [], 2
        for _ in range(struct.unpack_from("!H", body)[0]):
            (size,) = struct.unpack_from("!i", body, at)
            cells.append("" if size < 0 else body[at + 4 : at + 4 + size].decode())
            at += 4 + max(size, 0)
        print("\t".join(cells))
