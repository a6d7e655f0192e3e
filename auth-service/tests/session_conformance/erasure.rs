//! The sessions of an erased user.

use super::*;

pub(super) async fn an_erased_user_has_no_session_and_frees_the_phone(bench: Bench) {
    let (user_id, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    bench.users.erase(user_id, NOW).await.unwrap();
    bench.users.erase(user_id, NOW.after(DAY)).await.unwrap();
    assert!(!bench.lives(user_id, session_id).await);
    assert_eq!(bench.rotate(session_id, 1, 2).await, None);
    let begun = bench
        .users
        .begin_session(&phone("+7701"), &new_session([2; 32], NOW))
        .await;
    assert_eq!(begun.unwrap(), None);
    let (next, _) = bench.sign_in("+7701", [2; 32], NOW).await;
    assert_ne!(next, user_id);
}

pub(super) async fn an_erasure_is_finished_once(bench: Bench) {
    let (user_id, _) = bench.sign_in("+7701", [1; 32], NOW).await;
    let state = async || bench.users.erasure(user_id).await.unwrap();
    assert_eq!(bench.users.erasure(id()).await.unwrap(), None);
    assert_eq!(state().await, Some(Erasure::NotBegun));
    bench.users.finish_erasure(user_id).await.unwrap();
    assert_eq!(
        state().await,
        Some(Erasure::NotBegun),
        "only an erased user's"
    );
    bench.users.erase(user_id, NOW).await.unwrap();
    assert_eq!(state().await, Some(Erasure::ProfileIsLeft));
    assert_eq!(bench.users.erasures_to_finish(10).await.unwrap(), [user_id]);
    bench.users.finish_erasure(user_id).await.unwrap();
    assert_eq!(state().await, Some(Erasure::Done));
    assert_eq!(
        bench.users.erasures_to_finish(10).await.unwrap(),
        [] as [Uuid; 0]
    );
}

pub(super) async fn no_session_begins_for_an_erased_user(bench: Bench) {
    let user = bench
        .users
        .find_or_create(&phone("+7701"), id(), NOW)
        .await
        .unwrap();
    bench.users.erase(user.user_id, NOW).await.unwrap();
    let session = new_session([1; 32], NOW);
    let begun = bench
        .users
        .begin_first_session(user.user_id, &session)
        .await;
    assert!(!begun.unwrap());
}
