// The overview: what is not protected first.

import { read } from "./api.js";
import { el } from "./dom.js";
import { now, refreshDistances, timeOfDay } from "./format.js";
import { Live } from "./live.js";
import { alertList, backupTable, databaseTable, figures, firstSteps, headline, inOrder, processList } from "./sections.js";
import { standingOf, verdictOf } from "./verdict.js";

const FIRST = 20;
const TICK = 10_000;
const AT_ONCE = 4;
const NEXT_RUN_HOLDS = 120_000;

export class Overview {
  element = el("div", { class: "overview" });
  #freshness;
  #isOpen;
  #live;
  #ticks;
  #showsAll = false;
  #places = new Map();
  // Database id: when its next backup is due (null when none is), and when that was read.
  #nextRuns = new Map();
  #isAsking = false;

  // `freshness` is where it says how old everything is; `isOpen` when nobody has to sign in.
  constructor({ freshness, isOpen, onEnded }) {
    this.#freshness = freshness;
    this.#isOpen = isOpen;
    this.#live = new Live({ onChange: () => this.#show(), onEnded, endsByItself: !isOpen });
    this.element.append(el("p", { class: "loading" }, "Loading…"));
  }

  start() {
    this.#ticks = setInterval(() => this.#show(), TICK);
    return this.#live.start();
  }

  stop() {
    clearInterval(this.#ticks);
    this.#live.stop();
    this.#freshness.replaceChildren();
    document.title = "Dilux";
  }

  #show() {
    const { sources } = this.#live;
    this.#showFreshness();
    if (!this.#live.readAt && Object.values(sources).every((source) => !source.data)) return;
    this.element.querySelector(":scope > .loading")?.remove();
    const { databases, alerts, backups, components, status } = sources;
    const verdict = verdictOf(sources, now());
    const isEmpty = databases.data?.total === 0;
    document.title = `${verdict.title} · Dilux`;
    this.#place("verdict", verdict, () => headline(verdict));
    this.#place("figures", status.data && alerts.data && databases.data && [status.data.backups, status.data.storage, alerts.data, verdict.counts], () =>
      figures(status.data, alerts.data, verdict.counts),
    );
    this.#place("alerts", alerts.data?.alerts.length > 0 && alerts.data, () => alertList(alerts.data));
    this.#place("first-steps", isEmpty && [this.#isOpen], () => firstSteps(this.#isOpen));
    this.#placeDatabases(!isEmpty && databases.data);
    this.#place("backups", backups.data && !(isEmpty && backups.data.count === 0) && backups.data, () => backupTable(backups.data));
    this.#place("processes", components.data, () => processList(components.data));
    refreshDistances(this.element);
  }

  #placeDatabases(listed) {
    if (!listed) return this.#place("databases", null);
    const ordered = inOrder(listed.databases);
    const shown = this.#showsAll ? ordered : ordered.slice(0, FIRST);
    const showAll = () => {
      this.#showsAll = true;
      this.#show();
    };
    const content = { shown, nextRuns: this.#nextRuns, showAll };
    const what = shown.map((database) => [database, standingOf(database, now()).word, this.#nextRuns.get(database.id)?.at]);
    this.#place("databases", [what, listed.total], () => databaseTable(listed, content));
    this.#readNextRuns(shown);
  }

  // Puts a part where it belongs, and leaves one alone that says the same as before: whoever reads it
  // keeps their place in it.
  #place(name, content, render) {
    let place = this.#places.get(name);
    if (!place) {
      place = { element: el("div", { class: `part part-${name}` }), text: null };
      this.#places.set(name, place);
      this.element.append(place.element);
    }
    const text = content ? JSON.stringify(content) : null;
    if (text === place.text) return;
    place.text = text;
    const focused = place.element.contains(document.activeElement) && document.activeElement.id;
    place.element.replaceChildren(...(text ? [render()] : []));
    if (focused) document.getElementById(focused)?.focus();
  }

  #showFreshness() {
    const { error, readAt, isPaused } = this.#live;
    const isStale = Boolean(error) || isPaused;
    this.element.classList.toggle("stale", isStale);
    this.element.setAttribute("aria-busy", String(!readAt && !error));
    const from = readAt ? `What you see is from ${timeOfDay(readAt)} and may be wrong by now.` : "Nothing could be read yet.";
    const text = error ? `${error.message.replace(/\.?$/, ".")} ${from}` : `Paused, since nobody used this page for a while. ${from}`;
    const content = isStale
      ? el("p", { class: "bar stale", role: "alert" }, el("strong", {}, error ? "Not up to date. " : ""), text)
      : el("p", { class: "bar current" }, "Up to date, read at ", readAt ? timeOfDay(readAt) : "–");
    // An alert that is put there again would be read out again.
    if (this.#freshness.textContent !== content.textContent) this.#freshness.replaceChildren(content);
  }

  // When the next backups are due, of those that are shown and enabled, a few at a time.
  async #readNextRuns(shown) {
    const isKnown = ({ id }) => {
      const known = this.#nextRuns.get(id);
      return known && Date.now() - known.readAt < NEXT_RUN_HOLDS && !(known.at && Date.parse(known.at) <= now());
    };
    const wanted = shown.filter((database) => database.enabled && !isKnown(database));
    if (wanted.length === 0 || this.#isAsking || this.#live.error || this.#live.isPaused) return;
    this.#isAsking = true;
    const lane = async () => {
      for (let database = wanted.pop(); database; database = wanted.pop()) await this.#readNextRun(database.id);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    this.#isAsking = false;
    this.#show();
  }

  async #readNextRun(id) {
    const schedule = await read(`/api/databases/${encodeURIComponent(id)}/schedule`).catch(() => null);
    const at = schedule ? (schedule.next_runs[0]?.utc ?? null) : this.#nextRuns.get(id)?.at;
    this.#nextRuns.set(id, { at, readAt: Date.now() });
  }
}
