//! TLS on every listener, and mutual TLS between the services: who has no
//! certificate cannot call them, whatever else they know.

mod certificates;
mod client;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kit::{
    client::{Outgoing, ServiceUrls, channel},
    clock::SystemClock,
    service_token::ServiceTokenSigner,
    settings::{SecretKey, ServiceTls},
    tls::ClientTls,
};
use proto::{
    Reason,
    profile::v1::{CreateProfileRequest, provisioning_service_client::ProvisioningServiceClient},
};
use tempfile::TempDir;

use self::{
    certificates::{Authority, Certified, flag, listener_flags},
    client::Client,
};
use crate::{
    common::processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
    programs::complaint,
};

/// The three programs, all by TLS, the two services for certified callers only.
struct Trio {
    _data: TempDir,
    processes: [Process; 3],
    gateway: String,
    profile: String,
}

impl Trio {
    fn start(authority: &Authority) -> Self {
        let data = tempfile::tempdir().unwrap();
        let database = |name: &str| format!("sqlite://{}", data.path().join(name).display());
        let server = authority.certify("localhost");
        let caller = authority.certify("caller.internal");
        let service = authority.service_flags(&caller);
        let auth_port = testkit::free_port();
        let auth_url = format!("--auth-url=https://localhost:{auth_port}");

        let mut profile = command("profile-service");
        profile
            .args(["--profile-listen=127.0.0.1:0", &auth_url, SERVICE_KEY])
            .arg(format!("--profile-database-url={}", database("profile.db")))
            .args(listener_flags("profile", &server))
            .arg(flag("--profile-tls-client-ca", &authority.ca()))
            .args(&service);
        let mut profile = Process::start(profile);
        let address = profile.line_after("listens on");
        let port = address.rsplit(':').next().unwrap();
        let profile_address = format!("https://localhost:{port}");
        let profile_url = format!("--profile-url={profile_address}");

        let mut auth = command("auth-service");
        auth.arg(format!("--auth-listen=127.0.0.1:{auth_port}"))
            .args([&profile_url, SERVICE_KEY, GATEWAY_KEY, PEPPER, SIGNING_KEY])
            .args(["--auth-sms=simulated", "--auth-sms-delay-ms=0"])
            .arg("--auth-redis-url=memory://")
            .arg(format!("--auth-database-url={}", database("auth.db")))
            .args(listener_flags("auth", &server))
            .arg(flag("--auth-tls-client-ca", &authority.ca()))
            .args(&service);
        let mut auth = Process::start(auth);
        auth.line_after("listens on");

        let mut gateway = command("gateway");
        gateway
            .arg("--gateway-listen=127.0.0.1:0")
            .args([&auth_url, &profile_url, GATEWAY_KEY])
            .args(listener_flags("gateway", &server))
            .args(&service);
        let mut gateway = Process::start(gateway);
        let base = gateway.line_after("listens on");
        Self {
            _data: data,
            processes: [auth, profile, gateway],
            gateway: base,
            profile: profile_address,
        }
    }
}

