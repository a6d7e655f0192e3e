//! Clients at work, a fault after another, and what came of it.

use std::{
    collections::HashSet,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinHandle};

use crate::{
    app::App,
    http,
    journal::{CLIENTS, Journal},
    ledger::Ledger,
    product::Product,
    report::{Report, Row},
    verify,
};

/// Without a failure, between two faults.
const CALM: Duration = Duration::from_secs(1);
/// Service is back within this time, and nobody waits longer for an answer.
const RECOVERY: Duration = Duration::from_secs(5);
/// After which the test gives up.
const RECOVERY_AT_ALL: Duration = Duration::from_secs(30);

/// What a fault may do to clients.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Bearable {
    /// Nothing at all.
    Nothing,
    /// One gateway of two takes no connections.
    RefusedConnections,
    /// Failed requests, for a while.
    Failures,
    /// Codes that are not accepted, besides: what Redis has not copied is lost.
    LostCodes,
}

/// The product, its clients at work, and what came of the faults so far.
pub(crate) struct Trial {
    product: Product,
    runtime: Runtime,
    clients: Vec<JoinHandle<App>>,
    stop: Arc<AtomicBool>,
    journal: Arc<Journal>,
    ledger: Arc<Ledger>,
    report: Report,
    /// Failed expectations, in words. They are told at the end, with the table.
    complaints: Vec<String>,
    /// Challenges that are known to be lost.
    forgotten: HashSet<String>,
}

impl Trial {
    pub(crate) fn start() -> Self {
        let product = Product::start();
        let runtime = Runtime::new().unwrap();
        for gateway in &product.gateways {
            runtime.block_on(http::ready(gateway));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (journal, ledger) = (Arc::<Journal>::default(), Arc::<Ledger>::default());
        let clients = (0..CLIENTS).map(|number| {
            let gateways = product.gateways.clone();
            let app = App::new(number, gateways, journal.clone(), ledger.clone());
            runtime.spawn(app.work(stop.clone()))
        });
        Self {
            clients: clients.collect(),
            product,
            runtime,
            stop,
            journal,
            ledger,
            report: Report::default(),
            complaints: Vec::new(),
            forgotten: HashSet::new(),
        }
    }

    /// How many processes the product has.
    pub(crate) fn services(&self) -> usize {
        self.product.services.len()
    }

    /// What one of them runs.
    pub(crate) fn program(&self, index: usize) -> &'static str {
        self.product.services[index].program
    }

    /// The ports of the masters, when each has a replica that could follow it.
    pub(crate) fn redis_masters(&self) -> Vec<u16> {
        self.product.redis.wait_until_healthy();
        let masters = self.product.redis.masters();
        masters.iter().map(|master| master.port()).collect()
    }

    /// Makes a fault, waits until all clients get on, and enters it in the
    /// report. `make` returns when all is in its place again, with the time from
    /// which the recovery counts.
    pub(crate) fn fault(
        &mut self,
        fault: &str,
        bearable: Bearable,
        make: impl FnOnce(&mut Product) -> Instant,
    ) {
        let begun = Instant::now();
        let since = make(&mut self.product);
        self.wait_for_calm();
        let figures = self.journal.figures(begun);
        let audit = self.ledger.audit(&self.product);
        let row = Row {
            times: 1,
            requests: figures.requests,
            recovery: figures
                .last_failure
                .map(|last| last.saturating_duration_since(since)),
            failures: figures.failures,
            slowest: figures.slowest,
            lost: audit.lost.len(),
        };
        let mut complain = |what: String| self.complaints.push(format!("{fault}: {what}"));
        for lost in audit.lost.into_iter().take(10) {
            complain(format!("lost {lost}"));
        }
        for wrong in audit.wrong {
            complain(wrong);
        }
        if bearable < Bearable::Failures && !row.failures.is_empty() {
            let details: Vec<_> = figures.details.into_iter().take(10).collect();
            complain(format!("clients saw\n  {}", details.join("\n  ")));
        }
        if bearable == Bearable::Nothing && figures.refused > 0 {
            complain(format!("{} connections were refused", figures.refused));
        }
        if row.recovery > Some(RECOVERY) {
            complain(format!("service was back after {:?}", row.recovery));
        }
        if row.slowest > RECOVERY {
            complain(format!("a request took {:?}", row.slowest));
        }
        let forgotten = audit.forgotten.difference(&self.forgotten).count();
        if bearable < Bearable::LostCodes && forgotten > 0 {
            complain(format!("{forgotten} challenges are lost"));
        }
        self.forgotten = audit.forgotten;
        self.report.add(fault, row);
    }

