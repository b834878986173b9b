"""DuckDB's types and values in PostgreSQL's wire formats."""

import datetime
import decimal
import json
import re
import struct
import uuid

# Type names of DuckDB: object id and size in PostgreSQL. Everything else is sent as text.
OIDS = {
    "BOOLEAN": (16, 1), "TINYINT": (21, 2), "SMALLINT": (21, 2), "INTEGER": (23, 4), "BIGINT": (20, 8),
    "UTINYINT": (21, 2), "USMALLINT": (23, 4), "UINTEGER": (20, 8), "FLOAT": (700, 4), "DOUBLE": (701, 8),
    "VARCHAR": (1043, -1), "BLOB": (17, -1), "DATE": (1082, 4), "TIMESTAMP": (1114, 8),
    "TIMESTAMP WITH TIME ZONE": (1184, 8), "TIME": (1083, 8), "UUID": (2950, 16), "JSON": (114, -1),
    "HUGEINT": (1700, -1), "UHUGEINT": (1700, -1), "UBIGINT": (1700, -1),
}
TEXT = (25, -1)
PACKED = {16: "!?", 21: "!h", 23: "!i", 20: "!q", 700: "!f", 701: "!d"}
EPOCH = datetime.datetime(2000, 1, 1)


def oid(kind):
    name = str(kind)
    return (1700, -1) if name.startswith("DECIMAL") else OIDS.get(name, TEXT)


def plain(value):
    """For JSON: lists, structures and maps."""
    return text(value) if isinstance(value, (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, bytes)) else str(value)


def text(value):
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, float):
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(value), repr(value))
    if isinstance(value, (bytes, bytearray)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=plain, ensure_ascii=False)
    return str(value)


def numeric(value):
    """Groups of four decimal digits, as numeric_send writes them."""
    value = decimal.Decimal(value)
    if not value.is_finite():
        return struct.pack("!hhHh", 0, 0, 0xC000, 0)
    sign, digits, exponent = value.as_tuple()
    scale = max(0, -exponent)
    whole = "".join(map(str, digits)) + "0" * max(0, exponent)
    whole = whole.rjust(scale + 1, "0")
    before, after = (whole[:-scale], whole[-scale:]) if scale else (whole, "")
    before = before.rjust(-(-len(before) // 4) * 4, "0")
    after = after.ljust(-(-len(after) // 4) * 4, "0")
    groups = [int((before + after)[i : i + 4]) for i in range(0, len(before + after), 4)]
    weight = len(before) // 4 - 1
    while groups and groups[0] == 0:
        groups.pop(0)
        weight -= 1
    while groups and groups[-1] == 0:
        groups.pop()
    return struct.pack(f"!hhHh{len(groups)}h", len(groups), weight if groups else 0, 0x4000 if sign else 0, scale, *groups)


MOMENT = re.compile(r"(?:(\d+)-(\d+)-(\d+))? ?(?:(\d+):(\d+):(\d+)(?:\.(\d{1,6}))?)?(?:\+00)?(?: \(BC\))?")


def days(year, month, day):
    """From 2000-01-01, also for years that Python's dates do not have (the calendar repeats every 400 years)."""
    shift = (2000 - year) // 400
    return (datetime.date(year + 400 * shift, month, day) - EPOCH.date()).days - 146_097 * shift


def beyond(value, kind):
    """A date, moment or time that Python has no object for, which comes as the engine's text."""
    found = MOMENT.fullmatch(value)
    if not found:
        raise ValueError(f"{value!r} has no binary form here")
    year, month, day, hour, minute, second = (int(found[i] or 0) for i in range(1, 7))
    whole = days(1 - year if value.endswith("(BC)") else year, month, day) if found[1] else 0
    if kind == 1082:
        return struct.pack("!i", whole)
    micros = int((found[7] or "").ljust(6, "0"))
    return struct.pack("!q", ((whole * 24 + hour) * 3600 + minute * 60 + second) * 1_000_000 + micros)


def encoded(value, kind, binary):
    """Bytes of a value, of an object id, in text or binary."""
    if value is None:
        return None
    if isinstance(value, str) and kind in (1082, 1083, 1114, 1184):
        return beyond(value, kind) if binary else value.replace(" (BC)", " BC").encode()
    if binary:
        if kind in PACKED:
            return struct.pack(PACKED[kind], value)
        if kind == 17:
            return bytes(value)
        if kind == 1700:
            return numeric(value)
        if kind == 1082:
            return struct.pack("!i", (value - EPOCH.date()).days)
        if kind in (1114, 1184):
            if value.tzinfo:
                value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            return struct.pack("!q", (value - EPOCH) // datetime.timedelta(microseconds=1))
        if kind == 1083:
            return struct.pack("!q", ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond)
        if kind == 2950:
            return value.bytes
    return text(value).encode()


def moment(data):
    return EPOCH + datetime.timedelta(microseconds=struct.unpack("!q", data)[0])


def decimal_of(data):
    count, weight, sign, scale = struct.unpack_from("!hhHh", data)
    if sign not in (0, 0x4000):
        raise ValueError("not a number")
    value = sum(decimal.Decimal(g) * decimal.Decimal(10000) ** (weight - i) for i, g in enumerate(struct.unpack_from(f"!{count}h", data, 8)))
    return f"{-value if sign else value:.{scale}f}"


DECODERS = {
    1082: lambda data: (EPOCH + datetime.timedelta(days=struct.unpack("!i", data)[0])).date(),
    1083: lambda data: moment(data).time(),
    1114: moment,
    1184: lambda data: moment(data).replace(tzinfo=datetime.timezone.utc),
    1700: decimal_of,
    2950: lambda data: uuid.UUID(bytes=data),
}


def literal(data, kind, binary):
    """A bound value as a literal: DuckDB gives text in quotes the type that its place wants."""
    if data is None:
        return "NULL"
    if binary:
        if kind in PACKED:
            value = struct.unpack(PACKED[kind], data)[0]
        elif kind == 17:
            return "'" + "".join(f"\\x{b:02X}" for b in data) + "'::BLOB"
        elif kind in (0, 18, 19, 25, 114, 1042, 1043, 3802):
            value = data.decode()
        elif kind in DECODERS:
            value = DECODERS[kind](data)
        else:
            raise ValueError(f"a bound value of type {kind} must be sent as text")
    else:
        value = data.decode()
        if kind == 17 and value.startswith("\\x"):
            return literal(bytes.fromhex(value[2:]), 17, True)
    if "\0" in str(value):
        raise ValueError("a text cannot hold NUL")
    quoted = "'" + text(value).replace("'", "''") + "'"
    casts = {16: "BOOLEAN", 21: "SMALLINT", 23: "INTEGER", 20: "BIGINT", 700: "FLOAT", 701: "DOUBLE"}
    return f"CAST({quoted} AS {casts[kind]})" if kind in casts else quoted
