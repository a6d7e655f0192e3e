//! The rules for somebody who is signed in: refresh, sign-out, the list of
//! sessions, and the end of the account.

use std::{sync::Arc, time::Duration};

use kit::{
    access_token::AccessClaims,
    audit,
    clock::{Clock, UnixMillis, millis},
    random::{Random, bytes},
};
use uuid::Uuid;

use crate::{
    counts::Counts,
    error::Error,
    mac::Hasher,
    profiles::Profiles,
    refresh_token::RefreshToken,
    sessions::{Cutoffs, Owner, Rotation, Session, Sessions},
    tokens::{AccessToken, Tokens},
    users::{Erasure, Users},
};

/// For how long a rotated token still leads to its successor.
const GRACE: Duration = Duration::from_secs(30);

/// What the settings say of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionRules {
    /// A session ends when it was not used for so long
    /// (`AUTH_SESSION_IDLE_DAYS`).
    pub idle: Duration,
    /// A session ends so long after it began (`AUTH_SESSION_MAX_DAYS`).
    pub max: Duration,
}

impl SessionRules {
    /// What lives now.
    pub(crate) fn cutoffs(&self, now: UnixMillis) -> Cutoffs {
        let ago = |span| UnixMillis(now.0.saturating_sub(millis(span)));
        Cutoffs {
            used_after: ago(self.idle),
            begun_after: ago(self.max),
        }
    }
}

/// The rules, over what they need.
pub(crate) struct Account {
    pub(crate) sessions: Sessions,
    pub(crate) users: Users,
    pub(crate) profiles: Profiles,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) rules: SessionRules,
    pub(crate) counts: Arc<Counts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// A new pair of tokens.
pub(crate) struct Refreshed {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

impl Account {
    /// Trades a refresh token for a new pair.
    pub(crate) async fn refresh(&self, text: &str) -> Result<Refreshed, Error> {
        let token = RefreshToken::parse(text, &self.hasher).ok_or(Error::RefreshTokenInvalid)?;
        let now = self.clock.now();
        let (owner, refresh) = self.successor(&token, now).await?;
        let session_id = token.session_id();
        let access = self
            .tokens
            .sign_access(owner.user_id, session_id, &owner.phone, now)?;
        Ok(Refreshed { access, refresh })
    }

    /// Rotates a token; or finds the successor that it got a moment ago; or
    /// ends its session, since a token that comes again later was stolen from
    /// somebody: from its owner, or by its owner's double.
    async fn successor(
        &self,
        token: &RefreshToken,
        now: UnixMillis,
    ) -> Result<(Owner, RefreshToken), Error> {
        let live = self.rules.cutoffs(now);
        let session_id = token.session_id();
        let nonce = bytes(&*self.random);
        let next = token.successor(&nonce, &self.hasher);
        let rotation = Rotation {
            session_id,
            presented: token.hash(),
            successor: next.hash(),
            nonce,
            now,
        };
        if let Some(owner) = self.sessions.rotate(&rotation, live).await? {
            return Ok((owner, next));
        }
        let known = self.sessions.rotated(session_id, live).await?;
        let known = known.ok_or(Error::SessionEnded)?;
        if let Some((previous, nonce, rotated_at)) = known.previous
            && previous == rotation.presented
            && rotated_at.until(now) <= GRACE
        {
            let next = token.successor(&nonce, &self.hasher);
            if next.hash() == known.current {
                return Ok((known.owner, next));
            }
        }
        let user_id = known.owner.user_id;
        let ended = self.sessions.end(session_id, user_id, live, now).await?;
        self.counts.replayed.inc_by(ended.into());
        audit!("refresh", "replayed: session ended", %user_id, %session_id);
        Err(Error::RefreshTokenReplayed)
    }

    /// The caller, if the session of the access token lives.
    pub(crate) async fn signed_in(&self, caller: &AccessClaims) -> Result<Cutoffs, Error> {
        let live = self.rules.cutoffs(self.clock.now());
        let lives = self.sessions.lives(caller.sid, caller.sub, live).await?;
        lives.then_some(live).ok_or(Error::SessionEnded)
    }

    /// Ends the caller's session.
    pub(crate) async fn sign_out(&self, caller: &AccessClaims) -> Result<(), Error> {
        let live = self.signed_in(caller).await?;
        let now = self.clock.now();
        let ended = self.sessions.end(caller.sid, caller.sub, live, now).await?;
        self.counts.signed_out.inc_by(ended.into());
        audit!("sign_out", "ended", user_id = %caller.sub, session_id = %caller.sid);
        Ok(())
    }

    /// Ends all of the caller's sessions.
    pub(crate) async fn sign_out_everywhere(&self, caller: &AccessClaims) -> Result<(), Error> {
        self.signed_in(caller).await?;
        let ended = self.sessions.end_all(caller.sub, self.clock.now()).await?;
        self.counts.signed_out.inc_by(ended);
        audit!("sign_out", "all ended", user_id = %caller.sub);
        Ok(())
    }

    /// The caller's live sessions.
    pub(crate) async fn list(&self, caller: &AccessClaims) -> Result<Vec<Session>, Error> {
        let live = self.signed_in(caller).await?;
        Ok(self.sessions.list(caller.sub, live).await?)
    }

    /// Ends one of the caller's sessions.
    pub(crate) async fn revoke(
        &self,
        caller: &AccessClaims,
        session_id: Uuid,
    ) -> Result<(), Error> {
        let live = self.signed_in(caller).await?;
        let now = self.clock.now();
        let ended = self.sessions.end(session_id, caller.sub, live, now).await?;
        if !ended {
            return Err(Error::SessionNotFound);
        }
        self.counts.revoked.inc();
        audit!("revoke_session", "ended", user_id = %caller.sub, %session_id);
        Ok(())
    }

    /// Erases the caller: here first, in one transaction, and then in
    /// profile-service. Whoever erased half of it comes again with the same
    /// token, although its session has ended by then.
    pub(crate) async fn erase(&self, caller: &AccessClaims) -> Result<(), Error> {
        let user_id = caller.sub;
        match self.users.erasure(user_id).await? {
            None | Some(Erasure::NotBegun) => self.erase_here(caller).await?,
            Some(Erasure::ProfileIsLeft) => {}
            Some(Erasure::Done) => return Ok(()),
        }
        self.finish_erasure(user_id).await
    }

    async fn erase_here(&self, caller: &AccessClaims) -> Result<(), Error> {
        let user_id = caller.sub;
        if let Err(error) = self.signed_in(caller).await {
            // The same call may have come twice at once.
            let erasure = self.users.erasure(user_id).await?;
            let begun = matches!(erasure, Some(Erasure::ProfileIsLeft | Erasure::Done));
            return if begun { Ok(()) } else { Err(error) };
        }
        let erased = self.users.erase(user_id, self.clock.now()).await?;
        self.counts.erased.inc_by(erased.into());
        audit!("erase", "erased here", %user_id);
        Ok(())
    }

    /// Erases the profile of an erased user.
    pub(crate) async fn finish_erasure(&self, user_id: Uuid) -> Result<(), Error> {
        self.profiles
            .delete(user_id)
            .await
            .map_err(Error::Profiles)?;
        self.users.finish_erasure(user_id).await?;
        audit!("erase", "done", %user_id);
        Ok(())
    }
}
