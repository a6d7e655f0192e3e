//! Everybody hears of a code when its imitated delivery is over, wherever that is
//! waited for.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kit::{
    client::{self, Outgoing},
    clock::SystemClock,
    service_token::ServiceTokenSigner,
    settings::SecretKey,
    wait::handed_over,
};
use proto::auth::v1::{RequestCodeRequest, auth_service_client::AuthServiceClient};
use serde_json::json;
use tonic::Request;

use crate::{
    common::{
        http::{ready, request},
        processes::Process,
    },
    programs::customauth,
};

const DELAY: Duration = Duration::from_secs(3);

/// Who calls auth-service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Service,
    Client,
}

/// Whether the caller says that it waits itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    Made,
    NotMade,
}

/// How long a call took, and how long its caller is to wait yet.
async fn call(auth: &str, data: &Path, caller: As, offer: Offer) -> (Duration, Option<Duration>) {
    let outgoing = match caller {
        As::Client => Outgoing::default(),
        As::Service => {
            kit::crypto::install();
            let key = std::fs::read_to_string(data.join("gateway-key")).unwrap();
            let key: SecretKey = key.parse().unwrap();
            let clock = Arc::new(SystemClock);
            Outgoing::signed(ServiceTokenSigner::new(&key, "test", "auth-service", clock))
        }
    };
    let urls = format!("http://{auth}").parse().unwrap();
    let mut auth = AuthServiceClient::new(client::channel("auth-service", &urls, outgoing));
    let mut asked = Request::new(RequestCodeRequest {
        phone_number: "+77777777766".to_owned(),
        ..RequestCodeRequest::default()
    });
    if offer == Offer::Made {
        handed_over::offer(asked.metadata_mut());
    }
    let begun = Instant::now();
    let answer = auth.request_code(asked).await.unwrap();
    let left = handed_over::handed_over(answer.metadata());
    let left = left.map(|until| until.0 - tokio::time::Instant::now());
    (begun.elapsed(), left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_service_that_waits_is_answered_before() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = customauth(data.path());
    customauth.env("AUTH_SMS_DELAY_MS", DELAY.as_millis().to_string());
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    let auth = process.line_after("auth-service");
    let auth = auth.trim_end_matches(" (gRPC)");
    ready(&base).await;

    let begun = Instant::now();
    let body = json!({ "phone_number": "+77777777766" }).to_string();
    let json = [("content-type", "application/json")];
    let answer = request("POST", &format!("{base}/api/v1/auths/"), &json, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
    // Of that, auth-service had nothing.
    let page = request("GET", &format!("{base}/metrics"), &[], "")
        .await
        .body;
    let series = r#"customauth_grpc_request_duration_seconds_sum{method="RequestCode",service="auth-service"} "#;
    let took = page.lines().find_map(|line| line.strip_prefix(series));
    let took: f64 = took.unwrap().parse().unwrap();
    assert!(took < DELAY.as_secs_f64(), "{took}");

    let call = |caller, offer| call(auth, data.path(), caller, offer);
    let (waiting, silent, client, offering) = tokio::join!(
        call(As::Service, Offer::Made),
        call(As::Service, Offer::NotMade),
        call(As::Client, Offer::NotMade),
        call(As::Client, Offer::Made),
    );
    let (took, left) = waiting;
    assert!(took < DELAY, "{took:?}");
    let left = left.unwrap();
    assert!(
        left <= DELAY && left + Duration::from_secs(1) > DELAY,
        "{left:?}"
    );
    for (took, left) in [silent, client, offering] {
        assert!(took >= DELAY, "{took:?}");
        assert_eq!(left, None);
    }
}
