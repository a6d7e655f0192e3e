//! The rules of profiles.

use std::sync::Arc;

use kit::{audit, clock::Clock, random::Random};
use uuid::Uuid;

use crate::{
    error::Error,
    invite_code::InviteCode,
    page_token::Position,
    store::{Created, Erased, Followers, NewProfile, Profile, ProfileStore},
};

/// How many codes are drawn for one profile. With 10⁹ users one in 57 is taken:
/// all of these are with a chance of 10⁻⁵⁶.
const DRAWS: usize = 32;

/// The rules, over what they need.
pub(crate) struct Profiles {
    pub(crate) store: ProfileStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Profiles {
    /// Makes a user's profile with a fresh invite code, unless it is there;
    /// whether this call made it. An inviter's code that nobody has is
    /// ignored: a sign-in never fails for it.
    pub(crate) async fn create(
        &self,
        user_id: Uuid,
        phone_number: String,
        invited_by: Option<&str>,
    ) -> Result<bool, Error> {
        let new = NewProfile {
            user_id,
            phone_number,
            invited_by: invited_by.and_then(InviteCode::parse),
            created_at: self.clock.now(),
        };
        for _ in 0..DRAWS {
            let code = InviteCode::draw(&*self.random);
            match self.store.create(&new, &code).await? {
                Created::New => return Ok(true),
                Created::Known => return Ok(false),
                Created::CodeTaken => {}
            }
        }
        Err(Error::NoFreeCode)
    }

    /// Erases a user's profile, unless it is gone.
    pub(crate) async fn erase(&self, user_id: Uuid) -> Result<(), Error> {
        for _ in 0..DRAWS {
            let code = InviteCode::draw(&*self.random);
            let now = self.clock.now();
            if self.store.erase(user_id, &code, now).await? == Erased::Done {
                audit!("erase_profile", "done", %user_id);
                return Ok(());
            }
        }
        Err(Error::NoFreeCode)
    }

    /// A profile with the first page of its followers.
    pub(crate) async fn get(
        &self,
        user_id: Uuid,
        page_size: u32,
    ) -> Result<(Profile, Followers), Error> {
        let found = self.store.profile(user_id, page_size).await?;
        found.ok_or(Error::UserGone)
    }

    /// Enters somebody's invite code: asked in this order, it is unknown, the
    /// user's own, or not the first.
    pub(crate) async fn activate(&self, user_id: Uuid, invite_code: &str) -> Result<(), Error> {
        let code = InviteCode::parse(invite_code).ok_or(Error::InviteCodeNotFound)?;
        let Some(inviter_id) = self.store.owner(&code).await? else {
            self.require(user_id).await?;
            return Err(Error::InviteCodeNotFound);
        };
        if inviter_id == user_id {
            return Err(Error::InviteCodeOwn);
        }
        let now = self.clock.now();
        if self
            .store
            .set_inviter(user_id, inviter_id, &code, now)
            .await?
        {
            audit!("activate_invite", "activated", %user_id, %inviter_id);
            return Ok(());
        }
        self.require(user_id).await?;
        Err(Error::InviterAlreadySet)
    }

    /// Refuses the call of a user who is no more: an access token outlives its
    /// user by some minutes.
    async fn require(&self, user_id: Uuid) -> Result<(), Error> {
        let exists = self.store.exists(user_id).await?;
        exists.then_some(()).ok_or(Error::UserGone)
    }

    /// A page of followers.
    pub(crate) async fn followers(
        &self,
        user_id: Uuid,
        page_size: u32,
        page_token: &str,
    ) -> Result<Followers, Error> {
        let after = Position::from_token(page_token).ok_or(Error::PageTokenInvalid)?;
        let found = self.store.followers(user_id, after, page_size).await?;
        found.ok_or(Error::UserGone)
    }
}
