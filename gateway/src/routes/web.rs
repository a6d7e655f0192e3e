//! `/`: the personal area as a web page. Its files are part of the program, and
//! it talks to the JSON API like any other client, but for `session`.

mod session;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
    routing::{MethodRouter, get},
};

use crate::{file::File, routes::with_and_without_slash, services::Services};

/// Nothing but the page's own files, nothing inline, no other host, no frame,
/// no plain form; and no text that becomes code or markup.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
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
/// The path of the page.
const ROOT: &str = "/";
/// A file of the page.
struct Part {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

impl Part {
    fn path(&self) -> String {
        format!("/web/{}", self.name)
    }
}

/// One of the folder `web`.
macro_rules! file {
    ($name:literal, $media_type:literal) => {
        Part {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("../../web/", $name)),
        }
    };
}

const PAGE: Part = file!("index.html", "text/html; charset=utf-8");
const FILES: [Part; 14] = [
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
    let router = Router::new().route(ROOT, serving(&PAGE));
    let router = with_and_without_slash(router, (session::SESSION, session::methods()));
    FILES.iter().fold(router, |router, file| {
        with_and_without_slash(router, (&file.path(), serving(file)))
    })
}

/// Their paths, without a last slash.
pub(super) fn paths() -> impl Iterator<Item = String> {
    let page = [ROOT, session::SESSION].map(str::to_owned);
    page.into_iter().chain(FILES.iter().map(Part::path))
}

fn serving(part: &Part) -> MethodRouter<Services> {
    let file = File::new(part.media_type, part.text).with_policy(POLICY);
    get(move |headers: HeaderMap| async move { guarded(file.unless_known(&headers)) })
}

/// With what else a browser is told to keep from the page.
pub(super) fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
    headers.insert(OPENER_POLICY, SAME_ORIGIN);
    headers.insert(RESOURCE_POLICY, SAME_ORIGIN);
    response
}
