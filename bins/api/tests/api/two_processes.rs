//! Two processes of the API over one store: names stay unique, and nothing refers to what is gone,
//! however their requests meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_core::model::PolicySource;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::world::World;

/// Requests that are made at once.
const AT_ONCE: usize = 50;

struct Processes([World; 2]);

impl Processes {
    /// Two processes whose operations take different times in each round.
    async fn new(round: u64) -> Self {
        let first = World::new().await;
        let second = first.sibling();
        for (world, seed) in [(&first, 1), (&second, 2)] {
            let dice = (round * 2 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            world.faults.slowness.store(dice, Ordering::SeqCst);
        }
        Self([first, second])
    }

    fn one(&self) -> &World {
        &self.0[0]
    }

    /// Sends a request many times at once to both. Gives how often each status was answered.
    async fn all(&self, method: Method, path: &str, body: &Value) -> BTreeMap<u16, usize> {
        let calls = (0..AT_ONCE).map(|number| {
            let world = &self.0[number % 2];
            world.call_with(method.clone(), path, &[], Some(body))
        });
        let mut statuses = BTreeMap::new();
        for answer in join_all(calls).await {
            *statuses.entry(answer.status).or_default() += 1;
        }
        statuses
    }

    /// Nothing may follow a policy, or be on an engine, that is not there.
    async fn refer_to_nothing_gone(&self, context: &str) {
        let repositories = &self.one().installation.repositories;
        let policies = repositories.policies.list().await.unwrap().items;
        let policies: BTreeSet<_> = policies.into_iter().map(|row| row.value.id).collect();
        let engines = repositories.engines.list().await.unwrap().items;
        for engine in &engines {
            let followed = engine.value.policy_id.iter();
            assert!(
                followed.into_iter().all(|id| policies.contains(id)),
                "{context}"
            );
        }
        let engines: BTreeSet<_> = engines.into_iter().map(|row| row.value.id).collect();
        for database in repositories.databases.list().await.unwrap().items {
            let database = database.value;
            assert!(engines.contains(&database.engine_id), "{context}");
            if let PolicySource::Own(id) = &database.policy {
                assert!(policies.contains(id), "{context}: {id}");
            }
        }
    }
}

fn once(status: u16) -> BTreeMap<u16, usize> {
    BTreeMap::from([(201, 1), (status, AT_ONCE - 1)])
}

fn new_policy(name: &str) -> Value {
    json!({ "name": name, "daily": { "enabled": true, "keep_count": 3 } })
}

#[tokio::test]
async fn an_address_is_registered_once() {
    let both = Processes::new(1).await;
    let body = json!({
        "name": "one", "engine_type": "mysql", "host": "one", "username": "u", "password": "p",
    });
    let statuses = both.all(Method::POST, "/api/engines", &body).await;
    assert_eq!(statuses, once(400));
    let engines = both.one().get("/api/engines").await.expect(200);
    assert_eq!(engines["total"], json!(1));
    assert_eq!(both.one().passwords().await, 1);
}

#[tokio::test]
async fn a_database_of_an_engine_is_registered_once() {
    let both = Processes::new(2).await;
    let engine = engine(both.one(), "mysql", "one").await;
    let body = json!({ "engine_id": engine, "database": { "name": "shop" } });
    let statuses = both.all(Method::POST, "/api/databases", &body).await;
    assert_eq!(statuses, once(400));
}

#[tokio::test]
async fn the_name_of_a_policy_is_given_once() {
    let both = Processes::new(3).await;
    let ours = new_policy("Ours");
    let statuses = both.all(Method::POST, "/api/backup-policies", &ours).await;
    assert_eq!(statuses, once(409));
    for round in 0..6 {
        for name in ["First", "Second"] {
            both.one()
                .post("/api/backup-policies", &new_policy(name))
                .await
                .expect(201);
        }
        let name = json!({ "name": format!("Third {round}") });
        let (first, second) = tokio::join!(
            both.0[0].put("/api/backup-policies/first", &name),
            both.0[1].put("/api/backup-policies/second", &name),
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "round {round}");
        for id in ["first", "second"] {
            both.one()
                .delete(&format!("/api/backup-policies/{id}"))
                .await
                .expect(200);
        }
    }
}

#[tokio::test]
async fn a_policy_is_not_deleted_in_one_process_while_another_lets_a_database_follow_it() {
    let both = Processes::new(4).await;
    let engine = engine(both.one(), "mysql", "one").await;
    let mut winners = BTreeMap::new();
    for round in 0..24 {
        both.one()
            .post("/api/backup-policies", &new_policy("Ours"))
            .await
            .expect(201);
        let body = json!({ "engine_id": engine, "database": {
            "name": format!("shop-{round}"), "policy_id": "ours" } });
        let (here, there) = (&both.0[round % 2], &both.0[(round + 1) % 2]);
        let follow = here.post("/api/databases", &body);
        let delete = there.delete("/api/backup-policies/ours");
        // Each of them begins in half of the rounds.
        let (followed, deleted) = if round % 4 < 2 {
            tokio::join!(follow, delete)
        } else {
            let (deleted, followed) = tokio::join!(delete, follow);
            (followed, deleted)
        };
        both.refer_to_nothing_gone(&format!("round {round}")).await;
        assert_ne!(
            followed.status == 201,
            deleted.status == 200,
            "round {round}"
        );
        *winners.entry(followed.status == 201).or_insert(0) += 1;
        if followed.status == 201 {
            let path = format!("/api/databases/{}", id(&followed.body["database"]));
            both.one().delete(&path).await.expect(200);
            both.one()
                .delete("/api/backup-policies/ours")
                .await
                .expect(200);
        }
    }
    assert_eq!(winners.len(), 2, "both came about: {winners:?}");
}

#[tokio::test]
async fn an_engine_is_not_removed_in_one_process_while_another_registers_a_database_on_it() {
    let both = Processes::new(5).await;
    for round in 0..16 {
        let engine = engine(both.one(), "mysql", &format!("host-{round}")).await;
        database(both.one(), &engine, "first").await;
        let body = json!({ "engine_id": engine, "database": { "name": "second" } });
        let (here, there) = (&both.0[round % 2], &both.0[(round + 1) % 2]);
        let path = format!("/api/engines/{engine}?delete_databases=true");
        let (registered, removed) =
            tokio::join!(here.post("/api/databases", &body), there.delete(&path),);
        both.refer_to_nothing_gone(&format!("round {round}")).await;
        assert_eq!(removed.status, 200, "{}", removed.body);
        let status = registered.status;
        assert!([201, 400, 422].contains(&status), "{}", registered.body);
    }
    let databases = both.one().get("/api/databases").await.expect(200);
    assert_eq!(databases["total"], json!(0));
}
