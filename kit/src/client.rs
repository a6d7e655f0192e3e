//! Calling another service: a channel that connects when it is needed and
//! again when it broke, and what goes along with every call.

use std::{future::Future, str::FromStr, time::Duration};

use http::Uri;
use proto::{Reason, Refusal};
use tonic::{
    Code, Request, Response, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{
    context, deadline,
    service_token::{self, ServiceTokenSigner},
    settings::SettingsError,
    tls::ClientTls,
};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often an idle connection is asked whether it still lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// When to repeat a call that met an outage.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where a service is: one or several `http://host:port` or
/// `https://host:port`.
#[derive(Clone, Debug)]
pub struct ServiceUrls(Vec<Endpoint>);

impl FromStr for ServiceUrls {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let urls = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(endpoint)
            .collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Err("at least one URL is needed".to_owned());
        }
        Ok(Self(urls))
    }
}

fn endpoint(url: &str) -> Result<Endpoint, String> {
    let uri = url
        .parse::<Uri>()
        .ok()
        .filter(|uri| {
            uri.host().is_some_and(|host| !host.is_empty())
                && matches!(uri.scheme_str(), Some("http" | "https"))
        })
        .ok_or_else(|| format!("'{url}' is no URL such as http://127.0.0.1:50051"))?;
    let endpoint = Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    with_tls(endpoint, &ClientTls::public())
}

/// The endpoint, over this TLS if it is an `https://…`.
fn with_tls(endpoint: Endpoint, tls: &ClientTls) -> Result<Endpoint, String> {
    if endpoint.uri().scheme_str() != Some("https") {
        return Ok(endpoint);
    }
    let url = endpoint.uri().clone();
    tls.apply(endpoint)
        .map_err(|_| format!("'{url}' has no host that a certificate could name"))
}

impl ServiceUrls {
    /// The same services, called over this TLS where they are `https://…`.
    ///
    /// # Errors
    /// When a host is no name that a certificate could have.
    pub fn called_by(self, tls: &ClientTls) -> Result<Self, SettingsError> {
        let endpoints = self.0.into_iter();
        let endpoints = endpoints.map(|endpoint| with_tls(endpoint, tls));
        let endpoints = endpoints.collect::<Result<_, _>>().map_err(SettingsError)?;
        Ok(Self(endpoints))
    }
}

/// What every call carries: the request id, the deadline, and a service token
/// where the callee asks for one.
#[derive(Clone, Default)]
pub struct Outgoing {
    signer: Option<ServiceTokenSigner>,
}

impl Outgoing {
    /// Calls as a service.
    pub fn signed(signer: ServiceTokenSigner) -> Self {
        Self {
            signer: Some(signer),
        }
    }
}

impl Interceptor for Outgoing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(id) = context::request_id()
            && let Ok(value) = MetadataValue::try_from(&*id)
        {
            request.metadata_mut().insert(context::REQUEST_ID, value);
        }
        if let Some(deadline) = context::deadline() {
            request.set_timeout(deadline.saturating_duration_since(tokio::time::Instant::now()));
        }
        if let Some(signer) = &self.signer {
            let token = signer.mint().ok().and_then(|token| token.parse().ok());
            let token = token.ok_or_else(|| Status::internal("cannot make a service token"))?;
            request
                .metadata_mut()
                .insert(service_token::METADATA_KEY, token);
        }
        Ok(request)
    }
}

/// A connection to a service.
pub type ServiceChannel = InterceptedService<Channel, Outgoing>;

/// A channel to the service at `urls`. It connects at the first call and again
/// whenever the connection was lost; several URLs share the calls.
pub fn channel(urls: &ServiceUrls, outgoing: Outgoing) -> ServiceChannel {
    let channel = match urls.0.as_slice() {
        [one] => one.connect_lazy(),
        several => Channel::balance_list(several.iter().cloned()),
    };
    InterceptedService::new(channel, outgoing)
}

/// Waits for a call's answer, no longer than the request being served may
/// take, and tells what went wrong on the way there from what the callee said.
///
/// # Errors
/// What the callee answered; `DEADLINE_EXCEEDED` when the time is over;
/// `DEPENDENCY_UNAVAILABLE`, naming `service`, when it could not be reached or
/// the connection broke.
pub async fn call<T>(
    service: &str,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let answer = match context::deadline() {
        Some(deadline) => match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => return Err(deadline::exceeded().into_status()),
        },
        None => answer.await,
    };
    answer
        .map(Response::into_inner)
        .map_err(|status| explain(service, status))
}

fn explain(service: &str, status: Status) -> Status {
    // Tonic's own timer speaks of a passed deadline as CANCELLED.
    if status.code() == Code::Cancelled && status.message() == "Timeout expired" {
        return deadline::exceeded().into_status();
    }
    // Only what happened here has a source: no connection, or a broken one.
    if std::error::Error::source(&status).is_some() {
        tracing::warn!(service, error = ?status, "call failed");
        return Refusal::new(
            Reason::DependencyUnavailable,
            format!("{service} cannot be reached now"),
        )
        .retry_after(RETRY_AFTER)
        .into_status();
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked() {
        assert!("http://127.0.0.1:50051".parse::<ServiceUrls>().is_ok());
        let two = "http://a:1, https://b:2".parse::<ServiceUrls>().unwrap();
        assert_eq!(two.0.len(), 2);
        for bad in ["", "127.0.0.1:50051", "ftp://a:1", "http://", "http://:1"] {
            assert!(bad.parse::<ServiceUrls>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_told_as_unavailable() {
        let urls = "http://127.0.0.1:1".parse().unwrap();
        let channel = channel(&urls, Outgoing::default());
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
        let status = call(
            "x",
            health.check(tonic_health::pb::HealthCheckRequest::default()),
        )
        .await
        .unwrap_err();
        assert_eq!(Reason::of(&status), Some(Reason::DependencyUnavailable));
    }
}
