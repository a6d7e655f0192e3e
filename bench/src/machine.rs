//! The servers and the product's processes.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

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
    pub(crate) postgres: Arc<PrivatePostgres>,
    pub(crate) redis: PrivateRedis,
    pub(crate) auth_database: String,
    pub(crate) profile_database: String,
}

impl Machine {
    /// Starts both.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts both, PostgreSQL with settings on top.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let settings = [&DURABLE[..], settings].concat();
        Self::on(Arc::new(PrivatePostgres::start_with(&settings)))
    }

    /// Other databases in the same PostgreSQL, and a Redis of their own.
    pub(crate) fn beside(&self) -> Self {
        Self::on(self.postgres.clone())
    }

    fn on(postgres: Arc<PrivatePostgres>) -> Self {
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

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Gateway,
    Auth,
    Profile,
}

impl Service {
    /// Its program's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Auth => "auth-service",
            Self::Profile => "profile-service",
        }
    }
}

/// How a service runs.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    pub(crate) replicas: usize,
    /// The only cores of all replicas, as `taskset -c` takes them.
    pub(crate) cores: Option<String>,
    /// Where its program is, if it was not built together with this one.
    pub(crate) built: Option<PathBuf>,
}

impl Runs {
    /// One process on any core.
    pub(crate) const ONCE: Self = Self {
        replicas: 1,
        cores: None,
        built: None,
    };
}

/// The services as processes.
pub(crate) struct Product {
    programs: Vec<(Service, Program)>,
    /// Where the gateways listen.
    gateways: Vec<SocketAddr>,
    /// Where the first gateway listens.
    pub(crate) http: SocketAddr,
    /// Where the first auth-service listens.
    pub(crate) auth_grpc: SocketAddr,
    /// Where the first profile-service listens.
    pub(crate) profile_grpc: SocketAddr,
}

impl Product {
    /// Starts one of each on a machine's servers. Nothing is set but what has to
    /// be, and the length of the imitated delivery.
    pub(crate) fn start(machine: &Machine, delay_ms: u32, logs: &Path) -> anyhow::Result<Self> {
        Self::start_as(machine, delay_ms, logs, |_| Runs::ONCE)
    }

    /// The same with several of each, or on some cores.
    pub(crate) fn start_as(
        machine: &Machine,
        delay_ms: u32,
        logs: &Path,
        runs: impl Fn(Service) -> Runs,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let ports = |service| -> Vec<SocketAddr> {
            let addresses = 0..runs(service).replicas;
            addresses
                .map(|_| SocketAddr::from(([127, 0, 0, 1], testkit::free_port())))
                .collect()
        };
        let (auths, profiles) = (ports(Service::Auth), ports(Service::Profile));
        let auth_url = format!("--auth-url={}", urls(&auths));
        let profile_url = format!("--profile-url={}", urls(&profiles));
        let mut programs = Vec::new();
        let mut start = |service: Service, settings: &[&str]| {
            let number = programs.iter().filter(|(of, _)| *of == service).count() + 1;
            let log = logs.join(format!("{}-{number}.log", service.name()));
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            let mut program = Program::of_product(service.name(), &settings, &runs(service), &log)?;
            let address = program.line_after("listens on")?;
            programs.push((service, program));
            Ok::<_, anyhow::Error>(address)
        };
        for address in &profiles {
            let settings = [
                &*format!("--profile-listen={address}"),
                &format!("--profile-database-url={}", machine.profile_database),
                &auth_url,
                SERVICE_KEY,
            ];
            start(Service::Profile, &settings)?;
        }
        for address in &auths {
            let settings = [
                &*format!("--auth-listen={address}"),
                &format!("--auth-database-url={}", machine.auth_database),
                &format!("--auth-redis-url={}", machine.redis.url()),
                &profile_url,
                "--auth-sms=simulated",
                &format!("--auth-sms-delay-ms={delay_ms}"),
                SERVICE_KEY,
                GATEWAY_KEY,
                PEPPER,
                SIGNING_KEY,
            ];
            start(Service::Auth, &settings)?;
        }
        let mut gateways = Vec::new();
        for _ in 0..runs(Service::Gateway).replicas {
            let settings = [
                "--gateway-listen=127.0.0.1:0",
                &auth_url,
                &profile_url,
                GATEWAY_KEY,
            ];
            let url = start(Service::Gateway, &settings)?;
            let address = url.trim_start_matches("http://").parse();
            gateways.push(address.with_context(|| format!("the gateway's address: {url}"))?);
        }
        let first = |all: &[SocketAddr]| all.first().copied().context("none of a service");
        // In the order of a request's way.
        programs.reverse();
        Ok(Self {
            http: first(&gateways)?,
            auth_grpc: first(&auths)?,
            profile_grpc: first(&profiles)?,
            programs,
            gateways,
        })
    }

    /// Where this client finds its gateway: the clients share them evenly.
    pub(crate) fn http_of(&self, client: u32) -> SocketAddr {
        let mut turns = self.gateways.iter().cycle();
        let turn = usize::try_from(client).unwrap_or(0) % self.gateways.len().max(1);
        turns.nth(turn).copied().unwrap_or(self.http)
    }

    /// All of them.
    pub(crate) fn programs(&self) -> Vec<&Program> {
        self.programs.iter().map(|(_, program)| program).collect()
    }

    /// All of them, to be counted: a replica is one that has the same name.
    pub(crate) fn counted(&self) -> Vec<(&'static str, Who)> {
        self.programs
            .iter()
            .map(|(service, program)| (service.name(), Who::Process(program.process_id())))
            .collect()
    }
}

/// A list as `AUTH_URL` and `PROFILE_URL` take it.
fn urls(addresses: &[SocketAddr]) -> String {
    let urls: Vec<String> = addresses.iter().map(|at| format!("http://{at}")).collect();
    urls.join(",")
}
