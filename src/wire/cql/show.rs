//! Values as text: what `cqlsh` shows, but for collections, which are JSON.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::frame::Reader;

/// A type of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Its number; without parts.
    Plain(u16),
    /// List or set.
    List(Box<Kind>),
    Map(Box<Kind>, Box<Kind>),
    /// Named fields.
    Udt(Vec<(String, Kind)>),
    Tuple(Vec<Kind>),
}

/// A type that holds itself would be endless.
const DEEPEST: u8 = 16;

/// The columns of a result.
pub(super) fn columns(reader: &mut Reader<'_>) -> Option<Vec<Kind>> {
    const ONE_TABLE: i32 = 1;
    const MORE_PAGES: i32 = 2;
    const NO_COLUMNS: i32 = 4;
    let (flags, count) = (reader.int()?, reader.int()?);
    if flags & MORE_PAGES != 0 {
        reader.value()?;
    }
    if flags & NO_COLUMNS != 0 {
        return None;
    }
    let table = |reader: &mut Reader<'_>| Some((reader.string()?, reader.string()?));
    if flags & ONE_TABLE != 0 {
        table(reader)?;
    }
    (0..count)
        .map(|_| {
            if flags & ONE_TABLE == 0 {
                table(reader)?;
            }
            reader.string()?;
            kind(reader, DEEPEST)
        })
        .collect()
}

fn kind(reader: &mut Reader<'_>, deepest: u8) -> Option<Kind> {
    let deeper = deepest.checked_sub(1)?;
    let part = |reader: &mut Reader<'_>| kind(reader, deeper);
    Some(match reader.short()? {
        0x00 => {
            reader.string()?;
            Kind::Plain(0)
        }
        0x20 | 0x22 => Kind::List(Box::new(part(reader)?)),
        0x21 => Kind::Map(Box::new(part(reader)?), Box::new(part(reader)?)),
        0x30 => {
            reader.string()?;
            reader.string()?;
            let count = reader.short()?;
            Kind::Udt((0..count).map(|_| Some((reader.string()?, part(reader)?))).collect::<Option<_>>()?)
        }
        0x31 => {
            let count = reader.short()?;
            Kind::Tuple((0..count).map(|_| part(reader)).collect::<Option<_>>()?)
        }
        number => Kind::Plain(number),
    })
}

/// The value as text; in hexadecimal where we do not know better.
pub(super) fn text(kind: &Kind, value: &[u8]) -> String {
    match json(kind, value) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => hexadecimal(value),
    }
}

fn json(kind: &Kind, value: &[u8]) -> Option<Value> {
    let mut reader = Reader::new(value);
    let part = |reader: &mut Reader<'_>, kind: &Kind| {
        Some(reader.value()?.map_or(Value::Null, |v| json(kind, v).unwrap_or_else(|| hexadecimal(v).into())))
    };
    Some(match kind {
        Kind::Plain(number) => return plain(*number, value),
        Kind::List(of) => {
            let count = reader.int()?;
            Value::Array((0..count).map(|_| part(&mut reader, of)).collect::<Option<_>>()?)
        }
        Kind::Map(key, of) => {
            let mut map = Map::new();
            for _ in 0..reader.int()? {
                let key = text(key, reader.value()??);
                map.insert(key, part(&mut reader, of)?);
            }
            Value::Object(map)
        }
        Kind::Udt(fields) => {
            let mut map = Map::new();
            for (name, of) in fields {
                // Fields that were added later are left out at the end.
                let value = if reader.is_empty() { Value::Null } else { part(&mut reader, of)? };
                map.insert(name.clone(), value);
            }
            Value::Object(map)
        }
        Kind::Tuple(kinds) => Value::Array(kinds.iter().map(|of| part(&mut reader, of)).collect::<Option<_>>()?),
    })
}

fn plain(number: u16, value: &[u8]) -> Option<Value> {
    Some(match number {
        // ascii, varchar
        0x01 | 0x0d => String::from_utf8_lossy(value).into(),
        // bigint, counter, time (nanoseconds of the day)
        0x02 | 0x05 | 0x12 => i64::from_be_bytes(value.try_into().ok()?).into(),
        0x04 => (*value.first()? != 0).into(),
        0x07 => f64::from_be_bytes(value.try_into().ok()?).into(),
        // As text: the wider number would show digits that are not there.
        0x08 => f32::from_be_bytes(value.try_into().ok()?).to_string().into(),
        0x09 => i32::from_be_bytes(value.try_into().ok()?).into(),
        // timestamp
        0x0b => {
            let ms = i64::from_be_bytes(value.try_into().ok()?);
            jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.into(), |t| t.to_string().into())
        }
        // uuid, timeuuid
        0x0c | 0x0f => uuid::Uuid::from_slice(value).ok()?.to_string().into(),
        // varint, where it is no longer than a number of ours
        0x0e => wide(value)?.into(),
        // inet
        0x10 => match <[u8; 4]>::try_from(value) {
            Ok(four) => IpAddr::from(four).to_string().into(),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(value).ok()?).to_string().into(),
        },
        // date: days, 2^31 is 1970-01-01
        0x11 => {
            let days = i64::from(u32::from_be_bytes(value.try_into().ok()?)) - (1 << 31);
            let epoch = jiff::civil::date(1970, 1, 1);
            epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?.to_string().into()
        }
        0x13 => i16::from_be_bytes(value.try_into().ok()?).into(),
        0x14 => i8::from_be_bytes(value.try_into().ok()?).into(),
        // blob, decimal, duration, custom
        _ => return None,
    })
}

fn wide(value: &[u8]) -> Option<i64> {
    let (first, length) = (*value.first()?, value.len());
    let mut bytes = [if first & 0x80 == 0 { 0 } else { 0xff }; 8];
    bytes.get_mut(8_usize.checked_sub(length)?..)?.copy_from_slice(value);
    Some(i64::from_be_bytes(bytes))
}

fn hexadecimal(value: &[u8]) -> String {
    value.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
