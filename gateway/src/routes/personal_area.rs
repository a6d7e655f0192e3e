//! `/api/v1/personal-area/`: the user's profile, inviter and followers, and
//! the end of all that.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header::LINK},
    response::Response,
    routing::{MethodRouter, get},
};
use proto::{
    Reason,
    auth::v1::DeleteUserRequest,
    profile::v1::{ActivateInviteRequest, GetProfileRequest, ListFollowersRequest},
};
use serde::Serialize;
use tonic::Status;

use crate::{
    answer,
    body::Object,
    client,
    problem::Problem,
    routes::{as_user, invite_code},
    services::Services,
    texts,
};

/// The path of the list of followers.
pub(crate) const FOLLOWERS: &str = "/api/v1/personal-area/followers";
/// How many followers come with the profile, and with a page at the most.
const MOST_FOLLOWERS: u32 = 1000;
/// How many followers are on a page that does not say it.
const DEFAULT_PAGE: u32 = 100;

/// What the path does.
pub(crate) fn methods() -> MethodRouter<Services> {
    get(profile).patch(activate_invite).delete(erase)
}

/// What the path of the followers does.
pub(crate) fn followers_methods() -> MethodRouter<Services> {
    get(followers)
}

async fn profile(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Profile {
        phone_number: String,
        invite_code: String,
        invited_by: Option<String>,
        followers: Vec<String>,
    }

    let message = GetProfileRequest {
        followers_page_size: Some(MOST_FOLLOWERS),
    };
    let request = as_user(client::authorization(&headers)?, message);
    let mut service = services.profile;
    let found = service.get_profile(request).await?.into_inner();
    let profile = Profile {
        phone_number: found.phone_number,
        invite_code: found.invite_code,
        invited_by: found.invited_by,
        followers: found.followers,
    };
    let mut response = answer::unstored(answer::json(StatusCode::OK, &profile));
    if !found.next_page_token.is_empty() {
        response
            .headers_mut()
            .insert(LINK, next_page(&found.next_page_token)?);
    }
    Ok(response)
}

/// RFC 8288. Without a host: only the client knows the one it called.
fn next_page(token: &str) -> Result<HeaderValue, Problem> {
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    HeaderValue::try_from(format!("<{FOLLOWERS}/?page_token={token}>; rel=\"next\""))
        .map_err(|_| Problem::internal("a page token does not fit into a header"))
}

async fn activate_invite(
    State(services): State<Services>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    // Who is nobody is told that before anything else.
    let user = client::authorization(&head.headers)?;
    let body = Object::read(&head.headers, body).await?;
    let code = invite_code(Some(body.text("invited_by")?))?
        .ok_or_else(|| Problem::field("invited_by", "it must not be empty"))?;
    let message = ActivateInviteRequest {
        invite_code: code.clone(),
    };
    let request = as_user(user, message);
    let mut service = services.profile;
    service
        .activate_invite(request)
        .await
        .map_err(|status| refused(status, &code))?;
    Ok(answer::said(StatusCode::OK, texts::INVITER_ADDED))
}

/// `code` as it was sent: the document repeats it.
fn refused(status: Status, code: &str) -> Problem {
    let problem = Problem::from(status);
    match problem.reason() {
        Reason::InviteCodeNotFound => problem.saying(texts::invite_code_not_found(code)),
        Reason::InviteCodeOwn => problem.saying(texts::INVITE_CODE_OWN),
        Reason::InviterAlreadySet => problem.saying(texts::INVITER_ALREADY_SET),
        _ => problem,
    }
}

/// Erases the user. It is auth-service that does so, in both services.
async fn erase(State(services): State<Services>, headers: HeaderMap) -> Result<Response, Problem> {
    let request = as_user(client::authorization(&headers)?, DeleteUserRequest {});
    let mut auth = services.auth;
    auth.delete_user(request).await?;
    Ok(answer::done())
}

async fn followers(
    State(services): State<Services>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Page {
        followers: Vec<String>,
        #[serde(skip_serializing_if = "String::is_empty")]
        next_page_token: String,
    }

    let user = client::authorization(&headers)?;
    let request = as_user(user, wanted_page(&uri)?);
    let mut service = services.profile;
    let found = service.list_followers(request).await?.into_inner();
    let page = Page {
        followers: found.followers,
        next_page_token: found.next_page_token,
    };
    Ok(answer::unstored(answer::json(StatusCode::OK, &page)))
}

/// The page that a query names. An empty value is as absent.
fn wanted_page(uri: &Uri) -> Result<ListFollowersRequest, Problem> {
    let value = |key: &str| {
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .find(|(name, value)| name == key && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    let page_size = match value("page_size") {
        None => DEFAULT_PAGE,
        Some(size) => page_size(&size).ok_or_else(|| {
            Problem::field(
                "page_size",
                &format!("it must be a number from 1 to {MOST_FOLLOWERS}"),
            )
        })?,
    };
    Ok(ListFollowersRequest {
        page_size,
        page_token: value("page_token").unwrap_or_default(),
    })
}

fn page_size(text: &str) -> Option<u32> {
    // `parse` would take a sign too.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let size = text.parse().ok().filter(|_| digits)?;
    (1..=MOST_FOLLOWERS).contains(&size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_page() {
        let rows = [
            ("", Ok((100, ""))),
            ("?", Ok((100, ""))),
            ("?page_size=&page_token=", Ok((100, ""))),
            ("?page_size=1", Ok((1, ""))),
            ("?page_size=1000&page_token=a%2Bb%3D", Ok((1000, "a+b="))),
            ("?x=y&page_token=abc", Ok((100, "abc"))),
            ("?page_size=0", Err(())),
            ("?page_size=1001", Err(())),
            ("?page_size=-1", Err(())),
            ("?page_size=%2B1", Err(())),
            ("?page_size=1.5", Err(())),
            ("?page_size=ten", Err(())),
            ("?page_size=99999999999999999999", Err(())),
        ];
        for (query, expected) in rows {
            let uri = format!("{FOLLOWERS}/{query}").parse().unwrap();
            let page = wanted_page(&uri).map_err(|problem| {
                assert_eq!(problem.reason(), Reason::FieldInvalid);
            });
            let expected = expected.map(|(page_size, token)| ListFollowersRequest {
                page_size,
                page_token: token.to_owned(),
            });
            assert_eq!(page, expected, "{query}");
        }
    }

    #[test]
    fn a_page_token_is_escaped_in_the_link() {
        assert_eq!(
            next_page("a+b=>").unwrap(),
            "</api/v1/personal-area/followers/?page_token=a%2Bb%3D%3E>; rel=\"next\""
        );
    }
}
