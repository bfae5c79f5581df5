//! `dilux schedule`: when a database is backed up next and what became of its last slots, without
//! the API.

use clap::{Args, Subcommand};
use dilux_core::config::Settings;
use dilux_core::installation::Installation;
use dilux_core::model::{DatabaseId, PolicyZone};
use dilux_core::repository::Miss;
use dilux_core::storage::Profile;
use dilux_core::timetable::{TierTimetable, Timetable};
use jiff::Timestamp;

use crate::columns::{aligned, utc};

/// When databases are backed up, and why.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say when a database is backed up next, what became of its last slots, and why.
    Explain {
        /// Id of the database.
        database: DatabaseId,
    },
}

#[expect(
    clippy::print_stdout,
    reason = "the answer is what this command is for"
)]
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Explain { database } = arguments.command;
    let settings = Settings::from_environment()?;
    let installation = Installation::open(settings, Profile::Interactive)?;
    installation.prepare().await?;
    let timetable = Timetable::read(&installation, &database).await?;
    println!("{}", describe(&timetable));
    Ok(())
}

/// Whose timetable it is, a table of its tiers, and the slots that were missed.
fn describe(timetable: &Timetable) -> String {
    let (database, policy) = (&timetable.database, &timetable.policy);
    let zone = policy.timing.zone();
    let mut lines = vec![format!(
        "{} ({}) follows policy '{}' on the clocks of {zone}",
        database.id, database.label, policy.id
    )];
    lines.extend(timetable.policy_note.clone());
    if !database.enabled {
        lines.push("it is disabled: the scheduler does not back it up".to_owned());
    }
    let next = format!("next ({zone})");
    let head = [
        "tier",
        &next,
        "next (UTC)",
        "last slot (UTC)",
        "result",
        "reason",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let is_enabled = |tier: &&TierTimetable| policy.rule(tier.tier).is_some();
    let tiers = timetable.tiers.iter().filter(is_enabled);
    rows.extend(tiers.map(|tier| row(tier, zone)));
    lines.push(String::new());
    lines.extend(aligned(&rows));
    if !timetable.misses.is_empty() {
        lines.push("\nslots without a backup, newest first:".to_owned());
    }
    lines.extend(timetable.misses.iter().map(missed));
    lines.join("\n")
}

fn missed(miss: &Miss) -> String {
    let slots = &miss.slots;
    format!(
        "  {} × {}, {} to {}: {}",
        slots.count,
        slots.tier,
        utc(slots.first),
        utc(slots.last),
        slots.reason
    )
}

fn row(tier: &TierTimetable, zone: &PolicyZone) -> [String; 6] {
    let nothing = || "–".to_owned();
    let next = tier.next.first().copied();
    let state = tier.state.as_ref();
    let local = |at: Timestamp| {
        let local = at.to_zoned(zone.rules().clone());
        local.strftime("%Y-%m-%d %H:%M %:z").to_string()
    };
    let result = state.filter(|state| state.job.is_some());
    let reason = state.map(|state| state.reason.clone());
    [
        tier.tier.to_string(),
        next.map_or_else(nothing, local),
        next.map_or_else(nothing, utc),
        state.map_or_else(nothing, |state| utc(state.last_slot)),
        result.map_or_else(nothing, |state| state.outcome.as_str().to_owned()),
        reason
            .filter(|reason| !reason.is_empty())
            .unwrap_or_else(nothing),
    ]
}

#[cfg(test)]
mod tests;
