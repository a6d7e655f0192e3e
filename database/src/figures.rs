//! What a database tells of itself: how busy its connections are, and how long
//! it takes.

use std::sync::Arc;

use kit::metrics::{Histogram, Metrics, SECONDS};

use crate::{
    Database,
    engine::{Engine, Use},
    gate::Gate,
};

/// How long the uses of a database take, the wait for a connection and what was repeated
/// included.
pub(crate) struct Times {
    read: Histogram,
    write: Histogram,
    transaction: Histogram,
}

impl Times {
    pub(crate) fn of(&self, purpose: Use) -> &Histogram {
        match purpose {
            Use::Read => &self.read,
            Use::Write => &self.write,
        }
    }

    pub(crate) fn of_transactions(&self) -> &Histogram {
        &self.transaction
    }
}

/// The connections of one kind, as they are now.
pub(crate) struct Pool<'a> {
    pub(crate) name: &'static str,
    pub(crate) gate: &'a Gate,
    pub(crate) idle: usize,
}

impl Database {
    /// Counts from now on, as the database of `service`.
    ///
    /// # Panics
    /// As [`Metrics::counters`].
    pub fn count(self: &Arc<Self>, metrics: &Metrics, service: &'static str) {
        let seconds = metrics.histograms(
            "customauth_database_request_duration_seconds",
            "How long a statement or transaction took, waiting for a connection included.",
            &["service", "kind"],
            SECONDS,
        );
        let [read, write, transaction] = ["read", "write", "transaction"]
            .map(|kind| seconds.with_label_values(&[service, kind]));
        let times = Times {
            read,
            write,
            transaction,
        };
        // Whoever counts first counts.
        let _ = self.times.set(times);
        let connections = metrics.gauges(
            "customauth_database_connections",
            "Connections: in use (or being made), idle, and in use at the most.",
            &["service", "pool", "state"],
        );
        let waiting = metrics.gauges(
            "customauth_database_waiting",
            "Statements that wait for a connection.",
            &["service", "pool"],
        );
        let refused = metrics.counters(
            "customauth_database_refused_total",
            "Statements that were refused at once, since too many were waiting.",
            &["service", "pool"],
        );
        let seen = Arc::downgrade(self);
        metrics.before_each(move || {
            let Some(database) = seen.upgrade() else {
                return;
            };
            for Pool { name, gate, idle } in database.engine.pools() {
                let (in_use, most) = gate.in_use();
                for (state, count) in [("in_use", in_use), ("idle", idle), ("max", most)] {
                    connections
                        .with_label_values(&[service, name, state])
                        .set(whole(count));
                }
                let labels = [service, name];
                waiting
                    .with_label_values(&labels)
                    .set(whole(gate.waiting()));
                let refused = refused.with_label_values(&labels);
                refused.inc_by(gate.refused().saturating_sub(refused.get()));
            }
        });
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Engine {
    /// The pools, as they are now.
    fn pools(&self) -> Vec<Pool<'_>> {
        match self {
            Self::Postgres(server) => vec![server.state()],
            Self::Sqlite { writer, reader } => vec![writer.state("writer"), reader.state("reader")],
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::Migrations;

    static TABLES: Migrations = Migrations(&[(1, "marks", "CREATE TABLE marks (mark text)")]);

    #[track_caller]
    fn assert_tells(metrics: &Metrics, lines: &[&str]) {
        let text = metrics.render();
        for line in lines {
            let line = format!("customauth_database_{line}");
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }

    #[tokio::test]
    async fn a_database_tells_how_busy_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("a.db").display());
        let url = url.parse().unwrap();
        let stop = CancellationToken::new();
        let database = Database::open(&url, &TABLES, stop);
        let database = database.await.unwrap();
        let metrics = Metrics::default();
        database.count(&metrics, "a service");
        let seconds = "request_duration_seconds_count";
        let insert = "INSERT INTO marks VALUES ('a')";
        database.write(insert, &[]).await.unwrap();
        database.read("SELECT 1", &[]).await.unwrap();
        assert!(database.read("nonsense", &[]).await.is_err());
        let _writing = database.connection(Use::Write).await.unwrap();
        assert_tells(
            &metrics,
            &[
                &format!(r#"{seconds}{{kind="write",service="a service"}} 1"#),
                &format!(r#"{seconds}{{kind="read",service="a service"}} 2"#),
                &format!(r#"{seconds}{{kind="transaction",service="a service"}} 0"#),
                r#"connections{pool="writer",service="a service",state="in_use"} 1"#,
                r#"connections{pool="writer",service="a service",state="max"} 1"#,
                r#"connections{pool="reader",service="a service",state="max"} 4"#,
                r#"waiting{pool="writer",service="a service"} 0"#,
                r#"refused_total{pool="writer",service="a service"} 0"#,
            ],
        );
        let waiting = tokio::spawn({
            let database = database.clone();
            async move { database.write(insert, &[]).await }
        });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert_tells(
            &metrics,
            &[r#"waiting{pool="writer",service="a service"} 1"#],
        );
        waiting.abort();
    }
}
