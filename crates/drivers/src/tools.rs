//! The client tools of this machine: where they are, which version they have, and which one fits
//! a server.

mod floor;
mod version;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use dilux_core::model::ToolIdentity;
use dilux_core::transfer::{Failure, FailureKind, ToolExit};

use crate::process::{Deadlines, Invocation, capture};
pub(crate) use version::Version;

/// How long a tool may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// What a tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Dumps PostgreSQL.
    PostgreSqlDump,
    /// Talks SQL to PostgreSQL.
    PostgreSqlClient,
    /// Dumps MySQL or MariaDB.
    MySqlDump,
    /// Talks SQL to MySQL or MariaDB.
    MySqlClient,
}

impl Purpose {
    /// File names of tools for each purpose; of two that are the same file, the first counts.
    const PROGRAMS: [(&'static str, Self); 6] = [
        ("pg_dump", Self::PostgreSqlDump),
        ("psql", Self::PostgreSqlClient),
        ("mariadb-dump", Self::MySqlDump),
        ("mysqldump", Self::MySqlDump),
        ("mariadb", Self::MySqlClient),
        ("mysql", Self::MySqlClient),
    ];

    fn is_mysql(self) -> bool {
        matches!(self, Self::MySqlDump | Self::MySqlClient)
    }
}

/// Who made a tool; MySQL's and MariaDB's take different options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    /// PostgreSQL.
    PostgreSql,
    /// MariaDB.
    MariaDb,
    /// Oracle's MySQL.
    MySql,
}

/// A client tool that works.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) purpose: Purpose,
    pub(crate) family: Family,
    pub(crate) version: Version,
    pub(crate) identity: ToolIdentity,
    /// Long options that it says it knows; read only where versions differ without a rule.
    options: BTreeSet<String>,
}

impl Tool {
    /// Whether it says that it knows `option`, without dashes.
    pub(crate) fn knows(&self, option: &str) -> bool {
        self.options.contains(option)
    }

    /// An invocation of it.
    pub(crate) fn invoke(&self) -> Invocation {
        Invocation::new(&self.identity.name, Path::new(&self.identity.path))
    }

    /// The version with the known fixes, if this one is older.
    pub(crate) fn floor(&self) -> Option<Version> {
        floor::missed(self.family, &self.version)
    }

    /// A warning when it is older than the known fixes.
    pub(crate) fn note(&self) -> Option<String> {
        let ToolIdentity { name, version, .. } = &self.identity;
        self.floor().map(|floor| {
            format!("{name} {version} has known flaws that a hostile server can use; install {floor} or later")
        })
    }
}

/// Where to look for tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSearch {
    directories: Vec<PathBuf>,
}

impl ToolSearch {
    /// Looks into the directories of `search_path` (colons between, as in `PATH`; relative ones
    /// are left out) and nowhere else.
    pub fn only(search_path: &str) -> Self {
        let absolute = |text: &str| {
            let path = PathBuf::from(text);
            path.is_absolute().then_some(path)
        };
        Self {
            directories: search_path.split(':').filter_map(absolute).collect(),
        }
    }

    /// Looks into the directories of `search_path` first, then where distributions install
    /// database tools, several versions side by side.
    pub fn with_usual_places(search_path: &str) -> Self {
        let mut search = Self::only(search_path);
        for (parent, child) in [("/usr/lib/postgresql", "bin"), ("/opt/homebrew/opt", "bin")] {
            search
                .directories
                .extend(children(Path::new(parent), child));
        }
        search.directories.extend(
            children(Path::new("/usr"), "bin")
                .into_iter()
                .filter(|path| path.to_string_lossy().contains("/pgsql-")),
        );
        for usual in ["/usr/local/mysql/bin", "/usr/local/bin", "/usr/bin", "/bin"] {
            search.directories.push(PathBuf::from(usual));
        }
        search
    }

    /// Every program found, with its purpose; each file once.
    fn candidates(&self) -> Vec<(&'static str, PathBuf, Purpose)> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for directory in &self.directories {
            for (name, purpose) in Purpose::PROGRAMS {
                let path = directory.join(name);
                let Ok(real) = path.canonicalize() else {
                    continue;
                };
                // Debian's wrapper picks a version by rules of its own; the real ones are found
                // beside each other anyway.
                let is_wrapper = real.file_name().is_some_and(|file| file == "pg_wrapper");
                if real.is_file() && !is_wrapper && seen.insert((real, purpose)) {
                    found.push((name, path, purpose));
                }
            }
        }
        found
    }
}

