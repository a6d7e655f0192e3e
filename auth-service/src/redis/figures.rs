//! How Redis answers, in figures.

use ::redis::{ErrorKind, RedisError};
use kit::metrics::{Histogram, IntCounter, Metrics, SECONDS};

/// The counters of questions.
pub(super) struct Figures {
    answered: IntCounter,
    refused: IntCounter,
    unreachable: IntCounter,
    silent: IntCounter,
    seconds: Histogram,
}

impl Figures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let [answered, refused, unreachable, silent] = metrics.counters_of(
            "customauth_redis_questions_total",
            "Questions to Redis, repeats included in one; silent had no answer in time.",
            "outcome",
            ["answered", "refused", "unreachable", "silent"],
        );
        Self {
            answered,
            refused,
            unreachable,
            silent,
            seconds: metrics.histogram(
                "customauth_redis_question_duration_seconds",
                "How long a question to Redis took, without the wait for its turn.",
                SECONDS,
            ),
        }
    }

    /// A question has its answer, or `None` in its time.
    pub(super) fn note<T>(&self, answer: Option<&Result<T, RedisError>>, seconds: f64) {
        self.seconds.observe(seconds);
        match answer {
            Some(Ok(_)) => &self.answered,
            Some(Err(error)) if error.is_timeout() => &self.silent,
            Some(Err(error)) if matches!(error.kind(), ErrorKind::Server(_)) => &self.refused,
            Some(Err(_)) => &self.unreachable,
            None => &self.silent,
        }
        .inc();
    }
}
