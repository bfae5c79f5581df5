//! What goes wrong ends in a failed job with a sentence that a person can act on, and leaves
//! nothing that looks like a backup.
#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dilux_journeys::{Client, Home, Sample, Service, StoreKind, text};
use rustix::process::Signal;
use serde_json::{Value, json};

/// An installation with one PostgreSQL engine, whose processor is started by each case.
struct Case {
    home: Home,
    client: Client,
    _services: [Service; 2],
    sample: Sample,
    engine: String,
}

impl Case {
    async fn new(sample: Sample) -> Self {
        Self::at(Home::new(StoreKind::Embedded).unwrap(), sample).await
    }

    async fn at(mut home: Home, sample: Sample) -> Self {
        home.set("DILUX_RETRY_ATTEMPTS", "2");
        home.set("DILUX_RETRY_FIRST_SECONDS", "0");
        let (api, client) = home.start_api().await.unwrap();
        let scheduler = home.start("dilux-scheduler").unwrap();
        let engine = sample.register(&client).await.unwrap();
        Self {
            home,
            client,
            _services: [api, scheduler],
            sample,
            engine,
        }
    }

    /// Backs up a database that cannot be backed up, and gives the failed job.
    async fn failed_backup(&self, database: &str, more: &[(&str, String)]) -> Value {
        let id = self
            .sample
            .register_database(&self.client, &self.engine, database)
            .await
            .unwrap();
        let processor = self.home.start_with("dilux-processor", more).unwrap();
        let job = self.client.back_up(&id).await.unwrap();
        let job = self.client.finished(&job).await.unwrap();
        assert_eq!(job["status"], json!("failed"), "{job}\n{}", processor.log());
        assert_eq!(processor.stop().unwrap().code(), Some(0));
        self.nothing_looks_like_a_backup().await;
        let lines = self
            .client
            .get(&format!("/backups?database_id={id}"))
            .await
            .unwrap();
        assert_eq!(lines["backups"][0]["status"], json!("failed"), "{lines}");
        self.secret_is_nowhere();
        job
    }

    async fn nothing_looks_like_a_backup(&self) {
        let installation = self.home.look_inside().unwrap();
        let container = &installation.settings.container;
        let page = installation
            .storage
            .blobs
            .list(container, "", 5000, None)
            .await
            .unwrap();
        assert_eq!(page.blobs, []);
    }

    /// The password is in no file of the installation: rows, messages, blobs, logs.
    fn secret_is_nowhere(&self) {
        let (_, password) = self.sample.account();
        let mut open = vec![self.home.path().to_path_buf()];
        let mut seen = 0;
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            seen += 1;
            assert!(
                !bytes
                    .windows(password.len())
                    .any(|window| window == password.as_bytes()),
                "the password stands in {}",
                path.display()
            );
        }
        assert!(seen >= 4, "there are files to look into");
    }
}

fn says(job: &Value, words: &[&str]) {
    let message = text(job, "/error_message").unwrap();
    for word in words {
        assert!(
            message.to_lowercase().contains(&word.to_lowercase()),
            "{word}: {message}"
        );
    }
}

/// A directory with the real tools, of which `name` is replaced by a script.
fn tools_with(home: &Path, name: &str, script: &str) -> (PathBuf, (&'static str, String)) {
    let directory = tempfile::Builder::new()
        .prefix("tools")
        .tempdir_in(home)
        .unwrap()
        .keep();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    for tool in ["psql", "pg_dump"] {
        let path = directory.join(tool);
        if tool == name {
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        } else {
            std::os::unix::fs::symlink(real(tool), &path).unwrap();
        }
    }
    let setting = ("DILUX_TOOL_PATH", directory.display().to_string());
    (directory, setting)
}

/// The newest installed PostgreSQL tool of this name.
fn real(tool: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("bin").join(tool))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop().expect("a PostgreSQL client is installed")
}

fn wrapper(before: &str, after: &str) -> String {
    let dump = real("pg_dump");
    let dump = dump.display();
    format!(
        "#!/bin/sh\ncase \"$1\" in --version) exec {dump} --version;; esac\n{before}\n{dump} \"$@\"\n{after}\n"
    )
}

