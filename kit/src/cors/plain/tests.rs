use http::StatusCode;
use tower::ServiceExt as _;

use super::*;
use crate::cors::CorsOrigins;

const ALLOWED: &str = "access-control-allow-origin";

/// A service whose answers vary by something already, and that says something of
/// its own.
fn service()
-> impl Service<Request<()>, Response = Response<()>, Error = Infallible, Future: Send> + Clone {
    service_fn(|request: Request<()>| {
        let answer = Response::builder()
            .status(StatusCode::ACCEPTED)
            .header(VARY, "cookie")
            .header("access-control-expose-headers", "nothing")
            .header("seen", request.method().as_str());
        ready(Ok(answer.body(()).unwrap()))
    })
}

/// All headers in their order; of several with one name, in theirs.
async fn headers<S>(service: S, request: Request<()>) -> (StatusCode, Vec<(String, String)>)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let (head, ()) = service.oneshot(request).await.unwrap().into_parts();
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let headers = head.headers.iter();
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    // The order among names means nothing.
    headers.sort_by(|(one, _), (other, _)| one.cmp(other));
    (head.status, headers)
}

#[tokio::test]
async fn an_answer_has_the_headers_that_the_whole_layer_gives() {
    let two: CorsOrigins = "https://a.example, https://b.example".parse().unwrap();
    let none = CorsOrigins::List(vec![]);
    for origins in [CorsOrigins::Any, none, two.clone()] {
        let layer = origins.layer();
        let (ours, full) = (layer.layer(service()), layer.full.layer(service()));
        for origin in [None, Some("https://a.example"), Some("https://c.example")] {
            for method in [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS] {
                let ask = || {
                    let mut request = Request::new(());
                    *request.method_mut() = method.clone();
                    if let Some(origin) = origin {
                        let origin = HeaderValue::from_static(origin);
                        request.headers_mut().insert(ORIGIN, origin);
                    }
                    request
                };
                let expected = headers(full.clone(), ask()).await;
                let found = headers(ours.clone(), ask()).await;
                assert_eq!(found, expected, "{origins:?} {origin:?} {method}");
                let allowed = found.1.iter().any(|(name, _)| name == ALLOWED);
                let known = origins == CorsOrigins::Any
                    || (origin, &origins) == (Some("https://a.example"), &two);
                assert_eq!(allowed, known, "{origins:?} {origin:?} {method}");
            }
        }
    }
}
