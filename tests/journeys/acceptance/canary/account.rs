//! An account on a server, whose password is the canary or another one.

use dilux_core::model::EngineType;
use dilux_journeys::Sample;

pub(super) const ACCOUNT: &str = "marked_account";

pub(super) fn create_account(sample: &Sample) {
    match sample.engine_type() {
        EngineType::PostgreSql => in_main_database(sample, &format!("CREATE ROLE {ACCOUNT};")),
        _ => in_main_database(
            sample,
            &format!(
                "CREATE USER '{ACCOUNT}'@'%'; \
                 GRANT ALL PRIVILEGES ON *.* TO '{ACCOUNT}'@'%' WITH GRANT OPTION;"
            ),
        ),
    }
}

/// Gives the account this password.
pub(super) fn admit(sample: &Sample, password: &str) {
    let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
    let sql = match sample.engine_type() {
        EngineType::PostgreSql => {
            format!("ALTER ROLE {ACCOUNT} SUPERUSER LOGIN PASSWORD E'{quoted}';")
        }
        _ => format!("ALTER USER '{ACCOUNT}'@'%' IDENTIFIED BY '{quoted}';"),
    };
    in_main_database(sample, &sql);
}

fn in_main_database(sample: &Sample, sql: &str) {
    let database = match sample.engine_type() {
        EngineType::PostgreSql => "postgres",
        _ => "mysql",
    };
    sample.execute(database, sql).unwrap();
}
