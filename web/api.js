// Calls of the API. The session is a cookie that no script can read.

const PATIENCE = 20_000;

// The API refused.
export class Refused extends Error {
  constructor(status, body, wait) {
    super(body?.detail ?? `The API answered with status ${status}.`);
    this.status = status;
    this.fields = Array.isArray(body?.errors) ? body.errors : [];
    // Seconds until it is worth trying again, where the API says so.
    this.wait = wait;
  }
}

// The API did not answer at all.
export class Silent extends Error {
  constructor() {
    super("The API does not answer.");
  }
}

let onWarning = () => {};

// Has somebody told what each answer warns of; null when it warns of nothing.
export function watchWarning(listener) {
  onWarning = listener;
}

export const read = (path) => call("GET", path);

export async function call(method, path, { body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  // A foreign page cannot send this one.
  if (method !== "GET") headers["X-Requested-With"] = "dilux";
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
    answer = await response.text();
  } catch {
    throw new Silent();
  }
  onWarning(response.headers.get("X-Dilux-Warning"));
  const parsed = parse(answer);
  if (response.ok && parsed !== undefined) return parsed;
  const wait = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new Refused(response.status, parsed, Number.isNaN(wait) ? null : wait);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
