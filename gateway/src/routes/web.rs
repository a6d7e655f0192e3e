//! `/`: the personal area as a web page. Its files are part of the program, and
//! it talks to the JSON API like any other client, but for `session`.

mod session;

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
};

use axum::{
    Router,
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            InvalidHeaderValue,
        },
    },
    response::Response,
    routing::{MethodRouter, get},
};

use crate::{problem::Problem, routes::with_and_without_slash, services::Services};

/// Nothing but the page's own files, nothing inline, no other host, no frame,
/// no plain form; and no text that becomes code or markup.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// What the page has no use for. It copies the invite link; and to share it needs
/// no leave.
const PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), fullscreen=(), \
     geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     publickey-credentials-get=(), screen-wake-lock=(), usb=(), clipboard-write=(self)",
);
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
/// To be kept, but asked for each time: an upgrade shows at once.
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// A file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

/// One of the folder `web`.
macro_rules! file {
    ($name:literal, $media_type:literal) => {
        File {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("../../web/", $name)),
        }
    };
}

const PAGE: File = file!("index.html", "text/html; charset=utf-8");
const FILES: [File; 14] = [
    file!("account.js", "text/javascript; charset=utf-8"),
    file!("api.js", "text/javascript; charset=utf-8"),
    file!("app.js", "text/javascript; charset=utf-8"),
    file!("devices.js", "text/javascript; charset=utf-8"),
    file!("dom.js", "text/javascript; charset=utf-8"),
    file!("en.js", "text/javascript; charset=utf-8"),
    file!("followers.js", "text/javascript; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("invite.js", "text/javascript; charset=utf-8"),
    file!("language.js", "text/javascript; charset=utf-8"),
    file!("qr.js", "text/javascript; charset=utf-8"),
    file!("ru.js", "text/javascript; charset=utf-8"),
    file!("sign_in.js", "text/javascript; charset=utf-8"),
    file!("style.css", "text/css; charset=utf-8"),
];

/// The page, its files and its session.
pub(crate) fn router() -> Router<Services> {
    let router = Router::new().route("/", serving(&PAGE));
    let router = with_and_without_slash(router, (session::SESSION, session::methods()));
    FILES.iter().fold(router, |router, file| {
        let path = format!("/web/{}", file.name);
        with_and_without_slash(router, (&path, serving(file)))
    })
}

fn serving(file: &'static File) -> MethodRouter<Services> {
    let tag = tag(file.text);
    get(move |headers: HeaderMap| async move {
        answer(file, &tag, &headers)
            .map_err(|_| Problem::internal("an entity tag does not fit into a header"))
    })
}

/// Tells one version of a file from another. Another compiler may hash
/// otherwise, which costs a browser one transfer.
fn tag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

fn answer(
    file: &'static File,
    tag: &str,
    headers: &HeaderMap,
) -> Result<Response, InvalidHeaderValue> {
    let mut response = if is_known(tag, headers) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(file.text));
        let media_type = HeaderValue::from_static(file.media_type);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.parse()?);
    headers.insert(CACHE_CONTROL, ASK_EACH_TIME);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
    headers.insert(OPENER_POLICY, SAME_ORIGIN);
    headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
    Ok(response)
}

/// Whether the client has this version (RFC 9110, section 13.1.2, which
/// compares weakly).
fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|known| known == b"*" || known.strip_prefix(b"W/").unwrap_or(known) == tag.as_bytes())
}
