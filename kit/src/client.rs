//! Calling another service: its replicas share the calls, one that is dead is
//! passed over, and what surely was not begun is sent again.
//!
//! Every call has a deadline: that of the request being served, or else
//! [`DEFAULT_DEADLINE`]. A call that no replica has begun is sent to another
//! one; a call that broke off is repeated once, after a moment, if its contract
//! says that it may be ([`proto::is_idempotent`]).
//!
//! Calls are unary: a whole message there, a whole message back.

mod replica;
mod replicas;
mod sender;
mod target;

use std::{
    future::Future,
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Extensions, HeaderMap, Request, request::Parts};
use http_body_util::BodyExt as _;
use proto::{Reason, Refusal};
use tokio::time::{Instant, Sleep, sleep};
use tonic::{Status, body::Body};
use tower::Service;

use crate::{
    backoff::jittered,
    context,
    deadline::exceeded,
    metrics::{Metrics, requests::Calls},
    service_token::{self, ServiceTokenSigner},
    settings::SettingsError,
    tls::ClientTls,
};
use replicas::{Replicas, SystemResolver, Unreachable};
use sender::Failure;
use target::Target;

pub use sender::Answer;

/// How long a call may take that is made for no request.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);
/// How long to wait, at least, before a call is repeated.
const PAUSE: Duration = Duration::from_millis(20);
/// How long to wait, at least, for a service of which no replica was there.
const PAUSE_IF_GONE: Duration = Duration::from_millis(100);
/// How many headers a call gets here.
const MOST_ADDED: usize = 3;
/// When to repeat a call that met an outage.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where a service is: one or several `http://host:port` or
/// `https://host:port`. A host may be a name with several addresses.
#[derive(Clone)]
pub struct ServiceUrls(Vec<Target>);

impl std::fmt::Debug for ServiceUrls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls = self.0.iter().map(Target::host_and_port);
        formatter.debug_list().entries(urls).finish()
    }
}

impl FromStr for ServiceUrls {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let urls = list
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(Target::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Err("at least one URL is needed".to_owned());
        }
        Ok(Self(urls))
    }
}

