//! A service dies as by `kill -9` at each named point. After a restart nothing is lost, doubled,
//! falsely green or stuck.
//!
//! With `DILUX_PROVE_ALL` at the first, a middle and the last time that it comes by, as a run in
//! which nobody dies counts them; else at the first.
#![cfg(test)]

mod processor;
mod scenes;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dilux_core::crash::{EXPIRY_POINTS, OTHER_POINTS, POINTS};
use dilux_journeys::{Sample, in_lanes, proves_all};

use scenes::Scene;
use stage::Fate;

/// Installations at a time; their cases mostly wait for leases.
const LANES: usize = 3;

/// How often a scene does its thing in the long form.
const TIMES: usize = 3;

/// A death in a scene.
struct Case {
    scene: Scene,
    point: &'static str,
    hit: u64,
}

/// The first, a middle and the last of so many hits; one that is two of these counts once.
fn hits_to_try(count: u64) -> BTreeSet<u64> {
    BTreeSet::from([1, count.div_ceil(2), count])
}

/// Plays every scene with nobody dying, to see how often it passes which point.
async fn learned(sample: &Arc<Sample>) -> Vec<Case> {
    let cases = Mutex::new(Vec::new());
    in_lanes(LANES, Scene::ALL, async |next| {
        while let Some(scene) = next() {
            let passed = scene.play(sample.clone(), TIMES, Fate::Noted).await;
            let mut hits: BTreeMap<&str, u64> = BTreeMap::new();
            for point in &passed {
                *hits.entry(point).or_default() += 1;
            }
            println!("{scene:?}: {hits:?}");
            for point in scene.points() {
                let count = hits.get(point).copied().unwrap_or(0);
                assert!(count > 0, "{scene:?} never comes to {point}");
                let case = |hit| Case { scene, point, hit };
                let new = hits_to_try(count).into_iter().map(case);
                cases.lock().unwrap().extend(new);
            }
        }
    })
    .await;
    cases.into_inner().unwrap()
}

/// Each point once. The processor's own have a sweep on both stores, which restores as well.
fn first_hits() -> Vec<Case> {
    let scenes = Scene::ALL.into_iter();
    let scenes = scenes.filter(|scene| *scene != Scene::Backups);
    scenes
        .flat_map(|scene| {
            let points = scene.points().iter();
            points.map(move |point| Case {
                scene,
                point,
                hit: 1,
            })
        })
        .collect()
}

#[test]
fn every_named_point_has_a_scene() {
    let named: BTreeSet<&str> = [POINTS, OTHER_POINTS, EXPIRY_POINTS]
        .concat()
        .into_iter()
        .collect();
    assert!(named.len() >= 40);
    let played: BTreeSet<&str> = Scene::ALL
        .iter()
        .flat_map(|scene| scene.points())
        .copied()
        .collect();
    assert_eq!(played, named);
}

#[tokio::test]
async fn nothing_is_lost_doubled_false_or_stuck_whoever_dies_at_any_point() {
    let sample = Arc::new(Sample::postgresql().unwrap());
    for number in 1..=TIMES {
        let sql = format!("CREATE DATABASE shop_{number} TEMPLATE shop");
        sample.execute("postgres", &sql).unwrap();
    }
    let (times, cases) = if proves_all() {
        (TIMES, learned(&sample).await)
    } else {
        (1, first_hits())
    };
    let count = cases.len();
    in_lanes(LANES, cases, async |next| {
        while let Some(Case { scene, point, hit }) = next() {
            let started = Instant::now();
            let fate = Fate::Death(point, hit);
            scene.play(sample.clone(), times, fate).await;
            println!("{scene:?} {point}:{hit}: {:.1?}", started.elapsed());
        }
    })
    .await;
    println!("cases={count} failures=0");
}
