//! A slice of the proof, and proofs that the simulation itself can be trusted: a seed is one run,
//! and a defect is found.
#![cfg(test)]

use std::num::NonZeroUsize;

use dilux_simulation::campaign::Campaign;
use dilux_simulation::{Defect, run};

/// Seeds of the slice, some ten minutes of two cores. `scripts/prove fault-schedules` runs many
/// more.
const SEEDS: u64 = 2_000;
/// The first of them.
const FIRST: u64 = 1_001;
/// Seeds within which any defect must show.
const PATIENCE: u64 = 12;

#[test]
fn thousands_of_schedules_of_faults_break_no_rule() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let campaign = Campaign {
        from: FIRST,
        seeds: SEEDS,
        threads: cores,
    };
    let summary = campaign.run(&|_| {})?;
    let failed: Vec<String> = summary
        .failed
        .iter()
        .map(|outcome| format!("seed {}: {}", outcome.seed, outcome.violations.join("; ")))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {SEEDS} seeds break a rule; replay one with\n\
         cargo run -p dilux-simulation -- --replay SEED\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(summary.deaths > SEEDS, "processes died all the time");
    assert!(summary.completed > SEEDS * 20, "backups were made");
    assert!(summary.deleted > SEEDS * 5, "and expired");
    assert!(summary.restored > SEEDS, "and were restored");
    assert!(summary.verified > SEEDS, "and verified");
    assert!(summary.damaged > SEEDS / 10, "and found damaged");
    Ok(())
}

#[test]
fn a_seed_is_one_run_on_any_thread() -> anyhow::Result<()> {
    for seed in [1, 7, 77_777] {
        let here = run(seed, None)?;
        let there = std::thread::spawn(move || run(seed, None)).join();
        let there = there.map_err(|_| anyhow::anyhow!("the run panicked"))??;
        assert_eq!(here, there);
        assert_ne!(here.hash, run(seed + 1, None)?.hash);
    }
    Ok(())
}

#[test]
fn each_defect_is_noticed() -> anyhow::Result<()> {
    for defect in Defect::ALL {
        let mut found = None;
        for seed in 1..=PATIENCE {
            if !run(seed, Some(defect))?.violations.is_empty() {
                found = Some(seed);
                break;
            }
        }
        assert!(
            found.is_some(),
            "{defect:?} stays unseen in {PATIENCE} seeds"
        );
    }
    Ok(())
}
