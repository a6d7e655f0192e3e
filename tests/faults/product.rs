//! The product as it would be deployed: two processes of each service, on one
//! PostgreSQL and a Redis Cluster.

use testkit::{PrivatePostgres, PrivateRedisCluster};

use crate::processes::{END, GATEWAY_KEY, PEPPER, Process, SERVICE_KEY, SIGNING_KEY, command};

/// One process of the product, which comes back at the address that it had.
pub(crate) struct Service {
    pub(crate) program: &'static str,
    flags: Vec<String>,
    process: Option<Process>,
    /// Warnings and errors that its processes logged, of those that have ended.
    warnings: Vec<String>,
}

impl Service {
    fn new(program: &'static str, flags: Vec<String>) -> Self {
        let mut service = Self {
            program,
            flags,
            process: None,
            warnings: Vec::new(),
        };
        service.start();
        service
    }

    /// Starts it; returns when it listens.
    pub(crate) fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs", self.program);
        let mut command = command(self.program);
        command.args(&self.flags);
        let mut process = Process::start(command);
        process.line_after("listens on");
        self.process = Some(process);
    }

    /// Kills it; returns when it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        self.ended();
    }

    /// Ends it as an operator does; returns when it has ended.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
        let status = self.ended();
        assert_eq!(status, Some(0), "{}: {:#?}", self.program, self.warnings);
    }

    fn ended(&mut self) -> Option<i32> {
        let (status, log) = self.process.take().unwrap().end(END);
        let warnings = log.lines().filter(|line| {
            let level = line.split_whitespace().nth(1);
            !matches!(level, Some("INFO" | "DEBUG"))
        });
        self.warnings.extend(warnings.map(str::to_owned));
        status
    }

    /// Sends a signal to the running process.
    pub(crate) fn signal(&self, signal: &str) {
        self.process.as_ref().unwrap().signal(signal);
    }
}

/// All of it. The processes are ended before the servers.
pub(crate) struct Product {
    /// Two of each, one after the other.
    pub(crate) services: Vec<Service>,
    pub(crate) gateways: [String; 2],
    pub(crate) postgres: PrivatePostgres,
    pub(crate) redis: PrivateRedisCluster,
    auth_database: String,
    profile_database: String,
}

impl Product {
    pub(crate) fn start() -> Self {
        let postgres = PrivatePostgres::start();
        let redis = PrivateRedisCluster::start();
        let auth_database = postgres.create_database("auth");
        let profile_database = postgres.create_database("profile");
        let ports: Vec<u16> = distinct_ports();
        let address = |index: usize| format!("127.0.0.1:{}", ports[index]);
        let list =
            |first: usize| format!("http://{},http://{}", address(first), address(first + 1));
        let auth_url = format!("--auth-url={}", list(0));
        let profile_url = format!("--profile-url={}", list(2));
        let services = (0..6).map(|index| match index {
            0 | 1 => {
                let flags = [
                    &*format!("--auth-listen={}", address(index)),
                    &*format!("--auth-database-url={auth_database}"),
                    &*format!("--auth-redis-url={}", redis.url()),
                    &profile_url,
                    "--auth-sms=simulated",
                    "--auth-sms-delay-ms=20-50",
                    // They all come from one address, for as long as it is wanted.
                    "--auth-max-codes-per-phone=1000000000",
                    "--auth-max-codes-per-client=1000000000",
                    SERVICE_KEY,
                    GATEWAY_KEY,
                    PEPPER,
                    SIGNING_KEY,
                ];
                Service::new("auth-service", flags.map(str::to_owned).into())
            }
            2 | 3 => {
                let flags = [
                    &*format!("--profile-listen={}", address(index)),
                    &*format!("--profile-database-url={profile_database}"),
                    &auth_url,
                    SERVICE_KEY,
                ];
                Service::new("profile-service", flags.map(str::to_owned).into())
            }
            _ => {
                let flags = [
                    &*format!("--gateway-listen={}", address(index)),
                    &auth_url,
                    &profile_url,
                    GATEWAY_KEY,
                ];
                Service::new("gateway", flags.map(str::to_owned).into())
            }
        });
        Self {
            services: services.collect(),
            gateways: [4, 5].map(|index| format!("http://{}", address(index))),
            postgres,
            redis,
            auth_database,
            profile_database,
        }
    }

    /// Kills a master of the cluster, and starts it again when its replica serves
    /// in its place.
    pub(crate) fn lose_master(&self, port: u16) {
        let mut nodes = self.redis.nodes().iter();
        let node = nodes.find(|node| node.port() == port).unwrap();
        node.kill();
        self.redis.wait_until_served();
        node.start_again();
    }

    /// Ends all processes as an operator does; the warnings that they ever
    /// logged, by time.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        // Callers first.
        for service in self.services.iter_mut().rev() {
            service.stop();
            for warning in service.warnings.drain(..) {
                warnings.push(format!("{warning} ({})", service.program));
            }
        }
        warnings.sort();
        warnings
    }

    /// What psql says in auth-service's database.
    pub(crate) fn auth_sql(&self, sql: &str) -> String {
        self.postgres.psql(&self.auth_database, sql)
    }

    /// What psql says in profile-service's database.
    pub(crate) fn profile_sql(&self, sql: &str) -> String {
        self.postgres.psql(&self.profile_database, sql)
    }
}

/// Ports for the six services.
fn distinct_ports() -> Vec<u16> {
    let mut ports = Vec::new();
    while ports.len() < 6 {
        let port = testkit::free_port();
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    ports
}
