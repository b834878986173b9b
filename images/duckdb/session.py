"""One client of the PostgreSQL wire protocol, version 3: https://www.postgresql.org/docs/current/protocol.html"""

import contextlib
import re
import struct

import duckdb

import values

# Kinds of statements, by the engine's own parser. These reach files or other databases, and are closed for everybody: the
# engine itself lets statements reach the database's own temporary directory.
CLOSED = {"ATTACH", "DETACH", "LOAD", "COPY", "COPY_DATABASE", "EXPORT", "EXTENSION", "UNKNOWN"}
# What a reader may run, always in a transaction that is read-only in the engine.
READS = {"SELECT", "EXPLAIN", "TRANSACTION", "RELATION", "SET", "VARIABLE_SET", "MULTI", "PREPARE", "EXECUTE"}
# What Python has no such value for: written by the engine instead.
LOSSY = re.compile(r"INTERVAL|TIMESTAMP_NS|TIME_NS")
CODES = [
    (duckdb.ParserException, "42601"), (duckdb.CatalogException, "42P01"), (duckdb.BinderException, "42703"),
    (duckdb.ConstraintException, "23505"), (duckdb.ConversionException, "22P02"), (duckdb.OutOfRangeException, "22003"),
    (duckdb.PermissionException, "42501"), (duckdb.OutOfMemoryException, "53200"), (duckdb.InterruptException, "57014"),
    (duckdb.TransactionException, "25P02"),
]
# What drivers say to PostgreSQL at their start, without meaning here.
IGNORED = re.compile(
    r"\s*(set\s+(session\s+)?(extra_float_digits|application_name|client_encoding|datestyle|client_min_messages|timezone|"
    r"standard_conforming_strings|statement_timeout|intervalstyle|bytea_output)\b|discard\s|deallocate\s|"
    r"set\s+session\s+characteristics\b|reset\s+all\b)", re.I)
