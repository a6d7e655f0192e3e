// Where one is signed in, and ending that.

import * as api from "./api.js";
import { busy, element, notice, remark, the, wordsOf } from "./dom.js";
import { label, say, showTime } from "./language.js";

let onEnd;

// `ended` is told of refusals that end the session.
export function begin(ended) {
  onEnd = ended;
}

export async function show() {
  const sessions = await api.sessions();
  the("devices").replaceChildren(...sessions.map(row));
}

// Leaves nothing of it on the page.
export const clear = () => the("devices").replaceChildren();

function row(session) {
  const device = describe(session.user_agent);
  const name = element("span", "name");
  say(name, "device", device);
  const used = element("span", "");
  say(used, "lastUsed");
  const time = element("time", "");
  showTime(time, session.last_used_at);
  const details = element("span", "hint", session.client_address, " · ", used, " ", time);
  const item = element("li", "row apart", element("div", "", name, details));
  if (session.current) {
    const current = element("span", "badge");
    say(current, "thisDevice");
    item.append(current);
  } else {
    item.append(endButton(session, name.textContent));
  }
  return item;
}

function endButton(session, device) {
  const button = element("button", "");
  button.type = "button";
  say(button, "end");
  label(button, "endOf", { device });
  button.addEventListener("click", () => busy(button, "", () => end(session.id)));
  return button;
}

async function end(id) {
  try {
    await api.endSession(id);
    remark("ended");
  } catch (refusal) {
    if (refusal.isSessionOver) {
      onEnd(refusal);
      return;
    }
    notice(...wordsOf(refusal));
  }
  // The button is gone with its row.
  the("devices-title").focus();
  await show().catch((refusal) => refusal.isSessionOver && onEnd(refusal));
}

// What people call a browser and a system. The order matters: most browsers
// claim to be others too.
const BROWSERS = [
  [/Edg(e|A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/YaBrowser\//, "Yandex"],
  [/SamsungBrowser\//, "Samsung Internet"],
  [/(Firefox|FxiOS)\//, "Firefox"],
  [/(Chrome|CriOS|HeadlessChrome)\//, "Chrome"],
  [/Safari\//, "Safari"],
  [/^([\w.-]{1,40})/, null],
];
const SYSTEMS = [
  [/Android/, "Android"],
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
];

function describe(agent) {
  const of = (table) => {
    const found = table.find(([pattern]) => pattern.test(agent));
    return found && (found[1] ?? found[0].exec(agent)[1]);
  };
  return { browser: of(BROWSERS), system: of(SYSTEMS) };
}
