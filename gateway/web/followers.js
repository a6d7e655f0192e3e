// Who came by one's code: oldest first, some at a time, looked up again and
// again while somebody is looking.

import * as api from "./api.js";
import { busy, element, notice, remark, the, wordsOf } from "./dom.js";

const PAGE = 20;
const LARGEST_PAGE = 1000;
const EVERY = 20_000;

let shown = [];
// Names the page after the last one that is shown; undefined at the end.
let next;
let watching;
let onEnd;

// Gets the buttons to work; `ended` is told of refusals that end the session.
export function begin(ended) {
  onEnd = ended;
  the("refresh-followers").addEventListener("click", (event) =>
    busy(event.target, "", async () => {
      const before = shown.length;
      if ((await attempt(load)) && shown.length <= before) remark("refreshed");
    }),
  );
  the("more-followers").addEventListener("click", (event) =>
    busy(event.target, "", async () => {
      const first = shown.length;
      if (await attempt(more)) the("followers").children[first]?.focus();
    }),
  );
}

// Shows the first of them, and watches for more.
export async function show() {
  shown = [];
  await load({ quietly: true });
  clearInterval(watching);
  watching = setInterval(() => {
    if (!document.hidden) load().catch((refusal) => refusal.isSessionOver && onEnd(refusal));
  }, EVERY);
}

// Leaves nothing of it on the page.
export function clear() {
  clearInterval(watching);
  shown = [];
  next = undefined;
  draw();
}

// As many as are shown, and at least a page: an erased one goes, a new one comes.
async function load({ quietly } = {}) {
  const wanted = Math.max(PAGE, shown.length);
  let found = [];
  let token;
  do {
    const page = await api.followers(Math.min(wanted - found.length, LARGEST_PAGE), token);
    found = found.concat(page.followers);
    token = page.next_page_token;
  } while (token && found.length < wanted);
  const grown = found.length > shown.length;
  shown = found;
  next = token;
  draw();
  if (grown && !quietly) remark("newFollowers");
}

async function more() {
  const page = await api.followers(PAGE, next);
  shown = shown.concat(page.followers);
  next = page.next_page_token;
  draw();
}

// Whether it was done; why not is told.
async function attempt(work) {
  try {
    await work();
    return true;
  } catch (refusal) {
    if (refusal.isSessionOver) onEnd(refusal);
    else notice(...wordsOf(refusal));
    return false;
  }
}

function draw() {
  const items = shown.map((phone) => {
    const item = element("li", "", phone);
    item.tabIndex = -1;
    return item;
  });
  the("followers").replaceChildren(...items);
  the("no-followers").hidden = shown.length > 0;
  the("followers").hidden = shown.length === 0;
  the("more-followers").hidden = !next;
}
