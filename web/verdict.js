// What the answers of the API mean: pure functions, without the page. When in doubt nothing is good.

import { plural } from "./format.js";

const STANDINGS = {
  breached: { key: "breached", level: "bad", word: "Breached", rank: 0 },
  empty: { key: "empty", level: "warning", word: "No backup yet", rank: 1 },
  at_risk: { key: "atRisk", level: "warning", word: "At risk", rank: 2 },
  unknown: { key: "noObjective", level: "neutral", word: "No objective", rank: 3 },
  met: { key: "met", level: "good", word: "Met", rank: 4 },
};

const BACKUPS = {
  pending: { level: "busy", word: "Waiting" },
  in_progress: { level: "busy", word: "Running" },
  failed: { level: "bad", word: "Failed" },
  missed: { level: "bad", word: "Missed" },
  damaged: { level: "bad", word: "Damaged" },
  cancelled: { level: "neutral", word: "Cancelled" },
  deleted: { level: "neutral", word: "Deleted" },
};

export const SEVERITIES = {
  critical: { level: "bad", word: "Critical" },
  warning: { level: "warning", word: "Warning" },
};

// How a database stands at this instant: time passes also while nothing is read anew. Before the first
// backup an objective may be met, and still there is nothing to restore.
export function standingOf(database, now) {
  const rpo = database.rpo ?? {};
  let state = rpo.state;
  if (state === "met" && Date.parse(rpo.at_risk_from) <= now) state = "at_risk";
  if (state === "at_risk" && Date.parse(rpo.breached_from) <= now) state = "breached";
  if (!rpo.recovery_point && (state === "met" || state === "at_risk")) state = "empty";
  return STANDINGS[state] ?? { ...STANDINGS.unknown, word: String(state ?? "Unknown") };
}

// "Made" and "made, and read again to its end" are two things: one word for both would promise too much.
export function backupState(backup) {
  if (backup.state !== "completed") {
    return BACKUPS[backup.state] ?? { level: "neutral", word: String(backup.state) };
  }
  if (backup.retention?.verification_failed_at) return BACKUPS.damaged;
  if (backup.retention?.verified_at) return { level: "good", word: "Verified" };
  return { level: "neutral", word: "Completed, not verified" };
}

// The one sentence that matters, and the reasons. Each source is { data, error }.
export function verdictOf(sources, now) {
  const silent = Object.values(sources).find((source) => source.error);
  const { databases, alerts, components, health, status } = sources;
  const reasons = [
    ...reasonsOfProcesses(components.data, health.data, status.data),
    ...reasonsOfRows([databases.data, alerts.data, components.data]),
  ];
  const open = (alerts.data?.alerts ?? []).filter((alert) => alert.status === "open");
  const critical = open.filter((alert) => alert.severity === "critical");
  const warnings = open.filter((alert) => alert.severity !== "critical");
  const counts = count(databases.data?.databases ?? [], now);
  let verdict = verdictOfDatabases(counts);
  if (counts.noObjective > 0 && counts.noObjective < counts.total) {
    const which = plural(counts.noObjective, "database has no objective", "databases have no objective");
    reasons.push({ level: "neutral", text: `${which}: nothing says how old a backup may become` });
  }
  if (counts.total > 0 && verdict.level !== "bad") {
    const worst = reasons.find((reason) => reason.level === "bad");
    if (critical.length > 0) {
      const which = plural(critical.length, "critical alert");
      verdict = { level: "bad", title: `${which} to act on` };
    } else if (worst) {
      verdict = { level: "bad", title: "Backups are at risk" };
    } else if (verdict.level === "good" && (warnings.length > 0 || reasons.some((reason) => reason.level === "warning"))) {
      verdict = { level: "warning", title: `${verdict.title}, with warnings` };
    }
  }
  if (silent) verdict = { level: "unknown", title: "The present state is not known" };
  return { ...verdict, reasons, counts };
}

function count(databases, now) {
  const counts = { total: databases.length, breached: 0, atRisk: 0, empty: 0, met: 0, noObjective: 0 };
  for (const database of databases) counts[standingOf(database, now).key] += 1;
  return counts;
}

function verdictOfDatabases({ total, breached, atRisk, empty, met, noObjective }) {
  if (total === 0) return { level: "neutral", title: "Nothing is backed up yet" };
  if (breached > 0) {
    const is = breached === 1 ? "is" : "are";
    return { level: "bad", title: `${breached} of ${plural(total, "database")} ${is} not protected` };
  }
  if (empty > 0) {
    return { level: "warning", title: `${plural(empty, "database has", "databases have")} no backup yet` };
  }
  if (atRisk > 0) {
    return { level: "warning", title: `${plural(atRisk, "database is", "databases are")} at risk` };
  }
  if (noObjective === total) return { level: "neutral", title: "No database has an objective" };
  if (met === 1) return { level: "good", title: "The database is protected" };
  return { level: "good", title: `All ${met} databases are protected` };
}

const MISSING = {
  scheduler: "No scheduler lives: no backup is planned",
  processor: "No processor lives: no backup is made",
  api: "No API notes that it lives",
};

function reasonsOfProcesses(components, health, status) {
  const missing = (components?.missing ?? []).map((kind) => ({
    level: kind === "api" ? "warning" : "bad",
    text: MISSING[kind] ?? `No ${kind} lives`,
  }));
  const store = status?.services?.storage;
  if (store && store.status !== "healthy") missing.push({ level: "bad", text: `Storage: ${store.message}` });
  // A report of a scheduler that fell silent says nothing about now.
  if (health?.is_stale && !components?.missing?.includes("scheduler")) {
    missing.push({ level: "bad", text: health.message });
  } else if (!health?.is_stale) {
    for (const check of health?.report?.checks ?? []) {
      // What databases and jobs look like is told afresh on this page.
      if (check.status === "healthy" || ["databases", "backups", "jobs", "dead_letters"].includes(check.name)) continue;
      const level = check.status === "unhealthy" ? "bad" : "warning";
      missing.push({ level, text: check.message });
    }
  }
  return missing;
}

function reasonsOfRows(lists) {
  const rows = lists.reduce((sum, list) => sum + (list?.damaged?.length ?? 0), 0);
  if (rows === 0) return [];
  const which = plural(rows, "row of the store", "rows of the store");
  return [{ level: "warning", text: `${which} cannot be read: what ${rows === 1 ? "it stands" : "they stand"} for is missing here` }];
}
