// Leaving: signing out, here or everywhere, and erasing the account.

import * as api from "./api.js";
import { busy, notice, the, wordsOf } from "./dom.js";
import { say } from "./language.js";

// Gets the buttons to work; `left` is told what to say to one who is out.
export function begin(left) {
  const leaving = (id, work) =>
    the(id).addEventListener("click", (event) =>
      busy(event.target, "", async () => {
        try {
          await work();
        } catch (refusal) {
          // Who is out already has got what was wanted.
          if (!refusal.isSessionOver) {
            notice(...wordsOf(refusal));
            return;
          }
        }
        left("signedOut");
      }),
    );
  leaving("sign-out", api.signOut);
  leaving("sign-out-all", api.signOutEverywhere);

  the("erase").addEventListener("click", () => {
    say(the("erase-error"), "");
    the("erase-dialog").showModal();
  });
  the("erase-no").addEventListener("click", () => the("erase-dialog").close());
  the("erase-yes").addEventListener("click", (event) => busy(event.target, "", () => erase(left)));
}

async function erase(left) {
  try {
    await api.erase();
  } catch (refusal) {
    if (!refusal.isSessionOver) {
      say(the("erase-error"), ...wordsOf(refusal));
      return;
    }
    the("erase-dialog").close();
    left("sessionOver");
    return;
  }
  the("erase-dialog").close();
  left("erased");
}
