//! How results look: tables for people, JSON for programs.

use std::io::{IsTerminal, Write};

use comfy_table::{Cell, Color, ContentArrangement, Table, TableStyle};
use jiff::Timestamp;
use serde_json::Value;

use super::exit::Result;

/// Where results go: standard output. Remarks go to standard error.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// Print JSON.
    pub json: bool,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Colours may be used there.
    pub colour: bool,
}

impl Out {
    /// For this process.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { json, terminal, colour }
    }

    /// A line on standard output.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn line(self, text: impl AsRef<str>) -> Result {
        writeln!(std::io::stdout().lock(), "{}", text.as_ref())?;
        Ok(())
    }

    /// A remark on standard error; not worth failing for.
    pub fn remark(self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
    }

    /// The API's JSON.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn value(self, value: &Value) -> Result {
        self.line(format!("{value:#}"))
    }

    /// A list: JSON in the shape of the API's lists, or a table.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn items(self, items: Vec<Value>, table: impl FnOnce(Vec<Value>) -> Result<Rows>, empty: &str) -> Result {
        if self.json {
            return self.value(&serde_json::json!({ "items": items, "next_page_token": null }));
        }
        if items.is_empty() {
            self.remark(empty);
            return Ok(());
        }
        let rows = table(items)?;
        self.table(&rows)
    }

    /// A table.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn table(self, rows: &Rows) -> Result {
        self.line(self.render(rows))
    }

    /// Names with values, one a line.
    ///
    /// # Errors
    /// The reader is gone.
    pub fn pairs(self, pairs: &[(&str, String)]) -> Result {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(format!("{name:width$}  {}", self.paint(&clean(value))))?;
        }
        Ok(())
    }

    fn render(self, rows: &Rows) -> String {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        // A pipe has no width: one line a row, so that grep and awk work.
        table.set_content_arrangement(if self.terminal {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        if !self.colour {
            table.force_no_tty();
        }
        table.set_header(rows.header.iter().map(|h| h.to_uppercase()));
        for row in &rows.rows {
            table.add_row(row.iter().map(|text| {
                let text = clean(text);
                match colour_of(&text) {
                    Some(colour) if self.colour => Cell::new(text).fg(colour),
                    _ => Cell::new(text),
                }
            }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Colours a word that stands for a state.
    pub fn paint(self, text: &str) -> String {
        let code = match colour_of(text) {
            Some(Color::Green) => 32,
            Some(Color::Red) => 31,
            Some(Color::Yellow) => 33,
            _ => return text.to_owned(),
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A table to be.
#[derive(Clone, Debug)]
pub struct Rows {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    /// An empty one.
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }
}

fn colour_of(text: &str) -> Option<Color> {
    match text {
        "RUNNING" | "UP" | "succeeded" | "ok" | "yes" => Some(Color::Green),
        "ERROR" | "DOWN" | "failed" | "MISSING" => Some(Color::Red),
        "CREATING" | "UPDATING" | "DELETING" | "running" | "cancelling" | "pending" | "degraded" | "advice" => {
            Some(Color::Yellow)
        }
        _ => None,
    }
}

/// Control characters could move the cursor of whoever reads a label; they are shown as `?`.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '?' } else { c }).collect()
}

/// `3 s`, `5 min`, `2 h`, `4 d` before now.
pub fn age(at: &str) -> String {
    let Ok(at) = at.parse::<Timestamp>() else { return at.to_owned() };
    let secs = Timestamp::now().duration_since(at).as_secs().max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// A time of the API to the second.
pub fn when(at: &str) -> String {
    at.parse::<Timestamp>().map_or_else(|_| at.to_owned(), |at| format!("{at:.0}"))
}

/// Time between two instants of the API, `0.4 s`, `1 min 5 s`; empty when one is no time.
pub fn lasted(from: &str, to: &str) -> String {
    match (from.parse::<Timestamp>(), to.parse::<Timestamp>()) {
        (Ok(from), Ok(to)) => duration(to.duration_since(from).as_secs_f64()),
        _ => String::new(),
    }
}

/// `0.4 s`, `1 min 5 s`, `3 h 2 min`, `2 d 4 h`.
pub fn duration(secs: f64) -> String {
    let whole = secs.max(0.0) as u64;
    match whole {
        0..60 => format!("{:.1} s", secs.max(0.0)),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// `512 MiB`, `1.5 GiB`.
pub fn bytes(n: u64) -> String {
    indicatif::BinaryBytes(n).to_string()
}

/// MiB as `512 MiB` or `8 GiB`.
pub fn mib(n: u64) -> String {
    if n >= 1024 && n.is_multiple_of(1024) { format!("{} GiB", n / 1024) } else { format!("{n} MiB") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::new(&["name", "state"]);
        rows.push(["demo".to_owned(), "RUNNING".to_owned()]);
        rows.push(["a-rather-long-name".to_owned(), "STOPPED".to_owned()]);
        rows
    }

    #[test]
    fn a_piped_table_is_plain_with_one_line_a_row() {
        let out = Out { json: false, terminal: false, colour: false };
        assert_eq!(
            out.render(&rows()),
            "NAME                STATE\ndemo                RUNNING\na-rather-long-name  STOPPED"
        );
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let plain = Out { json: false, terminal: true, colour: false };
        assert!(!plain.render(&rows()).contains('\u{1b}'));
        assert_eq!(plain.paint("RUNNING"), "RUNNING");
        let colourful = Out { json: false, terminal: true, colour: true };
        assert_eq!(colourful.paint("ERROR"), "\u{1b}[31mERROR\u{1b}[0m");
    }

    #[test]
    fn text_from_elsewhere_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\r"), "a?[2Jb?");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(65.0), "1 min 5 s");
        assert_eq!(duration(90_000.0), "1 d 1 h");
        assert_eq!(lasted("2026-01-01T00:00:00Z", "2026-01-01T00:00:01.5Z"), "1.5 s");
        assert_eq!(when("2026-11-20T21:06:52.731261904Z"), "2026-11-20T21:06:52Z");
        assert_eq!(lasted("x", "y"), "");
        assert_eq!((mib(512), mib(2048), mib(1536)), ("512 MiB".into(), "2 GiB".into(), "1536 MiB".into()));
    }
}
