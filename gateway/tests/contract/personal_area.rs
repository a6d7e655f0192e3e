//! `/api/v1/personal-area/`.

use proto::{
    Reason, Refusal,
    auth::v1::DeleteUserResponse,
    profile::v1::{ActivateInviteResponse, GetProfileResponse, ListFollowersResponse},
};

use crate::world::{World, verifier};

const GET: &str = "GET /api/v1/personal-area/";
const PATCH: &str = "PATCH /api/v1/personal-area/";
const DELETE: &str = "DELETE /api/v1/personal-area/";
const FOLLOWERS: &str = "GET /api/v1/personal-area/followers/";
const BEARER: (&str, &str) = ("Authorization", "Bearer a.b.c");

fn profile() -> GetProfileResponse {
    GetProfileResponse {
        user_id: "0190".to_owned(),
        phone_number: "+77777777766".to_owned(),
        invite_code: "l87zwp".to_owned(),
        ..GetProfileResponse::default()
    }
}

fn invited_by(code: &str) -> String {
    format!(r#"{{"invited_by":"{code}"}}"#)
}

#[tokio::test]
async fn get_shows_the_profile() {
    let world = World::start().await;
    world.profile.get.answers(profile());
    let answer = world.send(GET, &[BEARER]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"phone_number":"+77777777766","invite_code":"l87zwp","invited_by":null,"followers":[]}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("link"), None);
    let (metadata, message) = world.profile.get.asked();
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
    assert!(!metadata.contains_key("x-service-token"));
    assert_eq!(message.followers_page_size, Some(1000));
}

