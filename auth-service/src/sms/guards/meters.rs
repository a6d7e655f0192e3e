//! What the guards did, told: metrics and audit events.

use kit::{
    audit,
    metrics::{IntCounterVec, IntGaugeVec, Metrics},
};
use uuid::Uuid;

use super::{
    Guard,
    rules::GuardRules,
    store::{Counter, Mode, Round, What},
};
use crate::sms::{message::Message, prefixes::Prefix};

/// The label of numbers that no table names: without it anybody could make any
/// number of labels.
const OTHER: &str = "other";
/// The label of a count of all.
const ALL: &str = "all";

/// A message that exceeds a limit.
pub(super) struct Refusal<'a> {
    pub(super) message: &'a Message,
    pub(super) guard: Guard,
    /// Which of the guard's limits.
    pub(super) limit: &'static str,
    pub(super) mode: Mode,
    /// The longest prefix in a table that its number begins with.
    pub(super) prefix: Option<&'a Prefix>,
}

/// The guards' metrics.
pub(super) struct Meters {
    refusals: IntCounterVec,
    admitted: IntCounterVec,
    entered: IntCounterVec,
    lost: IntCounterVec,
    under_way: IntGaugeVec,
    messages: IntGaugeVec,
    cost: IntGaugeVec,
    counters: Vec<Counter>,
    named: Vec<String>,
}

impl What {
    /// Its name in metrics and the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Cost => "cost",
        }
    }
}

impl Meters {
    pub(super) fn new(metrics: &Metrics, rules: &GuardRules) -> Self {
        let by_prefix = ["prefix"];
        let meters = Self {
            refusals: metrics.counters(
                "customauth_sms_guard_refusals_total",
                "Messages over a limit of a guard: refused (enforce), or only told (dry_run).",
                &["guard", "limit", "prefix", "mode"],
            ),
            admitted: metrics.counters(
                "customauth_sms_admitted_total",
                "Messages that the guards let pass.",
                &by_prefix,
            ),
            entered: metrics.counters(
                "customauth_sms_entered_total",
                "Messages that the guards let pass and whose code was entered.",
                &by_prefix,
            ),
            lost: metrics.counters(
                "customauth_sms_lost_total",
                "Messages whose fate nobody told: the process that had them has ended.",
                &[],
            ),
            under_way: metrics.gauges(
                "customauth_sms_messages_under_way",
                "Messages whose fate is not known yet, in all replicas.",
                &[],
            ),
            messages: metrics.gauges(
                "customauth_sms_budget_messages",
                "Messages of this day (UTC), in all replicas.",
                &by_prefix,
            ),
            cost: metrics.gauges(
                "customauth_sms_budget_cost_millionths",
                "What this day's messages cost by AUTH_SMS_PRICES, in millionths of its currency.",
                &by_prefix,
            ),
            counters: rules.limits().into_iter().map(|it| it.0).collect(),
            named: rules.named().map(Prefix::to_string).collect(),
        };
        meters.set_limits(metrics, rules);
        // All are there from the start, so that a rate sees the first event too.
        for prefix in meters.named.iter().map(String::as_str).chain([OTHER]) {
            meters.admitted.with_label_values(&[prefix]);
            meters.entered.with_label_values(&[prefix]);
        }
        meters.lost.with_label_values(NONE);
        meters
    }

    fn set_limits(&self, metrics: &Metrics, rules: &GuardRules) {
        let messages = metrics.gauges(
            "customauth_sms_budget_limit_messages",
            "The most messages of a day (UTC).",
            &["prefix"],
        );
        let cost = metrics.gauges(
            "customauth_sms_budget_limit_cost_millionths",
            "The most that the messages of a day (UTC) may cost, in millionths of the currency.",
            &["prefix"],
        );
        for (counter, most) in rules.limits() {
            let limits = match counter.what {
                What::Messages => &messages,
                What::Cost => &cost,
            };
            if let Some(most) = most {
                limits
                    .with_label_values(&[label(&counter)])
                    .set(most.try_into().unwrap_or(i64::MAX));
            }
        }
        self.show(&Round::default());
    }

    pub(super) fn refused(&self, refusal: &Refusal<'_>) {
        let Refusal {
            message,
            guard,
            limit,
            mode,
            prefix,
        } = refusal;
        let (guard, prefix) = (guard.name(), prefix.map_or(OTHER, Prefix::as_str));
        let (id, phone, client) = (message.id, &message.phone, message.client);
        let mode = match mode {
            Mode::Enforce => {
                audit!("sms", "refused", guard, limit, prefix, %id, ?phone, %client);
                "enforce"
            }
            Mode::DryRun => {
                audit!("sms", "would be refused", guard, limit, prefix, %id, ?phone, %client);
                "dry_run"
            }
        };
        self.refusals
            .with_label_values(&[guard, *limit, prefix, mode])
            .inc();
    }

    pub(super) fn admitted(&self, prefix: Option<&Prefix>) {
        let prefix = prefix.map_or(OTHER, Prefix::as_str);
        self.admitted.with_label_values(&[prefix]).inc();
    }

    /// `prefix` is what the code was counted with, which may be in no table.
    pub(super) fn entered(&self, prefix: &str) {
        let known = self.named.iter().any(|named| named == prefix);
        let prefix = if known { prefix } else { OTHER };
        self.entered.with_label_values(&[prefix]).inc();
    }

    pub(super) fn lost(&self, id: Uuid) {
        audit!("sms", "lost", %id);
        self.lost.with_label_values(NONE).inc();
    }

    /// Shows what a look at everything found.
    pub(super) fn show(&self, round: &Round) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.under_way
            .with_label_values(NONE)
            .set(number(round.under_way));
        for counter in &self.counters {
            let count = round.counts.get(&counter.to_string()).copied();
            let gauges = match counter.what {
                What::Messages => &self.messages,
                What::Cost => &self.cost,
            };
            gauges
                .with_label_values(&[label(counter)])
                .set(number(count.unwrap_or(0)));
        }
    }
}

/// No labels.
const NONE: &[&str] = &[];

fn label(counter: &Counter) -> &str {
    counter.prefix.as_ref().map_or(ALL, Prefix::as_str)
}
