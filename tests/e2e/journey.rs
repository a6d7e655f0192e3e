//! The product's whole main job: a code, tokens, a profile, an invite code,
//! followers.

use std::collections::HashSet;

use crate::common::{Product, User, phone};
use serde_json::json;

const REFUSED: &str = "Пользователь не найден, возможно вы ждали дольше 2 минут. \
                       Вернитесь на предыдущий шаг.";

crate::on_both_storages![
    two_people,
    a_returning_user_is_the_same,
    a_code_is_spent_by_its_sign_in,
    a_bare_code_finds_its_own_user,
    an_invite_code_is_entered_once,
    an_invite_code_at_sign_in,
    followers_come_in_pages,
    no_user_is_made_by_a_request,
];

async fn two_people(product: Product) {
    let body = json!({ "phone_number": "+77777777766" });
    let asked = product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await;
    let code = asked.code();
    assert_eq!(
        asked.body,
        format!(
            "{{\"response\":\"We will sent code to you in sms.(use {code}), \
             you have 2 minutes to confirm your number!\"}}"
        )
    );
    assert_eq!(code.len(), 4);
    assert_eq!(asked.header("otp-length"), "4");
    assert_eq!(asked.header("otp-expires-in"), "120");
    let id = asked.header("challenge-id");
    assert_eq!(
        asked.header("set-cookie"),
        format!("challenge={id}; Path=/api/v1/auths; Max-Age=120; HttpOnly; SameSite=Strict")
    );

    // The documented answer: nothing but the code.
    let body = json!({ "otp": code });
    let signed_in = product
        .send("PATCH", "/api/v1/auths/", None, Some(body))
        .await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    let tokens = signed_in.json();
    assert_eq!(tokens.as_object().unwrap().len(), 2);
    assert!(tokens["refresh_token"].as_str().unwrap().len() >= 43);
    let token = tokens["access_token"].as_str().unwrap();

    let profile = product.get("/api/v1/personal-area/", Some(token)).await;
    let invite_code = profile.json()["invite_code"].as_str().unwrap().to_owned();
    assert_eq!(
        profile.body,
        format!(
            "{{\"phone_number\":\"+77777777766\",\"invite_code\":\"{invite_code}\",\
             \"invited_by\":null,\"followers\":[]}}"
        )
    );
    assert_eq!(invite_code.len(), 6);
    assert!(invite_code.bytes().all(|byte| byte.is_ascii_alphanumeric()));

    let second = User::new(&product, "+77777777767").await;
    let entered = product.activate(&second.token, &invite_code).await;
    assert_eq!(entered.status, 200);
    assert_eq!(entered.body, r#"{"response":"Inviter added!"}"#);
    assert_eq!(
        product.profile(&second.token).await["invited_by"],
        invite_code
    );
    let followers = &product.profile(token).await["followers"];
    assert_eq!(*followers, json!(["+77777777767"]));
}

async fn a_returning_user_is_the_same(product: Product) {
    let first = User::new(&product, &phone(1)).await;
    let again = User::new(&product, &phone(1)).await;
    assert_eq!(first.invite_code, again.invite_code);
    assert_ne!(first.token, again.token);
    // Both sessions live.
    product.profile(&first.token).await;
    product.profile(&again.token).await;
    let other = User::new(&product, &phone(2)).await;
    assert_ne!(first.invite_code, other.invite_code);
}

async fn a_code_is_spent_by_its_sign_in(product: Product) {
    let (code, challenge) = product.request_code(&phone(1)).await;
    assert_eq!(product.verify(&code, &challenge).await.status, 200);
    let again = product.verify(&code, &challenge).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.sentence(), REFUSED);
    assert_eq!(again.header("error-code"), "CODE_NOT_ACCEPTED");
    let body = json!({ "otp": code });
    let bare = product
        .send("PATCH", "/api/v1/auths/", None, Some(body))
        .await;
    assert_eq!((bare.status, bare.sentence()), (400, REFUSED.to_owned()));
}

async fn a_bare_code_finds_its_own_user(product: Product) {
    let mut pending = Vec::new();
    for each in 0..8 {
        let (code, _) = product.request_code(&phone(each)).await;
        pending.push((code, phone(each)));
    }
    for (code, phone) in pending {
        let body = json!({ "otp": code });
        let answer = product
            .send("PATCH", "/api/v1/auths/", None, Some(body))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let tokens = answer.json();
        let profile = product
            .profile(tokens["access_token"].as_str().unwrap())
            .await;
        assert_eq!(profile["phone_number"], phone);
    }
}

async fn an_invite_code_is_entered_once(product: Product) {
    let inviter = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;

    let unknown = product.activate(&user.token, "2461").await;
    assert_eq!(unknown.status, 400);
    assert_eq!(
        unknown.sentence(),
        "ERROR: the client with code: 2461 not found."
    );
    assert_eq!(unknown.header("error-code"), "INVITE_CODE_NOT_FOUND");
    let own = product.activate(&user.token, &user.invite_code).await;
    assert_eq!(own.status, 400);
    assert_eq!(own.sentence(), "ERROR: you can't use your own invite code!");
    assert_eq!(
        product
            .activate(&user.token, &inviter.invite_code)
            .await
            .status,
        200
    );
    let again = product.activate(&user.token, &inviter.invite_code).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.sentence(), "ERROR: you already have inviter!");

    // Asked in this order even when there is an inviter: unknown, own, already.
    let unknown = product.activate(&user.token, "zzzzzz").await;
    assert_eq!(unknown.header("error-code"), "INVITE_CODE_NOT_FOUND");
    let own = product.activate(&user.token, &user.invite_code).await;
    assert_eq!(own.header("error-code"), "INVITE_CODE_OWN");

    // Two users may enter each other's.
    let back = product.activate(&inviter.token, &user.invite_code).await;
    assert_eq!(back.status, 200, "{}", back.body);
}

