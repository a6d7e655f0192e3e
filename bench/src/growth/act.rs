//! Operations with whom they are about, and clients who do them all.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use crate::load::{Pair, Player, at_once};

/// One operation.
pub(super) enum Act {
    /// Enters the number's code, and keeps the tokens at this place.
    SignIn(usize, String),
    Journey(String),
    /// A profile that has so many followers.
    Profile(Pair, u64),
    /// A page of 100 followers that begins here.
    Page(Pair, String),
    /// The same of what is kept at this place.
    Refresh(usize, Pair),
    Sessions(Pair),
    Activate(Pair, String),
    /// Asks for a code that is going to be missed.
    Ask(String),
    /// A challenge and a code that is not its own.
    Wrong(String, String),
}

/// What is kept of it.
pub(super) enum Gave {
    Nothing,
    Tokens(usize, Pair),
    Challenge(String, String),
}

/// Has the clients do all of it, each one after the other.
pub(super) async fn play(crew: &mut Vec<Player>, acts: Vec<Act>) -> anyhow::Result<Vec<Gave>> {
    let waiting = Arc::new(Mutex::new(VecDeque::from(acts)));
    let played = at_once(crew, |mut player| {
        let waiting = waiting.clone();
        async move {
            let mut all = Vec::new();
            loop {
                let next = {
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    waiting.pop_front()
                };
                let Some(act) = next else {
                    return Ok((player, all));
                };
                all.push(once(&mut player, act).await?);
            }
        }
    });
    Ok(played.await?.into_iter().flatten().collect())
}

async fn once(player: &mut Player, act: Act) -> anyhow::Result<Gave> {
    match act {
        Act::SignIn(place, phone) => {
            let (_, code) = player.ask(&phone).await?;
            let pair = player.sign_in_for_both(&code).await?;
            return Ok(Gave::Tokens(place, pair));
        }
        Act::Refresh(place, pair) => {
            return Ok(Gave::Tokens(place, player.refresh(&pair).await?));
        }
        Act::Ask(phone) => {
            let (id, code) = player.one_to_miss(&phone).await?;
            return Ok(Gave::Challenge(id, code));
        }
        Act::Journey(phone) => {
            let mut steps = crate::load::Steps::default();
            player.journey(&phone, &mut steps).await?;
        }
        Act::Profile(pair, followers) => player.profile_of(&pair, followers).await?,
        Act::Page(pair, token) => {
            let page = player.followers(&pair, &token, 100).await?;
            anyhow::ensure!(page.followers == 100, "{} on a page", page.followers);
        }
        Act::Sessions(pair) => player.sessions(&pair).await?,
        Act::Activate(pair, code) => player.activate(&pair, &code).await?,
        Act::Wrong(challenge, code) => player.wrong(&challenge, &code).await?,
    }
    Ok(Gave::Nothing)
}
