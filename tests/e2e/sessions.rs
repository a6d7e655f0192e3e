//! Sessions: refresh, sign-out, the list of devices.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};

use crate::common::{Product, http::Answer, phone};

crate::on_both_storages![
    a_refresh_rotates_the_pair,
    sixteen_refreshes_at_once_get_one_successor,
    a_replayed_token_ends_the_session,
    a_made_up_token_ends_nothing,
    a_sign_out_ends_this_session_alone,
    a_sign_out_everywhere_ends_them_all,
    devices_are_listed_and_ended,
];

struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let json = answer.json();
        assert_eq!(json.as_object().unwrap().len(), 2);
        let text = |key: &str| json[key].as_str().unwrap().to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    async fn new(product: &Product, phone: &str) -> Self {
        let (code, challenge) = product.request_code(phone).await;
        Self::of(&product.verify(&code, &challenge).await)
    }
}

async fn refresh(product: &Product, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    let path = "/api/v1/auths/refresh/";
    product.send("POST", path, None, Some(body)).await
}

async fn delete(product: &Product, path: &str, token: &str) -> Answer {
    product.send("DELETE", path, Some(token), None).await
}

async fn list(product: &Product, token: &str) -> Vec<Value> {
    let answer = product.get("/api/v1/auths/sessions/", Some(token)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["sessions"].as_array().unwrap().clone()
}

fn refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(answer.header("error-code"), reason);
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

async fn a_refresh_rotates_the_pair(product: Product) {
    let mut tokens = Tokens::new(&product, &phone(1)).await;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        assert!(seen.insert(tokens.refresh.clone()));
        let next = Tokens::of(&refresh(&product, &tokens.refresh).await);
        product.profile(&next.access).await;
        // The access token before it is good until it expires.
        product.profile(&tokens.access).await;
        tokens = next;
    }
    // A lost answer: the same token leads to the same successor.
    let once = Tokens::of(&refresh(&product, &tokens.refresh).await);
    let again = Tokens::of(&refresh(&product, &tokens.refresh).await);
    assert_eq!(once.refresh, again.refresh);
}

async fn sixteen_refreshes_at_once_get_one_successor(product: Product) {
    let product = Arc::new(product);
    let tokens = Tokens::new(&product, &phone(1)).await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let (product, token) = (product.clone(), tokens.refresh.clone());
            tokio::spawn(async move { refresh(&product, &token).await })
        })
        .collect();
    let mut successors = HashSet::new();
    for call in calls {
        successors.insert(Tokens::of(&call.await.unwrap()).refresh);
    }
    assert_eq!(successors.len(), 1);
    let successor = successors.into_iter().next().unwrap();
    let next = Tokens::of(&refresh(&product, &successor).await);
    // Two generations old.
    refused(&refresh(&product, &tokens.refresh).await, "SESSION_ENDED");
    // And that was the end, for the thief as well as for the owner.
    refused(&refresh(&product, &next.refresh).await, "SESSION_ENDED");
    refused(
        &delete(&product, "/api/v1/auths/", &next.access).await,
        "SESSION_ENDED",
    );
}

async fn a_replayed_token_ends_the_session(product: Product) {
    let first = Tokens::new(&product, &phone(1)).await;
    let other = Tokens::new(&product, &phone(1)).await;
    let second = Tokens::of(&refresh(&product, &first.refresh).await);
    let third = Tokens::of(&refresh(&product, &second.refresh).await);
    refused(&refresh(&product, &first.refresh).await, "SESSION_ENDED");
    refused(&refresh(&product, &third.refresh).await, "SESSION_ENDED");
    // The user's other session lives.
    Tokens::of(&refresh(&product, &other.refresh).await);
}

async fn a_made_up_token_ends_nothing(product: Product) {
    let tokens = Tokens::new(&product, &phone(1)).await;
    // A real session's id with a made-up secret: anybody who sees an access
    // token can write that.
    let (id, secret) = tokens.refresh.split_at(22);
    let made_up = format!("{id}{}", secret.chars().rev().collect::<String>());
    for token in ["", "x", &made_up, &tokens.access, &"a".repeat(3_000)] {
        refused(&refresh(&product, token).await, "TOKEN_INVALID");
    }
    let body = json!({ "refresh_token": 1 });
    let path = "/api/v1/auths/refresh/";
    let wrong = product.send("POST", path, None, Some(body)).await;
    assert_eq!(
        (wrong.status, wrong.header("error-code")),
        (400, "FIELD_INVALID")
    );
    Tokens::of(&refresh(&product, &tokens.refresh).await);
}

async fn a_sign_out_ends_this_session_alone(product: Product) {
    let one = Tokens::new(&product, &phone(1)).await;
    let two = Tokens::new(&product, &phone(1)).await;
    let answer = delete(&product, "/api/v1/auths/", &one.access).await;
    assert_eq!((answer.status, &*answer.body), (204, ""));
    refused(&refresh(&product, &one.refresh).await, "SESSION_ENDED");
    refused(
        &delete(&product, "/api/v1/auths/", &one.access).await,
        "SESSION_ENDED",
    );
    assert_eq!(list(&product, &two.access).await.len(), 1);
    Tokens::of(&refresh(&product, &two.refresh).await);
}

async fn a_sign_out_everywhere_ends_them_all(product: Product) {
    let one = Tokens::new(&product, &phone(1)).await;
    let two = Tokens::new(&product, &phone(1)).await;
    let other = Tokens::new(&product, &phone(2)).await;
    let answer = delete(&product, "/api/v1/auths/?all=true", &one.access).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    for tokens in [one, two] {
        refused(&refresh(&product, &tokens.refresh).await, "SESSION_ENDED");
    }
    Tokens::of(&refresh(&product, &other.refresh).await);
}

async fn devices_are_listed_and_ended(product: Product) {
    let one = Tokens::new(&product, &phone(1)).await;
    let two = Tokens::new(&product, &phone(1)).await;
    let other = Tokens::new(&product, &phone(2)).await;
    let sessions = list(&product, &two.access).await;
    let [newest, oldest] = &sessions[..] else {
        panic!("{sessions:?}")
    };
    assert_eq!(
        (&newest["current"], &oldest["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(newest["client_address"], "127.0.0.1");
    assert!(newest["created_at"].as_str().unwrap().ends_with('Z'));

    let path = |session: &Value| {
        format!(
            "/api/v1/auths/sessions/{}/",
            session["id"].as_str().unwrap()
        )
    };
    let foreign = delete(&product, &path(oldest), &other.access).await;
    assert_eq!(
        (foreign.status, foreign.header("error-code")),
        (404, "SESSION_NOT_FOUND")
    );
    let unknown = delete(&product, "/api/v1/auths/sessions/x", &two.access).await;
    assert_eq!(
        (unknown.status, unknown.header("error-code")),
        (404, "SESSION_NOT_FOUND")
    );
    let ended = delete(&product, &path(oldest), &two.access).await;
    assert_eq!(ended.status, 204, "{}", ended.body);
    refused(&refresh(&product, &one.refresh).await, "SESSION_ENDED");
    assert_eq!(list(&product, &two.access).await.len(), 1);
    let again = delete(&product, &path(oldest), &two.access).await;
    assert_eq!(again.status, 404);
}
