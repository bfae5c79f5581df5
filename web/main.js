// Decides what is shown: the warning, the ways to sign in, or the overview.

import { read, watchWarning } from "./api.js";
import { el, icon } from "./dom.js";
import { zone } from "./format.js";
import { signOut } from "./live.js";
import { Overview } from "./overview.js";
import { signInView } from "./sign-in.js";

const AGAIN = 3_000;

const main = document.getElementById("main");
const place = (id) => document.getElementById(id);

let overview = null;

function showWarning(text) {
  const bar = place("warning");
  if ((bar.textContent || null) === (text || null)) return;
  bar.replaceChildren(...(text ? [el("p", { class: "warning-bar", role: "alert" }, icon("warning"), el("span", {}, text))] : []));
}

function show(view) {
  overview?.stop();
  overview = null;
  place("account").replaceChildren();
  place("about").textContent = `Times are those of ${zone}.`;
  main.replaceChildren(view);
  main.focus({ preventScroll: true });
}

// What somebody reads who signed in and is nobody afterwards.
const LOST = "The browser did not keep the session. Use HTTPS, or another browser.";

function showSignIn(methods, notice) {
  show(signInView({ methods, notice, onSignedIn: () => begin(LOST) }));
  main.querySelector("a.button, input")?.focus();
}

async function showOverview(user, isOpen) {
  const next = new Overview({
    freshness: place("freshness"),
    isOpen,
    onEnded: () => begin("Your session has ended. Sign in again."),
  });
  show(next.element);
  overview = next;
  showAccount(user, isOpen);
  showVersion();
  await overview.start();
}

function showAccount(user, isOpen) {
  const leave = async (event) => {
    event.target.disabled = true;
    try {
      await signOut();
      await begin("You have signed out.");
    } catch (error) {
      event.target.disabled = false;
      event.target.after(el("span", { class: "refusal", role: "alert" }, error.message));
    }
  };
  place("account").replaceChildren(
    el("span", { class: "who" }, user.name),
    el("span", { class: "role" }, user.role),
    isOpen ? "" : el("button", { id: "sign-out", class: "quiet", type: "button", click: leave }, "Sign out"),
  );
}

async function showVersion() {
  const found = await read("/api/version").catch(() => null);
  if (found) place("about").textContent = `Dilux ${found.version} · ${found.environment} · times are those of ${zone}`;
}

// Who the API knows this browser as; null when as nobody.
async function whoAmI() {
  try {
    return (await read("/api/users/me")).user;
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}

// Begins anew: whoever the API knows sees the overview, everybody else how to sign in.
async function begin(notice) {
  try {
    const { methods, authentication, warning } = await read("/api/auth/methods");
    showWarning(warning);
    const user = await whoAmI();
    if (user) await showOverview(user, authentication === "off");
    else showSignIn(methods, notice);
  } catch (error) {
    const text = `${error.message} It is tried again in a moment.`;
    if (main.textContent !== text) show(el("p", { class: "message bad", role: "alert" }, text));
    setTimeout(() => begin(notice), Math.max(AGAIN, (error.wait ?? 0) * 1000));
  }
}

// What somebody is told who comes back from the identity provider without a session.
function noticeOfPage() {
  const notice = document.querySelector("meta[name=dilux-notice]")?.content;
  if (notice) history.replaceState(null, "", "/");
  return notice;
}

watchWarning(showWarning);
begin(noticeOfPage());
