// The parts of the overview, each from what the API answered.

import { badge, el, icon, table } from "./dom.js";
import { length, minutes, now, plural, sentence, size, time } from "./format.js";
import { SEVERITIES, backupState, standingOf } from "./verdict.js";

const KINDS = { api: "API", scheduler: "Scheduler", processor: "Processor" };
const TYPES = { postgresql: "PostgreSQL", mysql: "MySQL", sqlserver: "SQL Server" };

// What the state says already.
const NO_BACKUP = "there is no good backup yet";

function section(id, title, note, ...content) {
  const head = el("div", { class: "head" }, el("h2", { id: `${id}-title` }, title), note && el("p", {}, note));
  return el("section", { id, class: "card", "aria-labelledby": `${id}-title` }, head, content);
}

export function headline({ level, title, reasons }) {
  const list = reasons.map((reason) => el("li", { class: reason.level }, icon(reason.level), el("span", {}, sentence(reason.text))));
  return el(
    "section",
    { id: "verdict", class: `verdict ${level}`, "aria-labelledby": "verdict-title" },
    el("span", { class: "sign" }, icon(level === "unknown" ? "busy" : level)),
    el("div", {}, el("h1", { id: "verdict-title" }, title), list.length > 0 && el("ul", {}, list)),
  );
}

function figure(label, value, note, level) {
  return el("div", { class: "figure" }, el("dt", {}, label), el("dd", { class: level }, value), el("dd", { class: "note" }, note));
}

export function figures(status, alerts, counts) {
  const { backups, storage } = status;
  const open = alerts.alerts.filter((alert) => alert.status === "open").length;
  const known = alerts.alerts.length - open;
  const isCritical = alerts.alerts.some((alert) => alert.status === "open" && alert.severity === "critical");
  const rate = backups.success_rate == null ? "none was due" : `${backups.success_rate} % succeeded`;
  return el(
    "dl",
    { id: "figures", class: "figures" },
    figure("Databases protected", `${counts.met} of ${counts.total}`, worst(counts)),
    figure("Backups in 24 hours", String(backups.completed), backups.failed ? `${backups.failed} failed or missed` : rate),
    figure("Stored", size(storage.total_size_bytes), plural(storage.backup_count, "backup")),
    figure("Alerts", String(open), known ? `and ${known} acknowledged` : open ? "to act on" : "nothing to act on", isCritical ? "bad" : open ? "warning" : ""),
  );
}

function worst({ total, breached, empty, atRisk, noObjective }) {
  const parts = [
    [breached, "breached"],
    [empty, "without backup"],
    [atRisk, "at risk"],
    [noObjective, "without objective"],
  ];
  const present = parts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  return present.join(", ") || (total ? "objective met" : "none is registered");
}

export function alertList({ alerts }) {
  const rank = (alert) => (alert.status === "open" ? 0 : 2) + (alert.severity === "critical" ? 0 : 1);
  const items = alerts.toSorted((one, other) => rank(one) - rank(other)).map((alert) => {
    const { level, word } = SEVERITIES[alert.severity] ?? { level: "warning", word: alert.severity };
    const isOpen = alert.status === "open";
    const who = alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : "";
    return el(
      "li",
      { class: isOpen ? "" : "known" },
      badge(isOpen ? level : "neutral", word),
      el(
        "div",
        {},
        el("strong", {}, alert.subject.name),
        el("p", {}, sentence(alert.message)),
        el(
          "p",
          { class: "note" },
          "since ",
          time(alert.since),
          alert.acknowledged_at && [" · acknowledged", who, " ", time(alert.acknowledged_at, { isRelative: false })],
          alert.note && ` · “${alert.note}”`,
        ),
      ),
    );
  });
  return section("alerts", "Alerts", null, el("ul", { class: "alerts" }, items));
}

// Those that are not protected first; within, those whose time runs out first.
export function inOrder(databases) {
  const at = (database) => Date.parse(database.rpo?.breached_from ?? "") || Infinity;
  const rank = (database) => standingOf(database, now()).rank;
  return databases.toSorted(
    (one, other) => rank(one) - rank(other) || at(one) - at(other) || one.name.localeCompare(other.name),
  );
}

export function databaseTable({ databases, total }, { shown, nextRuns, showAll }) {
  const rows = shown.map((database) => {
    const standing = standingOf(database, now());
    const needsReason = standing.level !== "good" && database.rpo?.reason !== NO_BACKUP;
    const place = `${database.database_name} on ${database.engine_name} · ${TYPES[database.database_type] ?? database.database_type}`;
    return [
      [badge(standing.level, standing.word), objective(database)],
      el(
        "div",
        { class: "name" },
        el("strong", {}, database.name),
        el("span", { class: "note" }, place),
        needsReason && el("span", { class: "reason" }, sentence(database.rpo?.reason ?? "")),
      ),
      time(database.rpo?.recovery_point),
      nextRun(database, nextRuns.get(database.id)?.at),
    ];
  });
  const heads = ["Objective", "Database", "Protected up to", "Next backup"];
  const more = shown.length < databases.length && el("button", { id: "show-all", class: "quiet", click: showAll }, `Show all ${total}`);
  return section("databases", "Databases", "Those that are not protected come first.", table("Databases", heads, rows), more);
}

