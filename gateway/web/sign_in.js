// The two steps of a sign-in: the phone number, and the code.

import * as api from "./api.js";
import { busy, fieldError, notice, remark, the, wordsOf } from "./dom.js";
import { say } from "./language.js";

// The challenge that the code answers: its id, the code's length, when it is
// over and when another may be asked for, by the clock that nobody sets.
let challenge = null;
let asked = { phone: "", invitedBy: "" };
let ticking;
let signedIn;

// Gets the forms to work; `done` is told, with the invite code that was
// entered, when somebody is signed in.
export function begin(done) {
  signedIn = done;
  const invitedBy = new URLSearchParams(location.search).get("invited_by");
  if (invitedBy) {
    the("invited-by").value = invitedBy.slice(0, 64);
    the("invited").open = true;
  }
  onSubmit("phone-form", askForCode);
  onSubmit("code-form", enterCode);
  the("code").addEventListener("input", typed);
  the("fill").addEventListener("click", fill);
  the("resend").addEventListener("click", resend);
  the("other-number").addEventListener("click", () => {
    showPhone();
    the("phone").focus();
  });
}

// The code of the invite link, for one who is signed in already.
export const invitation = () => the("invited-by").value.trim();

export function showPhone() {
  leaveCode();
  the("phone-view").hidden = false;
}

// Leaves nothing of it on the page.
export function clear() {
  leaveCode();
  asked = { phone: "", invitedBy: "" };
  the("phone-view").hidden = true;
  the("invited").open = false;
  for (const id of ["phone", "invited-by", "code", "fill"]) the(id).value = "";
  for (const id of ["simulated-text", "code-lead"]) say(the(id), "");
}

function leaveCode() {
  clearInterval(ticking);
  challenge = null;
  the("code-view").hidden = true;
}

function onSubmit(form, work) {
  the(form).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
}

async function askForCode() {
  const field = the("phone");
  const phone = field.value.replaceAll(/[\s().\-\u2010-\u2015\u00a0]/g, "");
  if (!/^\+[0-9]{7,15}$/.test(phone)) {
    fieldError(field, the("phone-error"), "phoneWrong");
    return;
  }
  fieldError(field, the("phone-error"), "");
  asked = { phone, invitedBy: invitation() };
  await busy(the("phone-send"), "sending", async () => {
    try {
      await start();
      notice("");
      showCode();
    } catch (refusal) {
      fieldError(field, the("phone-error"), ...wordsOf(refusal));
    }
  });
}

async function start() {
  const made = await api.requestCode(asked.phone, asked.invitedBy);
  const now = performance.now();
  challenge = {
    id: made.id,
    length: made.length,
    over: now + made.expiresIn * 1000,
    next: now + made.resendAfter * 1000,
  };
  say(the("code-lead"), "codeLead", asked);
  say(the("code-hint"), "codeHint", challenge);
  the("simulated").hidden = !made.simulated;
  if (made.simulated) {
    the("fill").value = made.simulated;
    say(the("simulated-text"), "simulated", { code: made.simulated });
  }
  the("code").value = "";
  say(the("code-error"), "");
  clearInterval(ticking);
  ticking = setInterval(tick, 1000);
  tick();
}

function showCode() {
  the("phone-view").hidden = true;
  the("code-view").hidden = false;
  the("code").focus();
}

function tick() {
  const now = performance.now();
  const left = (time) => Math.max(0, Math.ceil((time - now) / 1000));
  const wait = left(challenge.next);
  the("resend").disabled = wait > 0;
  if (the("resend").ariaBusy !== "true") {
    say(the("resend"), wait > 0 ? "resendIn" : "resend", { seconds: wait });
  }
  const seconds = left(challenge.over);
  // Late, there is one thing to do.
  the("code-send").hidden = seconds === 0;
  the("resend").classList.toggle("main", seconds === 0);
  if (seconds > 0) {
    say(the("countdown"), "countdown", { seconds });
  } else if (the("countdown").dataset.t !== "") {
    say(the("countdown"), "");
    say(the("code-error"), "codeLate");
  }
}

// Digits only, however they were pasted; the last one sends them.
function typed() {
  const field = the("code");
  const digits = field.value.replaceAll(/\D/g, "").slice(0, challenge.length);
  if (digits !== field.value) field.value = digits;
  if (digits.length === challenge.length) enterCode();
  else fieldError(field, the("code-error"), "");
}

function fill() {
  the("code").value = the("fill").value;
  typed();
}

async function enterCode() {
  const { id, length } = challenge;
  const field = the("code");
  if (field.value.length !== length) {
    fieldError(field, the("code-error"), "codeShort", { length });
    return;
  }
  await busy(the("code-send"), "signingIn", async () => {
    try {
      await api.signIn(id, field.value);
    } catch (refusal) {
      fieldError(field, the("code-error"), ...wordsOf(refusal));
      if (!refusal.isPassing) field.select();
      return;
    }
    fieldError(field, the("code-error"), "");
    const { invitedBy } = asked;
    clear();
    await signedIn(invitedBy);
  });
}

async function resend() {
  await busy(the("resend"), "sending", async () => {
    try {
      await start();
      remark("resent");
      the("code").focus();
    } catch (refusal) {
      say(the("code-error"), ...wordsOf(refusal));
    }
  });
  if (challenge) tick();
}