impl ServiceUrls {
    /// The same services, called over this TLS where they are `https://…`.
    ///
    /// # Errors
    /// When a host is no name that a certificate could have.
    pub fn called_by(self, tls: &ClientTls) -> Result<Self, SettingsError> {
        let targets = self.0.into_iter().map(|target| target.called_by(tls));
        let targets = targets.collect::<Result<_, _>>().map_err(SettingsError)?;
        Ok(Self(targets))
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

    fn add_to(&self, headers: &mut HeaderMap, deadline: Instant) -> Result<(), Status> {
        if let Some(id) = context::request_id() {
            headers.insert(context::REQUEST_ID_NAME, id);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        headers.insert(context::GRPC_TIMEOUT, context::grpc_timeout_of(left));
        if let Some(signer) = &self.signer {
            let token = signer.token();
            let token = token.map_err(|_| Status::internal("cannot make a service token"))?;
            headers.insert(service_token::HEADER, token);
        }
        Ok(())
    }
}

/// A way to call a service. Cloning is cheap: clones share connections.
#[derive(Clone)]
pub struct ServiceChannel(Arc<Shared>);

struct Shared {
    service: &'static str,
    replicas: Arc<Replicas>,
    outgoing: Outgoing,
    /// `None` where nobody counts.
    calls: Option<Calls>,
}

/// A channel to `service`, as messages name it. It connects at the first call,
/// and again whenever a connection was lost.
pub fn channel(service: &'static str, urls: &ServiceUrls, outgoing: Outgoing) -> ServiceChannel {
    ServiceChannel(Arc::new(Shared::new(service, urls, outgoing, None)))
}

/// The same; its calls are counted as those of `caller`.
///
/// # Panics
/// As [`Metrics::counters`].
pub fn counted_channel(
    caller: &'static str,
    service: &'static str,
    urls: &ServiceUrls,
    outgoing: Outgoing,
    metrics: &Metrics,
) -> ServiceChannel {
    let calls = Calls::new(metrics, caller, service);
    let shared = Arc::new(Shared::new(service, urls, outgoing, Some(calls)));
    let seen = Arc::downgrade(&shared);
    metrics.before_each(move || {
        if let Some(shared) = seen.upgrade()
            && let Some(calls) = &shared.calls
        {
            let replicas = &shared.replicas;
            calls.replicas(replicas.count(), replicas.connected());
        }
    });
    ServiceChannel(shared)
}

impl Service<Request<Body>> for ServiceChannel {
    type Response = Answer;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    /// Errors are `DEADLINE_EXCEEDED` when the time is over, and
    /// `DEPENDENCY_UNAVAILABLE`, naming the service, when it cannot be reached
    /// or the connection broke. What the callee answers is no error here.
    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shared = self.0.clone();
        let (mut head, body) = request.into_parts();
        Box::pin(async move {
            let fallback = || Instant::now() + DEFAULT_DEADLINE;
            let deadline = context::deadline().unwrap_or_else(fallback);
            // A unary message is encoded already: this waits for nothing. A copy
            // of it is no longer than it is; what tonic wrote it into, is.
            let body = Bytes::copy_from_slice(&body.collect().await?.to_bytes());
            let calls = shared.calls.as_ref();
            let mut counted = calls.map(|calls| calls.begin(head.uri.path()));
            // What was added for tonic ends here.
            head.extensions = Extensions::new();
            head.headers.reserve(MOST_ADDED);
            let calling = shared.call(&mut head, &body, deadline);
            let answer = match tokio::time::timeout_at(deadline, calling).await {
                Ok(answer) => answer,
                Err(_) => Err(exceeded().into_status()),
            };
            if let Some(counted) = &mut counted {
                counted.ended(answer.as_ref());
            }
            answer
        })
    }
}

impl Shared {
    fn new(
        service: &'static str,
        urls: &ServiceUrls,
        outgoing: Outgoing,
        calls: Option<Calls>,
    ) -> Self {
        let replicas = Replicas::new(urls.0.clone(), Box::new(SystemResolver));
        Self {
            service,
            replicas: Arc::new(replicas),
            outgoing,
            calls,
        }
    }

    async fn call(
        &self,
        head: &mut Parts,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<Answer, Status> {
        let mut may_be_repeated = proto::is_idempotent(head.uri.path());
        let mut may_be_waited_for = true;
        // Each replica may be on the point of going away, and come back.
        let mut resends = 2 * self.replicas.count().max(1);
        loop {
            let lease = match self.replicas.pick().await {
                Ok(lease) => lease,
                Err(_) if may_be_waited_for => {
                    may_be_waited_for = false;
                    pause(PAUSE_IF_GONE).await;
                    continue;
                }
                Err(Unreachable(why)) => return Err(self.unreachable(&why)),
            };
            self.outgoing.add_to(&mut head.headers, deadline)?;
            // On the heap: what is moved into a future has a place in it for as
            // long as that lives, and thousands of calls wait for their answers.
            let mut request = Box::new(Request::from_parts(head.clone(), ()));
            *request.uri_mut() = lease
                .target()
                .uri(&head.uri)
                .map_err(|error| Status::internal(error.to_string()))?;
            match lease.send(request, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Failure { unsent: true, .. }) if resends > 0 => resends -= 1,
                Err(Failure { unsent: false, .. }) if may_be_repeated => {
                    may_be_repeated = false;
                    pause(PAUSE).await;
                }
                Err(Failure { error, .. }) => return Err(self.unreachable(&error)),
            }
            if let Some(calls) = &self.calls {
                calls.resent();
            }
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Debug) -> Status {
        let service = self.service;
        tracing::warn!(service, error = ?why, "call failed");
        let said = format!("{service} cannot be reached now");
        Refusal::new(Reason::DependencyUnavailable, said)
            .retry_after(RETRY_AFTER)
            .into_status()
    }
}

/// Waits a little longer than so long. It is rare, and on the heap.
fn pause(least: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep(jittered(least)))
}

#[cfg(test)]
mod tests;
