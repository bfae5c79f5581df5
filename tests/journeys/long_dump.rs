//! A dump that is far longer than the memory that its backup may have.
#![cfg(test)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use dilux_core::model::Manifest;
use dilux_core::storage::BlobName;
use dilux_journeys::{Client, Home, Sample, StoreKind, text};
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Memory of its own that the processor may have at any time, in KiB.
const MOST: u64 = 64 * 1024;

/// What the stand-in for pg_dump writes over and over.
const PART: usize = 64 << 20;

/// How often: 10 GiB.
const PARTS: usize = 160;

/// What it writes at the end, as pg_dump does.
const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// Longest backup, in the unoptimised build that the tests run.
const BACKUP_LIMIT: Duration = Duration::from_mins(15);

/// Bytes of a stored object that are read at once.
const CHUNK: u64 = 8 << 20;

/// Lines of a table with a number that never comes again, so that blocks differ.
fn part() -> Vec<u8> {
    let mut part = Vec::with_capacity(PART + 100);
    let mut number: u64 = 88_172_645_463_325_252;
    let mut line = 0_u32;
    while part.len() < PART {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let row =
            format!("{line}\tcustomer {number:016x}\t2026-03-04 10:07:00+00\tan ordinary remark\n");
        part.extend_from_slice(row.as_bytes());
        line += 1;
    }
    part.truncate(PART);
    part
}

/// Tools of which pg_dump answers every question as the real one and dumps the parts.
fn tools(directory: &Path, part: &[u8]) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let real = real_tools();
    symlink(real.join("psql"), directory.join("psql")).unwrap();
    fs::write(directory.join("part"), part).unwrap();
    fs::write(directory.join("end"), END).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--version* | *--help*) exec {real}/pg_dump \"$@\" ;; esac\n\
         part=0\nwhile [ $part -lt {PARTS} ]; do cat {here}/part || exit 1; part=$((part + 1)); done\n\
         cat {here}/end\n",
        real = real.display(),
        here = directory.display(),
    );
    let tool = directory.join("pg_dump");
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Where the newest installed PostgreSQL tools are.
fn real_tools() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let found = versions.map(|entry| entry.unwrap().path().join("bin"));
    let found = found.filter(|path| path.join("pg_dump").is_file());
    found.max().expect("a PostgreSQL client is installed")
}

/// Length and SHA-256 of the whole dump.
fn expected(part: &[u8]) -> (u64, String) {
    let mut hash = Sha256::new();
    for _ in 0..PARTS {
        hash.update(part);
    }
    hash.update(END);
    let length = part.len() * PARTS + END.len();
    (
        length.try_into().unwrap(),
        HEXLOWER.encode(&hash.finalize()),
    )
}

/// Waits until the job is over, longer than for others, which must be well.
async fn completed(client: &Client, job: &str) {
    let deadline = Instant::now() + BACKUP_LIMIT;
    loop {
        let answer = client.get(&format!("/jobs/{job}")).await.unwrap();
        match text(&answer, "/status").unwrap().as_str() {
            "pending" | "in_progress" => {}
            "completed" => return,
            _ => panic!("the backup should be completed: {answer}"),
        }
        assert!(Instant::now() < deadline, "it takes too long: {answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The one manifest, and the SHA-256 of the data as it is stored.
async fn stored(home: &Home) -> (Manifest, u64, String) {
    let installation = home.look_inside().unwrap();
    let blobs = &installation.storage.blobs;
    let container = &installation.settings.container;
    let listed = blobs.list(container, "manifests/", 10, None).await.unwrap();
    assert_eq!(listed.blobs.len(), 1);
    let found = &listed.blobs[0];
    let bytes = blobs
        .read(container, &found.name, 0..found.size, None)
        .await;
    let manifest = Manifest::from_json(&bytes.unwrap()).unwrap();
    let data = BlobName::new(manifest.data.blob.as_str()).unwrap();
    let properties = blobs.properties(container, &data).await.unwrap();
    let size = properties.unwrap().size;
    let mut hash = Sha256::new();
    let mut from = 0;
    while from < size {
        let until = size.min(from + CHUNK);
        let bytes = blobs.read(container, &data, from..until, None).await;
        hash.update(bytes.unwrap());
        from = until;
    }
    (manifest, size, HEXLOWER.encode(&hash.finalize()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_08_a_dump_of_ten_gibibytes_needs_no_more_than_64_mebibytes() {
    let tools_directory = tempfile::tempdir().unwrap();
    let part = part();
    tools(tools_directory.path(), &part);
    let mut home = Home::new(StoreKind::Embedded).unwrap();
    home.set(
        "DILUX_TOOL_PATH",
        tools_directory.path().display().to_string(),
    );
    let (_api, client) = home.start_api().await.unwrap();
    let processor = home.start("dilux-processor").unwrap();
    let sample = Sample::postgresql().unwrap();
    let engine = sample.register(&client).await.unwrap();
    let registered = sample.register_database(&client, &engine, "shop").await;
    let database = registered.unwrap();
    let path = format!("/databases/{database}");
    let body = json!({"compression": "zstd"});
    let changed = client.expect(Method::PUT, &path, Some(&body)).await;
    changed.unwrap();
    let job = client.back_up(&database).await.unwrap();
    let hashing = tokio::task::spawn_blocking(move || expected(&part));
    completed(&client, &job).await;
    let (length, hash) = hashing.await.unwrap();

    let peak = processor.own_peak_kib().unwrap();
    assert!(peak <= MOST, "{peak} KiB");
    let (manifest, stored_bytes, stored_hash) = stored(&home).await;
    assert_eq!(manifest.data.plain_bytes, length);
    assert_eq!(manifest.data.plain_sha256, hash);
    assert_eq!(manifest.data.stored_bytes, stored_bytes);
    assert_eq!(manifest.data.stored_sha256, stored_hash);
    let history = format!("/backups?database_id={database}");
    let listed = client.get(&history).await.unwrap();
    assert_eq!(listed["backups"][0]["plain_size_bytes"], json!(length));
    assert_eq!(listed["backups"][0]["file_size_bytes"], json!(stored_bytes));
    assert_eq!(listed["backups"][0]["sha256"], json!(stored_hash));
}
