//! Whether everything behind the gateway can be used, and what cannot.

use std::time::Duration;

use kit::client::ServiceChannel;
use proto::{
    Reason, auth::v1::auth_service_server::SERVICE_NAME as AUTH_NAME,
    profile::v1::profile_service_server::SERVICE_NAME as PROFILE_NAME,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::services::{AUTH, PROFILE, Services};

/// How long a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service's name for the health of one of its stores, and ours for it.
type Store = (&'static str, &'static str);

const AUTH_STORES: &[Store] = &[
    ("database", "its database"),
    ("challenges", "its store of challenges (Redis)"),
];
const PROFILE_STORES: &[Store] = &[("database", "its database")];

/// What is wrong: nothing, or a clause for each service that cannot be used.
pub(crate) async fn complaints(services: &Services) -> Vec<String> {
    let auth = complaint(AUTH, AUTH_NAME, AUTH_STORES, &services.auth_health);
    let profile = complaint(
        PROFILE,
        PROFILE_NAME,
        PROFILE_STORES,
        &services.profile_health,
    );
    let (auth, profile) = tokio::join!(auth, profile);
    auth.into_iter().chain(profile).collect()
}

async fn complaint(
    service: &str,
    full_name: &str,
    stores: &[Store],
    client: &HealthClient<ServiceChannel>,
) -> Option<String> {
    match ask(full_name, client).await {
        Health::Good => None,
        Health::Unreachable => Some(format!("{service} cannot be reached")),
        Health::Silent => Some(format!("{service} does not answer")),
        Health::Bad => {
            let mut broken = Vec::new();
            for (name, ours) in stores {
                if matches!(ask(name, client).await, Health::Bad) {
                    broken.push(*ours);
                }
            }
            let detail = if broken.is_empty() { "" } else { ": " };
            Some(format!(
                "{service} is not usable{detail}{}",
                broken.join(", ")
            ))
        }
    }
}

enum Health {
    Good,
    Bad,
    Silent,
    Unreachable,
}

async fn ask(name: &str, client: &HealthClient<ServiceChannel>) -> Health {
    let mut client = client.clone();
    let request = HealthCheckRequest {
        service: name.to_owned(),
    };
    match tokio::time::timeout(PATIENCE, client.check(request)).await {
        Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Health::Good,
        Ok(Err(status)) if Reason::of(&status) == Some(Reason::DependencyUnavailable) => {
            Health::Unreachable
        }
        Ok(_) => Health::Bad,
        Err(_) => Health::Silent,
    }
}
