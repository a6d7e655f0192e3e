//! The other service, as this one uses it.

use kit::client::ServiceChannel;
use proto::profile::v1::{
    CreateProfileRequest, DeleteProfileRequest,
    provisioning_service_client::ProvisioningServiceClient,
};
use tonic::Status;
use uuid::Uuid;

use crate::phone::PhoneNumber;

/// The other service's name, in service tokens and messages.
pub(crate) const SERVICE: &str = "profile-service";

/// Makes and erases profiles in profile-service.
#[derive(Clone)]
pub(crate) struct Profiles(ProvisioningServiceClient<ServiceChannel>);

impl Profiles {
    pub(crate) fn new(channel: ServiceChannel) -> Self {
        Self(ProvisioningServiceClient::new(channel))
    }

    /// Makes the user's profile, unless it is there; whether it was made.
    pub(crate) async fn create(
        &self,
        user_id: Uuid,
        phone: &PhoneNumber,
        invited_by: Option<String>,
    ) -> Result<bool, Status> {
        let request = CreateProfileRequest {
            user_id: user_id.to_string(),
            phone_number: phone.as_str().to_owned(),
            invited_by,
        };
        let mut client = self.0.clone();
        Ok(client.create_profile(request).await?.into_inner().created)
    }

    /// Erases the user's profile, unless it is gone.
    pub(crate) async fn delete(&self, user_id: Uuid) -> Result<(), Status> {
        let request = DeleteProfileRequest {
            user_id: user_id.to_string(),
        };
        let mut client = self.0.clone();
        client.delete_profile(request).await?;
        Ok(())
    }
}
