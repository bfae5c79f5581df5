//! The retention planner against a naive model: a slice of `scripts/prove retention-oracle`.
#![cfg(test)]

use dilux_core::model::KeepCount;
use dilux_core::retention::{
    Candidate, Decision, KeepReason, Plan, Rules, Soundness, Standing, Verdict, plan,
};
use dilux_testkit::retention_oracle::{Planner, Tally, run_case};
use jiff::Timestamp;

/// Histories of the slice.
const CASES: u64 = 8_000;

/// Histories in which each faulty planner must be caught.
const FAULTY_CASES: u64 = 1_000;

#[test]
fn planner_agrees_with_the_naive_model() {
    let mut tally = Tally::default();
    for seed in 0..CASES {
        if let Err(failure) = run_case(plan, seed, &mut tally) {
            panic!("{failure}");
        }
    }
    assert_eq!(tally.cases, CASES);
    assert!(tally.expired > CASES, "{tally:?}");
    assert!(tally.protected > CASES, "{tally:?}");
}

/// `plan` after `spoil` had its way with the input.
fn spoiled(
    candidates: &[Candidate],
    rules: &Rules,
    now: Timestamp,
    spoil: impl Fn(&mut Vec<Candidate>, &mut Rules),
) -> Plan {
    let (mut candidates, mut rules) = (candidates.to_vec(), rules.clone());
    spoil(&mut candidates, &mut rules);
    plan(&candidates, &rules, now)
}

fn keeps_one_fewer(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    spoiled(candidates, rules, now, |_, rules| {
        if let Standing::Registered(tiers) = &mut rules.standing {
            for rule in tiers {
                let fewer = i64::from(rule.keep.get()) - 1;
                rule.keep = KeepCount::new(fewer.max(1)).unwrap();
            }
        }
    })
}

fn counts_pinned(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    let mut plan = spoiled(candidates, rules, now, |candidates, _| {
        for candidate in candidates {
            candidate.is_pinned = false;
        }
    });
    restore(&mut plan, candidates, |candidate| candidate.is_pinned);
    plan
}

fn counts_unsound(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    let mut plan = spoiled(candidates, rules, now, |candidates, _| {
        for candidate in candidates {
            if candidate.soundness == Soundness::Unsound {
                candidate.soundness = Soundness::Unverified;
            }
        }
    });
    restore(&mut plan, candidates, |candidate| !candidate.is_sound());
    plan
}

/// Keeps what `which` says after all: only how it is counted stays wrong.
fn restore(plan: &mut Plan, candidates: &[Candidate], which: impl Fn(&Candidate) -> bool) {
    for decision in &mut plan.decisions {
        let is_meant = candidates
            .iter()
            .any(|candidate| candidate.id == decision.id && which(candidate));
        if is_meant && matches!(decision.verdict, Verdict::Expire(_)) {
            decision.verdict = Verdict::Keep(vec![KeepReason::Pinned]);
        }
    }
}

fn forgets_holds(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    spoiled(candidates, rules, now, |candidates, _| {
        for candidate in candidates {
            candidate.is_held = false;
        }
    })
}

fn ignores_verification(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    spoiled(candidates, rules, now, |candidates, _| {
        for candidate in candidates {
            if candidate.soundness == Soundness::Verified {
                candidate.soundness = Soundness::Unverified;
            }
        }
    })
}

fn ignores_the_minimum(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    spoiled(candidates, rules, now, |_, rules| rules.minimum = 0)
}

fn keeps_manual_ones_a_day_less(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    spoiled(candidates, rules, now, |_, rules| rules.outside_days -= 1)
}

/// Depends on the order of its input: the first of each tie counts as the newest.
fn breaks_ties_by_order(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    let renamed: Vec<Candidate> = candidates
        .iter()
        .enumerate()
        .map(|(place, candidate)| Candidate {
            id: format!("{:03}", 999 - place).parse().unwrap(),
            ..candidate.clone()
        })
        .collect();
    let mut plan = plan(&renamed, rules, now);
    for Decision { id, .. } in &mut plan.decisions {
        let place = renamed.iter().position(|candidate| candidate.id == *id);
        *id = candidates[place.unwrap()].id.clone();
    }
    plan
}

fn keeps_all(candidates: &[Candidate], rules: &Rules, now: Timestamp) -> Plan {
    let mut plan = plan(candidates, rules, now);
    restore(&mut plan, candidates, |_| true);
    plan
}

#[test]
fn every_faulty_planner_is_caught() {
    let faulty: [(&str, Planner); 9] = [
        ("keeps one fewer", keeps_one_fewer),
        ("counts pinned ones", counts_pinned),
        ("counts unsound ones", counts_unsound),
        ("forgets holds", forgets_holds),
        ("ignores verification", ignores_verification),
        ("ignores the minimum", ignores_the_minimum),
        ("keeps manual ones a day less", keeps_manual_ones_a_day_less),
        ("breaks ties by order", breaks_ties_by_order),
        ("keeps all", keeps_all),
    ];
    for (name, planner) in faulty {
        let mut tally = Tally::default();
        let caught = (0..FAULTY_CASES).any(|seed| run_case(planner, seed, &mut tally).is_err());
        assert!(caught, "the planner that {name} passed");
    }
}
