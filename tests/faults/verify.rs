//! At the end: everything acknowledged is there, asked for as an app asks.

use std::collections::{HashMap, HashSet};

use crate::app::App;

/// A user as the product shows it.
pub(crate) struct Shown {
    phone: String,
    invite_code: String,
    invited_by: Option<String>,
    followers: Vec<String>,
}

/// Every session of this client's users still works, and every profile is as it
/// was acknowledged.
pub(crate) async fn ask(mut app: App) -> Vec<Shown> {
    let mut shown = Vec::new();
    for index in 0..app.users.len() {
        for session in 0..app.users[index].sessions.len() {
            app.refresh_session(index, session).await;
        }
        for session in 0..app.users[index].sessions.len() {
            let access = app.users[index].sessions[session].access();
            let profile = app.profile(&access).await;
            let user = &app.users[index];
            assert_eq!(profile["phone_number"], *user.phone);
            assert_eq!(profile["invite_code"], *user.invite_code);
            assert_eq!(profile["invited_by"].as_str(), user.invited_by.as_deref());
            if session == 0 {
                let followers = followers(&mut app, &access).await;
                let first = followers.iter().take(1000).map(String::as_str);
                let in_profile = profile["followers"].as_array().unwrap().iter();
                let in_profile = in_profile.map(|phone| phone.as_str().unwrap());
                assert!(first.eq(in_profile), "the list and the profile differ");
                let user = &app.users[index];
                shown.push(Shown {
                    phone: user.phone.clone(),
                    invite_code: user.invite_code.clone(),
                    invited_by: user.invited_by.clone(),
                    followers,
                });
            }
        }
    }
    shown
}

/// The whole list of followers, page by page.
async fn followers(app: &mut App, access: &str) -> Vec<String> {
    let mut followers = Vec::new();
    let mut token = String::new();
    loop {
        let path = format!("/api/v1/personal-area/followers/?page_size=20&page_token={token}");
        let page = app.get(&path, access).await;
        let phones = page["followers"].as_array().unwrap().iter();
        followers.extend(phones.map(|phone| phone.as_str().unwrap().to_owned()));
        match page["next_page_token"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => return followers,
        }
    }
}

/// Each follower is in the list of the one inviter whose code it entered, and in
/// no other; no invite code is two users'.
pub(crate) fn compare(all: &[Shown]) {
    let mut inviters = HashMap::new();
    let mut codes = HashSet::new();
    for inviter in all {
        assert!(
            codes.insert(&inviter.invite_code),
            "{} is two users'",
            inviter.invite_code
        );
        for follower in &inviter.followers {
            let other = inviters.insert(follower, &inviter.invite_code);
            assert_eq!(other, None, "{follower} is in two lists, or twice in one");
        }
    }
    let entered: HashMap<_, _> = all
        .iter()
        .filter_map(|user| Some((&user.phone, user.invited_by.as_ref()?)))
        .collect();
    assert_eq!(inviters, entered);
}
