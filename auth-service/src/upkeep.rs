//! What is done from time to time, by every replica: erasures whose caller did
//! not come again, and old sessions. Two may do it at once.

use std::{sync::Arc, time::Duration};

use kit::{
    clock::{UnixMillis, millis},
    random::{Random, below},
};
use tokio_util::sync::CancellationToken;

use crate::account::Account;

/// How often erasures are finished that profile-service did not hear of.
const ERASURES: Duration = Duration::from_secs(10);
/// Erasures that are finished in one round.
const ERASURES_AT_ONCE: i64 = 100;
/// Rounds of erasures between two purges: about an hour.
const ROUNDS_PER_PURGE: u32 = 360;
/// How long an ended session is kept: longer than any challenge lives, so that
/// its code cannot begin another one.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Does it until `stop`.
pub(crate) async fn keep_up(
    account: Arc<Account>,
    random: Arc<dyn Random>,
    stop: CancellationToken,
) {
    // Replicas that start together do not come at the same moment.
    let mut round = u32::try_from(below(&*random, ROUNDS_PER_PURGE.into())).unwrap_or(0);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(ERASURES) => {}
        }
        round = (round + 1) % ROUNDS_PER_PURGE;
        let work = async {
            finish_erasures(&account).await;
            if round == 0 {
                purge(&account).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = work => {}
        }
    }
}

async fn finish_erasures(account: &Account) {
    let left = match account.users.erasures_to_finish(ERASURES_AT_ONCE).await {
        Ok(left) => left,
        Err(error) => {
            tracing::debug!(%error, "cannot look for unfinished erasures");
            return;
        }
    };
    for user_id in left {
        match account.finish_erasure(user_id).await {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%user_id, %error, "an erasure has to wait for profile-service");
            }
        }
    }
}

async fn purge(account: &Account) {
    let now = account.clock.now();
    let ago = |span: Duration| UnixMillis(now.0.saturating_sub(millis(span)));
    let (ended, begun) = (ago(KEPT), ago(account.rules.max + KEPT));
    let mut purged = 0;
    loop {
        match account.sessions.purge(ended, begun).await {
            Ok(0) => break,
            Ok(some) => purged += some,
            Err(error) => {
                tracing::warn!(%error, "cannot delete old sessions");
                break;
            }
        }
    }
    if purged > 0 {
        tracing::info!(purged, "old sessions deleted");
    }
}
