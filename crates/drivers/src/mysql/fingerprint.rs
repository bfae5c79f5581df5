//! The content of a database: what there is, asked first, then all rows and definitions in one
//! snapshot.

use std::collections::BTreeMap;

use dilux_core::model::{DatabaseName, Fingerprint, ObjectFingerprint, TableFingerprint};
use dilux_core::transfer::{Failure, FailureKind};
use sha2::{Digest as _, Sha256};

use super::session::{Session, identifier};

const CATALOGUE: &str = "
SELECT 'schema', '', default_character_set_name, default_collation_name
FROM information_schema.schemata WHERE schema_name = DATABASE();
SELECT 'table', table_name, table_type, '' FROM information_schema.tables
WHERE table_schema = DATABASE();
SELECT 'column', table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position;
SELECT 'routine', routine_name, routine_type, '' FROM information_schema.routines
WHERE routine_schema = DATABASE();
SELECT 'trigger', trigger_name, event_object_table, action_order FROM information_schema.triggers
WHERE trigger_schema = DATABASE();
SELECT 'event', event_name, '', '' FROM information_schema.events
WHERE event_schema = DATABASE();
";

/// Announces the answer to a question, by its number.
const MARK: &str = "dilux question";

/// One statement of the second script and what its answer means.
struct Question {
    /// Name of the table, or kind and name of the object.
    subject: String,
    statement: String,
    meaning: Meaning,
}

enum Meaning {
    /// The answer is the number of rows and their hash.
    Rows,
    /// These columns of the answer are a definition, and so is `more`; the other columns are its
    /// name and when it was made.
    Definition {
        columns: &'static [usize],
        more: String,
    },
}

/// Takes the fingerprint.
pub(super) async fn take(
    session: &Session<'_>,
    database: &DatabaseName,
) -> Result<Fingerprint, Failure> {
    let catalogue = session.rows(Some(database), CATALOGUE).await?;
    let mut fingerprint = Fingerprint::default();
    for row in &catalogue {
        if let [kind, _, character_set, collation] = row.as_slice()
            && kind == "schema"
        {
            let defaults = object(&format!("{character_set} {collation}"));
            fingerprint
                .objects
                .insert("database defaults".to_owned(), defaults);
        }
    }
    let questions = questions(&catalogue);
    let own_name = format!("{}.", identifier(database.as_str()));
    let mut announced: Option<&Question> = None;
    let limit = session.settings.deadlines.total;
    let script = script(&questions);
    session
        .for_each(Some(database), (&script, limit), &mut |row| {
            if let Some(question) = announced.take() {
                return record(&mut fingerprint, question, (&row, &own_name));
            }
            announced = Some(announcement(&row, &questions)?);
            Ok(())
        })
        .await?;
    Ok(fingerprint)
}

fn announcement<'a>(row: &[String], questions: &'a [Question]) -> Result<&'a Question, Failure> {
    match row {
        [mark, number] if mark == MARK => number
            .parse::<usize>()
            .ok()
            .and_then(|number| questions.get(number))
            .ok_or_else(unexpected),
        _ => Err(unexpected()),
    }
}

fn record(
    fingerprint: &mut Fingerprint,
    question: &Question,
    (row, own_name): (&[String], &str),
) -> Result<(), Failure> {
    let subject = question.subject.clone();
    match &question.meaning {
        Meaning::Rows => {
            let [rows, content] = row else {
                return Err(unexpected());
            };
            let rows = rows.parse().map_err(|_| unexpected())?;
            let table = TableFingerprint {
                rows,
                content: content.clone(),
            };
            fingerprint.tables.insert(subject, table);
        }
        Meaning::Definition { columns, more } => {
            let parts = columns.iter().filter_map(|column| row.get(*column));
            let mut parts: Vec<_> = parts
                .map(|part| part.replace(own_name, "").trim_end().to_owned())
                .collect();
            parts.push(more.clone());
            fingerprint
                .objects
                .insert(subject, object(&parts.join("\n")));
        }
    }
    Ok(())
}

fn object(definition: &str) -> ObjectFingerprint {
    let definition = data_encoding::HEXLOWER.encode(&Sha256::digest(definition));
    ObjectFingerprint { definition }
}

