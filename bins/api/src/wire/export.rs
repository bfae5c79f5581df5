//! Lists as files: CSV for spreadsheets, JSON lines for programs.

use dilux_core::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::input::{Filters, FromQuery};

/// What makes a spreadsheet take a cell for a formula, also in its wide forms.
const FORMULA_STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// What an export has a line for.
pub(crate) trait Exported: Serialize {
    /// Name of the file, without its ending.
    const FILE: &'static str;
    /// The columns: its JSON keys, those of an object in it behind a dot. The values of lists, and
    /// of objects of which no key stands here, are JSON.
    const COLUMNS: &'static [&'static str];
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// RFC 4180, with a line of names; each cell is quoted.
    Csv,
    /// One JSON object a line, as in the list.
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
    pub(crate) fn file_name<T: Exported>(self) -> String {
        let ending = match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        };
        format!("{}.{ending}", T::FILE)
    }

    /// What stands before the first line.
    pub(crate) fn head<T: Exported>(self) -> String {
        match self {
            Self::Csv => format!("{}\r\n", T::COLUMNS.join(",")),
            Self::JsonLines => String::new(),
        }
    }

    /// Writes a line, with its end.
    pub(crate) fn write<T: Exported>(self, line: &T, text: &mut String) -> Result<()> {
        let failed = |error| Error::internal("write a line of an export", error);
        match self {
            Self::Csv => {
                let object = serde_json::to_value(line).map_err(failed)?;
                let cells = T::COLUMNS.iter().map(|column| cell(&object, column));
                text.push_str(&cells.collect::<Vec<_>>().join(","));
                text.push_str("\r\n");
            }
            Self::JsonLines => {
                text.push_str(&serde_json::to_string(line).map_err(failed)?);
                text.push('\n');
            }
        }
        Ok(())
    }
}

/// The cell of a column.
fn cell(line: &Value, column: &str) -> String {
    let found = column
        .split('.')
        .try_fold(line, |value, key| value.get(key));
    match found {
        None | Some(Value::Null) => quoted(""),
        Some(Value::String(text)) => quoted(text),
        Some(value) => quoted(&value.to_string()),
    }
}

/// A quoted cell. What a spreadsheet would run as a formula is led in by an apostrophe.
fn quoted(text: &str) -> String {
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
    #[param(value_type = Option<String>, example = "csv")]
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
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Line {
        name: &'static str,
        size: Option<u64>,
        inner: Value,
        list: Vec<u8>,
    }

    impl Exported for Line {
        const FILE: &'static str = "lines";
        const COLUMNS: &'static [&'static str] =
            &["name", "size", "inner.flag", "inner.map", "list"];
    }

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
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn a_line_has_a_cell_for_each_column_whatever_its_value() {
        let inner = json!({ "flag": true, "map": { "a": "=1" } });
        let line = Line {
            name: "=x",
            size: None,
            inner,
            list: vec![1, 2],
        };
        let mut csv = ExportFormat::Csv.head::<Line>();
        ExportFormat::Csv.write(&line, &mut csv).unwrap();
        assert_eq!(
            csv,
            "name,size,inner.flag,inner.map,list\r\n\"'=x\",\"\",\"true\",\"{\"\"a\"\":\"\"=1\"\"}\",\"[1,2]\"\r\n"
        );
        let mut json = ExportFormat::JsonLines.head::<Line>();
        ExportFormat::JsonLines.write(&line, &mut json).unwrap();
        assert!(json.ends_with("\"list\":[1,2]}\n"), "{json}");
    }
}
