//! Databases that take tokens of Entra ID in the place of passwords.

use std::sync::Arc;

use dilux_core::installation::Installation;
use dilux_core::model::{
    AuthMethod, BackupId, Engine, EntraIdentity, Job, JobState, RestoreWork, Work,
};
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::Profile;
use dilux_core::transfer::FailureKind;
use dilux_drivers::{DriverSettings, Drivers, ToolSearch, Tools};
use dilux_testkit::entra::{FakeEntra, TokenAnswer};
use dilux_testkit::tls::Certificates;

use crate::{World, backup_work, verify};

const SECRET: &str = "canary-secret-of-the-app";

/// A world whose engine signs in as `entra-backup`, with the tokens of a played Entra ID.
async fn world(method: AuthMethod) -> (World, FakeEntra, Certificates) {
    let certificates = Certificates::for_host("127.0.0.1").unwrap();
    let entra = FakeEntra::start(SECRET, "token.one").await.unwrap();
    let open = |settings| {
        let installation = Installation::open(settings, Profile::Worker).unwrap();
        let tokens = installation.tokens.clone().over(entra.transport());
        installation.with_tokens(tokens)
    };
    let mut world = World::with(certificates.postgres().unwrap(), &open).await;
    let tools = Tools::discover(&ToolSearch::with_usual_places("")).await;
    let settings = DriverSettings {
        authorities: certificates.path("authority.pem"),
        ..DriverSettings::default()
    };
    world.drivers = Arc::new(Drivers::new(tools, &settings));
    take(&world, "token.one");
    let engines = &world.installation.repositories.engines;
    let present = engines.get(&world.engine).await.unwrap().unwrap();
    let secrets = &world.installation.storage.secrets;
    let secret = SecretName::new(Engine::secret_name(&world.engine)).unwrap();
    secrets
        .set(&secret, &SecretValue::new(SECRET))
        .await
        .unwrap();
    let is_app = method == AuthMethod::AzureAd;
    let engine = Engine {
        auth_method: Some(method),
        username: "entra-backup".parse().ok(),
        identity: EntraIdentity {
            tenant_id: "contoso.example".parse().ok().filter(|_| is_app),
            client_id: "app-1".parse().ok(),
        },
        secret: is_app.then_some(secret),
        ..present.value
    };
    engines.replace(engine, &present.version).await.unwrap();
    (world, entra, certificates)
}

/// From now on the server takes this token and no other.
fn take(world: &World, token: &str) {
    let role = format!(
        "DO $$ BEGIN CREATE ROLE \"entra-backup\" SUPERUSER LOGIN; \
         EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
         ALTER ROLE \"entra-backup\" PASSWORD '{token}';"
    );
    world.server.execute("shop", &role).unwrap();
}

fn assert_completed(job: &Job) {
    let state = &job.state;
    assert!(matches!(state, JobState::Completed { .. }), "{state:?}");
}

fn restore_of(world: &World, backup: &Job) -> Work {
    Work::Restore(RestoreWork {
        backup_id: BackupId::from(&backup.id),
        target_engine: world.engine.clone(),
        target_database: "shop_copy".parse().unwrap(),
        compare_with_source: true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_backed_up_verified_and_restored_with_tokens_of_an_app() {
    let (world, entra, _certificates) = world(AuthMethod::AzureAd).await;
    let backup = world.run(world.job("manual|1", backup_work())).await;
    assert_completed(&backup);
    let engine = world.engine.clone();
    assert_completed(&verify(&world, &backup, "verify|1", Some(&engine)).await);
    let restored = world
        .run(world.job("restore|1", restore_of(&world, &backup)))
        .await;
    assert_completed(&restored);
    let comparison = restored.comparison.unwrap();
    assert_eq!(comparison.differences, Vec::<String>::new());
    assert!(comparison.rows > 1000);
    assert_eq!(entra.requests().len(), 1, "one token serves until it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_brings_a_token_that_is_good_at_its_start() {
    let (world, entra, _certificates) = world(AuthMethod::ManagedIdentity).await;
    // Less than the margin, so that each job fetches another one.
    entra.set_lifetime(60);
    let backup = world.run(world.job("manual|1", backup_work())).await;
    assert_completed(&backup);
    take(&world, "token.two");
    entra.give(&["token.two"]);
    assert_completed(&world.run(world.job("manual|2", backup_work())).await);
    let requests = entra.requests();
    assert!(requests.len() >= 2);
    for request in requests {
        assert_eq!(request.fields["client_id"], "app-1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_a_token_fails_with_what_entra_id_said_and_no_secret() {
    let (world, entra, _certificates) = world(AuthMethod::AzureAd).await;
    entra.answer_next([TokenAnswer::refusal(
        401,
        "AADSTS7000222: The provided client secret keys for app 'app-1' are expired.",
    )]);
    let job = world.run(world.job("manual|1", backup_work())).await;
    let JobState::Failed { failure, .. } = &job.state else {
        panic!("{:?}", job.state)
    };
    assert_eq!(failure.kind, FailureKind::Authentication);
    assert!(failure.message.contains("AADSTS7000222"), "{failure}");
    let shown = format!("{job:?}");
    assert!(
        !shown.contains("canary") && !shown.contains("token."),
        "{shown}"
    );
}