function objective({ rpo }) {
  const most = rpo?.objective_minutes;
  const title = "How old the newest good backup may be";
  return most != null && el("span", { class: "note", title }, `${minutes(most)} at most`);
}

function nextRun(database, next) {
  if (!database.enabled) return el("span", { class: "none" }, "switched off");
  if (next === undefined) return el("span", { class: "none" }, "…");
  return next ? time(next) : el("span", { class: "none" }, "none is planned");
}

export function backupTable({ backups }) {
  const rows = backups.map((backup) => {
    const state = backupState(backup);
    const failure = backup.error_message ?? (state.level === "bad" ? backup.retention?.text : null);
    return [
      badge(state.level, state.word, backup.retention?.verified_at && `Verified ${backup.retention.verified_at}`),
      el(
        "div",
        { class: "name" },
        el("strong", {}, backup.database_name),
        el("span", { class: "note" }, [backup.engine_name, backup.tiers.join(", ") || backup.triggered_by].filter(Boolean).join(" · ")),
        failure && el("span", { class: "reason" }, sentence(failure)),
      ),
      time(backup.completed_at ?? backup.started_at ?? backup.created_at),
      size(backup.file_size_bytes),
      length(backup.duration_seconds),
    ];
  });
  const heads = ["State", "Database", "When", "Stored", "Took"];
  const none = el("p", { class: "empty" }, "No backup was made or tried yet.");
  return section("backups", "Newest backups", null, rows.length ? table("Newest backups", heads, rows) : none);
}

export function processList({ components, missing }) {
  const absent = missing.map((kind) => el("li", {}, badge("bad", "Missing"), el("div", {}, el("strong", {}, KINDS[kind] ?? kind), el("p", { class: "note" }, "none lives"))));
  const present = components.map((component) =>
    el(
      "li",
      {},
      component.alive ? badge("good", "Alive") : badge("bad", "Silent"),
      el(
        "div",
        {},
        el("strong", {}, KINDS[component.kind] ?? component.kind),
        " ",
        el("span", { class: "note" }, component.version),
        el("p", { class: "note" }, "seen ", time(component.last_seen_at)),
        component.tools.filter(isBad).map((tool) => el("p", { class: "reason" }, toolProblem(tool))),
      ),
    ),
  );
  return section("processes", "Services", null, el("ul", { class: "processes" }, absent, present));
}

const isBad = (tool) => tool.problem || tool.fixed_in || !tool.version;

function toolProblem({ name, version, fixed_in: fixedIn, problem }) {
  if (problem || !version) return `${name}: ${problem ?? "does not work"}`;
  return `${name} ${version} lacks fixes of ${fixedIn}`;
}

// Nothing is registered: what to do next.
export function firstSteps(isOpen) {
  const origin = location.origin;
  const token = isOpen ? "" : ' -H "Authorization: Bearer $(cat data/operator-token)"';
  const who = isOpen
    ? "Every example below uses this."
    : "Every example below uses this. The token is there after scripts/run; elsewhere make one with: dilux token create --name examples --file data/operator-token";
  const guard = isOpen ? " -H 'X-Requested-With: curl'" : "";
  const api = `api() { curl -sS${token}${guard} -H 'Content-Type: application/json' "$@"; }`;
  const engine = `api ${origin}/api/engines -d '{
  "name": "Production", "engine_type": "postgresql",
  "host": "db.example.com", "port": 5432,
  "auth_method": "user_password", "username": "backup", "password": "…",
  "discover_databases": true }'`;
  const database = `api ${origin}/api/databases -d '{
  "engine_id": "ENGINE", "database": { "name": "orders", "alias": "Orders" } }'`;
  const step = (title, text, code) => el("li", {}, el("h3", {}, title), el("p", {}, text), el("pre", { tabindex: "0" }, el("code", {}, code)));
  return section(
    "first-steps",
    "What to do next",
    "In a shell, where the services were started:",
    el(
      "ol",
      { class: "steps" },
      step("Say who calls", who, api),
      step("Register a database server", "The answer holds its id and the databases that were found there.", engine),
      step("Register a database", "It is backed up at the next look of the scheduler, without being asked.", database),
    ),
    el("p", {}, "The whole API is described at ", el("a", { href: "/api/docs/" }, "/api/docs"), "."),
  );
}