#[tokio::test]
async fn a_wrong_password_says_so() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let body = json!({"password": "not the password"});
    let path = format!("/engines/{}", case.engine);
    case.client
        .expect(reqwest::Method::PUT, &path, Some(&body))
        .await
        .unwrap();
    let job = case.failed_backup("shop", &[]).await;
    says(&job, &["password"]);
    assert_eq!(job["error_kind"], json!("authentication"));
}

#[tokio::test]
async fn a_server_that_is_gone_says_so() {
    let mut sample = Sample::postgresql().unwrap();
    let case = {
        let port = sample.port();
        let case = Case::new(sample).await;
        (case, port)
    };
    let (mut case, port) = case;
    sample = std::mem::replace(&mut case.sample, Sample::postgresql().unwrap());
    drop(sample);
    let job = case.failed_backup("shop", &[]).await;
    says(&job, &["127.0.0.1", &port.to_string()]);
    assert_eq!(job["error_kind"], json!("unreachable"));
}

#[tokio::test]
async fn a_database_that_does_not_exist_says_so() {
    for sample in [Sample::postgresql().unwrap(), Sample::mariadb().unwrap()] {
        let case = Case::new(sample).await;
        let job = case.failed_backup("no such database", &[]).await;
        says(&job, &["there is no database", "no such database"]);
        assert_eq!(job["error_kind"], json!("unknown_database"));
    }
}

#[tokio::test]
async fn a_missing_tool_says_which() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let empty = case.home.path().join("no-tools");
    fs::create_dir(&empty).unwrap();
    let setting = ("DILUX_TOOL_PATH", empty.display().to_string());
    let job = case.failed_backup("shop", &[setting]).await;
    says(&job, &["postgresql-client"]);
    assert_eq!(job["error_kind"], json!("tool_missing"));
}

#[tokio::test]
async fn a_server_newer_than_the_tool_says_which_version_is_needed() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let script = "#!/bin/sh\necho 'pg_dump (PostgreSQL) 11.22'\n";
    let (_, setting) = tools_with(case.home.path(), "pg_dump", script);
    let job = case.failed_backup("shop", &[setting]).await;
    says(&job, &["15", "11"]);
    assert_eq!(job["error_kind"], json!("tool_too_old"));
}

#[tokio::test]
async fn a_killed_tool_leaves_nothing() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let (_, setting) = tools_with(case.home.path(), "pg_dump", &wrapper("", "kill -9 $$"));
    let job = case.failed_backup("shop", &[setting]).await;
    says(&job, &["signal 9"]);
}

#[tokio::test]
async fn a_tool_that_fails_after_its_full_output_leaves_nothing() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let (_, setting) = tools_with(case.home.path(), "pg_dump", &wrapper("", "exit 3"));
    let job = case.failed_backup("shop", &[setting]).await;
    says(&job, &["exit code 3"]);
}

#[tokio::test]
async fn a_truncated_dump_with_exit_code_zero_leaves_nothing() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let dump = real("pg_dump").display().to_string();
    let script = wrapper(&format!("{dump} \"$@\" | head -c 20000; exit 0"), "");
    let (_, setting) = tools_with(case.home.path(), "pg_dump", &script);
    let job = case.failed_backup("shop", &[setting]).await;
    says(&job, &["no proper end"]);
    assert_eq!(job["error_kind"], json!("truncated"));
}

#[tokio::test]
async fn a_silent_tool_is_given_up() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let dump = real("pg_dump").display().to_string();
    let script = wrapper(
        &format!("{dump} \"$@\" | head -c 20000; exec sleep 600"),
        "",
    );
    let (_, tools) = tools_with(case.home.path(), "pg_dump", &script);
    let stall = ("DILUX_STALL_SECONDS", "1".to_owned());
    let job = case.failed_backup("shop", &[tools, stall]).await;
    assert_eq!(job["error_kind"], json!("stalled"), "{job}");
}

