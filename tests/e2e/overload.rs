//! More at once than the database can bear: what is too much is told at once,
//! and what was admitted is answered.

use std::{sync::Arc, time::Duration};

use kit::client::{self, Outgoing};
use proto::{
    Reason,
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use testkit::PrivatePostgres;
use tokio::sync::Mutex;
use tonic::Request;

use crate::common::{Product, phone};

/// Requests at once that are never too many (CONTRACT: `OVERLOADED` is not
/// given below that).
const ADMITTED: usize = 5_000;
const ALL: usize = ADMITTED + 500;

/// Locks the profiles until there is a row in `go`.
const LOCK: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED;
    LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE;
    DO $$ BEGIN
        WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.02); END LOOP;
    END $$;
    COMMIT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_too_many_is_told_at_once_and_the_admitted_are_answered() {
    let postgres = PrivatePostgres::shared();
    let auth = postgres.create_database("auth");
    let profile = postgres.create_database("profile");
    let product = Product::on(&auth, &profile, "memory://", &[]).await;
    let token = product.sign_in(&phone(1)).await;
    postgres.psql(&profile, "CREATE TABLE go (at int)");
    let url = profile.clone();
    let locking = std::thread::spawn(move || postgres.psql(&url, LOCK));
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                AND relation = 'profiles'::regclass";
    while postgres.psql(&profile, held) != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let urls = format!("http://{}", product.addresses.profile);
    let channel = client::channel(
        "profile-service",
        &urls.parse().unwrap(),
        Outgoing::default(),
    );
    let outcomes: Arc<Mutex<Vec<Option<Reason>>>> = Arc::default();
    let calls: Vec<_> = (0..ALL)
        .map(|_| {
            let mut service = ProfileServiceClient::new(channel.clone());
            let mut request = Request::new(GetProfileRequest::default());
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
            let outcomes = outcomes.clone();
            tokio::spawn(async move {
                let refused = service.get_profile(request).await.err();
                let reason = refused.map(|status| Reason::of(&status).unwrap());
                outcomes.lock().await.push(reason);
            })
        })
        .collect();
    // Who is too many hears it while nobody can be served. A few of those who
    // wait for the lock may be given up in between, and make room for others.
    while outcomes.lock().await.len() < ALL - ADMITTED - 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = outcomes.lock().await.clone();
    assert!(!before.contains(&None), "the lock is held");
    assert!(before.contains(&Some(Reason::Overloaded)));
    postgres.psql(&profile, "INSERT INTO go VALUES (1)");
    for call in calls {
        call.await.unwrap();
    }
    locking.join().unwrap();
    let outcomes = outcomes.lock().await;
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|&&outcome| outcome == wanted)
            .count()
    };
    let (answered, overloaded) = (count(None), count(Some(Reason::Overloaded)));
    let given_up = count(Some(Reason::DependencyUnavailable));
    assert_eq!(answered + overloaded + given_up, ALL, "{outcomes:?}");
    assert!(
        answered + given_up >= ADMITTED,
        "{overloaded} of {ALL} were refused"
    );
    assert!(given_up <= 200, "{given_up}");
    // And afterwards all is as before.
    product.profile(&token).await;
}
