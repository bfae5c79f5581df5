// Reads what the overview shows: when the API tells of something new, and every half minute. It says
// how old that is, and stops when nobody looks, so that an unattended session ends by itself.

import { call, read } from "./api.js";
import { setClock } from "./format.js";

const SOURCES = {
  status: "/api/system-status?period=1d",
  databases: "/api/databases",
  alerts: "/api/alerts",
  backups: "/api/backups?page_size=10",
  components: "/api/components",
  health: "/api/health/report",
};

const EVERY = 30_000;
const SOON = 400;
const AGAIN = [2_000, 5_000, 10_000, 30_000];
const UNATTENDED = 15 * 60_000;
const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown", "scroll"];

export class Live {
  sources = Object.fromEntries(Object.keys(SOURCES).map((name) => [name, { data: null, error: null }]));
  // When everything was last read without an error.
  readAt = null;
  isPaused = false;

  #onChange;
  #onEnded;
  #endsByItself;
  #failures = 0;
  #timer = null;
  #isReading = false;
  #isWanted = false;
  #events = null;
  #deafUntil = 0;
  #jobs = new Map();
  #attendedAt = Date.now();
  #stop = new AbortController();

  // `onChange` after each reading, `onEnded` when the API does not know the session any more.
  constructor({ onChange, onEnded, endsByItself }) {
    this.#onChange = onChange;
    this.#onEnded = onEnded;
    this.#endsByItself = endsByItself;
  }

  start() {
    const { signal } = this.#stop;
    for (const sign of SIGNS_OF_LIFE) {
      document.addEventListener(sign, () => this.#attend(), { signal, passive: true });
    }
    const turn = () => (document.hidden ? this.#rest() : this.#wake());
    document.addEventListener("visibilitychange", turn, { signal });
    return this.#refresh();
  }

  stop() {
    this.#stop.abort();
    this.#rest();
  }

  get error() {
    return Object.values(this.sources).find((source) => source.error)?.error ?? null;
  }

  #attend() {
    this.#attendedAt = Date.now();
    if (this.isPaused) this.#wake();
  }

  #wake() {
    this.#attendedAt = Date.now();
    this.isPaused = false;
    this.#refresh();
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#events?.close();
    this.#events = null;
  }

  #later(delay) {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted || document.hidden) return;
    this.#timer = setTimeout(() => this.#refresh(), delay);
  }

  async #refresh() {
    if (this.#isReading) {
      this.#isWanted = true;
      return;
    }
    if (this.#endsByItself && Date.now() - this.#attendedAt > UNATTENDED) {
      this.isPaused = true;
      this.#rest();
      this.#onChange();
      return;
    }
    this.#isReading = true;
    this.#isWanted = false;
    const failures = await Promise.all(Object.keys(SOURCES).map((name) => this.#read(name)));
    this.#isReading = false;
    if (this.#stop.signal.aborted) return;
    if (failures.some((error) => error?.status === 401)) {
      this.#onEnded();
      return;
    }
    const failure = failures.find(Boolean);
    this.#failures = failure ? this.#failures + 1 : 0;
    if (!failure) this.readAt = Date.now();
    this.#listen();
    this.#onChange();
    this.#later(this.#isWanted ? SOON : this.#delay(failure));
  }

  #delay(failure) {
    if (!failure) return EVERY;
    const step = AGAIN[Math.min(this.#failures, AGAIN.length) - 1];
    return Math.max(step, (failure.wait ?? 0) * 1000);
  }

  async #read(name) {
    const source = this.sources[name];
    try {
      source.data = await read(SOURCES[name]);
      source.error = null;
      if (name === "status") setClock(source.data.timestamp);
    } catch (error) {
      source.error = error;
    }
    return source.error;
  }

  #listen() {
    if (this.error || document.hidden) {
      this.#events?.close();
      this.#events = null;
      return;
    }
    if (this.#events || Date.now() < this.#deafUntil) return;
    const events = new EventSource("/api/events");
    this.#events = events;
    const soon = () => this.#later(SOON);
    for (const name of ["backup", "alert", "alert_over", "unavailable", "available"]) {
      events.addEventListener(name, soon);
    }
    events.addEventListener("job", (event) => {
      const { id, state } = JSON.parse(event.data);
      if (this.#jobs.get(id) === state) return;
      this.#jobs.set(id, state);
      soon();
    });
    // The connection broke: whether the API is gone, an answer will tell. One that was refused, since
    // there are too many, is not tried again at once.
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED && this.#events === events) {
        this.#events = null;
        this.#deafUntil = Date.now() + EVERY;
      }
      soon();
    });
  }
}

// Ends the session, also when the API forgot it already.
export async function signOut() {
  await call("POST", "/api/auth/logout").catch((error) => {
    if (error.status !== 401) throw error;
  });
}
