//! The calls: each is parsed, handed to the rules, and answered.

use kit::{access_token::AccessTokenVerifier, service_token::ServiceTokenVerifier};
use proto::profile::v1::{
    ActivateInviteRequest, ActivateInviteResponse, CreateProfileRequest, CreateProfileResponse,
    DeleteProfileRequest, DeleteProfileResponse, GetProfileRequest, GetProfileResponse,
    ListFollowersRequest, ListFollowersResponse, profile_service_server::ProfileService,
    provisioning_service_server::ProvisioningService,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    counts::Invites,
    error::Error,
    page_token::Position,
    profiles::Profiles,
    store::{Followers, LONGEST_PAGE},
};

/// Followers on a page, if the caller does not say.
const DEFAULT_PAGE_SIZE: u32 = 100;

/// `profile.v1.ProfileService` and `profile.v1.ProvisioningService`.
pub(crate) struct ProfileGrpc {
    pub(crate) profiles: Profiles,
    pub(crate) users: AccessTokenVerifier,
    pub(crate) services: ServiceTokenVerifier,
    pub(crate) invites: Invites,
}

impl ProfileGrpc {
    /// The user whose token came with the call.
    async fn user<T>(&self, request: &Request<T>) -> Result<Uuid, Status> {
        Ok(self.users.caller(request.metadata()).await?.sub)
    }
}

fn page_size(asked: u32) -> u32 {
    match asked {
        0 => DEFAULT_PAGE_SIZE,
        asked => asked.min(LONGEST_PAGE),
    }
}

fn next_page_token(page: &Followers) -> String {
    page.next.map(Position::to_token).unwrap_or_default()
}

fn numbers(page: &Followers) -> Vec<String> {
    page.phone_numbers().map(str::to_owned).collect()
}

#[tonic::async_trait]
impl ProfileService for ProfileGrpc {
    async fn get_profile(
        &self,
        request: Request<GetProfileRequest>,
    ) -> Result<Response<GetProfileResponse>, Status> {
        let user_id = self.user(&request).await?;
        let asked = request.get_ref().followers_page_size.unwrap_or(0);
        let (profile, page) = self.profiles.get(user_id, page_size(asked)).await?;
        Ok(Response::new(GetProfileResponse {
            user_id: user_id.to_string(),
            phone_number: profile.phone_number,
            invite_code: profile.invite_code,
            invited_by: profile.invited_by,
            created_at: Some(profile.created_at.into()),
            next_page_token: next_page_token(&page),
            followers: numbers(&page),
        }))
    }

    async fn activate_invite(
        &self,
        request: Request<ActivateInviteRequest>,
    ) -> Result<Response<ActivateInviteResponse>, Status> {
        let user_id = self.user(&request).await?;
        let code = &request.get_ref().invite_code;
        let outcome = self.profiles.activate(user_id, code).await;
        self.invites.entered(outcome.as_ref());
        outcome?;
        Ok(Response::new(ActivateInviteResponse {}))
    }

    async fn list_followers(
        &self,
        request: Request<ListFollowersRequest>,
    ) -> Result<Response<ListFollowersResponse>, Status> {
        let user_id = self.user(&request).await?;
        let ListFollowersRequest {
            page_size: asked,
            page_token,
        } = request.get_ref();
        let page = self
            .profiles
            .followers(user_id, page_size(*asked), page_token)
            .await?;
        Ok(Response::new(ListFollowersResponse {
            next_page_token: next_page_token(&page),
            followers: numbers(&page),
        }))
    }
}

#[tonic::async_trait]
impl ProvisioningService for ProfileGrpc {
    async fn create_profile(
        &self,
        request: Request<CreateProfileRequest>,
    ) -> Result<Response<CreateProfileResponse>, Status> {
        self.services.require(request.metadata())?;
        let message = request.into_inner();
        let user_id = user_id(&message.user_id)?;
        if !is_e164(&message.phone_number) {
            return Err(Error::FieldInvalid {
                field: "phone_number",
                problem: "is not in E.164",
            }
            .into());
        }
        let invited_by = message.invited_by.as_deref();
        let created = self
            .profiles
            .create(user_id, message.phone_number, invited_by)
            .await?;
        Ok(Response::new(CreateProfileResponse { created }))
    }

    async fn delete_profile(
        &self,
        request: Request<DeleteProfileRequest>,
    ) -> Result<Response<DeleteProfileResponse>, Status> {
        self.services.require(request.metadata())?;
        let user_id = user_id(&request.get_ref().user_id)?;
        self.profiles.erase(user_id).await?;
        Ok(Response::new(DeleteProfileResponse {}))
    }
}

fn user_id(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(|_| Error::FieldInvalid {
        field: "user_id",
        problem: "is no UUID",
    })
}

/// Whether it has the form of E.164. auth-service has checked the number; this
/// only keeps what is stored and shown in shape.
fn is_e164(phone_number: &str) -> bool {
    let Some(digits) = phone_number.strip_prefix('+') else {
        return false;
    };
    (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_are_brought_into_range() {
        assert_eq!(page_size(0), 100);
        assert_eq!(page_size(1), 1);
        assert_eq!(page_size(1_000), 1_000);
        assert_eq!(page_size(u32::MAX), 1_000);
    }

    #[test]
    fn a_number_has_a_plus_and_up_to_15_digits() {
        assert!(is_e164("+77777777766"));
        for other in [
            "",
            "+",
            "+7",
            "77777777766",
            "+7777777776a",
            "+1234567890123456",
        ] {
            assert!(!is_e164(other), "{other}");
        }
    }
}