#[tokio::test]
async fn get_shows_the_inviter_and_the_followers_and_links_to_more() {
    let world = World::start().await;
    world.profile.get.answers(GetProfileResponse {
        invited_by: Some("HdGzEG".to_owned()),
        followers: vec!["+79".to_owned(), "+71".to_owned()],
        next_page_token: "a+b=".to_owned(),
        ..profile()
    });
    let answer = world.send(GET, &[BEARER]).await;
    assert_eq!(
        answer.body,
        r#"{"phone_number":"+77777777766","invite_code":"l87zwp","invited_by":"HdGzEG","followers":["+79","+71"]}"#
    );
    assert_eq!(
        answer.header("link"),
        Some(r#"</api/v1/personal-area/followers/?page_token=a%2Bb%3D>; rel="next""#)
    );
}

#[tokio::test]
async fn patch_activates_an_invite_code() {
    let world = World::start().await;
    let activate = &world.profile.activate_invite;
    activate.answers(ActivateInviteResponse {});
    let longest = "я".repeat(64);
    for code in ["HdGzEG", "2461", " ", longest.as_str()] {
        let answer = world.send_json(PATCH, &[BEARER], invited_by(code)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, r#"{"response":"Inviter added!"}"#);
        let (metadata, message) = activate.asked();
        assert_eq!(message.invite_code, code);
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
    }
}

#[tokio::test]
async fn patch_refuses_in_the_documented_words() {
    let world = World::start().await;
    let unknown = "ERROR: the client with code: 2461 not found.";
    let rows = [
        (Reason::InviteCodeNotFound, unknown),
        (
            Reason::InviteCodeOwn,
            "ERROR: you can't use your own invite code!",
        ),
        (
            Reason::InviterAlreadySet,
            "ERROR: you already have inviter!",
        ),
    ];
    for (reason, text) in rows {
        let refusal = Refusal::new(reason, "other words");
        world.profile.activate_invite.refuses(refusal);
        let answer = world.send_json(PATCH, &[BEARER], invited_by("2461")).await;
        answer.assert_problem(400, reason.as_str());
        assert_eq!(answer.body, format!(r#"{{"response":"{text}"}}"#));
    }
    let refusal = Refusal::new(Reason::InviteCodeNotFound, "x");
    world.profile.activate_invite.refuses(refusal);
    let answer = world
        .send_json(PATCH, &[BEARER], invited_by(r#"\"<я>\"\n"#))
        .await;
    assert_eq!(
        answer.body,
        r#"{"response":"ERROR: the client with code: \"<я>\"\n not found."}"#
    );
}

#[tokio::test]
async fn patch_takes_a_short_string_and_nothing_else() {
    let world = World::start().await;
    let long = format!("\"{}\"", "x".repeat(65));
    for value in ["null", "\"\"", "2461", "[]", "{}", "true", long.as_str()] {
        let body = format!(r#"{{"invited_by":{value}}}"#);
        let answer = world.send_json(PATCH, &[BEARER], body).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains("invited_by"), "{value}");
    }
    let answer = world.send_json(PATCH, &[BEARER], "{}").await;
    answer.assert_problem(400, "FIELD_INVALID");
    world.profile.activate_invite.assert_not_asked();
}

#[tokio::test]
async fn followers_come_in_pages() {
    let world = World::start().await;
    let list = &world.profile.list_followers;
    list.answers(ListFollowersResponse {
        followers: vec!["+71".to_owned()],
        next_page_token: "next=".to_owned(),
    });
    let target = format!("{FOLLOWERS}?page_size=1&page_token=a%2Bb");
    let answer = world.send(&target, &[BEARER]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"followers":["+71"],"next_page_token":"next="}"#
    );
    let (metadata, message) = list.asked();
    assert_eq!((message.page_size, &*message.page_token), (1, "a+b"));
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");

    list.answers(ListFollowersResponse::default());
    let answer = world.send(FOLLOWERS, &[BEARER]).await;
    assert_eq!(answer.body, r#"{"followers":[]}"#);
    assert_eq!(list.asked().1.page_size, 100);

    for size in ["0", "1001", "x", "-1"] {
        let target = format!("{FOLLOWERS}?page_size={size}");
        let answer = world.send(&target, &[BEARER]).await;
        answer.assert_problem(400, "FIELD_INVALID");
    }
    list.assert_not_asked();

    list.refuses(Refusal::new(Reason::PageTokenInvalid, "no such page"));
    let answer = world.send(FOLLOWERS, &[BEARER]).await;
    answer.assert_problem(400, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn delete_erases_the_user_or_says_that_it_is_not_done_yet() {
    let world = World::start().await;
    let erase = &world.auth.delete_user;
    erase.answers(DeleteUserResponse {});
    // What a body says does not matter.
    for body in ["", "not json"] {
        let answer = world.send_json(DELETE, &[BEARER], body).await;
        answer.assert_done();
        let (metadata, _) = erase.asked();
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
        assert_eq!(verifier().require(&metadata).unwrap(), "gateway");
    }
    erase.refuses(Refusal::new(Reason::DependencyUnavailable, "not yet"));
    let answer = world.send(DELETE, &[BEARER]).await;
    answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn nobody_is_told_to_authenticate_before_anything_else() {
    let world = World::start().await;
    let followers = format!("{FOLLOWERS}?page_size=0");
    for line in [GET, PATCH, DELETE, &followers] {
        let answer = world.send_json(line, &[], "not json").await;
        answer.assert_problem(401, "TOKEN_MISSING");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let long = format!("Bearer {}", "x".repeat(4090));
        for token in [long.as_str(), "Bearer \u{e9}"] {
            let answer = world
                .send_json(line, &[("Authorization", token)], "not json")
                .await;
            answer.assert_problem(401, "TOKEN_INVALID");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    world.profile.get.assert_not_asked();
    world.auth.delete_user.assert_not_asked();
}

#[tokio::test]
async fn a_refused_token_is_a_401() {
    let world = World::start().await;
    for reason in [
        Reason::TokenInvalid,
        Reason::TokenExpired,
        Reason::SessionEnded,
    ] {
        world.profile.get.refuses(Refusal::new(reason, "so it is"));
        world
            .auth
            .delete_user
            .refuses(Refusal::new(reason, "so it is"));
        for line in [GET, DELETE] {
            let answer = world.send(line, &[BEARER]).await;
            answer.assert_problem(401, reason.as_str());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
}
