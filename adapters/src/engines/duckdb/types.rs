//! Every type of DuckDB as clients of PostgreSQL's protocol get it: what the server around DuckDB writes must be the value.

use crate::{Answer, Call, Proof};

/// Type, a value as it is written, and what a client reads in text.
const VALUES: &[(&str, &str, &str)] = &[
    ("BOOLEAN", "true", "t"),
    ("TINYINT", "-128", "-128"),
    ("UTINYINT", "255", "255"),
    ("SMALLINT", "-32768", "-32768"),
    ("USMALLINT", "65535", "65535"),
    ("INTEGER", "-2147483648", "-2147483648"),
    ("UINTEGER", "4294967295", "4294967295"),
    ("BIGINT", "9223372036854775807", "9223372036854775807"),
    ("UBIGINT", "18446744073709551615", "18446744073709551615"),
    ("HUGEINT", "-170141183460469231731687303715884105727", "-170141183460469231731687303715884105727"),
    ("UHUGEINT", "340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
    ("BIGNUM", "123456789012345678901234567890123456789012345", "123456789012345678901234567890123456789012345"),
    ("FLOAT", "1.5", "1.5"),
    ("DOUBLE", "0.1", "0.1"),
    ("DOUBLE", "-inf", "-Infinity"),
    ("DOUBLE", "nan", "NaN"),
    ("DECIMAL(38, 5)", "-12345678901234567890.12340", "-12345678901234567890.12340"),
    ("VARCHAR", "gr\u{fc}\u{df}e \"' \\", "gr\u{fc}\u{df}e \"' \\"),
    ("BLOB", "\\x00\\xFFa", "\\x00ff61"),
    ("DATE", "2024-02-29", "2024-02-29"),
    ("DATE", "0044-03-15 (BC)", "0044-03-15 BC"),
    ("DATE", "12024-02-29", "12024-02-29"),
    ("TIME", "23:59:59.999999", "23:59:59.999999"),
    ("TIME", "24:00:00", "24:00:00"),
    ("TIME_NS", "12:34:56.789123456", "12:34:56.789123456"),
    ("TIMETZ", "12:34:56+02", "12:34:56+02:00"),
    ("TIMESTAMP", "2024-02-29 12:34:56.123456", "2024-02-29 12:34:56.123456"),
    ("TIMESTAMP_S", "2024-02-29 12:34:56", "2024-02-29 12:34:56"),
    ("TIMESTAMP_MS", "2024-02-29 12:34:56.123", "2024-02-29 12:34:56.123000"),
    ("TIMESTAMP_NS", "2024-02-29 12:34:56.123456789", "2024-02-29 12:34:56.123456789"),
    ("TIMESTAMPTZ", "2024-02-29 12:34:56.123456+02", "2024-02-29 10:34:56.123456+00:00"),
    ("INTERVAL", "1 year 2 months 3 days 04:05:06.7", "1 year 2 months 3 days 04:05:06.7"),
    ("UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("ENUM('sad', 'happy')", "happy", "happy"),
    ("BIT", "10101", "10101"),
    ("JSON", "{\"a\": [1, null]}", "{\"a\": [1, null]}"),
    ("INTEGER[]", "[1, NULL, 3]", "[1, null, 3]"),
    ("INTEGER[3]", "[1, 2, 3]", "[1, 2, 3]"),
    ("VARCHAR[][]", "[[a], []]", "[[\"a\"], []]"),
    ("TIMESTAMPTZ[]", "[2024-02-29 12:00:00+00]", "[\"2024-02-29 12:00:00+00:00\"]"),
    ("INTERVAL[]", "[1 month, NULL]", "[\"1 month\",null]"),
    ("STRUCT(i INTEGER, d DATE)", "{'i': 1, 'd': 2024-02-29}", "{\"i\": 1, \"d\": \"2024-02-29\"}"),
    ("MAP(VARCHAR, INTEGER)", "{a=1, b=NULL}", "{\"a\": 1, \"b\": null}"),
    ("UNION(n INTEGER, s VARCHAR)", "7", "7"),
];

fn cell((kind, value, _): &(&str, &str, &str)) -> String {
    format!("'{}'::{kind}", value.replace('\'', "''"))
}

/// The error's code; what differs is in it.
fn compare(answer: &Answer) -> Option<String> {
    let Some(row) = answer.rows().first() else { return Some("no row".into()) };
    let (nulls, values) = (row.len().checked_sub(VALUES.len())?, VALUES.iter().zip(row));
    if nulls != 1 || row.last() != Some(&None) {
        return Some("not the columns, or NULL is not NULL".into());
    }
    let wrong: Vec<String> = values
        .filter(|((_, _, expected), found)| found.as_deref() != Some(*expected))
        .map(|((kind, ..), found)| format!("{kind} is {found:?}"))
        .collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// A value of each type, and the moment, which needs a library of time zones.
pub(super) fn proof() -> Proof {
    let cells: Vec<String> = VALUES.iter().map(cell).collect();
    let bound = "SELECT ($1::TIMESTAMPTZ)::VARCHAR, ($2::DECIMAL(10, 2))::VARCHAR, ($3::INTEGER[])::VARCHAR";
    Proof::can(
        "reads a value of each type",
        vec![
            Call::sql(format!("SELECT {}, NULL", cells.join(", "))).checked(compare),
            Call::sql("SELECT now()"),
            Call::bound(bound, &["2024-02-29 12:00:00+02", "1.50", "[1, 2]"]).checked(|answer| {
                let row = answer.rows().first().map(|r| r.iter().flatten().map(String::as_str).collect::<Vec<_>>());
                (row? != ["2024-02-29 10:00:00+00", "1.50", "[1, 2]"]).then(|| "bound values".into())
            }),
        ],
    )
}

/// The same by way of a table.
pub(super) fn stored() -> Proof {
    let columns: Vec<String> = VALUES.iter().enumerate().map(|(i, (kind, ..))| format!("c{i} {kind}")).collect();
    let cells: Vec<String> = VALUES.iter().map(cell).collect();
    Proof::can(
        "keeps a value of each type",
        vec![
            Call::sql("DROP TABLE IF EXISTS fluxdb_types"),
            Call::sql(format!("CREATE TABLE fluxdb_types ({}, none INTEGER)", columns.join(", "))),
            Call::sql(format!("INSERT INTO fluxdb_types VALUES ({}, NULL)", cells.join(", "))),
            Call::sql("SELECT * FROM fluxdb_types").checked(compare),
            Call::sql("DROP TABLE fluxdb_types"),
        ],
    )
}
