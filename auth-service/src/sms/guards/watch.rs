//! What every replica looks after from time to time: messages that are lost, and
//! the counts of the day. Several may do it at once; each message is told once.

use std::{sync::Arc, time::Duration};

use kit::{
    backoff::jittered,
    clock::{Clock, UnixMillis, millis},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Guards, store::OVERDUE_AT_ONCE};
use crate::challenges::store::Unavailable;

/// The least time between two looks; the most is twice that.
const LOOKS: Duration = Duration::from_secs(7);
/// How long after its end a message counts as lost: clocks may differ, and who
/// ends it has to say so.
const GRACE: Duration = Duration::from_secs(10);

/// The guards of this process, watched until `stop`.
pub(crate) fn start(guards: Guards, clock: Arc<dyn Clock>, stop: CancellationToken) -> Arc<Guards> {
    guards.rules.warn();
    let guards = Arc::new(guards);
    tokio::spawn(watch(guards.clone(), clock, stop));
    guards
}

/// Does it until `stop`.
async fn watch(guards: Arc<Guards>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut down = false;
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = guards.look_round(clock.now()) => looked,
        };
        match looked {
            Ok(()) => down = false,
            Err(error) if down => tracing::debug!(%error, "still cannot look for lost messages"),
            Err(error) => {
                tracing::warn!(%error, "cannot look for lost messages");
                down = true;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(jittered(LOOKS)) => {}
        }
    }
}

impl Guards {
    /// Tells which messages are lost, and shows the counts of the day.
    ///
    /// # Errors
    /// When the counts cannot be used now.
    pub async fn look_round(&self, now: UnixMillis) -> Result<(), Unavailable> {
        self.settle_again().await?;
        let overdue = UnixMillis(now.0.saturating_sub(millis(GRACE)));
        loop {
            let round = self.store.look_round(overdue, now).await?;
            self.meters.show(&round);
            if round.overdue.is_empty() {
                return Ok(());
            }
            let count = round.overdue.len();
            tracing::warn!(
                count,
                "messages are lost: the process that had them to send has ended without a word"
            );
            for &message in &round.overdue {
                self.meters.lost(message);
            }
            if count < OVERDUE_AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    async fn settle_again(&self) -> Result<(), Unavailable> {
        let unsettled: Vec<Uuid> = std::mem::take(&mut *self.unsettled());
        if unsettled.is_empty() {
            return Ok(());
        }
        let settled = self.store.settle(&unsettled).await;
        if settled.is_err() {
            self.settle_later(&unsettled);
        }
        settled
    }
}
