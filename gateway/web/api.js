// Calls the JSON API. The access token stays in this module; the refresh token
// is in a cookie that no script can read.

let access = null;
// Whose it is: their id.
let person = null;
// When to ask for the next access token, by the clock that nobody sets.
let staleAt = 0;
let refreshing = null;

// A request that was refused or came to nothing.
export class Refusal extends Error {
  constructor(status, code, retryAfter) {
    super(code);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  // Whether it is for the person to sign in again.
  get isSessionOver() {
    return this.status === 401;
  }

  // Whether trying again may help.
  get isPassing() {
    return this.status === 0 || this.status >= 500;
  }

  // The key of its text.
  get key() {
    if (this.isSessionOver) return "sessionOver";
    if (this.status === 0) return "NETWORK";
    if (this.status === 503 || this.status === 504) return "UNAVAILABLE";
    return TOLD.has(this.code) ? this.code : "UNKNOWN";
  }
}

const TOLD = new Set([
  "PHONE_NUMBER_INVALID",
  "CODE_NOT_ACCEPTED",
  "CODE_MALFORMED",
  "INVITE_CODE_NOT_FOUND",
  "INVITE_CODE_OWN",
  "INVITER_ALREADY_SET",
  "SESSION_NOT_FOUND",
  "TOO_MANY_CODES",
  "TOO_MANY_ATTEMPTS",
]);

// Asks for a code.
export async function requestCode(phone, invitedBy) {
  const body = { phone_number: phone, invited_by: invitedBy || null };
  const { answer, json } = await call("POST", "/api/v1/auths/", { body });
  const number = (name) => Number(answer.headers.get(name));
  return {
    id: answer.headers.get("Challenge-Id"),
    length: number("Otp-Length"),
    expiresIn: number("Otp-Expires-In"),
    resendAfter: number("Resend-After"),
    // Where no message is really sent.
    simulated: /\(use (\d+)\)/.exec(json.response)?.[1],
  };
}

export async function signIn(challengeId, code) {
  const body = { otp: code, challenge_id: challengeId };
  person = null;
  take((await call("POST", "/web/session", { body, web: true })).json);
}

// Whether somebody is signed in: the cookie of the last visit tells.
export async function resume() {
  await refresh();
  return access !== null;
}

export async function signOut() {
  await call("DELETE", "/web/session", { web: true });
  access = null;
}

export async function signOutEverywhere() {
  await authorized("DELETE", "/api/v1/auths/?all=true");
  await signOut();
}

export async function erase() {
  await authorized("DELETE", "/api/v1/personal-area/");
  // What is left is a dead cookie; whether that goes now does not matter.
  await signOut().catch(() => {});
  access = null;
}

export const profile = () => authorized("GET", "/api/v1/personal-area/");

export const activate = (code) =>
  authorized("PATCH", "/api/v1/personal-area/", { invited_by: code });

export function followers(size, token) {
  const query = new URLSearchParams({ page_size: size });
  if (token) query.set("page_token", token);
  return authorized("GET", `/api/v1/personal-area/followers/?${query}`);
}

export const sessions = async () =>
  (await authorized("GET", "/api/v1/auths/sessions/")).sessions;

export const endSession = (id) =>
  authorized("DELETE", `/api/v1/auths/sessions/${encodeURIComponent(id)}/`);

// In the person's name; an access token that is over is renewed, once.
async function authorized(method, path, body) {
  if (access === null || performance.now() >= staleAt) await refresh();
  if (access === null) throw new Refusal(401, "TOKEN_MISSING");
  const used = access;
  try {
    return (await call(method, path, { body, bearer: used })).json;
  } catch (error) {
    if (!error.isSessionOver) throw error;
    if (access === used) await refresh();
    if (access === null) throw error;
    return (await call(method, path, { body, bearer: access })).json;
  }
}

// One at a time, in all tabs where the browser can do that; elsewhere two tabs
// that ask at once get the same answer.
function refresh() {
  refreshing ??= locked(async () => {
    try {
      take((await call("PUT", "/web/session", { web: true })).json);
    } catch (error) {
      if (error.isSessionOver) access = null;
      throw error;
    }
  }).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

const locked = (work) =>
  navigator.locks ? navigator.locks.request("customauth-refresh", work) : work();

function take(json) {
  access = json?.access_token ?? null;
  if (access === null) return;
  const [, payload] = access.split(".");
  const { sub, iat, exp } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
  // Somebody else has signed in, in another tab: this one begins anew.
  if (person !== null && person !== sub) location.reload();
  person = sub;
  const lifetime = (exp - iat) * 1000;
  staleAt = performance.now() + Math.max(lifetime - 15_000, lifetime / 2);
}

async function call(method, path, { body, bearer, web } = {}) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (web) headers["Web-Session"] = "1";
  let answer;
  let json = null;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(20_000),
    });
    const said = await answer.text();
    if (said && answer.headers.get("Content-Type") === "application/json") json = JSON.parse(said);
  } catch {
    throw new Refusal(0, "NETWORK");
  }
  if (!answer.ok) {
    const wait = Number(answer.headers.get("Retry-After")) || 1;
    throw new Refusal(answer.status, answer.headers.get("Error-Code"), wait);
  }
  return { answer, json };
}