SHOWN = {
    "transaction_isolation": "serializable", "transaction isolation level": "serializable", "server_version": "14.0",
    "standard_conforming_strings": "on", "client_encoding": "UTF8", "server_encoding": "UTF8", "datestyle": "ISO, MDY",
    "timezone": "UTC", "max_identifier_length": "63",
}
BEGIN = re.compile(r"\s*(begin|start\s+transaction)\b[^;]*;?\s*", re.I)
SHOW = re.compile(r"\s*show\s+([\w ]+?)\s*;?\s*", re.I)
OURS = re.compile(r"\s*fluxdb\s", re.I)
# Strings, names, comments and bound values; the last are group 1.
PIECES = re.compile(
    r"[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$([A-Za-z_]\w*)?\$.*?\$\1\$|\$(\d+)", re.S)


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def string(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def kind_of(statement):
    try:
        return statement.type.name
    except ValueError:  # newer than Python's list of them
        return "UNKNOWN"


def first_word(text):
    """In capitals; comments are none."""
    at = next((at for at, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment), 0)
    return re.match(rb"\w*", text.encode()[at:])[0].decode().upper()


class Session:
    def __init__(self, server, connection, user, name, database):
        self.server, self.connection, self.role = server, connection, user["role"]
        self.name, self.database = name, database
        self.cursor = server.cursor(database)
        self.transaction, self.broken = False, False
        self.implicit = False  # a reader's transaction that no statement of its own began
        self.statements, self.portals = {}, {}
        self.skipping = False

    # What is sent

    def send(self, kind, body=b""):
        self.connection.write(kind + struct.pack("!I", len(body) + 4) + body)

    def ready(self):
        if self.implicit:
            self.implicit = False
            with contextlib.suppress(duckdb.Error):  # the engine may have ended it by itself
                self.cursor.execute("ROLLBACK")
        self.send(b"Z", b"E" if self.broken else b"T" if self.transaction else b"I")
        self.connection.flush()

    def fail(self, error):
        code = error.code if isinstance(error, Refused) else next((c for kind, c in CODES if isinstance(error, kind)), "XX000")
        if isinstance(error, duckdb.BinderException) and "Table with name" in str(error):
            code = "42P01"
        self.broken = self.transaction
        text = str(error).encode()
        self.send(b"E", b"SERROR\0VERROR\0C" + code.encode() + b"\0M" + text.replace(b"\0", b"") + b"\0\0")

    def describe(self, columns, formats):
        body = struct.pack("!H", len(columns))
        for index, (name, kind) in enumerate(columns):
            number, size = values.oid(kind)
            body += name.encode() + b"\0" + struct.pack("!IHIhih", 0, 0, number, size, -1, self.binary(formats, index))
        self.send(b"T", body)

    @staticmethod
    def binary(formats, index):
        return formats[0] if len(formats) == 1 else formats[index] if index < len(formats) else 0

    # What is run

    def parsed(self, text):
        """The statements of a text: what the engine makes of it, or (None) one that means something to PostgreSQL only."""
        if OURS.match(text):
            return [None]
        try:
            return self.cursor.extract_statements(text)
        except duckdb.ParserException:
            if ";" in text.rstrip("; \t\r\n") or not self.is_foreign(text):
                raise
            return [None]

    @staticmethod
    def is_foreign(text):
        shown = SHOW.fullmatch(text)
        return IGNORED.match(text) or BEGIN.fullmatch(text) or shown and shown[1].lower() in SHOWN

    def foreign(self, text):
        """Answers what a driver says to PostgreSQL at its start, or asks."""
        if IGNORED.match(text):
            return None, iter(()), text.split()[0].upper()
        if BEGIN.fullmatch(text):
            return self.transact("BEGIN")
        name = SHOW.fullmatch(text)[1].lower()
        return [(name, "VARCHAR")], iter([(SHOWN[name],)]), "SHOW"

    def run(self, statement, text):
        """Answers columns (None: no rows), an iterator of rows, and the tag."""
        if statement is None and OURS.match(text):
            return self.server.administer(self, text.lstrip()[7:])
        return self.run_one(statement) if statement else self.foreign(text)

    def run_one(self, statement):
        self.server.queries += 1
        kind, text = kind_of(statement), statement.query
        if kind == "TRANSACTION":
            return self.transact(first_word(text))
        if self.broken:
            raise Refused("25P02", "the transaction has failed; end it")
        if kind in CLOSED or kind in ("EXPLAIN", "PREPARE") and self.inner(text) in CLOSED:
            raise Refused("42501", "statements reach no files and no other databases")
        if kind in ("SELECT", "SET", "VARIABLE_SET", "DROP") and self.is_foreign(text):
            return self.foreign(text)
        if self.role == "read" and kind not in READS:
            raise Refused("42501", f"{self.name} may only read")
        if self.role == "read" and not self.transaction and not self.implicit:
            self.begin()
            self.implicit = True
        self.cursor.execute(statement)
        columns = [(c[0], c[1]) for c in self.cursor.description or []]
        if kind == "SELECT" and any(LOSSY.search(str(k)) for _, k in columns):
            columns = self.written_out(text, columns)
        if kind in ("INSERT", "UPDATE", "DELETE", "MERGE_INTO") and [c[0] for c in columns] == ["Count"]:
            count = (self.cursor.fetchone() or [0])[0]
            return None, iter(()), f"INSERT 0 {count}" if kind == "INSERT" else f"{kind} {count}"
        if kind in ("SELECT", "EXPLAIN", "PRAGMA", "CALL", "EXECUTE", "RELATION", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "MULTI"):
            return columns, self.fetch(), "SELECT"
        return None, iter(()), " ".join(text.split()[:2]).upper() if kind in ("CREATE", "DROP", "ALTER") else kind

    def begin(self):
        """The engine keeps a reader from writing, whatever its statements look like."""
        self.cursor.execute("BEGIN TRANSACTION READ ONLY" if self.role == "read" else "BEGIN TRANSACTION")

    def transact(self, word):
        """Begins and ends transactions in our own words: what the client wrote is not run."""
        if word in ("BEGIN", "START"):
            if self.implicit:
                self.implicit = False
            else:
                self.begin()
            self.transaction, self.broken = True, False
            return None, iter(()), "BEGIN"
        if word not in ("COMMIT", "END", "ROLLBACK", "ABORT"):
            raise Refused("42601", f"no such thing as {word}")
        end = "COMMIT" if word in ("COMMIT", "END") and not self.broken else "ROLLBACK"
        if self.transaction:
            self.transaction, self.broken = False, False
            self.cursor.execute(end)
        return None, iter(()), end  # without a transaction PostgreSQL only warns

    def inner(self, text):
        """The kind of what EXPLAIN or PREPARE is about: the first part of its end that the parser takes."""
        data = text.encode()
        for at, _ in duckdb.tokenize(text)[1:]:
            try:
                found = self.cursor.extract_statements(data[at:].decode())
            except duckdb.Error:
                continue
            return kind_of(found[0]) if found else "UNKNOWN"
        return "UNKNOWN"

    def written_out(self, text, columns):
        """Runs a query once more, with the engine writing the columns that have no value in Python."""
        names = ", ".join(f"c{i}" for i in range(len(columns)))
        cell = {True: "CAST(to_json(c{0}) AS VARCHAR)", False: "CAST(c{0} AS VARCHAR)"}
        cells = [
            (cell["(" in str(k) or "[" in str(k)].format(i) if LOSSY.search(str(k)) else f"c{i}") + ' AS "' + name.replace('"', '""') + '"'
            for i, (name, k) in enumerate(columns)
        ]
        query = text.rstrip("; \t\r\n")
        whole = f"SELECT {', '.join(cells)} FROM ({query}\n) AS q({names})"
        try:
            with self.server.cursor(self.database) as other:
                other.execute("BEGIN TRANSACTION READ ONLY")
                other.execute("DESCRIBE " + whole)
        except duckdb.Error as error:
            if "data-modifying" in str(error):
                return columns  # has written already; not again
        self.cursor.execute(whole)
        return [(c[0], c[1]) for c in self.cursor.description]

    def fetch(self):
        while rows := self.cursor.fetchmany(1000):
            yield from rows

    def send_rows(self, columns, rows, tag, formats, most=0):
        """Answers whether all rows were sent."""
        kinds = [(values.oid(kind)[0], self.binary(formats, i)) for i, (_, kind) in enumerate(columns or [])]
        count = 0
        for row in rows:
            body = [struct.pack("!H", len(row))]
            for value, (kind, binary) in zip(row, kinds):
                data = values.encoded(value, kind, binary)
                body.append(struct.pack("!i", -1) if data is None else struct.pack("!I", len(data)) + data)
            self.send(b"D", b"".join(body))
            count += 1
            if most and count == most:
                self.send(b"s")
                return
        self.send(b"C", (f"{tag} {count}" if tag == "SELECT" else tag).encode() + b"\0")

    # What is received

    def simple(self, text):
        try:
            statements = self.parsed(text)
            if not statements:
                self.send(b"I")
                return
            for statement in statements:
                columns, rows, tag = self.run(statement, text)
                if columns is not None:
                    self.describe(columns, [])
                self.send_rows(columns, rows, tag, [])
        except Exception as error:  # whatever it is, the client is told and the session goes on
            self.fail(error)

    def parse(self, data):
        name, at = string(data, 0)
        text, at = string(data, at)
        (count,) = struct.unpack_from("!H", data, at)
        kinds = list(struct.unpack_from(f"!{count}I", data, at + 2))
        numbers = [int(m[2]) for m in PIECES.finditer(text) if m[2]]
        kinds += [0] * (max(numbers, default=0) - len(kinds))
        self.statements[name] = (text, kinds)
        self.send(b"1")

    def bind(self, data):
        portal, at = string(data, 0)
        name, at = string(data, at)
        if name not in self.statements:
            raise Refused("26000", f"no prepared statement {name!r}")
        text, kinds = self.statements[name]
        (count,) = struct.unpack_from("!H", data, at)
        formats = struct.unpack_from(f"!{count}H", data, at + 2)
        at += 2 + 2 * count
        (count,) = struct.unpack_from("!H", data, at)
        at += 2
        bound = []
        for index in range(count):
            (size,) = struct.unpack_from("!i", data, at)
            at += 4
            piece = None if size < 0 else data[at : at + size]
            at += max(size, 0)
            kind = kinds[index] if index < len(kinds) else 0
            bound.append(values.literal(piece, kind, self.binary(formats, index)))
        (count,) = struct.unpack_from("!H", data, at)
        results = list(struct.unpack_from(f"!{count}H", data, at + 2))

        def put(match):
            if not match[2]:
                return match[0]
            if not 1 <= int(match[2]) <= len(bound):
                raise Refused("08P01", f"no value is bound to {match[0]}")
            return bound[int(match[2]) - 1]

        self.portals[portal] = {"text": PIECES.sub(put, text), "formats": results, "result": None}
        self.send(b"2")

    def result(self, portal):
        if portal not in self.portals:
            raise Refused("34000", f"no portal {portal!r}")
        found = self.portals[portal]
        if found["result"] is None:
            statements = self.parsed(found["text"])
            if len(statements) > 1:
                raise Refused("42601", "a prepared statement is one statement")
            found["result"] = self.run(statements[0], found["text"]) if statements else (None, iter(()), "")
        return found

    def describe_message(self, data):
        name, _ = string(data, 1)
        if data[:1] == b"P":
            found = self.result(name)
            columns, formats = found["result"][0], found["formats"]
        else:
            if name not in self.statements:
                raise Refused("26000", f"no prepared statement {name!r}")
            text, kinds = self.statements[name]
            self.send(b"t", struct.pack(f"!H{len(kinds)}I", len(kinds), *(k or 25 for k in kinds)))
            columns, formats = self.columns_of(text, kinds), []
        if columns is None:
            self.send(b"n")
        else:
            self.describe(columns, formats)

    def columns_of(self, text, kinds):
        """Columns of a query that has no values yet: asked with NULL in their places."""
        typed = {k: f"CAST(NULL AS {t})" for k, t in {16: "BOOLEAN", 21: "SMALLINT", 23: "INTEGER", 20: "BIGINT", 701: "DOUBLE"}.items()}
        text = PIECES.sub(lambda m: m[0] if not m[2] else typed.get(kinds[int(m[2]) - 1], "CAST(NULL AS VARCHAR)"), text)
        try:
            statements = self.parsed(text)
            if len(statements) != 1 or statements[0] and kind_of(statements[0]) != "SELECT":
                return None
            shown = SHOW.fullmatch(text)
            if shown and shown[1].lower() in SHOWN:
                return [(shown[1].lower(), "VARCHAR")]
            if not statements[0]:
                return None
            with self.server.cursor(self.database) as cursor:
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                cursor.execute("DESCRIBE " + statements[0].query)
                return [(row[0], "VARCHAR" if LOSSY.search(row[1]) else row[1]) for row in cursor.fetchall()]
        except duckdb.Error:
            return None

    def execute(self, data):
        portal, at = string(data, 0)
        (most,) = struct.unpack_from("!I", data, at)
        found = self.result(portal)
        columns, rows, tag = found["result"]
        if columns is None and not tag:
            self.send(b"I")
        else:
            self.send_rows(columns, rows, tag, found["formats"], most)

    def close(self, data):
        name, _ = string(data, 1)
        (self.portals if data[:1] == b"P" else self.statements).pop(name, None)
        self.send(b"3")

    def serve(self):
        handlers = {b"P": self.parse, b"B": self.bind, b"D": self.describe_message, b"E": self.execute, b"C": self.close}
        while True:
            kind, data = self.connection.message()
            if kind == b"X" or not kind:
                return
            if kind == b"Q":
                self.simple(string(data, 0)[0])
                self.ready()
            elif kind == b"S":
                self.skipping = False
                self.portals.clear()
                self.ready()
            elif kind == b"H":
                self.connection.flush()
            elif kind in handlers and not self.skipping:
                try:
                    handlers[kind](data)
                except Exception as error:  # whatever it is, the client is told and the session goes on
                    self.fail(error)
                    self.skipping = True
