//! Audit entries as files: CSV for spreadsheets, JSON lines for programs.

use utoipa::IntoParams;

use super::Entry;
use crate::input::{Filters, FromQuery};

/// Names of the columns.
const COLUMNS: [&str; 12] = [
    "id",
    "timestamp",
    "user_id",
    "user_email",
    "action",
    "resource_type",
    "resource_id",
    "resource_name",
    "status",
    "error_message",
    "ip_address",
    "details",
];

/// What makes a spreadsheet take a cell for a formula, also in its wide forms.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// RFC 4180, with a line of names; each cell is quoted.
    Csv,
    /// One JSON object a line, as in `/api/audit`.
    JsonLines,
}

impl ExportFormat {
    /// Its media type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// The name under which it is saved.
    pub(crate) fn disposition(self) -> &'static str {
        match self {
            Self::Csv => "attachment; filename=\"audit.csv\"",
            Self::JsonLines => "attachment; filename=\"audit.jsonl\"",
        }
    }

    /// What stands before the first entry.
    pub(crate) fn head(self) -> String {
        match self {
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Self::JsonLines => String::new(),
        }
    }

    /// Writes an entry, with its line end.
    pub(crate) fn write(self, entry: Entry, text: &mut String) {
        match self {
            Self::Csv => write_row(entry, text),
            Self::JsonLines => {
                // An entry is texts and a map of JSON: it cannot fail to serialise.
                if let Ok(line) = serde_json::to_string(&entry) {
                    text.push_str(&line);
                    text.push('\n');
                }
            }
        }
    }
}

fn write_row(entry: Entry, text: &mut String) {
    let details = serde_json::Value::Object(entry.details).to_string();
    let cells = [
        entry.id.as_str(),
        &entry.timestamp,
        &entry.user_id,
        &entry.user_email,
        entry.action,
        entry.resource_type,
        &entry.resource_id,
        &entry.resource_name,
        entry.status,
        entry.error_message.as_deref().unwrap_or_default(),
        &entry.ip_address,
        &details,
    ];
    let cells = cells.map(cell);
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A quoted cell. What a spreadsheet would run as a formula is led in by an apostrophe.
fn cell(text: &str) -> String {
    let guard = if text.trim_start_matches(' ').starts_with(FORMULA_STARTS) {
        "'"
    } else {
        ""
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// How to write the export.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// `csv` or `jsonl`, which is taken when absent.
    #[param(value_type = Option<String>)]
    pub(crate) format: ExportFormat,
}

impl FromQuery for ExportQuery {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let format = match filters.text("format") {
            Some("csv") => ExportFormat::Csv,
            None | Some("jsonl") => ExportFormat::JsonLines,
            Some(_) => {
                filters.problem("format", "must be csv or jsonl");
                return None;
            }
        };
        Some(Self { format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_texts() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("a,b", r#""a,b""#),
            ("say \"so\"", r#""say ""so""""#),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", r#""'=1+1""#),
            ("+1", r#""'+1""#),
            ("-1", r#""'-1""#),
            ("@SUM(A1)", r#""'@SUM(A1)""#),
            ("\t=1", "\"'\t=1\""),
            ("  =1", r#""'  =1""#),
            ("＝1", r#""'＝1""#),
            ("", r#""""#),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
