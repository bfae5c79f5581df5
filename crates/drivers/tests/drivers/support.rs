//! Servers, drivers, fake tools and a copy loop.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dilux_core::model::{DatabaseName, EngineType};
use dilux_core::transfer::{DumpComplete, Failure};
use dilux_drivers::{
    Deadlines, Driver, DriverSettings, Drivers, Resolver, RestorePlan, RunningDump, SystemResolver,
    Target, ToolSearch, Tools,
};
use dilux_testkit::mariadb::MariaDbServer;
use dilux_testkit::postgres::PostgresServer;
use dilux_testkit::transfer::{collect, feed};
use tempfile::TempDir;

/// How long a test waits for something that happens in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn driver(engine_type: EngineType) -> Arc<dyn Driver> {
    driver_with(
        engine_type,
        &ToolSearch::with_usual_places(""),
        Deadlines::default(),
    )
    .await
}

pub(crate) async fn driver_with(
    engine_type: EngineType,
    search: &ToolSearch,
    deadlines: Deadlines,
) -> Arc<dyn Driver> {
    let settings = DriverSettings {
        deadlines,
        resolver: Arc::new(Names::new([("db.example", "192.0.2.7")])),
        ..DriverSettings::default()
    };
    Drivers::new(Tools::discover(search).await, &settings)
        .for_engine(engine_type)
        .unwrap()
}

/// Names with addresses that a test gives them; other names are the machine's business.
#[derive(Debug)]
pub(crate) struct Names {
    names: Vec<(&'static str, Vec<IpAddr>)>,
    asked: AtomicUsize,
}

impl Names {
    /// Names with their addresses, commas between.
    pub(crate) fn new<const N: usize>(names: [(&'static str, &str); N]) -> Self {
        let addresses = |text: &str| text.split(',').map(|one| one.parse().unwrap()).collect();
        Self {
            names: names.map(|(name, text)| (name, addresses(text))).into(),
            asked: AtomicUsize::new(0),
        }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolver for Names {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.names.iter().find(|(name, _)| *name == host) {
            Some((_, addresses)) => Ok(addresses.clone()),
            None => SystemResolver.addresses(host).await,
        }
    }
}

pub(crate) fn postgres_target(server: &PostgresServer) -> Target {
    Target::at(server.host(), server.port(), server.credentials())
}

pub(crate) fn mariadb_target(server: &MariaDbServer) -> Target {
    Target::at(server.host(), server.port(), server.credentials())
}

pub(crate) fn name(text: &str) -> DatabaseName {
    text.parse().unwrap()
}

pub(crate) fn plan(dump: &RunningDump, database: &str) -> RestorePlan {
    RestorePlan {
        is_rehearsal: false,
        database: name(database),
        traits: dump.traits.clone(),
        server: dump.server.clone(),
        tool: dump.tool.clone(),
    }
}

/// Dumps a database to its proof.
pub(crate) async fn dump_all(
    driver: &dyn Driver,
    target: &Target,
    database: &str,
) -> Result<DumpComplete, Failure> {
    let dump = driver.dump(target, &name(database)).await?;
    collect(dump.source).await.map(|(_, complete)| complete)
}

/// Dumps `from` and restores it as `to`; gives the dump's notes.
pub(crate) async fn copy(
    driver: &dyn Driver,
    target: &Target,
    (from, to): (&str, &str),
) -> Result<Vec<String>, Failure> {
    let dump = driver.dump(target, &name(from)).await?;
    let plan = plan(&dump, to);
    let (bytes, complete) = collect(dump.source).await?;
    assert_eq!(complete.evidence().plain_bytes, bytes.len() as u64);
    feed(driver.restore(target, &plan).await?, bytes).await?;
    Ok(dump.notes)
}

/// Waits until `condition` holds; fails the test when it does not in a long time.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, waiting).await.is_ok(),
        "{what}"
    );
}

/// Whether a process runs; a zombie does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(") ")
                .map(|(_, state)| !state.starts_with(['Z', 'X']))
        })
        .unwrap_or(false)
}

/// Every process below `root`, with its name.
pub(crate) fn descendants(root: u32) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((head, tail)) = stat.rsplit_once(") ") else {
            continue;
        };
        let program = head
            .split_once('(')
            .map_or("", |(_, program)| program)
            .to_owned();
        let parent = tail
            .split(' ')
            .nth(1)
            .and_then(|parent| parent.parse::<u32>().ok());
        all.push((pid, parent.unwrap_or(0), program));
    }
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, _, program) in all.iter().filter(|(_, of, _)| *of == parent) {
            parents.push(*pid);
            found.push((*pid, program.clone()));
        }
    }
    found
}

/// A directory of tools: fakes of `tests/fakes` and links to real ones. A fake finds its
/// directory by its own path, and keeps records there.
pub(crate) struct ToolBox {
    directory: TempDir,
}

impl ToolBox {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
        }
    }

    /// With the fake `fake` as the tool `tool`.
    pub(crate) fn fake(self, tool: &str, fake: &str) -> Self {
        let fakes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes");
        self.link(tool, &fakes.join(fake))
    }

    /// With the real tool.
    pub(crate) fn real(self, tool: &str) -> Self {
        let mut places = vec![PathBuf::from("/usr/bin")];
        let versions = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten();
        places.extend(versions.map(|version| version.path().join("bin")));
        places.sort();
        places.reverse();
        let found = places
            .into_iter()
            .map(|place| place.join(tool))
            .find(|path| path.exists());
        self.link(
            tool,
            &found.unwrap_or_else(|| panic!("{tool} is not installed")),
        )
    }

    /// With a file that a fake reads.
    pub(crate) fn file(self, file: &str, content: &str) -> Self {
        fs::write(self.directory.path().join(file), content).unwrap();
        self
    }

    /// What a fake wrote.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.path().join(file)).unwrap_or_default()
    }

    pub(crate) fn search(&self) -> ToolSearch {
        ToolSearch::only(self.directory.path().to_str().unwrap())
    }

    fn link(self, tool: &str, target: &Path) -> Self {
        std::os::unix::fs::symlink(target, self.directory.path().join(tool)).unwrap();
        self
    }
}
