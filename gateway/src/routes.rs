//! The paths of the API.

pub(crate) mod auths;
pub(crate) mod meta;
pub(crate) mod personal_area;
pub(crate) mod reference;
pub(crate) mod sandbox;
pub(crate) mod sessions;
pub(crate) mod tokens;
mod web;

use axum::{Router, http::Method, routing::MethodRouter};
use proto::Reason;
use tonic::metadata::AsciiMetadataValue;

use crate::{problem::Problem, services::Services};

/// The longest invite code that is passed on, in characters.
const INVITE_CODE_LIMIT: usize = 64;

/// Every path, with and without its last slash.
pub(crate) fn router(services: Services) -> Router {
    offered(&services)
        .fold(Router::new(), with_and_without_slash)
        .merge(web::router())
        .fallback(async || Problem::path_not_found())
        .method_not_allowed_fallback(async |method: Method| no_such_method(&method))
        .with_state(services)
}

/// Those of the paths that there are with these settings.
fn offered(
    services: &Services,
) -> impl Iterator<Item = (&'static str, MethodRouter<Services>)> + use<> {
    let metrics = services.metrics.is_some();
    let there = move |path: &str| path != meta::METRICS || metrics;
    paths().into_iter().filter(move |(path, _)| there(path))
}

/// The templates of all paths, the web page's too, without their last slash.
pub(crate) fn templates(services: &Services) -> impl Iterator<Item = String> + use<> {
    let of_api = offered(services).map(|(path, _)| path.to_owned());
    of_api.chain(web::paths())
}

/// Every path of the API without its last slash, and what it does.
pub(crate) fn paths() -> Vec<(&'static str, MethodRouter<Services>)> {
    let mut paths = vec![
        ("/api/v1/auths", auths::methods()),
        (tokens::REFRESH, tokens::refresh_methods()),
        (sessions::SESSIONS, sessions::methods()),
        (sessions::SESSION, sessions::session_methods()),
        ("/api/v1/personal-area", personal_area::methods()),
        (personal_area::FOLLOWERS, personal_area::followers_methods()),
        ("/.well-known/jwks.json", meta::jwks_methods()),
        ("/livez", meta::livez_methods()),
        ("/readyz", meta::readyz_methods()),
        (meta::METRICS, meta::metrics_methods()),
    ];
    paths.extend(reference::paths());
    paths.extend(sandbox::paths());
    paths
}

fn with_and_without_slash(
    router: Router<Services>,
    (path, methods): (&str, MethodRouter<Services>),
) -> Router<Services> {
    router
        .route(path, methods.clone())
        .route(&format!("{path}/"), methods)
}

/// The header `Allow` is added by the router, which knows the methods.
fn no_such_method(method: &Method) -> Problem {
    Problem::new(
        Reason::MethodNotAllowed,
        format!("this path does not take the method {method}"),
    )
}

/// The call in the user's name: with the token that came with the request.
fn as_user<T>(user: AsciiMetadataValue, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", user);
    request
}

/// The invite code in a body's `invited_by`. An empty one is as absent.
fn invite_code(code: Option<&str>) -> Result<Option<String>, Problem> {
    match code {
        None | Some("") => Ok(None),
        Some(code) if code.chars().count() > INVITE_CODE_LIMIT => Err(Problem::field(
            "invited_by",
            &format!("it is longer than {INVITE_CODE_LIMIT} characters"),
        )),
        Some(code) => Ok(Some(code.to_owned())),
    }
}