#[tokio::test]
async fn a_restore_onto_an_existing_database_is_refused_and_leaves_it_alone() {
    for sample in [Sample::postgresql().unwrap(), Sample::mariadb().unwrap()] {
        let case = Case::new(sample).await;
        let id = case
            .sample
            .register_database(&case.client, &case.engine, "shop")
            .await
            .unwrap();
        let _processor = case.home.start("dilux-processor").unwrap();
        let job = case.client.back_up(&id).await.unwrap();
        let job = case.client.completed(&job).await.unwrap();
        let backup = text(&job, "/backup_id").unwrap();
        match &case.sample {
            Sample::PostgreSql(server) => server.create_database("taken").unwrap(),
            Sample::MariaDb(server) => server.create_database("taken").unwrap(),
        }
        let restore = case.client.restore(&backup, "taken").await.unwrap();
        let restore = case.client.finished(&restore).await.unwrap();
        assert_eq!(restore["error_kind"], json!("target_exists"), "{restore}");
        assert!(case.sample.has_database("taken").unwrap());
    }
}

/// Flipped bytes in the store: the restore says so, and the new database does not stay.
#[tokio::test]
async fn a_damaged_backup_is_never_restored_as_good() {
    let case = Case::new(Sample::postgresql().unwrap()).await;
    let id = case
        .sample
        .register_database(&case.client, &case.engine, "shop")
        .await
        .unwrap();
    let _processor = case.home.start("dilux-processor").unwrap();
    let job = case.client.back_up(&id).await.unwrap();
    let job = case.client.completed(&job).await.unwrap();
    let backup = text(&job, "/backup_id").unwrap();
    let stored = job["progress"]["stored_bytes"].as_u64().unwrap();
    damage(&case.home.path().join("data"), stored);
    let restore = case.client.restore(&backup, "shop_damaged").await.unwrap();
    let restore = case.client.finished(&restore).await.unwrap();
    assert_eq!(restore["status"], json!("failed"), "{restore}");
    assert_eq!(restore["error_kind"], json!("integrity"), "{restore}");
    assert!(!case.sample.has_database("shop_damaged").unwrap());
}

/// Flips one bit in the middle of the one file of this size.
fn damage(directory: &Path, size: u64) {
    let mut open = vec![directory.to_path_buf()];
    let mut damaged = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if fs::metadata(&path).unwrap().len() == size {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1, "the data of the backup is one file");
}

/// The store stops answering in the middle and comes back later: one backup, nothing stuck.
#[tokio::test]
async fn storage_that_falls_silent_in_the_middle_costs_nothing_but_time() {
    let home = Home::new(StoreKind::Azurite).unwrap();
    let azurite = home.azurite().unwrap().process_id();
    let case = Case::at(home, Sample::postgresql().unwrap()).await;
    case.sample
        .execute("shop", "CREATE TABLE bulk AS SELECT i, repeat(md5(i::text), 40) AS text FROM generate_series(1, 60000) AS i")
        .unwrap();
    let id = case
        .sample
        .register_database(&case.client, &case.engine, "shop")
        .await
        .unwrap();
    let processor = case.home.start("dilux-processor").unwrap();
    let job = case.client.back_up(&id).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !processor.log().contains("job starts") {
        assert!(std::time::Instant::now() < deadline, "{}", processor.log());
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    dilux_journeys::signal(azurite, Signal::STOP).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    dilux_journeys::signal(azurite, Signal::CONT).unwrap();
    let job = case.client.finished(&job).await.unwrap();
    assert_eq!(
        job["status"],
        json!("completed"),
        "{job}\n{}",
        processor.log()
    );
    let installation = case.home.look_inside().unwrap();
    let container = &installation.settings.container;
    let page = installation
        .storage
        .blobs
        .list(container, "manifests/", 100, None)
        .await
        .unwrap();
    assert_eq!(page.blobs.len(), 1);
}

/// A store with less room than the backup needs.
#[tokio::test]
async fn a_full_disk_says_so_and_leaves_nothing() {
    let sample = Sample::postgresql().unwrap();
    sample
        .execute("shop", "CREATE EXTENSION IF NOT EXISTS pgcrypto; CREATE TABLE noise AS SELECT i, encode(gen_random_bytes(1000), 'hex') AS text FROM generate_series(1, 30000) AS i")
        .unwrap();
    let home = Home::new(StoreKind::Embedded).unwrap();
    let _disk = dilux_journeys::SmallDisk::mount(&home.path().join("data"), "12m").unwrap();
    let case = Case::at(home, sample).await;
    let job = case.failed_backup("shop", &[]).await;
    says(&job, &["full"]);
    assert_eq!(job["error_kind"], json!("storage"));
}
