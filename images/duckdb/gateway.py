#!/usr/bin/env python3
"""Serves DuckDB databases, a file each, over the PostgreSQL wire protocol with SCRAM-SHA-256.

    gateway.py CONFIGURATION    JSON: port, directory, system_user, system {salt, stored, server} or password_file,
                                max_connections, duckdb {setting: value}

The system account makes users and databases by `FLUXDB {"put_user": ...}`; nobody else may. Statements run as they are:
there is no translation of PostgreSQL's dialect. Nothing here reads files or calls other servers: external access is off.
Each database is an engine of its own, with a temporary directory beside its file.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import struct
import sys
import threading
import time
import urllib.parse

import duckdb

from accounts import Accounts, verifier
from session import Refused, Session


def note(text):
    print(text, file=sys.stderr, flush=True)


class Connection:
    """Framing of one socket."""

    def __init__(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw, self.input, self.out = raw, raw.makefile("rb"), raw.makefile("wb", buffering=65536)
        self.write, self.flush = self.out.write, self.out.flush

    def exactly(self, size):
        data = self.input.read(size)
        if len(data) < size:
            raise ConnectionError
        return data

    def message(self, most=64 << 20):
        kind = self.input.read(1)
        if not kind:
            return b"", b""
        size = struct.unpack("!I", self.exactly(4))[0] - 4
        if not 0 <= size <= most:
            raise ConnectionError
        return kind, self.exactly(size)

    def startup(self):
        while True:
            size, code = struct.unpack("!II", self.exactly(8))
            if not 8 <= size <= 10_000:
                raise ConnectionError
            rest = self.exactly(size - 8)
            if code in (80877103, 80877104):  # TLS and GSSAPI: not here
                self.raw.sendall(b"N")
                continue
            return code, rest

    def refuse(self, code, text):
        body = b"SFATAL\0VFATAL\0C" + code.encode() + b"\0M" + text.encode() + b"\0\0"
        self.write(b"E" + struct.pack("!I", len(body) + 4) + body)
        self.flush()


class Server:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.config = json.load(file)
        own = self.config.get("system")
        if own is None:
            with open(self.config["password_file"], encoding="utf-8") as file:
                own = verifier(file.read())
        directory = self.config["directory"]
        self.files = os.path.join(directory, "databases")
        os.makedirs(self.files, mode=0o700, exist_ok=True)
        # Temporary files of a server that was killed; the first is where older versions kept everybody's.
        for left in [os.path.join(directory, "tmp"), *(self.file(n) + ".tmp" for n in self.names())]:
            shutil.rmtree(left, ignore_errors=True)
        self.accounts = Accounts(os.path.join(directory, "accounts.json"), self.config["system_user"], own)
        self.lock, self.databases, self.sessions = threading.Lock(), {}, {}
        self.stopping, self.queries, self.began = False, 0, time.monotonic()
        for name in self.names():
            self.open(name)

    # Databases

    def file(self, name):
        return os.path.join(self.files, urllib.parse.quote(name, safe="") + ".duckdb")

    def names(self):
        return sorted(urllib.parse.unquote(f[:-7]) for f in os.listdir(self.files) if f.endswith(".duckdb"))

    def connect(self, place):
        """Without files from its first moment on: what the engine still reaches is its own file, log and temporary directory."""
        settings = {**self.config["duckdb"], "enable_external_access": "false"}
        if place == ":memory:":
            del settings["enable_external_access"]  # would not take the next one
            settings["temp_directory"] = ""
        database = duckdb.connect(place, config=settings)
        for name, value in {"autoload_known_extensions": False, "autoinstall_known_extensions": False, "python_enable_replacements": False,
                            "enable_external_access": False, "lock_configuration": True}.items():
            database.execute(f"SET {name} = {value}")
        return database

    def open(self, name):
        with self.lock:
            if name not in self.databases:
                self.databases[name] = self.connect(self.file(name))

    def cursor(self, name):
        if name is None:  # the system account's own place, in memory
            with self.lock:
                if None not in self.databases:
                    self.databases[None] = self.connect(":memory:")
                return self.databases[None].cursor()
        if name not in self.databases:
            raise Refused("3D000", f"no database {name!r}")
        return self.databases[name].cursor()

    def administer(self, session, text):
        """The statements of the system account."""
        if session.role != "system":
            raise Refused("42501", "only fluxdb's own account may do this")
        (what, value), = json.loads(text.rstrip("; \n")).items()
        if what == "put_user":
            change = {"role": value["role"], "databases": value["databases"], **verifier(value["password"])}
            before = self.accounts.users.get(value["name"])
            self.accounts.change(value["name"], change)
            if before and any(before[part] != change[part] for part in ("role", "databases")):
                self.end(lambda s: s.name == value["name"])  # its sessions have the rights from before
        elif what == "set_password":
            user = self.accounts.users.get(value["name"])
            if user is None:
                raise Refused("42704", f"no user {value['name']!r}")
            self.accounts.change(value["name"], {**user, **verifier(value["password"])})
        elif what == "drop_user":
            self.accounts.change(value, None)
            self.end(lambda s: s.name == value)
        elif what == "create_database":
            self.open(value)
        elif what == "drop_database":
            self.drop(value)
        elif what in ("users", "databases"):
            names = self.names() if what == "databases" else sorted(self.accounts.users)
            return [("name", "VARCHAR")], iter([(n,) for n in names]), "SELECT"
        elif what == "metrics":
            return [("name", "VARCHAR"), ("value", "VARCHAR")], iter(self.metrics()), "SELECT"
        else:
            raise Refused("42601", f"no such thing as {what}")
        return None, iter(()), "FLUXDB"

    def end(self, which):
        """Ends sessions; others may end at this moment by themselves."""
        for session in [s for s in list(self.sessions.values()) if which(s)]:
            with contextlib.suppress(OSError, duckdb.Error):
                session.cursor.interrupt()
                session.connection.raw.shutdown(socket.SHUT_RDWR)

    def drop(self, name):
        self.end(lambda s: s.database == name)
        with self.lock:
            database = self.databases.pop(name, None)
            if database is not None:
                database.close()
            for suffix in ("", ".wal", ".wal.checkpoint", ".wal.recovery"):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(self.file(name) + suffix)
            shutil.rmtree(self.file(name) + ".tmp", ignore_errors=True)
        self.accounts.forget_database(name)

    def metrics(self):
        yield "connections", str(len(self.sessions))
        yield "connections_max", str(self.config["max_connections"])
        yield "databases", str(len(self.names()))
        yield "data_bytes", str(sum(os.path.getsize(os.path.join(self.files, f)) for f in os.listdir(self.files)))
        yield "queries_total", str(self.queries)
        yield "uptime_seconds", str(int(time.monotonic() - self.began))
        used = 0
        for name in list(self.databases):
            # By their full names: macros of the same name belong to whoever made them, and are not run by us.
            with self.cursor(name) as cursor:
                rows = cursor.execute("SELECT memory_usage_bytes FROM system.main.duckdb_memory()").fetchall()
            used += sum(bytes for (bytes,) in rows)
        yield "memory_bytes", str(used)

    # Clients

    def client(self, raw):
        session, number = None, secrets.randbits(31)
        raw.settimeout(30)
        connection = Connection(raw)
        try:
            code, rest = connection.startup()
            if code == 80877102:  # cancel
                session_of = self.sessions.get(struct.unpack("!I", rest[:4])[0])
                if session_of and struct.unpack("!I", rest[4:8])[0] == session_of.secret:
                    session_of.cursor.interrupt()
                return
            if code >> 16 != 3:
                return
            parts = [p.decode() for p in rest.split(b"\0")]
            asked = dict(zip(parts[0::2], parts[1::2]))
            name = asked.get("user", "")
            user = self.login(connection, name)
            if user is None:
                connection.refuse("28P01", f"password authentication failed for user {name!r}")
                return
            database = self.allowed(user, asked.get("database") or name)
            if len(self.sessions) >= self.config["max_connections"] and user["role"] != "system":
                raise Refused("53300", "too many connections")
            session = Session(self, connection, user, name, database)
            session.secret = secrets.randbits(31)
            self.sessions[number] = session
            raw.settimeout(None)
            session.send(b"R", struct.pack("!I", 0))
            for key, value in {"server_version": "14.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
                               "integer_datetimes": "on", "standard_conforming_strings": "on", "TimeZone": "UTC"}.items():
                session.send(b"S", f"{key}\0{value}\0".encode())
            session.send(b"K", struct.pack("!II", number, session.secret))
            session.ready()
            session.serve()
        except Refused as error:
            connection.refuse(error.code, str(error))
        except (OSError, ValueError, KeyError, IndexError, UnicodeDecodeError, struct.error):
            pass  # the client has gone, or speaks something else
        finally:
            self.sessions.pop(number, None)
            if session:
                session.cursor.close()
            raw.close()

    def login(self, connection, name):
        def send(code, body):
            connection.write(b"R" + struct.pack("!II", len(body) + 8, code) + body)
            connection.flush()

        first = True

        def receive():
            nonlocal first
            kind, data = connection.message(most=10_000)
            if kind != b"p":
                raise ConnectionError
            if first:
                first = False
                mechanism, rest = data.split(b"\0", 1)
                if mechanism != b"SCRAM-SHA-256":
                    raise ConnectionError
                return rest[4:]
            return data

        send(10, b"SCRAM-SHA-256\0\0")
        return self.accounts.scram(name, send, receive)

    def allowed(self, user, database):
        if user["role"] == "system":
            return None if database in ("postgres", self.config["system_user"]) else self.known(database)
        if user["databases"] is not None and database not in user["databases"]:
            raise Refused("42501", f"no right to connect to {database!r}")
        return self.known(database)

    def known(self, database):
        if database not in self.databases:
            raise Refused("3D000", f"no database {database!r}")
        return database

    def serve(self):
        listener = socket.create_server(("0.0.0.0", self.config["port"]), backlog=128)
        listener.settimeout(0.5)
        note("ready for connections")
        while not self.stopping:
            try:
                raw, _ = listener.accept()
            except TimeoutError:
                continue
            raw.settimeout(None)
            threading.Thread(target=self.client, args=(raw,), daemon=True).start()
        listener.close()
        for session in list(self.sessions.values()):
            with contextlib.suppress(duckdb.Error):
                session.cursor.interrupt()
        for database in self.databases.values():
            database.close()  # writes what is in the log to the file
        note("all databases are closed")

    def stop(self, *_):
        self.stopping = True


if __name__ == "__main__":
    os.umask(0o077)
    gateway = Server(sys.argv[1])
    signal.signal(signal.SIGTERM, gateway.stop)
    signal.signal(signal.SIGINT, gateway.stop)
    gateway.serve()
