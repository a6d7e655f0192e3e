//! What is left of an erased profile.

use super::*;

pub(super) async fn an_erased_profile_is_gone_and_leaves_the_inviters_followers(
    store: ProfileStore,
) {
    let inviter = make(&store, "+7701", "aaaaaa").await;
    let user = make(&store, "+7702", "bbbbbb").await;
    assert!(enter(&store, user, inviter, "aaaaaa", 1).await);
    for _ in 0..2 {
        let erased = store.erase(user, &code("tombst"), at(2)).await.unwrap();
        assert_eq!(erased, Erased::Done);
    }
    assert_eq!(store.profile(user, 10).await.unwrap(), None);
    assert!(!store.exists(user).await.unwrap());
    assert_eq!(
        store.followers(user, Position::START, 10).await.unwrap(),
        None
    );
    let (_, followers) = store.profile(inviter, 10).await.unwrap().unwrap();
    assert_eq!(followers, Followers::default());
    assert!(
        !enter(&store, user, inviter, "aaaaaa", 3).await,
        "nobody comes back"
    );
}

pub(super) async fn an_erased_users_followers_keep_the_code_that_they_entered(store: ProfileStore) {
    let inviter = make(&store, "+7701", "aaaaaa").await;
    let user = make(&store, "+7702", "bbbbbb").await;
    assert!(enter(&store, user, inviter, "aaaaaa", 1).await);
    store.erase(inviter, &code("tombst"), at(2)).await.unwrap();
    assert_eq!(store.profile(inviter, 10).await.unwrap(), None);
    let listed = store.followers(inviter, Position::START, 10).await;
    assert_eq!(listed.unwrap(), None, "an erased user shows nothing");
    let (profile, _) = store.profile(user, 10).await.unwrap().unwrap();
    assert_eq!(profile.invited_by.as_deref(), Some("aaaaaa"));
}

pub(super) async fn neither_user_nor_code_comes_back_after_an_erasure(store: ProfileStore) {
    let profile = new("+7701", None);
    store.create(&profile, &code("aaaaaa")).await.unwrap();
    store
        .erase(profile.user_id, &code("tombst"), at(1))
        .await
        .unwrap();
    assert_eq!(store.owner(&code("aaaaaa")).await.unwrap(), None);
    let late = store.create(&profile, &code("cccccc")).await.unwrap();
    assert_eq!(late, Created::Known);
    assert!(!store.exists(profile.user_id).await.unwrap());
    let other = new("+7702", Some("aaaaaa"));
    let taken = store.create(&other, &code("aaaaaa")).await.unwrap();
    assert_eq!(taken, Created::CodeTaken);
    store.create(&other, &code("dddddd")).await.unwrap();
    let (found, _) = store.profile(other.user_id, 10).await.unwrap().unwrap();
    assert_eq!(found.invited_by, None);
}

pub(super) async fn an_erasure_before_the_profile_is_made_keeps_it_from_being_made(
    store: ProfileStore,
) {
    make(&store, "+7702", "bbbbbb").await;
    let profile = new("+7701", None);
    let taken = store.erase(profile.user_id, &code("bbbbbb"), at(1)).await;
    assert_eq!(taken.unwrap(), Erased::CodeTaken);
    let erased = store.erase(profile.user_id, &code("tombst"), at(1)).await;
    assert_eq!(erased.unwrap(), Erased::Done);
    let late = store.create(&profile, &code("cccccc")).await.unwrap();
    assert_eq!(late, Created::Known);
    assert!(!store.exists(profile.user_id).await.unwrap());
}
