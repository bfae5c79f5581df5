use super::*;

const NOW: &str = "2026-03-10T02:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn job() -> JobId {
    JobId::derive(&"db-001".parse().unwrap(), "restore")
}

fn mark() -> Mark {
    Mark {
        at: now(),
        by: "anna@example.org".to_owned(),
        note: None,
    }
}

fn state() -> RetentionState {
    RetentionState::untouched("db-001".parse().unwrap(), "backup-1".parse().unwrap())
}

fn buried(deletes_after: Timestamp) -> RetentionState {
    let tombstone = Tombstone {
        set_at: now(),
        deletes_after,
        reason: "tier_full".to_owned(),
        sentence: "7 newer daily backups are kept".to_owned(),
    };
    state().bury(tombstone).unwrap()
}

fn deletion() -> Deletion {
    Deletion {
        since: now(),
        reason: "tier_full".to_owned(),
        sentence: "7 newer daily backups are kept".to_owned(),
        booked_at: now(),
        container: "backups".to_owned(),
        blob: "mysql/db-001/x.sql".to_owned(),
    }
}

#[test]
fn backup_goes_only_after_its_grace_period() {
    let early = buried(now() + SignedDuration::from_secs(1));
    assert!(early.begin_deletion(deletion(), |_| None).is_err());
    assert!(state().begin_deletion(deletion(), |_| None).is_err());
    let due = buried(now()).begin_deletion(deletion(), |_| None).unwrap();
    assert_eq!(due.fate, Fate::Deleting(deletion()));
    assert_eq!(due.finish_deletion().fate, Fate::Deleted(deletion()));
}

#[test]
fn pin_hold_and_undelete_take_a_tombstone_back() {
    for back in [
        buried(now()).pin(mark()),
        buried(now()).hold(mark()),
        buried(now()).undelete(mark()),
    ] {
        let back = back.unwrap();
        assert_eq!(back.fate, Fate::Kept);
        assert!(back.pin.is_some() || back.hold.is_some());
    }
    assert!(state().undelete(mark()).is_err());
}

#[test]
fn pinned_or_held_backup_cannot_be_buried_or_deleted() {
    let pinned = state().pin(mark()).unwrap();
    let held = state().hold(mark()).unwrap();
    for protected in [pinned, held] {
        let Fate::Tombstoned(tombstone) = buried(now()).fate else {
            panic!("not buried");
        };
        assert!(protected.clone().bury(tombstone.clone()).is_err());
        let forced = RetentionState {
            fate: Fate::Tombstoned(tombstone),
            ..protected
        };
        assert!(forced.begin_deletion(deletion(), |_| None).is_err());
    }
}

#[test]
fn leases_block_a_deletion_while_they_live() {
    let downloading = buried(now())
        .lease_download(now() + SignedDuration::from_secs(1))
        .unwrap();
    assert!(downloading.begin_deletion(deletion(), |_| None).is_err());
    let done = buried(now()).lease_download(now()).unwrap();
    assert!(done.begin_deletion(deletion(), |_| None).is_ok());

    let lease = RestoreLease {
        job: job(),
        since: now() - SignedDuration::from_hours(1),
    };
    let restoring = buried(now()).lease_restore(lease).unwrap();
    let begin = |is_over| restoring.clone().begin_deletion(deletion(), |_| is_over);
    assert!(begin(Some(false)).is_err());
    assert!(begin(Some(true)).is_ok());
    assert!(begin(None).is_ok(), "a job that was never booked");
    let fresh = RestoreLease {
        job: job(),
        since: now(),
    };
    let booking = buried(now()).lease_restore(fresh).unwrap();
    assert!(booking.begin_deletion(deletion(), |_| None).is_err());
}

#[test]
fn nothing_takes_a_begun_deletion_back() {
    let going = buried(now()).begin_deletion(deletion(), |_| None).unwrap();
    for going in [going.clone(), going.finish_deletion()] {
        assert!(going.clone().pin(mark()).is_err());
        assert!(going.clone().hold(mark()).is_err());
        assert!(going.clone().undelete(mark()).is_err());
        assert!(going.clone().withdraw().is_err());
        assert!(going.clone().lease_download(now()).is_err());
        let lease = RestoreLease {
            job: job(),
            since: now(),
        };
        assert!(going.lease_restore(lease).is_err());
    }
}
