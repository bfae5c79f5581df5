//! What an installation backs up: twenty databases on two engines under five policies.

use std::collections::BTreeMap;

use anyhow::Context as _;
use dilux_core::installation::Installation;
use dilux_core::model::{
    AuthMethod, BackupPolicy, Blackout, Compression, CredentialSource, Database, DayOfMonth,
    DayOfWeek, Engine, EngineId, EngineType, HourlyInterval, KeepCount, PolicySource, TierRule,
    TierSchedule, TlsMode,
};
use dilux_core::schedule::system_policies;
use dilux_core::secret::{SecretName, SecretValue};

use crate::random::Dice;

/// Databases of an installation.
const DATABASES: usize = 20;

/// A database that is backed up.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Its id.
    pub(crate) id: String,
    /// Its name on the server.
    pub(crate) name: String,
    /// Type of its engine.
    pub(crate) engine_type: EngineType,
    /// What it owes.
    pub(crate) policy: BackupPolicy,
    /// Whether people switch it off and on.
    pub(crate) is_toggled: bool,
}

/// Registers everything, straight in the store.
pub(super) async fn register(
    installation: &Installation,
    dice: &Dice,
    password: &str,
) -> anyhow::Result<Vec<Subject>> {
    let engines = [
        ("engine-1", EngineType::PostgreSql),
        ("engine-2", EngineType::MySql),
    ];
    for (id, engine_type) in engines {
        add_engine(installation, &id.parse()?, engine_type, password).await?;
    }
    let policies = policies(installation, dice)?;
    for policy in &policies {
        let inserted = installation.repositories.policies.insert(policy.clone());
        inserted.await?;
    }
    let mut subjects = Vec::with_capacity(DATABASES);
    let is_busy = dice.below(3) == 0;
    for index in 0..DATABASES {
        // In a busy installation one in twenty is dumped every two hours, two every six, a third
        // twice a day; in a quiet one all but one are dumped daily.
        let policy = match (is_busy, index) {
            (true, 0) => 0,
            (true, 1 | 2) | (false, 0) => 1,
            (true, index) => 2 + index % 3,
            (false, index) => 3 + index % 2,
        };
        let policy = policies.get(policy).context("there are five policies")?;
        let (engine_id, engine_type) = engines[index % engines.len()];
        let subject = Subject {
            id: format!("db-{index:02}"),
            name: format!("shop{index}"),
            engine_type,
            policy: policy.clone(),
            is_toggled: index % 10 == 9,
        };
        add_database(installation, &subject, &engine_id.parse()?, index).await?;
        subjects.push(subject);
    }
    Ok(subjects)
}

async fn add_engine(
    installation: &Installation,
    id: &EngineId,
    engine_type: EngineType,
    password: &str,
) -> anyhow::Result<()> {
    let now = installation.clock.now();
    let secret = SecretName::new(Engine::secret_name(id))?;
    let secrets = &installation.storage.secrets;
    secrets.set(&secret, &SecretValue::new(password)).await?;
    let engine = Engine {
        id: id.clone(),
        name: id.as_str().parse()?,
        engine_type,
        host: "db.example.internal".parse()?,
        port: engine_type.default_port(),
        tls_mode: TlsMode::default(),
        auth_method: Some(AuthMethod::UserPassword),
        username: Some("backup".parse()?),
        identity: dilux_core::model::EntraIdentity::default(),
        secret: Some(secret),
        policy_id: None,
        discovery_enabled: true,
        max_jobs: None,
        last_discovery: None,
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    installation.repositories.engines.insert(engine).await?;
    Ok(())
}

async fn add_database(
    installation: &Installation,
    subject: &Subject,
    engine_id: &EngineId,
    index: usize,
) -> anyhow::Result<()> {
    let now = installation.clock.now();
    let database = Database {
        id: subject.id.parse()?,
        engine_id: engine_id.clone(),
        label: subject.name.parse()?,
        database_name: subject.name.parse()?,
        credentials: CredentialSource::Engine,
        policy: PolicySource::Own(subject.policy.id.clone()),
        enabled: true,
        rpo_minutes: None,
        destination: None,
        compression: if index % 8 == 7 {
            Compression::Gzip
        } else {
            Compression::None
        },
        tags: BTreeMap::new(),
        created_at: now,
        updated_at: now,
        created_by: None,
    };
    installation.repositories.databases.insert(database).await?;
    Ok(())
}

/// Five policies, from busy to quiet.
fn policies(installation: &Installation, dice: &Dice) -> anyhow::Result<Vec<BackupPolicy>> {
    let templates = system_policies(installation.clock.now())?;
    let template = templates
        .first()
        .context("a policy comes with the product")?;
    let time = |dice: &Dice| format!("{:02}:{:02}", dice.below(24), dice.below(60)).parse();
    let hourly = |every| -> anyhow::Result<TierSchedule> {
        Ok(TierSchedule::Hourly {
            every: HourlyInterval::new(every)?,
        })
    };
    let daily = TierSchedule::Daily { at: time(dice)? };
    let weekly = TierSchedule::Weekly {
        day: DayOfWeek::new(i64::try_from(dice.below(7))?)?,
        at: time(dice)?,
    };
    let monthly = TierSchedule::Monthly {
        day: DayOfMonth::new(i64::try_from(dice.between(1, 31))?)?,
        at: time(dice)?,
    };
    let plans = [
        ("busy", vec![hourly(2)?, daily.clone(), weekly.clone()]),
        (
            "often",
            vec![hourly(6)?, TierSchedule::Daily { at: time(dice)? }],
        ),
        ("twice", vec![hourly(12)?, daily.clone(), monthly.clone()]),
        (
            "daily",
            vec![TierSchedule::Daily { at: time(dice)? }, weekly.clone()],
        ),
        ("calendar", vec![daily, weekly, monthly]),
    ];
    plans
        .into_iter()
        .map(|(id, schedules)| {
            let mut rules = Vec::with_capacity(schedules.len());
            for schedule in schedules {
                let keep = KeepCount::new(i64::try_from(dice.between(1, 4))?)?;
                rules.push(TierRule { schedule, keep });
            }
            let mut timing = template.timing.clone();
            if id == "often" {
                // A slot of each day waits for its end, and so does what is late.
                let window = Blackout::new(Vec::new(), "05:00".parse()?, "09:00".parse()?);
                timing = timing.with_blackouts(vec![window])?;
            }
            Ok(BackupPolicy {
                timing,
                id: id.parse()?,
                name: id.parse()?,
                is_system: false,
                rules,
                ..template.clone()
            })
        })
        .collect()
}
