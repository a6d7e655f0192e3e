// Small things that every view does with its elements.

import { say } from "./language.js";

export const the = (id) => document.getElementById(id);

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

let fading;

// Tells it to everybody, screen readers included, until something else is told.
export function notice(key, given) {
  clearTimeout(fading);
  the("notice").hidden = !key;
  say(the("notice"), key, given);
}

// The same, for a while: that something was done, which is seen anyway.
export function remark(key) {
  notice(key);
  fading = setTimeout(() => notice(""), 10_000);
}

// What to say of a refusal, as arguments of `say`.
export const wordsOf = (refusal) => [refusal.key, { seconds: refusal.retryAfter }];

// An error beside its field, and the field marked; no key takes it away.
export function fieldError(field, error, key, given) {
  say(error, key, given);
  field.toggleAttribute("aria-invalid", false);
  if (key) {
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
}

// Does something slow once at a time, `button` saying so meanwhile.
export async function busy(button, key, work) {
  if (button.ariaBusy === "true") return;
  const before = button.dataset.t;
  button.ariaBusy = "true";
  if (key) say(button, key);
  try {
    await work();
  } finally {
    button.ariaBusy = "false";
    if (key && button.dataset.t === key) say(button, before);
  }
}
