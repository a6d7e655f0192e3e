// Shows /dev/messages, anew every second while somebody looks.

const EVERY = 1000;
const PATIENCE = 10_000;

const status = document.getElementById("status");
const list = document.getElementById("messages");
// What is shown.
let shown = null;
let timer;
let looking = false;

document.addEventListener("visibilitychange", look);
look();

async function look() {
  clearTimeout(timer);
  if (document.hidden || looking) return;
  looking = true;
  const again = await ask();
  looking = false;
  if (again) timer = setTimeout(look, EVERY);
}

// Whether to ask again.
async function ask() {
  try {
    const answer = await fetch("/dev/messages", {
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.status === 404) {
      show("[]");
      tell("Messages are really sent now: there is nothing to show.");
      return false;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.text());
  } catch {
    tell("The messages cannot be had now. Trying again…");
    shown = null;
  }
  return true;
}

// Nothing is touched while nothing has changed: a selection stays, and a screen
// reader is quiet.
function show(text) {
  if (text === shown) return;
  shown = text;
  const { messages = [] } = JSON.parse(text);
  list.replaceChildren(...messages.map(item));
  if (messages.length === 0) tell("None so far. Ask for a code, and its message is here.");
  else tell(`${count(messages.length, "message")}, the last one to ${messages[0].phone_number}.`);
}

function tell(text) {
  if (status.textContent !== text) status.textContent = text;
}

function item({ phone_number, text, segments, sent_at }) {
  const at = element("time", "", new Date(sent_at).toLocaleTimeString());
  at.dateTime = sent_at;
  const facts = element("p", "soft", count(segments, "segment"), " · ", at);
  const head = element("div", "head", element("h2", "", phone_number), facts);
  return element("li", "", head, element("p", "text", text));
}

const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
