//! One client, and how it plays each case.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use http::{HeaderName, Method, StatusCode, header::AUTHORIZATION};
use proto::{
    auth::v1::{RequestCodeRequest, VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use tonic::Request;

use super::{Steps, World, address_of, grpc::Channel, rest::Rest};
use crate::{case::Case, machine::Product};

pub(super) const AUTHS: &str = "/api/v1/auths/";
pub(super) const PERSONAL_AREA: &str = "/api/v1/personal-area/";
const CHALLENGE_ID: HeaderName = HeaderName::from_static("challenge-id");

/// A client with its connections.
pub(crate) struct Player {
    pub(super) rest: Rest,
    auth: AuthServiceClient<Channel>,
    profile: ProfileServiceClient<Channel>,
}

impl Player {
    /// The client of this number, which is its address too.
    pub(crate) async fn connect(number: u32, product: &Product) -> anyhow::Result<Self> {
        Self::connect_to(product.http_of(number), number, product).await
    }

    /// The same, which asks another gateway for what it asks by HTTP.
    pub(crate) async fn connect_to(
        http: SocketAddr,
        number: u32,
        product: &Product,
    ) -> anyhow::Result<Self> {
        let from = address_of(number);
        let auth = Channel::connect(from, product.auth_grpc).await?;
        let profile = Channel::connect(from, product.profile_grpc).await?;
        Ok(Self {
            rest: Rest::connect(from, http).await?,
            auth: AuthServiceClient::new(auth),
            profile: ProfileServiceClient::new(profile),
        })
    }

    /// Several.
    pub(crate) async fn crew(count: u32, product: &Product) -> anyhow::Result<Vec<Self>> {
        let mut crew = Vec::new();
        for number in 0..count {
            crew.push(Self::connect(number, product).await?);
        }
        Ok(crew)
    }

    /// Is there for the next requests, after some time without any.
    pub(crate) async fn wake(&mut self) -> anyhow::Result<()> {
        self.rest.reconnect().await
    }

    /// Plays a case once. `None` when the world has nothing left for it.
    pub(crate) async fn play(
        &mut self,
        case: Case,
        world: &World,
    ) -> anyhow::Result<Option<Steps>> {
        let mut steps = Steps::default();
        match case {
            Case::New => self.journey(&world.new_phone(), &mut steps).await?,
            Case::Returning => self.journey(&world.known_phone(), &mut steps).await?,
            Case::Profile20 => {
                let profile = self.profile(world.token_20());
                steps.time(profile).await?;
            }
            Case::Profile1000 => {
                let profile = self.profile(world.token_1000());
                steps.time(profile).await?;
            }
            Case::WrongCode => {
                let Some((challenge, code)) = world.challenge() else {
                    return Ok(None);
                };
                steps.time(self.wrong(&challenge, &code)).await?;
            }
            Case::GrpcNew => self.grpc_journey(world.new_phone(), &mut steps).await?,
            Case::GrpcReturning => self.grpc_journey(world.known_phone(), &mut steps).await?,
            Case::GrpcProfile20 => {
                let profile = self.grpc_profile(world.token_20());
                steps.time(profile).await?;
            }
        }
        Ok(Some(steps))
    }

    /// The documented three requests: the code comes bare.
    pub(crate) async fn journey(&mut self, phone: &str, steps: &mut Steps) -> anyhow::Result<()> {
        let (_, code) = steps.time(self.ask(phone)).await?;
        let token = steps.time(self.sign_in(&code)).await?;
        steps.time(self.profile(&token)).await
    }

    /// Asks for a code: the challenge's name, and the code.
    pub(crate) async fn ask(&mut self, phone: &str) -> anyhow::Result<(String, String)> {
        let body = format!(r#"{{"phone_number":"{phone}"}}"#);
        let answer = self.rest.send(Method::POST, AUTHS, &[], body).await?;
        let answer = answer.expect(StatusCode::OK)?;
        let id = answer
            .headers
            .get(CHALLENGE_ID)
            .context("no Challenge-Id")?;
        let id = id.to_str()?.to_owned();
        Ok((id, answer.between("(use ", ")")?.to_owned()))
    }

    /// Enters a code: the access token.
    pub(crate) async fn sign_in(&mut self, code: &str) -> anyhow::Result<String> {
        Ok(self.sign_in_for_both(code).await?.access)
    }

    async fn profile(&mut self, token: &str) -> anyhow::Result<()> {
        let bearer = format!("Bearer {token}");
        let headers = [(AUTHORIZATION, &*bearer)];
        let answer = self
            .rest
            .send(Method::GET, PERSONAL_AREA, &headers, String::new())
            .await?;
        answer.expect(StatusCode::OK).map(drop)
    }

    /// Enters a wrong code for this challenge.
    pub(crate) async fn wrong(&mut self, challenge: &str, code: &str) -> anyhow::Result<()> {
        let body = format!(r#"{{"otp":"{code}"}}"#);
        let headers = [(CHALLENGE_ID, challenge)];
        let answer = self.rest.send(Method::PATCH, AUTHS, &headers, body).await?;
        answer.expect(StatusCode::BAD_REQUEST).map(drop)
    }

    /// A challenge, and a code that is not its own.
    pub(crate) async fn one_to_miss(&mut self, phone: &str) -> anyhow::Result<(String, String)> {
        let (id, code) = self.ask(phone).await?;
        Ok((id, another(&code)))
    }

    async fn grpc_journey(
        &mut self,
        phone_number: String,
        steps: &mut Steps,
    ) -> anyhow::Result<()> {
        let message = RequestCodeRequest {
            phone_number,
            ..Default::default()
        };
        let asked = steps.time(self.auth.request_code(message)).await?;
        let asked = asked.into_inner();
        let message = VerifyCodeRequest {
            challenge_id: Some(asked.challenge_id),
            code: asked.simulated_code.context("no code")?,
            user_agent: Some("bench/1 (Linux)".to_owned()),
            ..Default::default()
        };
        let signed_in = steps.time(self.auth.verify_code(message)).await?;
        let token = signed_in.into_inner().access_token;
        steps.time(self.grpc_profile(&token)).await
    }

    async fn grpc_profile(&mut self, token: &str) -> anyhow::Result<()> {
        let mut request = Request::new(GetProfileRequest {
            followers_page_size: Some(1_000),
        });
        let bearer = format!("Bearer {token}").parse()?;
        request.metadata_mut().insert("authorization", bearer);
        let profile = self.profile.get_profile(request).await?.into_inner();
        if profile.invite_code.is_empty() {
            bail!("a profile without an invite code");
        }
        Ok(())
    }
}

/// A code of the same length that is another one.
pub(crate) fn another(code: &str) -> String {
    let (others, last) = code.split_at(code.len().saturating_sub(1));
    let last = if last == "0" { "1" } else { "0" };
    format!("{others}{last}")
}
