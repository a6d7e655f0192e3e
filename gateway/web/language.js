// Which language the page speaks, and saying things in it. Whatever was said by
// `say` is said again when the language changes, a half-filled form staying as
// it is.

import en from "./en.js";
import ru from "./ru.js";

const LANGUAGES = { en, ru };
const KEPT = "language";

let current = kept() ?? preferred();
// The values of elements whose text needs some.
const values = new WeakMap();

// The text of a key, in the language of now.
export function text(key, given) {
  const found = LANGUAGES[current][key];
  return typeof found === "function" ? found(given) : found;
}

// Makes `element` say it, in whatever language; an empty key makes it silent.
export function say(element, key, given) {
  element.dataset.t = key;
  values.set(element, given);
  element.textContent = key ? text(key, given) : "";
}

// The same of an element's accessible name.
export function label(element, key, given) {
  element.dataset.label = key;
  values.set(element, given);
  element.setAttribute("aria-label", text(key, given));
}

// Shows a moment in <time>.
export function showTime(element, iso) {
  element.dateTime = iso;
  const style = { dateStyle: "medium", timeStyle: "short" };
  element.textContent = new Intl.DateTimeFormat(current, style).format(new Date(iso));
}

// Says everything on the page, and lets the reader choose.
export function begin() {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      current = button.dataset.language;
      keep();
      translate();
    });
  }
  translate();
}

function translate() {
  document.documentElement.lang = current;
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    say(element, element.dataset.t, values.get(element));
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label, values.get(element)));
  }
  for (const element of document.querySelectorAll("time")) {
    showTime(element, element.dateTime);
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === current));
  }
}

function preferred() {
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

// A browser may forbid storage: then the choice lasts until the page is left.
function kept() {
  try {
    const found = localStorage.getItem(KEPT);
    return found !== null && Object.hasOwn(LANGUAGES, found) ? found : undefined;
  } catch {
    return undefined;
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, current);
  } catch {
    // See above.
  }
}
