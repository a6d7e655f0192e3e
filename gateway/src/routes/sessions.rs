//! `/api/v1/auths/sessions/`: where the user is signed in, and signing out.

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
    routing::{MethodRouter, delete, get},
};
use prost_types::Timestamp;
use proto::{
    Reason,
    auth::v1::{ListSessionsRequest, RevokeSessionRequest, Session, SignOutRequest},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer, client,
    openapi::refusals::{ANY, SERVICE, USER, refused},
    problem::Problem,
    routes::as_user,
    services::Services,
};

/// The path of the list.
pub(crate) const SESSIONS: &str = "/api/v1/auths/sessions";
/// The path of one session.
pub(crate) const SESSION: &str = "/api/v1/auths/sessions/{id}";

/// What the path of the list does.
pub(crate) fn methods() -> MethodRouter<Services> {
    get(list)
}

/// What the path of one session does.
pub(crate) fn session_methods() -> MethodRouter<Services> {
    delete(revoke)
}

/// A session: the user, signed in somewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct Entry {
    /// Names it, to end it.
    id: String,
    /// When the user signed in.
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T20:24:35Z")]
    created_at: Option<String>,
    /// When its tokens were last refreshed, or it began.
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T20:24:35Z")]
    last_used_at: Option<String>,
    /// The `User-Agent` of the sign-in, shortened; empty when there was none.
    user_agent: String,
    /// The address that the sign-in came from.
    client_address: String,
    /// Whether it is the one of the access token.
    current: bool,
}

/// The user's live sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
struct List {
    sessions: Vec<Entry>,
}

refused!(
    /// By the access token.
    ListRefused: ANY, USER, SERVICE
);

/// Where the user is signed in
///
/// The user's own live sessions.
#[utoipa::path(
    get,
    path = "/api/v1/auths/sessions/",
    operation_id = "list_sessions",
    tag = "Sessions",
    security(("bearer" = [])),
    responses((status = 200, description = "The sessions.", body = List), ListRefused),
)]
pub(crate) async fn list(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let request = as_user(client::authorization(&headers)?, ListSessionsRequest {});
    let mut auth = services.auth.clone();
    let found = auth.list_sessions(request).await?.into_inner().sessions;
    let entry = |session: Session| Entry {
        id: session.session_id,
        created_at: session.created_at.map(rfc_3339),
        last_used_at: session.last_used_at.map(rfc_3339),
        user_agent: session.user_agent,
        client_address: session.client_address,
        current: session.current,
    };
    let sessions = found.into_iter().map(entry).collect();
    let list = List { sessions };
    Ok(answer::unstored(answer::json(StatusCode::OK, &list)))
}

refused!(
    /// By the access token, or because there is no such session.
    RevokeRefused: ANY, USER, SERVICE, &[Reason::SessionNotFound]
);

/// End one session
///
/// Its tokens are refused from then on; an access token only once its ten minutes
/// are over where a service verifies it by the public keys alone.
#[utoipa::path(
    delete,
    path = "/api/v1/auths/sessions/{id}/",
    operation_id = "revoke_session",
    tag = "Sessions",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The session's `id`, from the list.")),
    responses((status = 204, description = "It has ended."), RevokeRefused),
)]
pub(crate) async fn revoke(
    State(services): State<Services>,
    headers: HeaderMap,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let user = client::authorization(&headers)?;
    // The only text that is refused here is one that is not UTF-8.
    let Path(session_id) =
        id.map_err(|_| Problem::new(Reason::SessionNotFound, "you have no session with this id"))?;
    let request = as_user(user, RevokeSessionRequest { session_id });
    let mut auth = services.auth.clone();
    auth.revoke_session(request).await?;
    Ok(answer::done())
}

refused!(
    /// By the access token, or the query.
    SignOutRefused: ANY, USER, SERVICE, &[Reason::FieldInvalid]
);

/// Sign out
///
/// Ends the session of the access token, or all of the user's.
#[utoipa::path(
    delete,
    path = "/api/v1/auths/",
    tag = "Sessions",
    security(("bearer" = [])),
    params(("all" = Option<bool>, Query, description = "`true` ends all of the user's sessions.")),
    responses((status = 204, description = "Signed out."), SignOutRefused),
)]
pub(crate) async fn sign_out(
    State(services): State<Services>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let user = client::authorization(&headers)?;
    let request = as_user(user, which_sessions(&uri)?);
    let mut auth = services.auth.clone();
    auth.sign_out(request).await?;
    Ok(answer::done())
}

/// The sessions that a query wants to end. Nothing but the two words is
/// taken: to guess wrong would end too much, or leave open what should end.
fn which_sessions(uri: &Uri) -> Result<SignOutRequest, Problem> {
    let query = uri.query().unwrap_or_default();
    let mut all = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "all" {
            let wanted = value.parse().ok();
            // One that is said twice has to say the same.
            if wanted.is_none() || all.is_some() && all != wanted {
                return Err(Problem::field("all", "it must be true or false"));
            }
            all = wanted;
        }
    }
    Ok(SignOutRequest { all })
}

/// As in "2026-11-22T20:24:35Z": whole seconds, so that all look alike.
pub(super) fn rfc_3339(time: Timestamp) -> String {
    Timestamp { nanos: 0, ..time }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_which_sessions_end() {
        let rows = [
            ("", Ok(None)),
            ("?", Ok(None)),
            ("?x=all&All=true", Ok(None)),
            ("?all=false", Ok(Some(false))),
            ("?all=true", Ok(Some(true))),
            ("?x=y&all=%74rue", Ok(Some(true))),
            ("?all=true&all=true", Ok(Some(true))),
            ("?all=true&all=false", Err(())),
            ("?all=false&all=true", Err(())),
            ("?all", Err(())),
            ("?all=", Err(())),
            ("?all=1", Err(())),
            ("?all=yes", Err(())),
            ("?all=True", Err(())),
            ("?all=true%20", Err(())),
            ("?all=%ff", Err(())),
        ];
        for (query, expected) in rows {
            let uri = format!("/api/v1/auths/{query}").parse().unwrap();
            let request = which_sessions(&uri).map_err(|problem| {
                assert_eq!(problem.reason(), Reason::FieldInvalid);
            });
            let expected = expected.map(|all| SignOutRequest { all });
            assert_eq!(request, expected, "{query}");
        }
    }

    #[test]
    fn times_are_written_in_whole_seconds() {
        let rows = [
            ((0, 0), "1970-01-01T00:00:00Z"),
            ((1_795_379_075, 0), "2026-11-22T20:24:35Z"),
            ((1_795_379_075, 999_999_999), "2026-11-22T20:24:35Z"),
            ((1_709_164_800, 5_000_000), "2024-02-29T00:00:00Z"),
            ((-1, 0), "1969-12-31T23:59:59Z"),
        ];
        for ((seconds, nanos), expected) in rows {
            assert_eq!(rfc_3339(Timestamp { seconds, nanos }), expected);
        }
    }
}
