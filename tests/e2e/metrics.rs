//! What the product counts is what happened; and it tells no more than that.

mod documented;
mod listener;
mod scrape;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::{
    common::{
        Product, User,
        http::{ready, request},
        phone,
        processes::{END, Process, command},
    },
    programs::{Trio, complaint, customauth, sign_in},
    sms::{
        self,
        receivers::{Receiver, Reply},
    },
};

use scrape::{Families, Labels, Scrape};

crate::on_both_storages![
    a_journey_is_counted,
    no_client_is_found_in_it,
    what_nobody_knows_makes_no_series,
];

impl Product {
    async fn scrape(&self) -> Scrape {
        Scrape::of(&self.url("/metrics")).await
    }

    async fn refresh(&self, token: &str) -> Option<String> {
        let body = json!({ "refresh_token": token });
        let path = "/api/v1/auths/refresh/";
        let answer = self.send("POST", path, None, Some(body)).await;
        (answer.status == 200).then(|| {
            let fresh = answer.json()["refresh_token"].clone();
            fresh.as_str().unwrap().to_owned()
        })
    }
}

async fn a_journey_is_counted(product: Product) {
    let inviter = User::new(&product, &phone(1)).await;
    let user = User::new(&product, &phone(2)).await;
    for code in [
        &inviter.invite_code,
        &inviter.invite_code,
        &user.invite_code,
    ] {
        product.activate(&user.token, code).await;
    }
    product.activate(&user.token, "zzzzzz").await;

    let (code, challenge) = product.request_code(&phone(1)).await;
    for wrong in ["99999999", "x"] {
        assert_eq!(product.verify(wrong, &challenge).await.status, 400);
    }
    let signed_in = product.verify(&code, &challenge).await.json();
    let first = signed_in["refresh_token"].as_str().unwrap().to_owned();
    let second = product.refresh(&first).await.unwrap();
    product.refresh(&second).await.unwrap();
    assert_eq!(product.refresh(&first).await, None, "it is replayed");
    assert_eq!(product.refresh("nonsense").await, None);

    let body = json!({ "phone_number": "+7" });
    product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await;
    let ended = product
        .send(
            "DELETE",
            "/api/v1/auths/?all=true",
            Some(&inviter.token),
            None,
        )
        .await;
    assert_eq!(ended.status, 204);
    for _ in 0..2 {
        let erased = product
            .send("DELETE", "/api/v1/personal-area/", Some(&user.token), None)
            .await;
        assert_eq!(erased.status, 204);
    }

    let scrape = product.scrape().await;
    scrape.assert(&[
        (r#"customauth_codes_requested_total{outcome="sent"}"#, 3.0),
        (r#"customauth_codes_requested_total{outcome="invalid"}"#, 1.0),
        (r#"customauth_codes_requested_total{outcome="limited"}"#, 0.0),
        (r#"customauth_sign_ins_total{outcome="new_user"}"#, 2.0),
        (r#"customauth_sign_ins_total{outcome="returning"}"#, 1.0),
        (r#"customauth_sign_ins_total{outcome="refused"}"#, 1.0),
        (r#"customauth_sign_ins_total{outcome="malformed"}"#, 1.0),
        (r#"customauth_token_refreshes_total{outcome="refreshed"}"#, 2.0),
        (r#"customauth_token_refreshes_total{outcome="replayed"}"#, 1.0),
        (r#"customauth_token_refreshes_total{outcome="refused"}"#, 1.0),
        (r#"customauth_sessions_ended_total{cause="replayed"}"#, 1.0),
        (r#"customauth_sessions_ended_total{cause="sign_out"}"#, 1.0),
        ("customauth_users_erased_total", 1.0),
        (r#"customauth_invites_activated_total{outcome="activated"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="already_set"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="own_code"}"#, 1.0),
        (r#"customauth_invites_activated_total{outcome="unknown_code"}"#, 1.0),
        (r#"customauth_http_requests_total{method="PATCH",route="/api/v1/auths",status="200"}"#, 3.0),
        (r#"customauth_http_request_duration_seconds_count{method="POST",route="/api/v1/auths"}"#, 4.0),
        (r#"customauth_grpc_requests_total{code="OK",method="VerifyCode",service="auth-service"}"#, 3.0),
        (r#"customauth_grpc_requests_total{code="OK",method="CreateProfile",service="profile-service"}"#, 2.0),
        (r#"customauth_client_calls_total{code="OK",method="CreateProfile",service="auth-service",to="profile-service"}"#, 2.0),
        (r#"customauth_errors_total{reason="INVITE_CODE_OWN",service="gateway"}"#, 1.0),
        (r#"customauth_errors_total{reason="INVITE_CODE_OWN",service="profile-service"}"#, 1.0),
        ("customauth_http_requests_in_flight", 1.0),
        (r#"customauth_grpc_requests_in_flight{service="auth-service"}"#, 0.0),
    ]);
    let writes = r#"customauth_database_request_duration_seconds_count{kind="write",service="auth-service"}"#;
    assert!(scrape.value(writes) >= 3.0);
    let postgres = scrape.0.contains(r#"pool="postgres""#);
    if postgres {
        let answered = r#"customauth_redis_questions_total{outcome="answered"}"#;
        assert!(scrape.value(answered) >= 10.0);
        let most = r#"customauth_database_connections{pool="postgres",service="auth-service",state="max"}"#;
        scrape.assert(&[(most, 16.0)]);
    } else {
        let most = r#"customauth_database_connections{pool="writer",service="profile-service",state="max"}"#;
        scrape.assert(&[(most, 1.0)]);
    }
}

async fn no_client_is_found_in_it(product: Product) {
    let user = User::new(&product, &phone(1)).await;
    let (code, challenge) = product.request_code(&phone(1)).await;
    product.verify("999999", &challenge).await;
    let id = product
        .get("/api/v1/auths/sessions/", Some(&user.token))
        .await;
    let id = id.json()["sessions"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/auths/sessions/{id}/");
    product.send("DELETE", &path, Some(&user.token), None).await;
    product.get(&format!("/{}", phone(1)), None).await;

    let scrape = product.scrape().await;
    let number = phone(1);
    let address = "127.0.0.1";
    let secrets = [
        number.trim_start_matches('+'),
        address,
        &user.invite_code,
        &user.token,
        &challenge,
        &id,
    ];
    for secret in secrets {
        assert!(!scrape.0.contains(secret), "{secret} in\n{}", scrape.0);
    }
    // It may be a number by chance, but no label.
    assert!(!scrape.0.contains(&format!("\"{code}\"")));
}

async fn what_nobody_knows_makes_no_series(product: Product) {
    for line in [("BREW", "/"), ("GET", "/x"), ("BREW", "/x")] {
        product.send(line.0, line.1, None, None).await;
    }
    // The parts call each other meanwhile; of these requests the gateway tells.
    let series = async || {
        let scrape = product.scrape().await;
        let own = |sample: &&str| sample.starts_with("customauth_http_");
        scrape.samples().filter(own).count()
    };
    series().await;
    let before = series().await;
    for each in 0..500 {
        product.get(&format!("/{each}/x"), None).await;
        let method = format!("M{each}");
        product.send(&method, &format!("/{each}"), None, None).await;
    }
    assert_eq!(series().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_shows() {
    let (postgres, redis) = (PrivatePostgres::shared(), PrivateRedis::start());
    let auth = postgres.create_database("auth");
    let profile = postgres.create_database("profile");
    let product = Product::on(&auth, &profile, &redis.url(), &[]).await;
    redis.stop();
    let body = json!({ "phone_number": phone(1) });
    let path = "/api/v1/auths/";
    let refused = product.send("POST", path, None, Some(body)).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    let scrape = product.scrape().await;
    let unreachable = r#"customauth_redis_questions_total{outcome="unreachable"}"#;
    assert!(scrape.value(unreachable) >= 1.0, "{}", scrape.0);
    scrape.assert(&[
        (
            r#"customauth_codes_requested_total{outcome="unavailable"}"#,
            1.0,
        ),
        (
            r#"customauth_http_requests_total{method="POST",route="/api/v1/auths",status="503"}"#,
            1.0,
        ),
    ]);
    for service in ["auth-service", "gateway"] {
        let reason = r#"customauth_errors_total{reason="DEPENDENCY_UNAVAILABLE",service="#;
        assert!(scrape.value(&format!("{reason}\"{service}\"}}")) >= 1.0);
    }
}

const ON_A_FREE_PORT: &str = "--metrics-listen=127.0.0.1:0";
