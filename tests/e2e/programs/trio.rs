//! The three services as processes of their own.

use testkit::{PrivatePostgres, PrivateRedis};

use super::*;

/// The three services as processes on PostgreSQL and Redis.
pub(crate) struct Trio {
    pub(crate) auth: Process,
    pub(crate) profile: Process,
    pub(crate) gateway: Process,
    pub(crate) base: String,
    pub(super) auth_url: String,
    profile_flags: Vec<String>,
}

impl Trio {
    pub(super) fn start(delay: &str) -> Self {
        Self::with(delay, &[])
    }

    /// With further flags for all of them.
    pub(crate) fn with(delay: &str, flags: &[&str]) -> Self {
        let postgres = PrivatePostgres::shared();
        let redis = PrivateRedis::shared().url();
        let auth_port = testkit::free_port();
        let profile_port = testkit::free_port();
        let auth_url = format!("http://127.0.0.1:{auth_port}");
        let auth_flag = format!("--auth-url={auth_url}");
        let profile_url = format!("--profile-url=http://127.0.0.1:{profile_port}");

        let mut profile_flags = vec![
            format!("--profile-listen=127.0.0.1:{profile_port}"),
            format!(
                "--profile-database-url={}",
                postgres.create_database("profile")
            ),
            auth_flag.clone(),
            SERVICE_KEY.to_owned(),
        ];
        profile_flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        let profile = start_profile(&profile_flags);

        let mut auth = command("auth-service");
        auth.args(flags);
        auth.arg(format!("--auth-listen=127.0.0.1:{auth_port}"))
            .args([&profile_url, SERVICE_KEY, GATEWAY_KEY, PEPPER, SIGNING_KEY])
            .args([
                "--auth-sms=simulated",
                &format!("--auth-sms-delay-ms={delay}"),
            ])
            .arg(format!("--auth-redis-url={redis}"))
            .arg(format!(
                "--auth-database-url={}",
                postgres.create_database("auth")
            ));
        let mut auth = Process::start(auth);
        auth.line_after("listens on");

        let mut gateway = command("gateway");
        gateway.args([
            "--gateway-listen=127.0.0.1:0",
            &auth_flag,
            &profile_url,
            GATEWAY_KEY,
        ]);
        gateway.args(flags);
        let mut gateway = Process::start(gateway);
        let base = gateway.line_after("listens on");
        Self {
            auth,
            profile,
            gateway,
            base,
            auth_url,
            profile_flags,
        }
    }
}

fn start_profile(flags: &[String]) -> Process {
    let mut profile = command("profile-service");
    profile.args(flags);
    let mut profile = Process::start(profile);
    profile.line_after("listens on");
    profile
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_do_what_one_does() {
    let trio = Trio::start("0");
    let base = &trio.base;
    let inviter = sign_in(base, "+77777777766").await;
    let code = profile(base, &inviter).await["invite_code"].clone();
    let user = sign_in(base, "+77777777767").await;
    activate(base, &user, &code).await;
    let followers = &profile(base, &inviter).await["followers"];
    assert_eq!(*followers, json!(["+77777777767"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_finished_when_profile_service_is_back() {
    let mut trio = Trio::start("0");
    let base = trio.base.clone();
    let erase = async |token: &str| {
        let url = format!("{base}/api/v1/personal-area/");
        let bearer = format!("Bearer {token}");
        request("DELETE", &url, &[("authorization", &bearer)], "").await
    };
    let inviter = sign_in(&base, "+77777777766").await;
    let code = profile(&base, &inviter).await["invite_code"].clone();
    let patient = sign_in(&base, "+77777777767").await;
    let hasty = sign_in(&base, "+77777777768").await;
    for user in [&patient, &hasty] {
        activate(&base, user, &code).await;
    }

    trio.profile.signal("-KILL");
    trio.profile.0.wait().unwrap();
    for user in [&patient, &hasty] {
        let half_done = erase(user).await;
        assert_eq!(half_done.status, 503, "{}", half_done.body);
        assert!(half_done.header("retry-after").parse::<u32>().unwrap() >= 1);
    }
    trio.profile = start_profile(&trio.profile_flags);
    ready(&base).await;
    // One comes again with the same token, and is told that it is done.
    for _ in 0..2 {
        let done = erase(&hasty).await;
        assert_eq!(done.status, 204, "{}", done.body);
    }
    // The other's is finished by itself.
    for _ in 0..400 {
        if profile(&base, &inviter).await["followers"] == json!([]) {
            assert_eq!(erase(&patient).await.status, 204);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the erasure was not finished within 20 s");
}