async fn an_invite_code_at_sign_in(product: Product) {
    let inviter = User::new(&product, &phone(1)).await;
    let sign_in = async |phone: &str, invited_by: serde_json::Value| {
        let body = json!({ "phone_number": phone, "invited_by": invited_by });
        let asked = product
            .send("POST", "/api/v1/auths/", None, Some(body))
            .await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let signed_in = product
            .verify(&asked.code(), asked.header("challenge-id"))
            .await;
        assert_eq!(signed_in.status, 200, "{}", signed_in.body);
        let token = signed_in.json()["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        product.profile(&token).await["invited_by"].clone()
    };
    let code = json!(inviter.invite_code);
    assert_eq!(sign_in(&phone(2), code.clone()).await, code);
    assert_eq!(sign_in(&phone(3), json!(null)).await, json!(null));
    assert_eq!(sign_in(&phone(4), json!("zzzzzz")).await, json!(null));
    assert_eq!(sign_in(&phone(5), json!("no code")).await, json!(null));
    // Only at the first sign-in.
    assert_eq!(sign_in(&phone(3), code).await, json!(null));
    let followers = &product.profile(&inviter.token).await["followers"];
    assert_eq!(*followers, json!([phone(2)]));
}

async fn followers_come_in_pages(product: Product) {
    let inviter = User::new(&product, &phone(0)).await;
    let mut expected = Vec::new();
    for each in 1..=7 {
        let user = User::new(&product, &phone(each)).await;
        let entered = product.activate(&user.token, &inviter.invite_code).await;
        assert_eq!(entered.status, 200);
        expected.push(phone(each));
    }
    assert_eq!(
        product.profile(&inviter.token).await["followers"],
        json!(expected)
    );
    let path = "/api/v1/personal-area/followers/";
    let mut found = Vec::new();
    let mut query = "?page_size=3".to_owned();
    loop {
        let page = product
            .get(&format!("{path}{query}"), Some(&inviter.token))
            .await;
        let page = page.json();
        let followers = page["followers"].as_array().unwrap();
        found.extend(followers.iter().map(|one| one.as_str().unwrap().to_owned()));
        let Some(next) = page.get("next_page_token") else {
            break;
        };
        assert_eq!(followers.len(), 3);
        query = format!("?page_size=3&page_token={}", next.as_str().unwrap());
    }
    assert_eq!(found, expected);

    let bad = product
        .get(&format!("{path}?page_token=rubbish"), Some(&inviter.token))
        .await;
    assert_eq!(
        (bad.status, bad.header("error-code")),
        (400, "PAGE_TOKEN_INVALID")
    );
}

async fn no_user_is_made_by_a_request(product: Product) {
    let inviter = User::new(&product, &phone(0)).await;
    let body = json!({ "phone_number": phone(1), "invited_by": inviter.invite_code });
    let asked = product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await;
    assert_eq!(asked.status, 200);
    let followers = &product.profile(&inviter.token).await["followers"];
    assert_eq!(*followers, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_no_user_and_no_token() {
    let product = Product::embedded(&[]).await;
    let inviter = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    product.activate(&user.token, &inviter.invite_code).await;
    let product = Product::start(product.stop().await, &[]).await;
    let profile = product.profile(&user.token).await;
    assert_eq!(profile["invited_by"], inviter.invite_code);
    let again = User::new(&product, &phone(1)).await;
    assert_eq!(again.invite_code, inviter.invite_code);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_followers_come_with_the_profile_and_a_link_to_the_rest() {
    let postgres = testkit::PrivatePostgres::shared();
    let database = postgres.create_database("many");
    let redis = testkit::PrivateRedis::shared().url();
    let auth = postgres.create_database("auth");
    let product = Product::on(&auth, &database, &redis, &[]).await;
    let inviter = User::new(&product, &phone(0)).await;
    postgres.psql(
        &database,
        "INSERT INTO profiles SELECT gen_random_uuid(), '+7900' || lpad(each::text, 7, '0'), \
         'x' || lpad(each::text, 5, '0'), user_id, invite_code, each, 0 \
         FROM profiles, generate_series(1, 1002) AS each",
    );
    let profile = product
        .get("/api/v1/personal-area/", Some(&inviter.token))
        .await;
    let followers = profile.json()["followers"].clone();
    let first: HashSet<_> = followers.as_array().unwrap().iter().cloned().collect();
    assert_eq!(first.len(), 1000);
    assert_eq!(followers[0], "+79000000001");
    assert_eq!(followers[999], "+79000001000");
    let link = profile.header("link");
    let (path, rel) = link.split_once('>').unwrap();
    assert_eq!(rel, "; rel=\"next\"");
    let path = path.strip_prefix('<').unwrap();
    let rest = product.get(path, Some(&inviter.token)).await.json();
    assert_eq!(
        rest,
        json!({ "followers": ["+79000001001", "+79000001002"] })
    );
}
