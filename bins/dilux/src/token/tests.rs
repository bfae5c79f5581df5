use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::random::{SharedRandom, SystemRandom};
use dilux_core::repository::AuditFilter;
use dilux_core::storage::open;
use jiff::SignedDuration;
use tempfile::TempDir;

use super::*;

struct World {
    installation: Installation,
    clock: Arc<ManualClock>,
    directory: TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = format!("file://{}", directory.path().display());
        let settings =
            Settings::read(&|name| (name == "STORAGE_CONNECTION_STRING").then(|| store.clone()));
        let settings = settings.unwrap();
        let clock = Arc::new(ManualClock::new("2026-03-04T10:00:00Z".parse().unwrap()));
        let shared: SharedClock = clock.clone();
        let random: SharedRandom = Arc::new(SystemRandom);
        let storage = open(&settings, Profile::Interactive, &shared, &random).unwrap();
        let installation = Installation::new(Arc::new(settings), storage, shared, random);
        installation.prepare().await.unwrap();
        Self {
            installation,
            clock,
            directory,
        }
    }

    /// A wish for an admin's token of 90 days in a file, with these arguments beside.
    fn wish(&self, more: &[&str]) -> Create {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            create: Create,
        }
        let file = self.file().display().to_string();
        let line = ["create", "--name", "scripts", "--file", &file];
        let line = [&line[..], more].concat();
        let parsed: Line = clap::Parser::try_parse_from(line).unwrap();
        parsed.create
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("inner/token")
    }

    /// Carries the wish out, and gives what the file holds then.
    async fn create(&self, more: &[&str]) -> String {
        create(&self.installation, self.wish(more)).await.unwrap();
        let text = std::fs::read_to_string(self.file()).unwrap();
        text.strip_suffix('\n').unwrap().to_owned()
    }

    async fn token(&self, text: &str) -> Option<ApiToken> {
        let tokens = ApiTokens::new(self.installation.clone());
        tokens.opened_by(text).await.unwrap().map(|row| row.value)
    }

    async fn count(&self) -> usize {
        let tokens = &self.installation.repositories.api_tokens;
        tokens.list().await.unwrap().items.len()
    }

    fn mode(&self) -> u32 {
        let found = std::fs::metadata(self.file()).unwrap();
        found.permissions().mode() & 0o777
    }
}

#[tokio::test]
async fn a_token_in_a_file_is_good_and_for_its_owner_alone() {
    let world = World::new().await;
    let text = world
        .create(&["--role", "operator", "--grants", "data", "--days", "7"])
        .await;
    assert_eq!(world.mode(), 0o600);
    let token = world.token(&text).await.unwrap();
    assert_eq!(
        (token.name.as_str(), token.role),
        ("scripts", Role::Operator)
    );
    assert_eq!(token.grants.to_string(), "data");
    assert_eq!(token.created_by, "command-line@localhost");
    let lifetime = token.expires_at.duration_since(token.created_at);
    assert_eq!(lifetime, SignedDuration::from_hours(7 * 24));
}

#[tokio::test]
async fn without_being_told_a_token_is_an_admins_for_90_days() {
    let world = World::new().await;
    let token = world.token(&world.create(&[]).await).await.unwrap();
    assert_eq!(token.role, Role::Admin);
    let lifetime = token.expires_at.duration_since(token.created_at);
    assert_eq!(lifetime, SignedDuration::from_hours(90 * 24));
}

#[tokio::test]
async fn a_good_token_in_the_file_is_kept_and_its_file_made_private_again() {
    let world = World::new().await;
    let first = world.create(&[]).await;
    std::fs::set_permissions(world.file(), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(world.create(&[]).await, first);
    assert_eq!((world.count().await, world.mode()), (1, 0o600));
}

#[tokio::test]
async fn a_token_in_the_file_that_is_not_what_is_wished_for_is_replaced() {
    let world = World::new().await;
    let admin = world.create(&[]).await;
    let viewer = world.create(&["--role", "viewer"]).await;
    assert_ne!(viewer, admin);
    let operator = world.create(&["--role", "operator"]).await;
    let granted = world
        .create(&["--role", "operator", "--grants", "data"])
        .await;
    assert_ne!(granted, operator);
    let revoked = world.token(&granted).await.unwrap();
    revoke(&world.installation, &revoked.id).await.unwrap();
    let another = world
        .create(&["--role", "operator", "--grants", "data"])
        .await;
    assert_ne!(another, granted);
    std::fs::write(world.file(), format!("dilux_bootstrap_{}", "7".repeat(64))).unwrap();
    let instead = world.create(&[]).await;
    assert_eq!(world.token(&instead).await.unwrap().role, Role::Admin);
}

#[tokio::test]
async fn a_token_is_replaced_when_a_quarter_of_its_days_is_left() {
    let world = World::new().await;
    let first = world.create(&["--days", "4"]).await;
    world.clock.advance(SignedDuration::from_hours(3 * 24 - 1));
    assert_eq!(world.create(&["--days", "4"]).await, first);
    world.clock.advance(SignedDuration::from_hours(1));
    assert_ne!(world.create(&["--days", "4"]).await, first);
    assert!(world.token(&first).await.is_some(), "it ends by itself");
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_not_written_over() {
    let world = World::new().await;
    std::fs::create_dir(world.file().parent().unwrap()).unwrap();
    std::fs::write(world.file(), "the only copy of something").unwrap();
    let refused = create(&world.installation, world.wish(&[])).await;
    assert!(refused.unwrap_err().to_string().contains("another file"));
    let text = std::fs::read_to_string(world.file()).unwrap();
    assert_eq!(text, "the only copy of something");
    assert_eq!(world.count().await, 0, "nothing was made");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_both_are_in_the_audit_log() {
    let world = World::new().await;
    let text = world.create(&[]).await;
    let token = world.token(&text).await.unwrap();
    revoke(&world.installation, &token.id).await.unwrap();
    assert_eq!(world.token(&text).await, None);
    assert!(revoke(&world.installation, &token.id).await.is_err());
    let repositories = &world.installation.repositories;
    let filter = AuditFilter::default();
    let (mut noted, mut intents) = (Vec::new(), Vec::new());
    let walked = repositories.intents.walk(None, &filter, |entry, _| {
        intents.push(entry.id);
        true
    });
    walked.await.unwrap();
    let walked = repositories.audit.walk(None, &filter, |entry, _| {
        assert_eq!(entry.resource_id, token.id.as_str());
        assert_eq!(entry.user_email, "command-line@localhost");
        assert!(intents.contains(&entry.intent_id.unwrap()));
        noted.push((entry.action.as_str(), entry.status.as_str()));
        true
    });
    walked.await.unwrap();
    // The clock stands still, so that they have no order.
    noted.sort_unstable();
    let expected = [
        ("token_created", "success"),
        ("token_deleted", "failed"),
        ("token_deleted", "success"),
    ];
    assert_eq!(noted, expected);
    assert_eq!(intents.len(), 3);
}

#[test]
fn days_are_a_whole_number_in_a_year() {
    assert!(parse_days("366").is_ok());
    for wrong in ["0", "367", "-1", "1.5", "many", ""] {
        assert!(parse_days(wrong).is_err(), "{wrong}");
    }
}