    /// Waits until every client has done all that it does, and no request has
    /// failed for a while.
    fn wait_for_calm(&mut self) {
        let begun = Instant::now();
        let before = self.journal.turns();
        loop {
            sleep(Duration::from_millis(50));
            // A client that gave up tells why.
            if let Some(ended) = self.clients.iter().position(JoinHandle::is_finished) {
                let client = self.clients.swap_remove(ended);
                println!("\n{}", self.report.table());
                println!("{}", self.complaints.join("\n"));
                println!("{}", self.product.stop().join("\n"));
                let ended = self.runtime.block_on(client);
                resume_unwind(ended.err().unwrap().into_panic());
            }
            let turns = self.journal.turns();
            let got_on = turns.iter().zip(before).all(|(now, then)| *now >= then + 2);
            let Some(calm_since) = Instant::now().checked_sub(CALM) else {
                continue;
            };
            let calm = self.journal.figures(calm_since).failures.is_empty();
            if got_on && calm && begun < calm_since {
                return;
            }
            assert!(
                begun.elapsed() < RECOVERY_AT_ALL,
                "the clients do not get on: {:?}",
                self.journal.figures(begun).failures
            );
        }
    }

    /// Lets the clients finish, asks for everything, and tells what was wrong.
    pub(crate) fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let apps = self.clients.drain(..);
        let apps: Vec<App> = apps
            .map(|client| self.runtime.block_on(client).unwrap())
            .collect();
        println!("\n{}", self.report.table());
        let audit = self.ledger.audit(&self.product);
        let [sign_ins, users, activations] = self.ledger.counts();
        let sessions = sign_ins + audit.spent_unseen.len();
        // Nothing that nobody asked for, and one session for each code.
        assert_eq!(
            self.product
                .auth_sql("SELECT count(*), count(DISTINCT challenge_id) FROM sessions"),
            format!("{sessions}|{sessions}")
        );
        assert_eq!(
            self.product.auth_sql("SELECT count(*) FROM users"),
            users.to_string()
        );
        assert_eq!(
            self.product
                .profile_sql("SELECT count(*), count(inviter_id), count(invited_by) FROM profiles"),
            format!("{users}|{activations}|{activations}")
        );
        let asking: Vec<_> = apps
            .into_iter()
            .map(|app| self.runtime.spawn(verify::ask(app)))
            .collect();
        let mut shown = Vec::new();
        for app in asking {
            shown.extend(self.runtime.block_on(app).unwrap());
        }
        verify::compare(&shown);
        println!(
            "{users} users, {sign_ins} sign-ins, {activations} activations acknowledged; \
             {} codes spent by a lost answer, {} challenges lost with Redis; \
             all asked for at the end in {:.1} s",
            audit.spent_unseen.len(),
            audit.forgotten.len(),
            begun.elapsed().as_secs_f64()
        );
        let warnings = self.product.stop();
        assert!(
            self.complaints.is_empty(),
            "{}\n\nthe services logged:\n{}",
            self.complaints.join("\n"),
            warnings.join("\n")
        );
        assert_eq!(self.report.rows().map(|row| row.lost).sum::<usize>(), 0);
    }
}