fn unexpected() -> Failure {
    Failure::new(
        FailureKind::Internal,
        "an answer of the server is not understood",
    )
}

/// All questions, in one snapshot.
fn script(questions: &[Question]) -> String {
    let mut script = vec![
        "SET SESSION time_zone = '+00:00', sql_quote_show_create = 1;\n\
         SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n\
         START TRANSACTION WITH CONSISTENT SNAPSHOT;\n"
            .to_owned(),
    ];
    for (number, question) in questions.iter().enumerate() {
        script.push(format!(
            "SELECT '{MARK}', {number};\n{}",
            question.statement
        ));
    }
    script.push("COMMIT;\n".to_owned());
    script.concat()
}

fn questions(catalogue: &[Vec<String>]) -> Vec<Question> {
    let mut columns: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for row in catalogue {
        if let [kind, table, column, data_type] = row.as_slice()
            && kind == "column"
        {
            columns.entry(table).or_default().push((column, data_type));
        }
    }
    let mut questions = Vec::new();
    for row in catalogue {
        let [kind, name, detail, order] = row.as_slice() else {
            continue;
        };
        let quoted = identifier(name);
        match (kind.as_str(), detail.as_str()) {
            ("table", "BASE TABLE" | "SYSTEM VERSIONED") => {
                let columns = columns.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                questions.push(count(name, columns));
                questions.push(show("TABLE", &format!("table {name}"), &quoted, &[1]));
            }
            ("table", "VIEW") => {
                questions.push(show("VIEW", &format!("view {name}"), &quoted, &[1, 2, 3]));
            }
            // Not its value: that jumps by what the server holds ready in memory.
            ("table", "SEQUENCE") => {
                questions.push(show("SEQUENCE", &format!("sequence {name}"), &quoted, &[1]));
            }
            ("routine", routine_type) => {
                let subject = format!("{} {name}", routine_type.to_lowercase());
                questions.push(show(routine_type, &subject, &quoted, &[1, 2, 3, 4, 5]));
            }
            ("trigger", table) => {
                let subject = format!("trigger {name}");
                let columns = &[1, 2, 3, 4, 5];
                let more = format!("{table} {order}");
                questions.push(Question {
                    meaning: Meaning::Definition { columns, more },
                    ..show("TRIGGER", &subject, &quoted, columns)
                });
            }
            ("event", _) => {
                let subject = format!("event {name}");
                questions.push(show("EVENT", &subject, &quoted, &[1, 2, 3, 4, 5, 6]));
            }
            _ => {}
        }
    }
    questions
}

fn show(kind: &str, subject: &str, quoted: &str, columns: &'static [usize]) -> Question {
    Question {
        subject: subject.to_owned(),
        statement: format!("SHOW CREATE {kind} {quoted};\n"),
        meaning: Meaning::Definition {
            columns,
            more: String::new(),
        },
    }
}

/// Counts and hashes the rows of a table. Adding up hashes makes their order irrelevant and keeps
/// duplicates apart. MySQL 9 has no older hash than SHA-2.
fn count(table: &str, columns: &[(&str, &str)]) -> Question {
    let values: Vec<_> = columns
        .iter()
        .map(|(name, data_type)| value(name, data_type))
        .collect();
    let table_name = identifier(table);
    let values = values.join(", ");
    Question {
        subject: table.to_owned(),
        statement: format!(
            "SELECT COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(h, 16), 16, 10) AS UNSIGNED)), 0) \
             FROM (SELECT SHA2(CONCAT_WS('|', {values}), 256) AS h FROM {table_name}) AS hashed;\n"
        ),
        meaning: Meaning::Rows,
    }
}

/// A column's value as short text. Long ones are hashed one by one, as the server gives NULL for
/// a concatenation that is longer than a packet.
fn value(column: &str, data_type: &str) -> String {
    let column = identifier(column);
    let text = match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float"
        | "double" | "date" | "datetime" | "timestamp" | "time" | "year" | "uuid" | "inet4"
        | "inet6" => column,
        "bit" => format!("{column} + 0"),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        | "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "json" => {
            format!("SHA2({column}, 256)")
        }
        // Shapes and whatever comes: by their bytes.
        _ => format!("SHA2(HEX({column}), 256)"),
    };
    format!("IFNULL({text}, 'N')")
}
