//! How values stand in columns: times, ids, words, JSON. What cannot be read is an error that names table and column.

use std::cell::Cell;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::domain::{Error, Result};

/// A time with all nine digits, so that text order is time order.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Now, as [`time`].
pub(super) fn now() -> String {
    time(Timestamp::now())
}

/// JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

/// A count as SQLite keeps it; what does not fit is the largest that does.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A row of a known table; reads its columns strictly. Quickest in the order of the statement.
pub(super) struct Columns<'a> {
    table: &'static str,
    row: &'a Row<'a>,
    /// Where the next column probably is: finding each by name would be most of the time of a long list.
    next: Cell<usize>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(table: &'static str, row: &'a Row<'a>) -> Self {
        Self { table, row, next: Cell::new(0) }
    }

    /// A value as SQLite has it.
    pub(super) fn get<T: rusqlite::types::FromSql>(&self, column: &str) -> Result<T> {
        let statement = self.row.as_ref();
        let mut at = self.next.get();
        if !statement.column_name(at).is_ok_and(|name| name == column) {
            at = statement.column_index(column).map_err(|e| self.unreadable(column, e))?;
        }
        self.next.set(at + 1);
        self.row.get(at).map_err(|e| self.unreadable(column, e))
    }

    /// Text, read by this.
    fn text<T, E: Display>(&self, column: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Result<T> {
        let text: String = self.get(column)?;
        read(&text).map_err(|e| self.unreadable(column, e))
    }

    /// A count.
    pub(super) fn count(&self, column: &str) -> Result<u64> {
        u64::try_from(self.get::<i64>(column)?).map_err(|e| self.unreadable(column, e))
    }

    /// An id, an address, a time: anything with a textual form.
    pub(super) fn parse<T>(&self, column: &str) -> Result<T>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(column, str::parse)
    }

    /// The same, where it may be absent.
    pub(super) fn parse_opt<T>(&self, column: &str) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let text: Option<String> = self.get(column)?;
        text.map(|t| t.parse().map_err(|e: T::Err| self.unreadable(column, e))).transpose()
    }

    /// One of our enums, as serde spells it. An unknown word is an error, never a default.
    pub(super) fn word<T: for<'de> Deserialize<'de>>(&self, column: &str) -> Result<T> {
        self.text(column, |text| {
            let word: StrDeserializer<'_, WordError> = text.into_deserializer();
            T::deserialize(word)
        })
    }

    /// JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        self.text(column, |text| serde_json::from_str(text))
    }

    /// JSON, where it may be absent.
    pub(super) fn json_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|t| serde_json::from_str(&t).map_err(|e| self.unreadable(column, e))).transpose()
    }

    pub(super) fn unreadable(&self, column: &str, e: impl Display) -> Error {
        Error::internal(format!("column {column} of table {} cannot be read: {e}", self.table))
    }
}