/// `parent/*/child`, in reverse order of the names.
fn children(parent: &Path, child: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join(child)))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found.reverse();
    found
}

/// What is known of one program on this machine, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ToolReport {
    /// File name: `pg_dump`.
    pub name: String,
    /// Absolute path.
    pub path: String,
    /// Version, if it works.
    pub version: Option<String>,
    /// The version with the known security fixes, if this one is older.
    pub fixed_in: Option<String>,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// The client tools found on this machine.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    tools: Vec<Tool>,
    broken: Vec<ToolReport>,
}

impl Tools {
    /// Looks for tools and asks each for its version. One that does not answer is reported, not
    /// used.
    pub async fn discover(search: &ToolSearch) -> Self {
        let mut found = Self::default();
        for (name, path, purpose) in search.candidates() {
            match identify(name, &path, purpose).await {
                Ok(tool) => found.tools.push(tool),
                Err(failure) => found.broken.push(ToolReport {
                    name: name.to_owned(),
                    path: path.display().to_string(),
                    version: None,
                    fixed_in: None,
                    problem: Some(failure.message),
                }),
            }
        }
        found
    }

    /// Everything found, usable or not.
    pub fn report(&self) -> Vec<ToolReport> {
        let usable = self.tools.iter().map(|tool| ToolReport {
            name: tool.identity.name.clone(),
            path: tool.identity.path.clone(),
            version: Some(tool.identity.version.clone()),
            fixed_in: tool.floor().map(|floor| floor.to_string()),
            problem: None,
        });
        usable.chain(self.broken.iter().cloned()).collect()
    }

    /// The tools for a purpose, in the order found.
    pub(crate) fn for_purpose(&self, purpose: Purpose) -> impl Iterator<Item = &Tool> {
        self.tools
            .iter()
            .filter(move |tool| tool.purpose == purpose)
    }
}

async fn identify(name: &str, path: &Path, purpose: Purpose) -> Result<Tool, Failure> {
    let unusable = |reason: String| {
        Failure::new(
            FailureKind::ToolMissing,
            format!("{} cannot be used: {reason}", path.display()),
        )
    };
    let said = say(name, path, &["--version"]).await?;
    let family = match purpose {
        Purpose::PostgreSqlDump | Purpose::PostgreSqlClient => Family::PostgreSql,
        Purpose::MySqlDump | Purpose::MySqlClient if said.contains("MariaDB") => Family::MariaDb,
        Purpose::MySqlDump | Purpose::MySqlClient => Family::MySql,
    };
    let version = Version::from_banner(&said).ok_or_else(|| {
        unusable(format!(
            "its version is not recognised in '{}'",
            said.trim()
        ))
    })?;
    let options = if purpose.is_mysql() {
        long_options(&say(name, path, &["--no-defaults", "--help"]).await?)
    } else {
        BTreeSet::new()
    };
    let identity = ToolIdentity {
        name: name.to_owned(),
        path: path.display().to_string(),
        version: version.to_string(),
    };
    Ok(Tool {
        purpose,
        family,
        version,
        identity,
        options,
    })
}

/// What the tool prints for these arguments.
async fn say(name: &str, path: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let invocation = Invocation::new(name, path).arguments(arguments.iter().copied());
    let mut said = String::new();
    let captured = capture(
        invocation,
        Bytes::new(),
        (Deadlines::default(), VERSION_LIMIT),
        &mut |line| {
            said.push_str(&String::from_utf8_lossy(line));
            said.push('\n');
            Ok(())
        },
    )
    .await?;
    if captured.exit == ToolExit::Code(0) {
        return Ok(said);
    }
    let message = format!("{} {} failed", path.display(), arguments.join(" "));
    Err(Failure::new(FailureKind::ToolMissing, message).with_detail(captured.words))
}

/// The long options that a help text mentions, and the names of its table of variables.
fn long_options(help: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let mut options = BTreeSet::new();
    for line in help.lines() {
        for (at, _) in line.match_indices("--") {
            let rest = &line[at + 2..];
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            options.insert(rest[..end].to_owned());
        }
        let end = line.find(|c| !is_name(c)).unwrap_or(line.len());
        options.insert(line[..end].to_owned());
    }
    options
}
