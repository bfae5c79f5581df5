// What somebody sees who has not signed in: the ways in, an invitation to accept, the first admin.

import { call } from "./api.js";
import { el } from "./dom.js";
import { timeOfDay } from "./format.js";

const EMAIL = { name: "email", label: "E-mail", type: "email", autocomplete: "username" };
const NEW_PASSWORD = {
  name: "password",
  label: "New password",
  type: "password",
  autocomplete: "new-password",
  hint: "At least 12 characters.",
};

// `methods` as GET /api/auth/methods gives them; `onSignedIn` is called when there is a session.
export function signInView({ methods, notice, onSignedIn }) {
  const signIn = async ({ email, password }) => {
    await call("POST", "/api/auth/login", { body: { email, password } });
    await onSignedIn();
  };
  const hasPassword = methods.some((method) => method.kind === "password");
  const ways = methods.filter((method) => method.start).map(providerLink);
  return el(
    "div",
    { class: "sign-in" },
    el(
      "section",
      { class: "card", "aria-labelledby": "sign-in-title" },
      el("h1", { id: "sign-in-title" }, "Sign in"),
      notice && el("p", { class: "message info", role: "status" }, notice),
      ways,
      ways.length > 0 && hasPassword && el("p", { class: "or" }, "or"),
      hasPassword && passwordForm(signIn),
    ),
    hasPassword && [invitation(signIn), firstAdmin(signIn)],
  );
}

function providerLink({ start, issuer }) {
  const name = nameOf(issuer);
  return el("a", { class: "button wide", href: `${start}?return_to=/` }, `Sign in with ${name}`);
}

function nameOf(issuer) {
  const host = URL.canParse(issuer) ? new URL(issuer).hostname : String(issuer);
  return host === "login.microsoftonline.com" ? "Microsoft Entra ID" : host;
}

function passwordForm(signIn) {
  const password = { name: "password", label: "Password", type: "password", autocomplete: "current-password" };
  return form({ id: "sign-in", fields: [EMAIL, password], action: "Sign in", submit: signIn });
}

function invitation(signIn) {
  const code = { name: "invitation", label: "Invitation", type: "password", autocomplete: "off" };
  const submit = async (values) => {
    await call("POST", "/api/auth/invitation", { body: values });
    await signIn(values);
  };
  return el(
    "details",
    { class: "card" },
    el("summary", {}, "I have an invitation"),
    el("p", {}, "An admin who registered you gave you a text with which you choose a password, once."),
    form({ id: "invitation", fields: [EMAIL, code, NEW_PASSWORD], action: "Choose password", submit }),
  );
}

function firstAdmin(signIn) {
  const token = { name: "token", label: "Bootstrap token", type: "password", autocomplete: "off" };
  const submit = async ({ token, ...body }) => {
    await call("POST", "/api/auth/setup", { body, token: token.trim() || "none" }).catch((error) => {
      throw error.status === 401 ? new Error("This is not the bootstrap token, or it was used.") : error;
    });
    await signIn(body);
  };
  return el(
    "details",
    { class: "card" },
    el("summary", {}, "Nobody is registered yet"),
    el(
      "p",
      {},
      "The first admin is made once, with the token that the first start showed and wrote into the file ",
      el("code", {}, "bootstrap-token"),
      " beside the data (",
      el("code", {}, "data/bootstrap-token"),
      " with scripts/run). Everybody else is invited by an admin.",
    ),
    form({ id: "first-admin", fields: [token, EMAIL, NEW_PASSWORD], action: "Create the first admin", submit }),
  );
}

// A form that shows what the API refuses beside the field that it refuses.
function form({ id, fields, action, submit }) {
  const inputs = fields.map((field) => labelled(id, field));
  const message = el("p", { class: "message bad", role: "alert", hidden: true });
  const button = el("button", { class: "wide", type: "submit" }, action);
  const send = async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    const values = Object.fromEntries(new FormData(element));
    message.hidden = true;
    inputs.forEach((input) => input.accept());
    button.disabled = true;
    try {
      await submit(values);
    } catch (error) {
      await refuse(error);
    }
    button.disabled = false;
  };
  const refuse = async (error) => {
    const found = error.fields?.filter(({ field, reason }) => {
      return inputs.find((input) => input.name === field)?.refuse(reason);
    });
    if (!found?.length) {
      show(error.message);
      if (error.status === 401) inputs.find((input) => input.isSecret)?.clear();
    } else if (found.length < error.fields.length) show(error.message);
    element.querySelector("[aria-invalid]")?.focus();
    if (error.wait) await until(error.wait, error.message);
  };
  const show = (text) => {
    message.textContent = text;
    message.hidden = false;
  };
  const until = async (seconds, why) => {
    const end = Date.now() + seconds * 1000;
    show(`${why} Try again at ${timeOfDay(end)}.`);
    for (let left = seconds; left > 0; left -= 1) {
      button.textContent = `${action} (in ${left} s)`;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    button.textContent = action;
    message.hidden = true;
  };
  const element = el(
    "form",
    { id, method: "post", novalidate: true, submit: send },
    inputs.map((input) => input.element),
    message,
    button,
  );
  return element;
}

// A field with its label, hint and what is wrong with it.
function labelled(form, { name, label, hint, type, autocomplete }) {
  const id = `${form}-${name}`;
  const note = el("span", { id: `${id}-note`, class: "hint" }, hint);
  const describedBy = { "aria-describedby": note.id };
  const input = el("input", { id, name, type, autocomplete, required: true, spellcheck: "false", ...describedBy });
  return {
    name,
    isSecret: type === "password",
    element: el("div", { class: "field" }, el("label", { for: id }, label), input, note),
    accept() {
      input.removeAttribute("aria-invalid");
      note.textContent = hint ?? "";
    },
    refuse(reason) {
      input.setAttribute("aria-invalid", "true");
      note.textContent = `${label}: ${reason}`;
      return true;
    },
    clear() {
      input.value = "";
      input.focus();
    },
  };
}
