//! Requests as they are counted: how many, what came of them, how long they took.
//!
//! A request's labels are places in tables that are made at the start, so that
//! no client makes a series: what the tables do not know has one name for all.
//! Series are made when they first count something, and found again without a
//! look-up of their names.

mod calls;
mod grpc;
mod http;
mod layer;

use std::sync::{Arc, OnceLock};

use ::http::{Request, Response};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge};
use proto::Reason;
use tokio::time::Instant;

use super::{Metrics, SECONDS};

pub use calls::Calls;
pub use layer::{Counted, WithRequests};

/// What becomes of a request whose client went away, or was cut off at the end.
const ABORTED: &str = "aborted";

/// The requests to one part of the product. Clones count together.
#[derive(Clone)]
pub struct Requests(Arc<Table>);

struct Table {
    protocol: Protocol,
    service: &'static str,
    total: IntCounterVec,
    seconds: HistogramVec,
    in_flight: IntGauge,
    errors: IntCounterVec,
    kinds: Box<[OnceLock<Kind>]>,
    reasons: Box<[OnceLock<IntCounter>]>,
}

/// How the places in the tables are found.
enum Protocol {
    Http(http::Routes),
    Grpc(grpc::Methods),
}

/// Requests of one kind: of one route and method.
struct Kind {
    seconds: Histogram,
    /// The last one is for those that were aborted.
    outcomes: Box<[OnceLock<IntCounter>]>,
}

/// Makes empty places.
fn places<T>(count: usize) -> Box<[OnceLock<T>]> {
    (0..count).map(|_| OnceLock::new()).collect()
}

impl Requests {
    /// Those to the gateway, by these templates of paths, such as `/sessions/{id}`.
    /// A path with a last slash is as without.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn http(
        metrics: &Metrics,
        service: &'static str,
        templates: impl IntoIterator<Item = String>,
    ) -> Self {
        let labels = |rest: &'static [&'static str]| [&["route", "method"], rest].concat();
        let total = metrics.counters(
            "customauth_http_requests_total",
            "Answered requests, by the path's template; status is aborted if the client went away.",
            &labels(&["status"]),
        );
        let seconds = metrics.histograms(
            "customauth_http_request_duration_seconds",
            "How long requests took until their answer began.",
            &labels(&[]),
            SECONDS,
        );
        let in_flight = metrics.gauge(
            "customauth_http_requests_in_flight",
            "Requests that are being answered.",
        );
        let protocol = Protocol::Http(http::Routes::new(templates));
        Self::new(metrics, service, protocol, total, seconds, in_flight)
    }

    /// Those to a gRPC service. Methods are those of the contract, of health and
    /// of reflection.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn grpc(metrics: &Metrics, service: &'static str) -> Self {
        let total = metrics.counters(
            "customauth_grpc_requests_total",
            "Answered calls, by the method's name; code is aborted if the client went away.",
            &["service", "method", "code"],
        );
        let seconds = metrics.histograms(
            "customauth_grpc_request_duration_seconds",
            "How long calls took until their answer began.",
            &["service", "method"],
            SECONDS,
        );
        let in_flight = metrics.gauges(
            "customauth_grpc_requests_in_flight",
            "Calls that are being answered.",
            &["service"],
        );
        let in_flight = in_flight.with_label_values(&[service]);
        let protocol = Protocol::Grpc(grpc::Methods::new());
        Self::new(metrics, service, protocol, total, seconds, in_flight)
    }

    fn new(
        metrics: &Metrics,
        service: &'static str,
        protocol: Protocol,
        total: IntCounterVec,
        seconds: HistogramVec,
        in_flight: IntGauge,
    ) -> Self {
        let errors = metrics.counters(
            "customauth_errors_total",
            "Refused requests, by the reason that was told.",
            &["service", "reason"],
        );
        let kinds = places(protocol.kinds());
        Self(Arc::new(Table {
            protocol,
            service,
            total,
            seconds,
            in_flight,
            errors,
            kinds,
            reasons: places(Reason::ALL.len()),
        }))
    }

    /// A request has come.
    fn begin<B>(&self, request: &Request<B>) -> Open {
        self.0.in_flight.inc();
        Open {
            kind: self.0.protocol.kind(request),
            outcome: self.0.protocol.outcomes().len(),
            begun: Instant::now(),
            table: self.0.clone(),
        }
    }
}

impl Table {
    fn kind(&self, kind: usize) -> Option<&Kind> {
        let made = || Kind {
            seconds: self
                .seconds
                .with_label_values(&self.protocol.labels(self.service, kind)),
            outcomes: places(self.protocol.outcomes().len() + 1),
        };
        Some(self.kinds.get(kind)?.get_or_init(made))
    }

    fn count(&self, kind: usize, outcome: usize, seconds: f64) {
        let Some(counted) = self.kind(kind) else {
            return;
        };
        counted.seconds.observe(seconds);
        let Some(total) = counted.outcomes.get(outcome) else {
            return;
        };
        let made = || {
            let [one, other] = self.protocol.labels(self.service, kind);
            let outcome = self.protocol.outcomes().get(outcome);
            let outcome = outcome.copied().unwrap_or(ABORTED);
            self.total.with_label_values(&[one, other, outcome])
        };
        total.get_or_init(made).inc();
    }

    fn refused(&self, reason: Reason) {
        let place = Reason::ALL.iter().position(|each| *each == reason);
        let Some(errors) = place.and_then(|place| self.reasons.get(place)) else {
            return;
        };
        let labels = [self.service, reason.as_str()];
        let made = || self.errors.with_label_values(&labels);
        errors.get_or_init(made).inc();
    }
}

impl Protocol {
    /// How many kinds of requests there are.
    fn kinds(&self) -> usize {
        match self {
            Self::Http(routes) => routes.kinds(),
            Self::Grpc(methods) => methods.kinds(),
        }
    }

    fn kind<B>(&self, request: &Request<B>) -> usize {
        match self {
            Self::Http(routes) => routes.kind(request.method(), request.uri().path()),
            Self::Grpc(methods) => methods.kind(request.uri().path()),
        }
    }

    /// The first two labels of a kind.
    fn labels<'a>(&'a self, service: &'a str, kind: usize) -> [&'a str; 2] {
        match self {
            Self::Http(routes) => routes.labels(kind),
            Self::Grpc(methods) => [service, methods.name(kind)],
        }
    }

    /// The third label, by its place.
    fn outcomes(&self) -> &'static [&'static str] {
        match self {
            Self::Http(_) => http::STATUSES,
            Self::Grpc(_) => grpc::CODES,
        }
    }

    fn outcome<B>(&self, response: &Response<B>) -> usize {
        match self {
            Self::Http(_) => http::place(response.status()),
            Self::Grpc(_) => grpc::place(response),
        }
    }

    fn reason<B>(&self, response: &Response<B>) -> Option<Reason> {
        match self {
            Self::Http(_) => http::reason(response),
            Self::Grpc(_) => grpc::reason(response),
        }
    }
}

/// A request that is being answered. It counts when it ends, also by being
/// broken off.
struct Open {
    table: Arc<Table>,
    kind: usize,
    outcome: usize,
    begun: Instant,
}

impl Open {
    fn answered<B>(&mut self, response: &Response<B>) {
        self.outcome = self.table.protocol.outcome(response);
        if let Some(reason) = self.table.protocol.reason(response) {
            self.table.refused(reason);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.table.in_flight.dec();
        let seconds = self.begun.elapsed().as_secs_f64();
        self.table.count(self.kind, self.outcome, seconds);
    }
}

#[cfg(test)]
mod tests;
