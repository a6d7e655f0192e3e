//! Where the keys that verify access tokens come from.

use async_trait::async_trait;
use kit::{client::ServiceChannel, jwks::KeySource};
use proto::auth::v1::{GetJwksRequest, Jwk, auth_service_client::AuthServiceClient};
use tonic::Status;

/// The public keys of auth-service.
pub(crate) struct AuthServiceKeys(AuthServiceClient<ServiceChannel>);

impl AuthServiceKeys {
    pub(crate) fn new(channel: ServiceChannel) -> Self {
        Self(AuthServiceClient::new(channel))
    }
}

#[async_trait]
impl KeySource for AuthServiceKeys {
    async fn fetch(&self) -> Result<Vec<Jwk>, Status> {
        let mut client = self.0.clone();
        let answer = client.get_jwks(GetJwksRequest {}).await?;
        Ok(answer.into_inner().keys)
    }
}
