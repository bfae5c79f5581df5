//! The stage of a scene: an installation of its own, and an actor who dies on it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use dilux_core::installation::Installation;
use dilux_core::model::{
    BackupPolicy, BackupWork, Database, DayOfMonth, EngineType, Job, JobId, JobOwner, KeepCount,
    Month, PolicyId, TierRule, TierSchedule, Timing, Trigger, Work,
};
use dilux_journeys::{Client, Holdings, Home, Sample, Service, StoreKind, eventually, until_idle};
use jiff::tz::TimeZone;
use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What happens to the actor of a scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It lives; every point that it passes is noted in `points` of the home.
    Noted,
    /// It dies when it comes to this point for the n-th time.
    Death(&'static str, u64),
}

/// An installation with an engine, on which one scene is played.
pub(crate) struct Stage {
    pub(crate) home: Home,
    pub(crate) installation: Installation,
    pub(crate) client: Client,
    pub(crate) sample: Arc<Sample>,
    pub(crate) engine: String,
    /// How many things of a kind a scene does.
    pub(crate) times: usize,
    fate: Fate,
    api: Option<Service>,
}

impl Stage {
    pub(crate) async fn new(sample: Arc<Sample>, times: usize, fate: Fate) -> Self {
        let mut home = Home::new(StoreKind::Embedded).unwrap();
        home.set("DILUX_TICK_SECONDS", "1");
        home.set("DILUX_SHUTDOWN_GRACE_SECONDS", "0");
        home.set("DILUX_RETENTION_GRACE_DAYS", "0");
        home.set("DILUX_MINIMUM_REDUNDANCY", "1");
        let (api, client) = home.start_api().await.unwrap();
        let engine = sample.register(&client).await.unwrap();
        Self {
            installation: home.look_inside().unwrap(),
            home,
            client,
            sample,
            engine,
            times,
            fate,
            api: Some(api),
        }
    }

    /// The file in which the actor's points are noted.
    pub(crate) fn notes(&self) -> PathBuf {
        self.home.path().join("points")
    }

    /// What the case is called when something is wrong with it.
    pub(crate) fn case(&self) -> String {
        match &self.fate {
            Fate::Noted => "nobody dies".to_owned(),
            Fate::Death(point, hit) => format!("death at {point}, time {hit}"),
        }
    }

    pub(crate) fn dies_at(&self, points: &[&str]) -> bool {
        matches!(&self.fate, Fate::Death(point, _) if points.contains(point))
    }

    fn doom(&self) -> [(&'static str, String); 1] {
        match &self.fate {
            Fate::Noted => [("DILUX_POINTS_FILE", self.notes().display().to_string())],
            Fate::Death(point, hit) => [("DILUX_CRASH_AT", format!("{point}:{hit}"))],
        }
    }

    /// Registers as many databases as there are things to do; they exist.
    pub(crate) async fn databases(&self) -> Vec<Database> {
        let mut found = Vec::new();
        for number in 1..=self.times {
            found.push(self.database(&format!("shop_{number}")).await);
        }
        found
    }

    /// Registers a database that only the scene backs up.
    pub(crate) async fn database(&self, name: &str) -> Database {
        let id = self
            .sample
            .register_database(&self.client, &self.engine, name)
            .await
            .unwrap();
        let databases = &self.installation.repositories.databases;
        let found = databases.get(&id.parse().unwrap()).await.unwrap();
        found.unwrap().value
    }

    /// A backup as the scheduler books one.
    pub(crate) fn scheduled(&self, database: &Database, key: &str, work: BackupWork) -> Job {
        let owner = JobOwner {
            database_id: database.id.clone(),
            database_label: database.label.clone(),
            engine_type: EngineType::PostgreSql,
        };
        let id = JobId::derive(&database.id, key);
        let now = self.installation.clock.now();
        Job::new(id, owner, Work::Backup(work), Trigger::Scheduler, now)
    }

    pub(crate) async fn dispatch(&self, job: Job) -> JobId {
        let dispatched = self.installation.dispatcher.dispatch(job).await.unwrap();
        dispatched.job.id
    }

    pub(crate) async fn job(&self, id: &JobId) -> Job {
        let jobs = &self.installation.repositories.jobs;
        jobs.get(id).await.unwrap().unwrap().value
    }

    /// A policy with one slot a year, half a year from now, and one backup to keep.
    pub(crate) async fn yearly_policy(&self) -> PolicyId {
        let now = self.installation.clock.now();
        let month = now.to_zoned(TimeZone::UTC).month();
        let id: PolicyId = "once-a-year".parse().unwrap();
        let policy = BackupPolicy {
            id: id.clone(),
            name: "Once a year".parse().unwrap(),
            description: None,
            is_system: false,
            rules: vec![TierRule {
                schedule: TierSchedule::Yearly {
                    month: Month::new(i64::from((month + 5) % 12 + 1)).unwrap(),
                    day: DayOfMonth::new(1).unwrap(),
                    at: "00:00".parse().unwrap(),
                },
                keep: KeepCount::new(1).unwrap(),
            }],
            timing: Timing::default(),
            created_at: now,
            updated_at: now,
        };
        let policies = &self.installation.repositories.policies;
        policies.insert(policy).await.unwrap();
        id
    }

    /// Lets a processor work until nothing is left to do.
    pub(crate) async fn process(&self) {
        let mut processor = self.home.start("dilux-processor").unwrap();
        let idle = until_idle(&self.installation).await;
        idle.unwrap_or_else(|error| panic!("{}: {error}\n{}", self.case(), processor.log()));
        assert_eq!(processor.stopped().await.unwrap().code(), Some(0));
    }

    /// The same with a scheduler, which rings for jobs that nobody heard of.
    pub(crate) async fn work_off(&self) {
        let mut scheduler = self.home.start("dilux-scheduler").unwrap();
        self.process().await;
        assert_eq!(scheduler.stopped().await.unwrap().code(), Some(0));
    }

    /// Nothing is lost, doubled or falsely green; gives what there is.
    pub(crate) async fn is_sound(&self) -> Holdings {
        let holdings = Holdings::read(&self.installation).await.unwrap();
        let violations = holdings.violations(&self.installation).await.unwrap();
        assert!(violations.is_empty(), "{}: {violations:#?}", self.case());
        holdings
    }

    /// Starts a service that meets its fate.
    pub(crate) fn actor(&self, binary: &'static str) -> Actor<'_> {
        let service = self.home.start_with(binary, &self.doom()).unwrap();
        Actor {
            stage: self,
            binary,
            service,
            is_new: false,
        }
    }

    /// Stops the healthy API, so that an actor may take its place.
    pub(crate) async fn clear(&mut self) {
        if let Some(mut api) = self.api.take() {
            assert_eq!(api.stopped().await.unwrap().code(), Some(0));
        }
    }

    /// Starts an API that meets its fate, after [`Self::clear`].
    pub(crate) async fn api_actor(&self) -> Actor<'_> {
        let (service, _) = self.home.start_api_with(&self.doom()).await.unwrap();
        Actor {
            stage: self,
            binary: "dilux-api",
            service,
            is_new: false,
        }
    }

    /// Runs a command to its end; where it dies, it is run once more. `meanwhile` comes in between.
    pub(crate) async fn run(&self, arguments: &[&str], meanwhile: impl AsyncFn()) {
        let mut command = self.home.command(arguments, &self.doom()).unwrap();
        let ended = command.until_ended().await.unwrap();
        if self.fate == Fate::Noted {
            assert!(ended.success(), "{}", command.log());
            return;
        }
        assert_eq!(ended.code(), None, "{}\n{}", self.case(), command.log());
        meanwhile().await;
        let mut command = self.home.command(arguments, &[]).unwrap();
        let ended = command.until_ended().await.unwrap();
        assert!(ended.success(), "{}\n{}", self.case(), command.log());
    }
}

/// A service that may die, and then is started again.
pub(crate) struct Actor<'a> {
    stage: &'a Stage,
    binary: &'static str,
    service: Service,
    is_new: bool,
}

