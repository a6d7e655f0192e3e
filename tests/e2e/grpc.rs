//! The services as internal callers use them: gRPC, with and without a service
//! token.

use kit::{
    client::{self, Outgoing, ServiceChannel},
    clock::SystemClock,
    service_token::{METADATA_KEY, ServiceTokenSigner},
    settings::SecretKey,
};
use proto::{
    Reason,
    auth::v1::{RequestCodeRequest, VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{
        CreateProfileRequest, GetProfileRequest, profile_service_client::ProfileServiceClient,
        provisioning_service_client::ProvisioningServiceClient,
    },
};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use crate::common::Product;

crate::on_both_storages![
    a_client_of_its_own_signs_in,
    only_a_service_speaks_for_a_client,
    only_auth_service_makes_profiles,
    errors_carry_their_details,
];

fn channel(address: std::net::SocketAddr) -> ServiceChannel {
    let urls = format!("http://{address}").parse().unwrap();
    client::channel("the service", &urls, Outgoing::default())
}

fn auth(product: &Product) -> AuthServiceClient<ServiceChannel> {
    AuthServiceClient::new(channel(product.addresses.auth))
}

/// A call with a service token, minted with a key in the data directory.
fn as_service<T>(product: &Product, key: &str, audience: &'static str, message: T) -> Request<T> {
    let text = std::fs::read_to_string(product.data.path().join(key)).unwrap();
    let key: SecretKey = text.parse().unwrap();
    let signer = ServiceTokenSigner::new(&key, "test", audience, std::sync::Arc::new(SystemClock));
    let mut request = Request::new(message);
    let token = signer.token().unwrap();
    let token = token.to_str().unwrap().parse().unwrap();
    request.metadata_mut().insert(METADATA_KEY, token);
    request
}

fn code_request(client_address: Option<&str>) -> RequestCodeRequest {
    RequestCodeRequest {
        phone_number: "+7 777 777-77-66".to_owned(),
        invited_by: None,
        client_address: client_address.map(str::to_owned),
        language: None,
    }
}

fn reason(status: &Status) -> &'static str {
    Reason::of(status).unwrap().as_str()
}

async fn a_client_of_its_own_signs_in(product: Product) {
    let mut auth = auth(&product);
    let asked = auth
        .request_code(code_request(None))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(asked.code_length, 4);
    let code = asked.simulated_code.unwrap();
    let answer = VerifyCodeRequest {
        challenge_id: Some(asked.challenge_id),
        code: code.clone(),
        ..VerifyCodeRequest::default()
    };
    let signed_in = auth.verify_code(answer.clone()).await.unwrap().into_inner();
    assert!(signed_in.new_user);
    let again = auth.verify_code(answer).await.unwrap_err();
    assert_eq!(reason(&again), "CODE_NOT_ACCEPTED");

    let mut profiles = ProfileServiceClient::new(channel(product.addresses.profile));
    let mut request = Request::new(GetProfileRequest::default());
    let bearer = format!("Bearer {}", signed_in.access_token);
    request
        .metadata_mut()
        .insert("authorization", bearer.parse().unwrap());
    let profile = profiles.get_profile(request).await.unwrap().into_inner();
    assert_eq!(profile.user_id, signed_in.user_id);
    assert_eq!(profile.phone_number, "+77777777766");
    let nobody = profiles.get_profile(GetProfileRequest::default()).await;
    assert_eq!(reason(&nobody.unwrap_err()), "TOKEN_MISSING");
}

async fn only_a_service_speaks_for_a_client(product: Product) {
    let mut auth = auth(&product);
    let named = auth.request_code(code_request(Some("192.0.2.1"))).await;
    assert_eq!(reason(&named.unwrap_err()), "SERVICE_TOKEN_REQUIRED");
    let bare = VerifyCodeRequest {
        code: "3613".to_owned(),
        ..VerifyCodeRequest::default()
    };
    let refused = auth.verify_code(bare.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "SERVICE_TOKEN_REQUIRED");
    // A key that is good elsewhere is not good here.
    let wrong = as_service(&product, "service-key", "auth-service", bare);
    let refused = auth.verify_code(wrong).await.unwrap_err();
    assert_eq!(reason(&refused), "SERVICE_TOKEN_REQUIRED");

    let asked = as_service(
        &product,
        "gateway-key",
        "auth-service",
        code_request(Some("192.0.2.1")),
    );
    let asked = auth.request_code(asked).await.unwrap().into_inner();
    let answer = |address: &str| VerifyCodeRequest {
        code: asked.simulated_code.clone().unwrap(),
        client_address: Some(address.to_owned()),
        ..VerifyCodeRequest::default()
    };
    let elsewhere = as_service(&product, "gateway-key", "auth-service", answer("192.0.2.2"));
    let refused = auth.verify_code(elsewhere).await.unwrap_err();
    assert_eq!(reason(&refused), "CODE_NOT_ACCEPTED");
    let there = as_service(&product, "gateway-key", "auth-service", answer("192.0.2.1"));
    auth.verify_code(there).await.unwrap();
}

async fn only_auth_service_makes_profiles(product: Product) {
    let mut profiles = ProvisioningServiceClient::new(channel(product.addresses.profile));
    let message = CreateProfileRequest {
        user_id: "01a204ee-98ec-7198-9175-33e6af91ab45".to_owned(),
        phone_number: "+77777777766".to_owned(),
        invited_by: None,
    };
    let refused = profiles.create_profile(message.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "SERVICE_TOKEN_REQUIRED");
    let wrong = as_service(&product, "gateway-key", "profile-service", message.clone());
    let refused = profiles.create_profile(wrong).await.unwrap_err();
    assert_eq!(reason(&refused), "SERVICE_TOKEN_REQUIRED");
    for created in [true, false] {
        let request = as_service(&product, "service-key", "profile-service", message.clone());
        let answer = profiles.create_profile(request).await.unwrap().into_inner();
        assert_eq!(answer.created, created);
    }
    let rubbish = CreateProfileRequest {
        user_id: "x".to_owned(),
        ..message
    };
    let request = as_service(&product, "service-key", "profile-service", rubbish);
    let refused = profiles.create_profile(request).await.unwrap_err();
    assert_eq!(reason(&refused), "FIELD_INVALID");
}

async fn errors_carry_their_details(product: Product) {
    let mut auth = auth(&product);
    let wrong = RequestCodeRequest {
        phone_number: "12".to_owned(),
        ..RequestCodeRequest::default()
    };
    let refused = auth.request_code(wrong).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert_eq!(reason(&refused), "PHONE_NUMBER_INVALID");
    let field = &refused.get_details_bad_request().unwrap().field_violations[0];
    assert_eq!(field.field, "phone_number");
}
