use std::str::FromStr as _;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::HealthServer;
use tower::ServiceExt as _;

use super::*;
use crate::health::Health;

const NAME: &str = "a.Service";

fn service() -> HealthServer<Health> {
    HealthServer::new(Health::new(&[NAME], [], CancellationToken::new()))
}

/// A question for the health of a service, or bytes that are none.
fn question(path: &str, method: &Method, of: Option<&str>) -> Request<Body> {
    let body = of.map_or(vec![7; 9], |service| {
        let length = u8::try_from(service.len()).unwrap();
        // A frame, and in it the first field, a text.
        let heads = [0, 0, 0, 0, length + 2, 0x0a, length];
        [&heads[..], service.as_bytes()].concat()
    });
    let mut request = Request::new(Body::new(Full::from(body)));
    *request.uri_mut() = Uri::from_str(path).unwrap();
    *request.method_mut() = method.clone();
    let grpc = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", grpc);
    request
}

/// All that a client would see.
async fn answer<S>(
    service: S,
    request: Request<Body>,
) -> (StatusCode, HeaderMap, HeaderMap, Vec<u8>)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    (head.status, head.headers, trailers, body.to_bytes().into())
}

#[tokio::test]
async fn an_answer_is_the_routers() {
    let routes = Routes::new(service()).prepare();
    let direct = MostCalled::new(service(), Routes::default().prepare());
    let mut told = Vec::new();
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Check?query",
        "/grpc.health.v1.Health/Check/",
        "/grpc.health.v1.Health/Nothing",
        "/grpc.health.v1.Health/%ff",
        "/grpc.health.v1.Health/",
        "/grpc.health.v1.Health",
        "/grpc.health.v1.Healthy/Check",
        "/",
    ] {
        for of in [Some(NAME), Some("another"), None] {
            for method in [Method::POST, Method::GET] {
                let ask = || question(path, &method, of);
                let expected = answer(routes.clone(), ask()).await;
                let found = answer(direct.clone(), ask()).await;
                assert_eq!(found, expected, "{method} {path} {of:?}");
                let status = found.1.get("grpc-status").or(found.2.get("grpc-status"));
                told.push(status.unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    told.sort();
    told.dedup();
    // OK, NOT_FOUND, UNIMPLEMENTED and INTERNAL are among them.
    for status in ["0", "5", "12", "13"] {
        assert!(told.iter().any(|each| each == status), "{status}: {told:?}");
    }
}