impl Actor<'_> {
    /// What the one at work has logged.
    pub(crate) fn log(&self) -> String {
        self.service.log()
    }

    /// Asks it to stop, in which it meets its fate.
    pub(crate) async fn end(mut self) {
        self.service.signal(Signal::TERM).unwrap();
        let ended = self.service.until_ended().await.unwrap();
        let expected = (self.stage.fate == Fate::Noted).then_some(0);
        let case = self.stage.case();
        assert_eq!(ended.code(), expected, "{case}\n{}", self.service.log());
    }

    /// Starts it again if it has died.
    async fn revive(&mut self) {
        if self.service.ended().unwrap().is_none() {
            return;
        }
        let (case, log) = (self.stage.case(), self.service.log());
        assert!(!self.is_new, "{case}: it dies again\n{log}");
        self.is_new = true;
        let home = &self.stage.home;
        self.service = if self.binary == "dilux-api" {
            home.start_api().await.unwrap().0
        } else {
            home.start(self.binary).unwrap()
        };
    }

    /// Waits until `holds`; on the way it may die, and is started again.
    pub(crate) async fn until(&mut self, what: &str, holds: impl AsyncFn() -> Result<bool>) {
        let waited = eventually(what, async || {
            self.revive().await;
            holds().await
        })
        .await;
        if let Err(error) = waited {
            panic!("{}: {error}\n{}", self.stage.case(), self.service.log());
        }
    }

    /// Waits until these jobs are over.
    pub(crate) async fn until_over(&mut self, jobs: &[JobId]) {
        let stage = self.stage;
        self.until("the jobs are over", async || {
            for id in jobs {
                if !stage.job(id).await.is_terminal() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await;
    }

    /// Calls the API; where it dies meanwhile, it is called once more.
    pub(crate) async fn ask(&mut self, method: Method, path: &str) -> (StatusCode, Value) {
        let client = &self.stage.client;
        let body = (method == Method::POST).then(|| json!({}));
        let answer = client.call(method.clone(), path, body.as_ref()).await;
        if let Ok(answer) = answer {
            return answer;
        }
        self.service.until_ended().await.unwrap();
        self.revive().await;
        client.call(method, path, body.as_ref()).await.unwrap()
    }

    /// Waits until it has met its fate, and stops whoever is there then.
    pub(crate) async fn retire(mut self) {
        if self.stage.fate != Fate::Noted && !self.is_new {
            let ended = self.service.until_ended().await;
            let case = self.stage.case();
            ended.unwrap_or_else(|error| panic!("{case} never came: {error}"));
            self.revive().await;
        }
        assert_eq!(self.service.stopped().await.unwrap().code(), Some(0));
    }
}
