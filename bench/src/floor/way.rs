//! The steps of a whole journey behind its calls: the stores and the signatures,
//! and nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use auth_service::{
    challenges::{Carrier, ChallengeId},
    code::Code,
};
use proto::auth::v1::{RequestCodeRequest, RequestCodeResponse, VerifyCodeRequest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use tonic::Status;

use super::stores::Alone;

/// What is signed: as long as the head and the claims of an access token.
const MESSAGE: [u8; 350] = [b'x'; 350];
/// By which a client says that it is new: the floor keeps no users apart.
pub(super) const NEW: &str = "new";

/// Stores and keys.
pub(super) struct Way {
    pub(super) stores: Alone,
    keys: Ed25519KeyPair,
    signature: Vec<u8>,
    turns: AtomicU32,
}

impl Way {
    pub(super) fn new(stores: Alone) -> anyhow::Result<Arc<Self>> {
        let keys = Ed25519KeyPair::from_seed_unchecked(&[7; 32]);
        let keys = keys.ok().context("any seed makes a key")?;
        Ok(Arc::new(Self {
            stores,
            signature: keys.sign(&MESSAGE).as_ref().to_vec(),
            keys,
            turns: AtomicU32::new(0),
        }))
    }

    /// Signs as many bytes as a token has.
    pub(super) fn sign(&self) {
        std::hint::black_box(self.keys.sign(std::hint::black_box(&MESSAGE)));
    }

    /// Checks such a signature.
    pub(super) fn verify(&self) -> anyhow::Result<()> {
        let key = UnparsedPublicKey::new(&ED25519, self.keys.public_key());
        let good = key.verify(std::hint::black_box(&MESSAGE), &self.signature);
        good.ok().context("an own signature is good")
    }

    fn turn(&self) -> u32 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts a challenge.
    pub(super) async fn ask(
        &self,
        message: RequestCodeRequest,
    ) -> Result<RequestCodeResponse, Status> {
        let client = client(message.client_address.as_deref())?;
        let started = self.stores.start_one(client).await.map_err(failed)?;
        Ok(RequestCodeResponse {
            challenge_id: started.id.to_string(),
            simulated_code: Some(started.code.digits().to_owned()),
            ..Default::default()
        })
    }

    /// Answers it, bare or by its name, and writes the sign-in.
    pub(super) async fn sign_in(&self, message: VerifyCodeRequest) -> Result<(), Status> {
        let client = client(message.client_address.as_deref())?;
        let named = message.challenge_id.as_deref().and_then(ChallengeId::parse);
        let carrier = named.map_or(Carrier::Bare, Carrier::Id);
        let code = Code::parse(&message.code);
        let code = code.ok_or_else(|| Status::invalid_argument("no code"))?;
        let matched = self.stores.match_one(carrier, &code, client).await;
        let Some(matched) = matched.map_err(failed)? else {
            return Err(Status::failed_precondition("the wrong code"));
        };
        let written = if message.user_agent.as_deref() == Some(NEW) {
            self.stores.three_rows(self.turn()).await
        } else {
            self.stores.bare_returning(self.turn()).await
        };
        written.map_err(failed)?;
        self.sign();
        self.stores.spend(&matched, &code).await;
        Ok(())
    }

    /// Reads a profile.
    pub(super) async fn profile(&self, followers: u32) -> Result<(), Status> {
        self.verify().map_err(failed)?;
        let followers = usize::try_from(followers).unwrap_or(0);
        let read = self.stores.bare_profile(self.turn(), followers).await;
        read.map_err(failed)
    }
}

fn client(address: Option<&str>) -> Result<std::net::IpAddr, Status> {
    let address = address.and_then(|address| address.parse().ok());
    address.ok_or_else(|| Status::invalid_argument("no address"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped")]
fn failed(error: anyhow::Error) -> Status {
    Status::internal(format!("{error:#}"))
}
