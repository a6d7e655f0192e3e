//! Has the parts done and counts what they cost.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use http::{Method, StatusCode};
use proto::{
    auth::v1::{VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use tokio::time::Instant;

use super::Part;
use crate::{
    cpu::Who,
    load::{address_of, grpc::Channel, rest::Rest},
    machine::Machine,
    number::micros_each,
    program::Program,
    rounds::{PLAYERS, used},
};

/// The two processes, and clients of the server.
pub(crate) struct Floor {
    server: Program,
    worker: Program,
    servers: [(&'static str, Who); 2],
    clients: Vec<Client>,
}

struct Client {
    rest: Rest,
    auth: AuthServiceClient<Channel>,
    profile: ProfileServiceClient<Channel>,
}

impl Floor {
    /// Starts them on a machine whose databases are filled.
    pub(crate) async fn start(machine: &Machine) -> anyhow::Result<Self> {
        let mut server = Program::of_this_one(&["floor-server".to_owned()])?;
        let http: SocketAddr = server.line_after("http ")?.parse()?;
        let grpc: SocketAddr = server.line_after("grpc ")?.parse()?;
        let one = machine.postgres.create_database("one");
        let mut worker = Program::of_this_one(&[
            "floor-worker".to_owned(),
            format!("--auth-database={}", machine.auth_database),
            format!("--profile-database={}", machine.profile_database),
            format!("--one-database={one}"),
            format!("--redis={}", machine.redis.url()),
            format!("--grpc={grpc}"),
        ])?;
        worker.line_after("worker is there")?;
        let mut clients = Vec::new();
        for number in 0..PLAYERS {
            let channel = Channel::connect(address_of(number), grpc).await?;
            clients.push(Client {
                rest: Rest::connect(address_of(number), http).await?,
                auth: AuthServiceClient::new(channel.clone()),
                profile: ProfileServiceClient::new(channel),
            });
        }
        Ok(Self {
            server,
            worker,
            servers: machine.servers(),
            clients,
        })
    }

    /// Has a part done for so long: the processor time of each, in microseconds.
    pub(crate) async fn measure(&mut self, part: Part, span: Duration) -> anyhow::Result<f64> {
        let counted: Vec<Who> = [&self.server, &self.worker]
            .map(|program| Who::Process(program.process_id()))
            .into_iter()
            .chain(self.servers.map(|(_, who)| who))
            .collect();
        if !part.is_asked_from_outside() {
            let millis = span.as_millis();
            self.worker.tell(&format!("{} {millis}", part.word()))?;
            self.worker.line_after("ready")?;
        }
        let before = used(&counted);
        let count = if part.is_asked_from_outside() {
            self.ask(part, span).await?
        } else {
            self.worker.tell("go")?;
            let done = self.worker.line_after("done ")?;
            let count = done.split_whitespace().next();
            count.context("how many?")?.parse()?
        };
        Ok(micros_each(used(&counted).saturating_sub(before), count))
    }

    async fn ask(&mut self, part: Part, span: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + span;
        let asking: Vec<_> = self
            .clients
            .drain(..)
            .map(|mut client| {
                tokio::spawn(async move {
                    let mut count = 0;
                    while Instant::now() < end {
                        client.once(part).await?;
                        count += 1;
                    }
                    Ok::<_, anyhow::Error>((client, count))
                })
            })
            .collect();
        let mut count = 0;
        for asking in asking {
            let (client, asked) = asking
                .await?
                .with_context(|| format!("{} failed", part.name()))?;
            self.clients.push(client);
            count += asked;
        }
        Ok(count)
    }
}

impl Client {
    async fn once(&mut self, part: Part) -> anyhow::Result<()> {
        let followers = part.followers();
        match part {
            Part::Http => {
                let body = r#"{"phone_number":"+77777777766"}"#.to_owned();
                let answer = self.rest.send(Method::POST, "/small", &[], body).await?;
                answer.expect(StatusCode::OK)?;
            }
            Part::Http20 | Part::Http1000 => {
                let path = format!("/profile/{followers}");
                let answer = self
                    .rest
                    .send(Method::GET, &path, &[], String::new())
                    .await?;
                answer.expect(StatusCode::OK)?;
            }
            Part::Call20 => {
                let followers_page_size = Some(u32::try_from(followers)?);
                let message = GetProfileRequest {
                    followers_page_size,
                };
                self.profile.get_profile(message).await?;
            }
            _ => {
                self.auth.verify_code(VerifyCodeRequest::default()).await?;
            }
        }
        Ok(())
    }
}

/// What the parts of a case sum up to, in microseconds, by their costs.
pub(crate) fn sum(parts: &[(Part, u32)], cost: impl Fn(Part) -> f64) -> f64 {
    parts
        .iter()
        .map(|&(part, times)| cost(part) * f64::from(times))
        .sum()
}
