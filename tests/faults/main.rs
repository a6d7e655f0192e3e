//! Every process of a deployment dies in turn, while clients are at work:
//! nothing that was acknowledged is lost, and service is back within seconds.
//! What is promised is in docs/reliability.md.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]
#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

mod app;
mod caller;
#[path = "../common/http.rs"]
mod http;
mod journal;
mod ledger;
#[path = "../common/processes.rs"]
mod processes;
mod product;
mod report;
mod trial;
mod verify;

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::trial::{Bearable, Trial};

/// How long a process or a server is away.
const DOWN: Duration = Duration::from_secs(1);
const POSTGRES_DOWN: Duration = Duration::from_millis(1500);
const HUNG: Duration = Duration::from_secs(3);

#[test]
fn nothing_acknowledged_is_lost_and_service_is_back_within_seconds() {
    let mut trial = Trial::start();
    trial.fault("none, to compare", Bearable::Nothing, |_| {
        sleep(DOWN);
        Instant::now()
    });
    for _ in 0..rounds() {
        for index in 0..trial.services() {
            let fault = format!("{} killed, back after 1 s", trial.program(index));
            trial.fault(&fault, Bearable::Failures, |product| {
                let begun = Instant::now();
                product.services[index].kill();
                sleep(DOWN);
                product.services[index].start();
                begun
            });
        }
        for index in 0..trial.services() {
            let program = trial.program(index);
            let bearable = match program {
                "gateway" => Bearable::RefusedConnections,
                _ => Bearable::Nothing,
            };
            let fault = format!("{program} restarted gently");
            trial.fault(&fault, bearable, |product| {
                let begun = Instant::now();
                product.services[index].stop();
                product.services[index].start();
                begun
            });
        }
        trial.fault(
            "auth-service hangs for 3 s",
            Bearable::Failures,
            |product| {
                let begun = Instant::now();
                product.services[0].signal("-STOP");
                sleep(HUNG);
                product.services[0].signal("-CONT");
                begun
            },
        );
        for master in trial.redis_masters() {
            let fault = "Redis master killed, back as a replica";
            trial.fault(fault, Bearable::LostCodes, |product| {
                let begun = Instant::now();
                product.lose_master(master);
                begun
            });
        }
        trial.fault(
            "PostgreSQL killed, back after 1.5 s",
            Bearable::Failures,
            |product| {
                product.postgres.kill();
                sleep(POSTGRES_DOWN);
                product.postgres.start_again();
                // Before that nobody can be served.
                Instant::now()
            },
        );
    }
    trial.end();
}

/// How often everything dies: once, unless `FAULT_ROUNDS` says otherwise.
fn rounds() -> usize {
    let told = std::env::var_os("FAULT_ROUNDS");
    told.map_or(1, |rounds| rounds.to_str().unwrap().parse().unwrap())
}
