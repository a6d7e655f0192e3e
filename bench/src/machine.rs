//! The servers and the product's processes.

use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use testkit::{PrivatePostgres, PrivateRedis};

use crate::{cpu::Who, program::Program};

/// Keys that are known: there is nobody here to be kept out.
const SERVICE_KEY: &str = "--service-key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const GATEWAY_KEY: &str = "--gateway-key=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
const PEPPER: &str = "--auth-code-pepper=AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=";
/// The example of RFC 8037, appendix A.
const SIGNING_KEY: &str = "--auth-signing-key=-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";

/// What an acknowledged commit costs where it is to be kept. The test kit turns
/// it off; the others are PostgreSQL's defaults, said to be sure.
const DURABLE: [&str; 3] = [
    "fsync = on",
    "synchronous_commit = on",
    "full_page_writes = on",
];

/// PostgreSQL and Redis, with the databases of the two services.
pub(crate) struct Machine {
    pub(crate) postgres: PrivatePostgres,
    pub(crate) redis: PrivateRedis,
    pub(crate) auth_database: String,
    pub(crate) profile_database: String,
}

impl Machine {
    /// Starts both.
    pub(crate) fn start() -> Self {
        let postgres = PrivatePostgres::start_with(&DURABLE);
        let auth_database = postgres.create_database("auth");
        let profile_database = postgres.create_database("profile");
        Self {
            redis: PrivateRedis::start(),
            auth_database,
            profile_database,
            postgres,
        }
    }

    /// The two, to be counted.
    pub(crate) fn servers(&self) -> [(&'static str, Who); 2] {
        [
            ("postgresql", Who::WithChildren(self.postgres.process_id())),
            ("redis", Who::Process(self.redis.process_id())),
        ]
    }
}

/// The three services as processes.
pub(crate) struct Product {
    auth: Program,
    profile: Program,
    gateway: Program,
    /// Where the gateway listens.
    pub(crate) http: SocketAddr,
    /// Where auth-service listens.
    pub(crate) auth_grpc: SocketAddr,
    /// Where profile-service listens.
    pub(crate) profile_grpc: SocketAddr,
}

impl Product {
    /// Starts them on a machine's servers. Nothing is set but what has to be,
    /// and the length of the imitated delivery.
    pub(crate) fn start(machine: &Machine, delay_ms: u32, logs: &Path) -> anyhow::Result<Self> {
        let profile_grpc = SocketAddr::from(([127, 0, 0, 1], testkit::free_port()));
        let auth_grpc = SocketAddr::from(([127, 0, 0, 1], testkit::free_port()));
        let auth_url = format!("--auth-url=http://{auth_grpc}");
        let profile_url = format!("--profile-url=http://{profile_grpc}");
        let start = |name: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            let mut program = Program::of_product(name, &settings, logs)?;
            let address = program.line_after("listens on")?;
            Ok::<_, anyhow::Error>((program, address))
        };
        let (profile, _) = start(
            "profile-service",
            &[
                &format!("--profile-listen={profile_grpc}"),
                &format!("--profile-database-url={}", machine.profile_database),
                &auth_url,
                SERVICE_KEY,
            ],
        )?;
        let (auth, _) = start(
            "auth-service",
            &[
                &format!("--auth-listen={auth_grpc}"),
                &format!("--auth-database-url={}", machine.auth_database),
                &format!("--auth-redis-url={}", machine.redis.url()),
                &profile_url,
                "--auth-sms=simulated",
                &format!("--auth-sms-delay-ms={delay_ms}"),
                SERVICE_KEY,
                GATEWAY_KEY,
                PEPPER,
                SIGNING_KEY,
            ],
        )?;
        let (gateway, url) = start(
            "gateway",
            &[
                "--gateway-listen=127.0.0.1:0",
                &auth_url,
                &profile_url,
                GATEWAY_KEY,
            ],
        )?;
        let address = url.trim_start_matches("http://").parse();
        Ok(Self {
            auth,
            profile,
            gateway,
            http: address.with_context(|| format!("the gateway's address: {url}"))?,
            auth_grpc,
            profile_grpc,
        })
    }

    /// The three.
    pub(crate) fn programs(&self) -> [&Program; 3] {
        [&self.gateway, &self.auth, &self.profile]
    }

    /// The three, to be counted.
    pub(crate) fn counted(&self) -> Vec<(&'static str, Who)> {
        ["gateway", "auth-service", "profile-service"]
            .into_iter()
            .zip(self.programs())
            .map(|(name, program)| (name, Who::Process(program.process_id())))
            .collect()
    }
}
