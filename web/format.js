// Times, sizes and lengths for people. Times are those of the browser's zone; UTC is in the title.

import { el } from "./dom.js";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const exactClock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const year = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });

const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [Infinity, "day", 86_400],
];

// How far this machine's clock is behind the API's, in milliseconds.
let lag = 0;

// Learns from an answer that was written just now.
export function setClock(timestamp) {
  const at = Date.parse(timestamp);
  if (!Number.isNaN(at)) lag = at - Date.now();
}

export const now = () => Date.now() + lag;

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "local time";

function distance(at) {
  const seconds = Math.round((at - now()) / 1000);
  const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  if (unit === "second") return seconds > 0 ? "in a moment" : "just now";
  return relative.format(Math.trunc(seconds / size), unit);
}

function local(at) {
  const date = new Date(at);
  const today = new Date(now());
  if (date.toDateString() === today.toDateString()) return clock.format(date);
  const written = date.getFullYear() === today.getFullYear() ? day : year;
  return `${written.format(date)}, ${clock.format(date)}`;
}

function utc(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// The time of day, to the second.
export const timeOfDay = (at) => exactClock.format(new Date(at));

// "14:03", or with how long ago that is.
export function time(text, { isRelative = true } = {}) {
  const at = Date.parse(text ?? "");
  if (Number.isNaN(at)) return el("span", { class: "none" }, "–");
  const stamp = el("time", { datetime: text, title: utc(at) }, local(at));
  if (!isRelative) return stamp;
  const ago = el("small", { class: "ago", "data-at": String(at) }, distance(at));
  return el("span", { class: "moment" }, stamp, " ", ago);
}

// Brings what says how long ago something was up to date.
export function refreshDistances(root) {
  for (const element of root.querySelectorAll("[data-at]")) {
    const text = distance(Number(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}

// A sentence of the API; the UTC times in it are shown like all others.
export function sentence(text) {
  const parts = text.split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/);
  return parts.map((part, index) => (index % 2 ? time(part, { isRelative: false }) : part));
}

export function size(bytes) {
  if (bytes == null) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const number = bytes / 1024 ** step;
  return `${step && number < 100 ? number.toFixed(1) : Math.round(number)} ${units[step]}`;
}

export function length(seconds) {
  if (seconds == null) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// "90 minutes" as "1 h 30 min", whole days as days.
export function minutes(count) {
  if (count == null) return "–";
  const parts = [
    [Math.floor(count / 1440), "d"],
    [Math.floor((count % 1440) / 60), "h"],
    [count % 60, "min"],
  ];
  return parts.filter(([number]) => number > 0).map(([number, unit]) => `${number} ${unit}`).join(" ") || "0 min";
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
