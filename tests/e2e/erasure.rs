//! An erased user is gone from both services and every store.

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::common::{Product, User, phone};

crate::on_both_storages![an_erased_user_is_gone];

const AREA: &str = "/api/v1/personal-area/";

async fn an_erased_user_is_gone(product: Product) {
    let inviter = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    let follower = User::new(&product, &phone(3)).await;
    product.activate(&user.token, &inviter.invite_code).await;
    product.activate(&follower.token, &user.invite_code).await;

    let erased = product.send("DELETE", AREA, Some(&user.token), None).await;
    assert_eq!((erased.status, &*erased.body), (204, ""));
    let again = product.send("DELETE", AREA, Some(&user.token), None).await;
    assert_eq!(again.status, 204, "{}", again.body);
    let gone = product.get(AREA, Some(&user.token)).await;
    assert_eq!(
        (gone.status, gone.header("error-code")),
        (401, "SESSION_ENDED")
    );
    let path = "/api/v1/personal-area/followers/";
    let gone = product.get(path, Some(&user.token)).await;
    assert_eq!(gone.header("error-code"), "SESSION_ENDED", "{}", gone.body);
    for code in [&*inviter.invite_code, "zzzzzz"] {
        let gone = product.activate(&user.token, code).await;
        assert_eq!(gone.header("error-code"), "SESSION_ENDED", "{code}");
    }

    assert_eq!(
        product.profile(&inviter.token).await["followers"],
        json!([])
    );
    let kept = product.profile(&follower.token).await["invited_by"].clone();
    assert_eq!(kept, user.invite_code);
    let unknown = product.activate(&inviter.token, &user.invite_code).await;
    assert_eq!(unknown.header("error-code"), "INVITE_CODE_NOT_FOUND");

    // The number is free for somebody new.
    let next = User::new(&product, &phone(2)).await;
    assert_ne!(next.invite_code, user.invite_code);
    let profile = product.profile(&next.token).await;
    assert_eq!(profile["followers"], json!([]));
    assert_eq!(profile["invited_by"], json!(null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_server_holds_the_number_afterwards() {
    let postgres = PrivatePostgres::shared();
    let redis = PrivateRedis::start();
    let auth = postgres.create_database("auth");
    let profile = postgres.create_database("profile");
    let product = Product::on(&auth, &profile, &redis.url(), &[]).await;
    let other = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    product.activate(&user.token, &other.invite_code).await;

    let stored = || {
        let rows = |url: &str, table: &str| {
            postgres.psql(url, &format!("SELECT row_to_json(t) FROM {table} AS t"))
        };
        let mut stored = rows(&auth, "users") + &rows(&auth, "sessions");
        stored += &rows(&profile, "profiles");
        for key in redis.raw(&["KEYS", "*"]).lines() {
            stored += key;
            stored += &redis.raw(&["DUMP", key]);
        }
        stored
    };
    let number = phone(2);
    let digits = number.trim_start_matches('+');
    assert!(stored().contains(digits), "it is looked for where it is");
    let erased = product.send("DELETE", AREA, Some(&user.token), None).await;
    assert_eq!(erased.status, 204, "{}", erased.body);
    let stored = stored();
    assert!(stored.contains(phone(1).trim_start_matches('+')));
    assert!(!stored.contains(digits), "{stored}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_the_number_afterwards() {
    let product = Product::embedded(&[]).await;
    let other = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    product.activate(&user.token, &other.invite_code).await;
    let erased = product.send("DELETE", AREA, Some(&user.token), None).await;
    assert_eq!(erased.status, 204, "{}", erased.body);
    let data = product.stop().await;
    let holds = |phone: String| {
        let files = std::fs::read_dir(data.path()).unwrap();
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .any(|content| {
                content
                    .windows(phone.len())
                    .any(|part| part == phone.as_bytes())
            })
    };
    assert!(holds(phone(1)), "it is looked for where it is");
    assert!(!holds(phone(2)));
}
