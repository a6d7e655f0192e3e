// The page: which of its views is shown, and when.

import * as account from "./account.js";
import * as api from "./api.js";
import * as devices from "./devices.js";
import { notice, the, wordsOf } from "./dom.js";
import * as followers from "./followers.js";
import * as invite from "./invite.js";
import * as language from "./language.js";
import * as signIn from "./sign_in.js";

language.begin();
signIn.begin(enter);
invite.begin(ended);
followers.begin(ended);
devices.begin(ended);
account.begin(leave);
the("retry").addEventListener("click", async () => {
  await retry();
  // The button is gone; so would be the focus.
  if (!the("area-view").hidden) the("area-title").focus();
});

// What the button does.
let retry;
await arrive();

// A reload, or the first visit.
async function arrive() {
  await attempt(arrive, async () => {
    if (await api.resume()) await show(signIn.invitation());
    else signIn.showPhone();
  });
}

// Somebody has signed in. `suggested` is an invite code to be entered.
async function enter(suggested) {
  await attempt(() => enter(suggested), async () => {
    await show(suggested);
    the("area-title").focus();
  });
}

async function show(suggested) {
  const profile = await api.profile();
  the("area-title").textContent = profile.phone_number;
  invite.show(profile, suggested);
  await Promise.all([followers.show(), devices.show()]);
  history.replaceState(null, "", "/");
  notice("");
  the("area-view").hidden = false;
}

// What comes to nothing for a passing reason may be tried again by a button.
async function attempt(again, work) {
  the("trouble").hidden = true;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof api.Refusal)) throw error;
    if (error.isSessionOver) {
      ended();
      return;
    }
    retry = again;
    the("trouble").hidden = false;
    language.say(the("trouble-text"), ...wordsOf(error));
    the("retry").focus();
  }
}

function ended() {
  leave("sessionOver");
}

// Back to the first view, with a word.
function leave(word) {
  the("area-view").hidden = true;
  the("area-title").textContent = "";
  for (const each of [devices, followers, invite, signIn]) each.clear();
  signIn.showPhone();
  notice(word);
  the("phone-title").focus();
}
