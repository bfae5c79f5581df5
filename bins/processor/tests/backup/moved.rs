//! A database that has moved to another engine.

use dilux_core::model::{BackupId, CredentialSource, EngineId, JobState, RestoreWork, Work};
use dilux_core::secret::{SecretName, SecretValue};

use crate::{World, backup_work};

/// Its old backups go back to the server that they came from, with what opens that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_from_before_a_move_is_restored_on_its_own_server() {
    let world = World::new().await;
    let backup = world.run(world.job("manual|1", backup_work())).await;
    let installation = &world.installation;
    let (engines, databases) = (
        &installation.repositories.engines,
        &installation.repositories.databases,
    );
    let second: EngineId = "engine-2".parse().unwrap();
    let mut engine = engines.get(&world.engine).await.unwrap().unwrap().value;
    engine.id = second.clone();
    // Nobody listens there.
    engine.port = 1.try_into().unwrap();
    engines.insert(engine).await.unwrap();
    let own = SecretName::new("dilux-db-database-1").unwrap();
    let password = SecretValue::new("for the second server only");
    installation
        .storage
        .secrets
        .set(&own, &password)
        .await
        .unwrap();
    let mut row = databases.get(&world.database).await.unwrap().unwrap();
    row.value.engine_id = second;
    row.value.credentials = CredentialSource::Own {
        auth_method: dilux_core::model::AuthMethod::UserPassword,
        username: Some("somebody".parse().unwrap()),
        identity: dilux_core::model::EntraIdentity::default(),
        secret: Some(own),
    };
    databases.replace(row.value, &row.version).await.unwrap();
    let restore = Work::Restore(RestoreWork {
        backup_id: BackupId::from(&backup.id),
        target_engine: world.engine.clone(),
        target_database: "shop_copy".parse().unwrap(),
        compare_with_source: false,
    });
    let restored = world.run(world.job("restore|moved", restore)).await;
    let state = &restored.state;
    assert!(matches!(state, JobState::Completed { .. }), "{state:?}");
    assert!(world.server.has_database("shop_copy").unwrap());
}
