//! `/livez`, `/readyz`, the public keys, and services that are not there.

use proto::auth::v1::{GetJwksResponse, Jwk};

use crate::world::World;

const NOBODY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_gateway_lives_whatever_is_behind_it() {
    let world = World::configured(|config| {
        config.auth = NOBODY.parse().unwrap();
        config.profile = NOBODY.parse().unwrap();
    })
    .await;
    let answer = world.send("GET /livez", &[]).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (200, r#"{"response":"ok"}"#)
    );
    let answer = world.send("GET /readyz", &[]).await;
    answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        answer.body,
        r#"{"response":"auth-service cannot be reached; profile-service cannot be reached"}"#
    );
    let calls = [
        ("POST /api/v1/auths/", r#"{"phone_number":"+77777777766"}"#),
        ("PATCH /api/v1/auths/", r#"{"otp":"3613"}"#),
        ("DELETE /api/v1/auths/", ""),
        ("POST /api/v1/auths/refresh/", r#"{"refresh_token":"r"}"#),
        ("GET /api/v1/auths/sessions/", ""),
        ("DELETE /api/v1/auths/sessions/0190/", ""),
        ("PATCH /api/v1/personal-area/", r#"{"invited_by":"HdGzEG"}"#),
        ("DELETE /api/v1/personal-area/", ""),
    ];
    for (line, body) in calls {
        let bearer = [("Authorization", "Bearer a.b.c")];
        let answer = world.send_json(line, &bearer, body).await;
        answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn readiness_says_what_is_broken() {
    let world = World::start().await;
    let answer = world.send("GET /readyz", &[]).await;
    assert_eq!(
        (answer.status, &*answer.body),
        (200, r#"{"response":"ready"}"#)
    );
    world.profile.database.breaks();
    let text = r#"{"response":"profile-service is not usable: its database"}"#;
    readiness_becomes(&world, text).await;
    world.auth.challenges.breaks();
    let text = r#"{"response":"auth-service is not usable: its store of challenges (Redis); profile-service is not usable: its database"}"#;
    readiness_becomes(&world, text).await;
}

/// A service's health may be a tenth of a second old.
async fn readiness_becomes(world: &World, text: &str) {
    for _ in 0..100 {
        let answer = world.send("GET /readyz", &[]).await;
        if answer.body == text {
            answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let answer = world.send("GET /readyz", &[]).await;
    assert_eq!(answer.body, text);
}

#[tokio::test]
async fn the_public_keys_are_a_key_set() {
    let world = World::start().await;
    let key = |kid: &str| Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: kid.to_owned(),
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned(),
        alg: "EdDSA".to_owned(),
        r#use: "sig".to_owned(),
    };
    world.auth.get_jwks.answers(GetJwksResponse {
        keys: vec![key("b"), key("a")],
    });
    let answer = world.send("GET /.well-known/jwks.json", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        concat!(
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","#,
            r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA","use":"sig"},"#,
            r#"{"kty":"OKP","crv":"Ed25519","kid":"a","#,
            r#""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA","use":"sig"}]}"#
        )
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
}
