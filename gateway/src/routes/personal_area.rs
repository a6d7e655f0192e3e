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
    profile::v1::{
        ActivateInviteRequest, GetProfileRequest, GetProfileResponse, ListFollowersRequest,
    },
};
use serde::Serialize;
use tonic::Status;
use utoipa::ToSchema;

use crate::{
    answer::{self, Said},
    body::Object,
    client,
    openapi::refusals::{ANY, BODY, SERVICE, USER, refused},
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

/// What a user sees of themselves.
#[derive(Serialize, ToSchema)]
pub struct Profile {
    /// The user's own phone number, in E.164.
    phone_number: String,
    /// The user's own invite code.
    #[schema(pattern = "^[0-9A-Za-z]{6}$")]
    invite_code: String,
    /// The invite code that the user activated.
    #[schema(required)]
    invited_by: Option<String>,
    /// The phone numbers of those who activated the user's code, oldest first:
    /// the first 1,000.
    #[schema(max_items = 1000)]
    followers: Vec<String>,
}

impl From<GetProfileResponse> for Profile {
    fn from(found: GetProfileResponse) -> Self {
        Self {
            phone_number: found.phone_number,
            invite_code: found.invite_code,
            invited_by: found.invited_by,
            followers: found.followers,
        }
    }
}

refused!(
    /// By the access token.
    ProfileRefused: ANY, USER, SERVICE
);

/// The user's profile
///
/// With the first 1,000 followers.
#[utoipa::path(
    get,
    path = "/api/v1/personal-area/",
    operation_id = "get_profile",
    tag = "Personal area",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The profile.", body = Profile,
            headers(("Link" = String, description = "`<…/followers/?page_token=…>; rel=\"next\"`, where there are more followers (RFC 8288).")),
            example = json!({"phone_number": "+77777777766", "invite_code": "l87zwp", "invited_by": null, "followers": []})),
        ProfileRefused,
    ),
)]
pub(crate) async fn profile(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let message = GetProfileRequest {
        followers_page_size: Some(MOST_FOLLOWERS),
    };
    let request = as_user(client::authorization(&headers)?, message);
    let mut service = services.profile.clone();
    let mut found = service.get_profile(request).await?.into_inner();
    let next = std::mem::take(&mut found.next_page_token);
    let profile = Profile::from(found);
    let mut response = answer::unstored(answer::json(StatusCode::OK, &profile));
    if !next.is_empty() {
        response.headers_mut().insert(LINK, next_page(&next)?);
    }
    Ok(response)
}

/// RFC 8288. Without a host: only the client knows the one it called.
fn next_page(token: &str) -> Result<HeaderValue, Problem> {
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    HeaderValue::try_from(format!("<{FOLLOWERS}/?page_token={token}>; rel=\"next\""))
        .map_err(|_| Problem::internal("a page token does not fit into a header"))
}

/// Who invited the user.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body, whose key is read by hand")]
struct Inviter {
    /// Somebody's invite code. Upper and lower case are different letters.
    #[schema(min_length = 1, max_length = 64, example = "HdGzEG")]
    invited_by: String,
}

refused!(
    /// By the access token, or the code: unknown, own, already, in this order.
    InviterRefused: ANY, BODY, USER, SERVICE, &[
        Reason::InviteCodeNotFound,
        Reason::InviteCodeOwn,
        Reason::InviterAlreadySet,
    ]
);

/// Activate somebody's invite code
///
/// It can be done once, and not with one's own code. Two users may activate each
/// other's codes.
#[utoipa::path(
    patch,
    path = "/api/v1/personal-area/",
    tag = "Personal area",
    security(("bearer" = [])),
    request_body(content = Inviter, examples(
        ("documented" = (value = json!({"invited_by": "HdGzEG"}))),
    )),
    responses(
        (status = 200, description = "The user is that one's follower now.", body = Said,
            example = json!({"response": texts::INVITER_ADDED})),
        InviterRefused,
    ),
)]
pub(crate) async fn activate_invite(
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
    let mut service = services.profile.clone();
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

refused!(
    /// By the access token.
    EraseRefused: ANY, USER, SERVICE
);

/// Erase the user
///
/// Ends all sessions, frees the phone number, and deletes the profile. Repeated with
/// the same token, it is 204 again; after 503 it goes on by itself.
// It is auth-service that does so, in both services.
#[utoipa::path(
    delete,
    path = "/api/v1/personal-area/",
    operation_id = "delete_user",
    tag = "Personal area",
    security(("bearer" = [])),
    responses((status = 204, description = "Nothing personal is left."), EraseRefused),
)]
pub(crate) async fn erase(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let request = as_user(client::authorization(&headers)?, DeleteUserRequest {});
    let mut auth = services.auth.clone();
    auth.delete_user(request).await?;
    Ok(answer::done())
}

/// Some of the followers.
#[derive(Serialize, ToSchema)]
#[schema(as = FollowersPage)]
struct Page {
    /// Their phone numbers, oldest first.
    #[schema(max_items = 1000)]
    followers: Vec<String>,
    /// The next page; absent on the last one.
    #[schema(required = false)]
    #[serde(skip_serializing_if = "String::is_empty")]
    next_page_token: String,
}

refused!(
    /// By the access token, or the query.
    FollowersRefused: ANY, USER, SERVICE, &[Reason::FieldInvalid, Reason::PageTokenInvalid]
);

/// The user's followers, page by page
///
/// Oldest first. A page goes on after the last one, whoever came in between.
#[utoipa::path(
    get,
    path = "/api/v1/personal-area/followers/",
    operation_id = "list_followers",
    tag = "Personal area",
    security(("bearer" = [])),
    params(
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000,
            description = "How many followers are on a page: 100 where it is not said. An empty one is as absent."),
        ("page_token" = Option<String>, Query,
            description = "The `next_page_token` of the page before, or the token of the profile's `Link`. An empty one is as absent."),
    ),
    responses((status = 200, description = "A page.", body = Page), FollowersRefused),
)]
pub(crate) async fn followers(
    State(services): State<Services>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let user = client::authorization(&headers)?;
    let request = as_user(user, wanted_page(&uri)?);
    let mut service = services.profile.clone();
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
