//! Which sessions are deleted, and what is still known then.

use super::*;

pub(super) async fn old_sessions_are_purged(bench: Bench) {
    let (user_id, ended) = bench.sign_in("+7701", [1; 32], NOW).await;
    let (_, ended_lately) = bench.sign_in("+7701", [2; 32], NOW).await;
    let (_, old) = bench.sign_in("+7701", [3; 32], UnixMillis(1)).await;
    let (_, live) = bench.sign_in("+7701", [4; 32], NOW).await;
    bench.sessions.end(ended, user_id, ALL, NOW).await.unwrap();
    let later = NOW.after(DAY);
    bench
        .sessions
        .end(ended_lately, user_id, ALL, later)
        .await
        .unwrap();
    let purge = async || bench.sessions.purge(later, UnixMillis(2)).await.unwrap();
    assert_eq!(purge().await, 2);
    assert_eq!(purge().await, 0);
    assert!(bench.lives(user_id, live).await);
    assert!(!bench.lives(user_id, old).await);
    assert_eq!(
        bench
            .sessions
            .purge(later.after(DAY), UnixMillis(0))
            .await
            .unwrap(),
        1
    );
}

pub(super) async fn sessions_are_old_from_a_millisecond_on(bench: Bench) {
    let bound = NOW.after(DAY);
    let mut sessions = Vec::new();
    // Several of each, for below the millisecond an id is random.
    for millis in [-1, 0, 1].repeat(8) {
        let begun = UnixMillis(bound.0 + millis);
        let (user_id, session_id) = bench.sign_in("+7701", [1; 32], begun).await;
        sessions.push((user_id, session_id, millis >= 0));
    }
    let purged = bench.sessions.purge(UnixMillis(0), bound).await;
    assert_eq!(purged.unwrap(), 8);
    for (user_id, session_id, kept) in sessions {
        assert_eq!(bench.lives(user_id, session_id).await, kept);
    }
}

pub(super) async fn a_user_whose_sessions_are_purged_is_still_known(bench: Bench) {
    let (ended, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    let (idle, _) = bench.sign_in("+7702", [2; 32], UnixMillis(1)).await;
    let (erased, _) = bench.sign_in("+7703", [3; 32], UnixMillis(1)).await;
    let end = bench.sessions.end(session_id, ended, ALL, NOW).await;
    assert!(end.unwrap());
    bench.users.erase(erased, NOW).await.unwrap();
    bench.users.finish_erasure(erased).await.unwrap();
    let purged = bench.sessions.purge(NOW.after(DAY), UnixMillis(2)).await;
    assert_eq!(purged.unwrap(), 3);
    for (number, user_id) in [("+7701", ended), ("+7702", idle)] {
        let session = new_session([4; 32], NOW);
        let begun = bench.users.begin_session(&phone(number), &session).await;
        assert_eq!(begun.unwrap(), Some(user_id));
    }
    let erasure = bench.users.erasure(erased).await.unwrap();
    assert_eq!(erasure, Some(Erasure::Done));
}
