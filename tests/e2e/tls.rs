//! TLS on every listener, and mutual TLS between the services: who has no
//! certificate cannot call them, whatever else they know.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
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
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

use crate::{
    common::{
        http::Answer,
        processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command},
    },
    programs::complaint,
};

/// An authority, and a directory for the files of whom it certifies.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
struct Certified {
    cert: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        let path = directory.path().join("ca.pem");
        write(&path, "CERTIFICATE", cert.der());
        let issuer = Issuer::new(params, key);
        Self { directory, issuer }
    }

    fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    fn certify(&self, name: &str) -> Certified {
        let own = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let signed = params.signed_by(&own, &self.issuer).unwrap();
        let file = |end: &str| self.directory.path().join(format!("{name}.{end}"));
        let certified = Certified {
            cert: file("pem"),
            key: file("key"),
        };
        write(&certified.cert, "CERTIFICATE", signed.der());
        write(&certified.key, "PRIVATE KEY", own.serialized_der());
        certified
    }

    /// As a service is told whom to trust and who it is.
    fn service_flags(&self, own: &Certified) -> [String; 3] {
        [
            flag("--service-tls-ca", &self.ca()),
            flag("--service-tls-cert", &own.cert),
            flag("--service-tls-key", &own.key),
        ]
    }
}

fn write(path: &Path, tag: &str, der: &[u8]) {
    fs::write(path, pem::encode(&pem::Pem::new(tag, der))).unwrap();
}

fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

fn listener_flags(service: &str, own: &Certified) -> [String; 2] {
    [
        flag(&format!("--{service}-tls-cert"), &own.cert),
        flag(&format!("--{service}-tls-key"), &own.key),
    ]
}

/// A client of the gateway by HTTPS.
struct Client {
    address: String,
    name: &'static str,
    tls: TlsConnector,
}

impl Client {
    /// Of the gateway at `url`, which must be who the authority says it is.
    fn new(url: &str, name: &'static str, authority: &Authority) -> Self {
        kit::crypto::install();
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(authority.ca()).unwrap();
        roots.add(ca).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address: url.strip_prefix("https://").unwrap().to_owned(),
            name,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    async fn send(&self, line: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let name = self.name.try_into().unwrap();
        let mut stream = self.tls.connect(name, stream).await.unwrap();
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let bearer = bearer.unwrap_or_default();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let kind = match body.len() {
            0 => String::new(),
            long => format!("Content-Type: application/json\r\nContent-Length: {long}\r\n"),
        };
        let request =
            format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}{kind}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        // An error if the stream is cut without TLS saying that it ends.
        stream.read_to_string(&mut text).await.unwrap();
        parse(&text)
    }

    async fn ready(&self) {
        for _ in 0..300 {
            if self.send("GET /readyz", None, None).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", self.send("GET /readyz", None, None).await.body);
    }

    /// A whole sign-in; the answer to the request for the code, and the profile.
    async fn sign_in(&self) -> (Answer, Value) {
        self.ready().await;
        let auths = "/api/v1/auths/";
        let body = json!({ "phone_number": "+77777777766" });
        let asked = self.send(&format!("POST {auths}"), None, Some(body)).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let body = json!({ "otp": asked.code() });
        let pair = self.send(&format!("PATCH {auths}"), None, Some(body)).await;
        assert_eq!(pair.status, 200, "{}", pair.body);
        let pair = pair.json();
        let token = pair["access_token"].as_str();
        let answer = self.send("GET /api/v1/personal-area/", token, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        (asked, answer.json())
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    Answer {
        status: status.parse().unwrap(),
        headers: headers.collect::<HeaderMap>(),
        body: body.to_owned(),
    }
}

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
