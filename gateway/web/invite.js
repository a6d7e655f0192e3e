// One's own invite code, to be given away, and the one that one came by.

import * as api from "./api.js";
import { busy, fieldError, notice, remark, the, wordsOf } from "./dom.js";
import { say } from "./language.js";
import { qr } from "./qr.js";

let code = "";
let onEnd;

// Gets the buttons to work; `ended` is told of refusals that end the session.
export function begin(ended) {
  onEnd = ended;
  the("copy-link").addEventListener("click", () => copy(link()));
  the("copy-code").addEventListener("click", () => copy(code));
  the("share").hidden = !navigator.share;
  the("share").addEventListener("click", share);
  the("inviter-form").addEventListener("submit", (event) => {
    event.preventDefault();
    activate();
  });
}

// Shows both, of the profile; `suggested` is a code to be entered.
export function show(profile, suggested) {
  code = profile.invite_code;
  the("invite-code").textContent = code;
  the("invite-link").href = the("invite-link").textContent = link();
  the("qr").replaceChildren(...[qr(link())].filter(Boolean));
  the("qr").hidden = !the("qr").firstChild;
  the("inviter-code").value = profile.invited_by ? "" : suggested;
  fieldError(the("inviter-code"), the("inviter-error"), "");
  showInviter(profile.invited_by);
}

// Leaves nothing of it on the page.
export function clear() {
  code = "";
  for (const id of ["invite-code", "invite-link", "qr"]) the(id).replaceChildren();
  the("invite-link").removeAttribute("href");
  say(the("inviter"), "");
  the("inviter-code").value = "";
}

const link = () => `${location.origin}/?invited_by=${code}`;

function showInviter(by) {
  the("inviter-form").hidden = by !== null;
  the("inviter").hidden = by === null;
  say(the("inviter"), by === null ? "" : "inviter", { code: by });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    remark("copied");
  } catch {
    // Refused, or not there: it is there only over TLS and on this machine.
    notice("notCopied");
  }
}

async function share() {
  // Whoever thinks better of it is told nothing.
  await navigator.share({ url: link() }).catch(() => {});
}

async function activate() {
  const field = the("inviter-code");
  const entered = field.value.trim();
  if (!entered) {
    fieldError(field, the("inviter-error"), "inviteEmpty");
    return;
  }
  await busy(the("activate"), "", async () => {
    try {
      await api.activate(entered);
    } catch (refusal) {
      if (refusal.isSessionOver) onEnd(refusal);
      else fieldError(field, the("inviter-error"), ...wordsOf(refusal));
      return;
    }
    fieldError(field, the("inviter-error"), "");
    showInviter(entered);
    remark("inviterAdded");
    the("inviter-title").focus();
  });
}
