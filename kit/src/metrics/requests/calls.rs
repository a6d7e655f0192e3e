//! Calls from one part of the product to another.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge};
use tonic::Status;

use super::{
    super::Metrics,
    ABORTED,
    grpc::{self, CODES, Methods},
    places,
};

/// The calls of one part of the product to another.
pub struct Calls {
    methods: Methods,
    from: &'static str,
    to: &'static str,
    total: IntCounterVec,
    resends: IntCounter,
    replicas: IntGauge,
    reachable: IntGauge,
    /// By method and code.
    counted: Box<[OnceLock<IntCounter>]>,
}

/// For each method, the codes and what was given up.
const OUTCOMES: usize = CODES.len() + 1;

impl Calls {
    /// The calls of `from` to `to`.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn new(metrics: &Metrics, from: &'static str, to: &'static str) -> Self {
        let labels = ["service", "to"];
        let gauge = |name, help| metrics.gauges(name, help, &labels);
        let methods = Methods::new();
        Self {
            counted: places(methods.kinds() * OUTCOMES),
            methods,
            from,
            to,
            total: metrics.counters(
                "customauth_client_calls_total",
                "Calls to another service, by what came of them in the end; code is aborted if the caller gave up.",
                &["service", "to", "method", "code"],
            ),
            resends: metrics
                .counters(
                    "customauth_client_resends_total",
                    "Calls that were sent again, since a replica had not begun them or broke off.",
                    &labels,
                )
                .with_label_values(&[from, to]),
            replicas: gauge(
                "customauth_client_replicas",
                "Replicas of another service, as far as they are known.",
            )
            .with_label_values(&[from, to]),
            reachable: gauge(
                "customauth_client_replicas_connected",
                "Those of them to which there is a connection.",
            )
            .with_label_values(&[from, to]),
        }
    }

    pub(crate) fn begin(&self, path: &str) -> OpenCall<'_> {
        OpenCall {
            calls: self,
            method: self.methods.kind(path),
            outcome: CODES.len(),
        }
    }

    /// A call is sent once more.
    pub(crate) fn resent(&self) {
        self.resends.inc();
    }

    /// How many replicas there are, and with how many there is a connection.
    pub(crate) fn replicas(&self, known: usize, connected: usize) {
        let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.replicas.set(whole(known));
        self.reachable.set(whole(connected));
    }
}

/// A call that waits for its answer. It counts when it ends.
pub(crate) struct OpenCall<'a> {
    calls: &'a Calls,
    method: usize,
    outcome: usize,
}

impl OpenCall<'_> {
    pub(crate) fn ended<B>(&mut self, outcome: Result<&::http::Response<B>, &Status>) {
        self.outcome = match outcome {
            Ok(answer) => grpc::place(answer),
            Err(status) => grpc::number(status.code()),
        };
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        let calls = self.calls;
        let place = self.method * OUTCOMES + self.outcome;
        let Some(counted) = calls.counted.get(place) else {
            return;
        };
        let made = || {
            let code = CODES.get(self.outcome).copied().unwrap_or(ABORTED);
            let method = calls.methods.name(self.method);
            let labels = [calls.from, calls.to, method, code];
            calls.total.with_label_values(&labels)
        };
        counted.get_or_init(made).inc();
    }
}
