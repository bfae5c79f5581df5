//! What came of it: a table for people, JSON lines for scripts.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::subject::Subject;

/// What became of one database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Outcome {
    pub(super) database: String,
    pub(super) engine_type: &'static str,
    /// Bytes of the dump.
    pub(super) plain_bytes: u64,
    /// Bytes in the store.
    pub(super) stored_bytes: u64,
    /// From the start of the job to its end.
    pub(super) backup_seconds: f64,
    pub(super) restored_as: Option<String>,
    pub(super) restore_seconds: Option<f64>,
    /// Whether the copy equals its source; absent when nobody compared.
    pub(super) is_equal: Option<bool>,
    /// What differs.
    pub(super) differences: Vec<String>,
}

impl Outcome {
    /// After a completed backup job.
    pub(super) fn of_backup(subject: &Subject, job: &Value, seconds: f64) -> Self {
        let bytes = |key: &str| job["progress"][key].as_u64().unwrap_or_default();
        Self {
            database: subject.database.clone(),
            engine_type: subject.engine_type,
            plain_bytes: bytes("plain_bytes"),
            stored_bytes: bytes("stored_bytes"),
            backup_seconds: seconds,
            restored_as: None,
            restore_seconds: None,
            is_equal: None,
            differences: Vec::new(),
        }
    }

    /// Adds a completed restore job.
    pub(super) fn add_restore(&mut self, target: String, job: &Value, seconds: f64) {
        self.restored_as = Some(target);
        self.restore_seconds = Some(seconds);
        let comparison = &job["restore"]["comparison"];
        self.is_equal = comparison["equal"].as_bool();
        self.differences = comparison["differences"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|sentence| sentence.as_str().map(str::to_owned))
            .collect();
    }

    fn row(&self) -> [String; 6] {
        let verdict = match self.is_equal {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not compared",
        };
        [
            format!("{} ({})", self.database, self.engine_type),
            megabytes(self.plain_bytes),
            megabytes(self.stored_bytes),
            format!(
                "{:.1}",
                decimal(self.plain_bytes) / self.backup_seconds.max(0.001)
            ),
            self.restored_as.clone().unwrap_or_else(|| "-".to_owned()),
            verdict.to_owned(),
        ]
    }
}

/// Bytes as millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn decimal(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2} MB", decimal(bytes))
}

const HEADINGS: [&str; 6] = [
    "database",
    "size",
    "stored size",
    "MB/s",
    "restored as",
    "verified equal",
];

/// Writes all outcomes to standard output.
pub(super) fn print(outcomes: &[Outcome], as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        for outcome in outcomes {
            writeln!(out, "{}", serde_json::to_string(outcome)?)?;
        }
    } else {
        write!(out, "{}", table(outcomes))?;
    }
    Ok(out.flush()?)
}

fn table(outcomes: &[Outcome]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(outcomes.iter().map(Outcome::row));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let rule = widths
        .iter()
        .map(|width| "-".repeat(*width))
        .collect::<Vec<_>>()
        .join("  ");
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    lines.insert(1, rule);
    lines.push(String::new());
    lines.join("\n")
}

/// Figures stand right, words left.
fn line(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, width))| match column {
            1..=3 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        })
        .collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(is_equal: Option<bool>) -> Outcome {
        let subject: Subject = "mysql://u@h/shop?password_file=p".parse().unwrap();
        let job = json!({"progress": {"plain_bytes": 5_000_000, "stored_bytes": 1_250_000}});
        let mut outcome = Outcome::of_backup(&subject, &job, 0.5);
        let comparison = json!({"equal": is_equal, "differences": ["table a is missing"]});
        let job = json!({"restore": {"comparison": comparison}});
        outcome.add_restore("shop_2".to_owned(), &job, 1.0);
        outcome
    }

    #[test]
    fn the_table_aligns_and_speaks_of_megabytes_a_second() {
        let expected = "\
database         size  stored size  MB/s  restored as  verified equal
------------  -------  -----------  ----  -----------  --------------
shop (mysql)  5.00 MB      1.25 MB  10.0  shop_2       yes
";
        assert_eq!(table(&[outcome(Some(true))]), expected);
    }

    #[test]
    fn a_difference_and_a_missing_comparison_do_not_look_like_success() {
        assert!(table(&[outcome(Some(false))]).contains("shop_2       NO\n"));
        assert!(table(&[outcome(None)]).contains("shop_2       not compared\n"));
    }
}