/// A caller of profile-service who knows SERVICE_KEY.
async fn create_profile(url: &str, tls: ServiceTls) -> Result<(), tonic::Status> {
    let (_, key) = SERVICE_KEY.split_once('=').unwrap();
    let key = STANDARD.decode(key).unwrap().try_into().unwrap();
    let clock = Arc::new(SystemClock);
    let signer = ServiceTokenSigner::new(
        &SecretKey::new(key),
        "auth-service",
        "profile-service",
        clock,
    );
    let urls: ServiceUrls = url.parse().unwrap();
    let urls = urls.called_by(&ClientTls::load(&tls).unwrap()).unwrap();
    let channel = channel("profile-service", &urls, Outgoing::signed(signer));
    let request = CreateProfileRequest {
        user_id: "0192f3a4-0000-7000-8000-000000000001".to_owned(),
        phone_number: "+77777777767".to_owned(),
        invited_by: None,
    };
    let mut client = ProvisioningServiceClient::new(channel);
    let answer = client.create_profile(request);
    let answer = tokio::time::timeout(END, answer).await.unwrap();
    answer.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_programs_by_tls_let_in_whom_they_should() {
    let authority = Authority::new();
    let other = Authority::new();
    let trio = Trio::start(&authority);

    let client = Client::new(&trio.gateway, "localhost", &authority);
    let (asked, profile) = client.sign_in().await;
    assert_eq!(profile["phone_number"], "+77777777766");
    let cookie = asked.header("set-cookie");
    assert!(cookie.ends_with("; Secure"), "{cookie}");

    let tls = |trusted: &Authority, own: Option<Certified>| {
        let (cert, key) = own.map(|own| (own.cert, own.key)).unzip();
        ServiceTls {
            service_tls_ca: Some(trusted.ca()),
            service_tls_cert: cert,
            service_tls_key: key,
        }
    };
    let certified = || Some(authority.certify("auth.internal"));
    let plain = trio.profile.replace("https", "http");
    let refused = [
        ("no certificate", &trio.profile, tls(&authority, None)),
        (
            "one of another authority",
            &trio.profile,
            tls(&authority, Some(other.certify("auth.internal"))),
        ),
        ("no trust", &trio.profile, tls(&other, certified())),
        ("no TLS", &plain, tls(&authority, certified())),
    ];
    for (what, url, tls) in refused {
        let status = create_profile(url, tls).await.unwrap_err();
        let reason = Reason::of(&status);
        let unreachable = Some(Reason::DependencyUnavailable);
        assert_eq!(reason, unreachable, "{what}: {status:?}");
    }
    let let_in = create_profile(&trio.profile, tls(&authority, certified())).await;
    let_in.expect("a certified caller is let in");

    for process in &trio.processes {
        process.signal("-TERM");
    }
    for process in trio.processes {
        let (status, stderr) = process.end(END);
        assert_eq!(status, Some(0), "{stderr}");
    }
}

fn customauth(data: &Path) -> Vec<String> {
    ["gateway", "auth", "profile"]
        .map(|listener| format!("--{listener}-listen=127.0.0.1:0"))
        .into_iter()
        .chain([flag("--data-dir", data), "--auth-sms-delay-ms=0".to_owned()])
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_in_one_its_parts_call_each_other_by_tls_too() {
    let authority = Authority::new();
    let data = tempfile::tempdir().unwrap();
    // What the world calls it is not where its own parts find it.
    let server = authority.certify("auth.example");
    let caller = authority.certify("caller.internal");
    let mut customauth_command = command("customauth");
    customauth_command.args(customauth(data.path()));
    for listener in ["gateway", "auth", "profile"] {
        customauth_command.args(listener_flags(listener, &server));
    }
    for listener in ["auth", "profile"] {
        let name = format!("--{listener}-tls-client-ca");
        customauth_command.arg(flag(&name, &authority.ca()));
    }
    customauth_command.args(authority.service_flags(&caller));
    let mut process = Process::start(customauth_command);
    let base = process.line_after("HTTP/JSON");
    let client = Client::new(&base, "auth.example", &authority);
    let (_, profile) = client.sign_in().await;
    assert_eq!(profile["phone_number"], "+77777777766");
    process.signal("-TERM");
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
}

#[test]
fn wrong_files_are_one_clear_line_and_exit_2() {
    let authority = Authority::new();
    let one = authority.certify("one");
    let two = authority.certify("two");
    let data = tempfile::tempdir().unwrap();
    let missing = PathBuf::from("/nonexistent/file");
    let cert = |path: &Path| flag("--auth-tls-cert", path);
    let key = |path: &Path| flag("--auth-tls-key", path);
    let client_ca = flag("--auth-tls-client-ca", &authority.ca());
    let service_cert = flag("--service-tls-cert", &one.cert);
    let rows = [
        (vec![cert(&one.cert)], "AUTH_TLS_KEY is not set"),
        (vec![key(&one.key)], "AUTH_TLS_CERT is not set"),
        (vec![client_ca.clone()], "AUTH_TLS_CLIENT_CA"),
        (vec![cert(&missing), key(&one.key)], "AUTH_TLS_CERT: /non"),
        (vec![cert(&one.cert), key(&missing)], "AUTH_TLS_KEY: /non"),
        (vec![cert(&one.key), key(&one.key)], "AUTH_TLS_CERT: "),
        (vec![cert(&one.cert), key(&one.cert)], "AUTH_TLS_KEY: "),
        (
            vec![cert(&one.cert), key(&two.key)],
            "AUTH_TLS_CERT and AUTH_TLS_KEY",
        ),
        (
            vec![cert(&one.cert), key(&one.key), client_ca],
            "SERVICE_TLS_CERT is not set",
        ),
        (vec![service_cert.clone()], "SERVICE_TLS_KEY is not set"),
        (
            vec![service_cert, flag("--service-tls-key", &two.key)],
            "SERVICE_TLS_CERT and SERVICE_TLS_KEY",
        ),
        (vec![flag("--service-tls-ca", &one.key)], "SERVICE_TLS_CA: "),
    ];
    for (flags, said) in rows {
        let flags = [customauth(data.path()), flags].concat();
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let line = complaint("customauth", &flags);
        assert!(line.contains(said), "{said}: {line}");
    }
}
