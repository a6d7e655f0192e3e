//! Has the parts done and counts what they cost.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use http::{HeaderName, Method, StatusCode, header::AUTHORIZATION};
use proto::{
    auth::v1::{VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use tokio::time::Instant;

use super::Part;
use crate::{
    case::Case,
    cpu::Who,
    load::{TRIES, address_of, another, grpc::Channel, rest::Rest},
    machine::Machine,
    number::micros_each,
    program::Program,
    rounds::{PLAYERS, used},
};

const CHALLENGE_ID: HeaderName = HeaderName::from_static("challenge-id");
/// How many wrong codes a second are prepared for.
const WRONG_A_SECOND: u128 = 12_000;

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
        server.tell(&worker.line_after("way ")?)?;
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
        let counted = self.counted();
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

    /// Plays a case the whole bare way: the processor time of each, in
    /// microseconds. `None` where there is no such way.
    pub(crate) async fn way(&mut self, case: Case, span: Duration) -> anyhow::Result<Option<f64>> {
        if !Client::knows(case) {
            return Ok(None);
        }
        let mut challenges = Vec::new();
        if case == Case::WrongCode {
            let count = span.as_millis() * WRONG_A_SECOND / 1_000 / u128::from(TRIES) + 1;
            // From every address as many: the index of one has an end.
            let each = count / u128::from(PLAYERS) + 1;
            for client in &mut self.clients {
                for _ in 0..each {
                    let (id, code) = client.asked("x").await?;
                    challenges.push((id, another(&code)));
                }
            }
        }
        let challenges = Arc::new(challenges);
        let next = Arc::new(AtomicU64::new(0));
        let counted = self.counted();
        let before = used(&counted);
        let end = Instant::now() + span;
        let count = self
            .each(move |mut client| {
                let (challenges, next) = (challenges.clone(), next.clone());
                async move {
                    let mut count = 0;
                    while Instant::now() < end {
                        let turn = next.fetch_add(1, Ordering::Relaxed) / TRIES;
                        let missed = challenges.get(usize::try_from(turn)?);
                        if case == Case::WrongCode && missed.is_none() {
                            break;
                        }
                        client.way(case, missed).await?;
                        count += 1;
                    }
                    Ok((client, count))
                }
            })
            .await
            .with_context(|| format!("the bare way of {} failed", case.name()))?;
        let used = used(&counted).saturating_sub(before);
        Ok(Some(micros_each(used, count)))
    }

    fn counted(&self) -> Vec<Who> {
        [&self.server, &self.worker]
            .map(|program| Who::Process(program.process_id()))
            .into_iter()
            .chain(self.servers.map(|(_, who)| who))
            .collect()
    }

    /// Has every client do something at once: how much all did.
    async fn each<F: Future<Output = anyhow::Result<(Client, u64)>> + Send + 'static>(
        &mut self,
        act: impl Fn(Client) -> F,
    ) -> anyhow::Result<u64> {
        let acting: Vec<_> = self
            .clients
            .drain(..)
            .map(|client| tokio::spawn(act(client)))
            .collect();
        let mut count = 0;
        for acting in acting {
            let (client, of_one) = acting.await??;
            self.clients.push(client);
            count += of_one;
        }
        Ok(count)
    }

    async fn ask(&mut self, part: Part, span: Duration) -> anyhow::Result<u64> {
        let end = Instant::now() + span;
        self.each(move |mut client| async move {
            let mut count = 0;
            while Instant::now() < end {
                client.once(part).await?;
                count += 1;
            }
            Ok((client, count))
        })
        .await
        .with_context(|| format!("{} failed", part.name()))
    }
}

impl Client {
    fn knows(case: Case) -> bool {
        !matches!(
            case,
            Case::GrpcNew | Case::GrpcReturning | Case::GrpcProfile20
        )
    }

    /// Plays a case once.
    async fn way(&mut self, case: Case, missed: Option<&(String, String)>) -> anyhow::Result<()> {
        match case {
            Case::Profile20 => self.profile(20).await,
            Case::Profile1000 => self.profile(1_000).await,
            Case::WrongCode => {
                let (id, code) = missed.context("there is a challenge")?;
                let body = format!(r#"{{"otp":"{code}"}}"#);
                let headers = [(CHALLENGE_ID, &**id)];
                let path = "/way/auths/x";
                let answer = self.rest.send(Method::PATCH, path, &headers, body).await?;
                answer.expect(StatusCode::BAD_REQUEST).map(drop)
            }
            Case::New => self.journey("new").await,
            _ => self.journey("known").await,
        }
    }

    async fn asked(&mut self, user: &str) -> anyhow::Result<(String, String)> {
        let body = r#"{"phone_number":"+77777777766"}"#.to_owned();
        let path = format!("/way/auths/{user}");
        let answer = self.rest.send(Method::POST, &path, &[], body).await?;
        let answer = answer.expect(StatusCode::OK)?;
        let id = answer
            .headers
            .get(CHALLENGE_ID)
            .context("no Challenge-Id")?;
        let id = id.to_str()?.to_owned();
        Ok((id, answer.between("(use ", ")")?.to_owned()))
    }

    async fn journey(&mut self, user: &str) -> anyhow::Result<()> {
        let (_, code) = self.asked(user).await?;
        let body = format!(r#"{{"otp":"{code}"}}"#);
        let path = format!("/way/auths/{user}");
        let answer = self.rest.send(Method::PATCH, &path, &[], body).await?;
        answer.expect(StatusCode::OK)?;
        self.profile(0).await
    }

    async fn profile(&mut self, followers: u32) -> anyhow::Result<()> {
        let bearer = format!("Bearer {}", "a".repeat(440));
        let path = format!("/way/profile/{followers}");
        let headers = [(AUTHORIZATION, &*bearer)];
        let answer = self
            .rest
            .send(Method::GET, &path, &headers, String::new())
            .await?;
        answer.expect(StatusCode::OK).map(drop)
    }

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
