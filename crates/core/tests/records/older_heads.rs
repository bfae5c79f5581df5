//! Older heads of past days, put back together with the loss of what was appended after them.

use dilux_core::repository::AuditFinding;

use crate::tampering::{DAYS, Forgery, days_in_turn, sequence, write};
use crate::world::entry;

#[tokio::test]
async fn an_older_head_of_a_past_day_does_not_hide_that_later_entries_were_cut_off() {
    let (world, heads) = days_in_turn().await;
    let genuine = Forgery::of(&world.rows().await);
    // What comes late makes a past day longer, and is no finding.
    for day in DAYS {
        let late = entry(&format!("late-{day}"), &format!("{day}T23:00:00Z"));
        world.repositories.audit.append(&late).await.unwrap();
    }
    world.is_sound(24).await;
    for head in heads {
        let day = head.key.partition.clone();
        let kept = sequence(&head);
        let mut rows = genuine.rows.clone();
        for row in genuine.chain(&day) {
            if sequence(&row) > kept {
                rows.remove(&row.key);
            }
        }
        rows.insert(head.key.clone(), head);
        write(&world, &rows).await;
        let verdict = world.repositories.audit.verify(None).await.unwrap();
        // Of the newest day nothing but a checkpoint tells.
        let expected: Vec<_> = if kept == 5 || day == DAYS[3] {
            Vec::new()
        } else {
            let lost = (kept + 1)..=5;
            let lost = lost.map(|place| (day.clone(), place));
            lost.collect()
        };
        let missing: Vec<_> = verdict
            .findings
            .iter()
            .filter_map(|finding| match finding {
                AuditFinding::Missing { day, sequence, .. } => Some((day.clone(), *sequence)),
                _ => None,
            })
            .collect();
        assert_eq!(missing, expected, "{day} cut to {kept}: {verdict:?}");
        let head = AuditFinding::Head(day.clone());
        assert_eq!(
            verdict.findings.contains(&head),
            !expected.is_empty(),
            "{day} cut to {kept}: {verdict:?}"
        );
    }
}

#[tokio::test]
async fn a_cut_off_day_that_writers_append_to_again_stays_known() {
    let (world, heads) = days_in_turn().await;
    let mut rows = Forgery::of(&world.rows().await);
    let day = DAYS[1];
    let mut heads = heads.into_iter();
    let head = heads.find(|head| head.key.partition == day && sequence(head) == 3);
    let head = head.unwrap();
    for row in rows.chain(day).into_iter().skip(3) {
        rows.rows.remove(&row.key);
    }
    rows.rows.insert(head.key.clone(), head);
    write(&world, &rows.rows).await;
    let audit = world.process().audit;
    for number in 0..4 {
        let later = entry(&format!("later-{number}"), &format!("{day}T22:00:00Z"));
        audit.append(&later).await.unwrap();
        let verdict = audit.verify(None).await.unwrap();
        let head = AuditFinding::Head(day.to_owned());
        assert!(verdict.findings.contains(&head), "{verdict:?}");
    }
}
