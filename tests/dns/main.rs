//! The cases of this folder, put to our server: to `respond` directly, and over UDP and TCP.
//!
//! How a case is written is told in `README.md` beside this file. `CASE=wildcard cargo test --test dns` takes only
//! the files with that in their path; `UPDATE=1` writes what the server answers into the cases that differ, for the
//! diff to be reviewed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop there"
)]

#[path = "../kit/mod.rs"]
mod kit;
mod ours;

use hickory_proto::op::Message;
use kit::case::{Case, read_all};
use kit::compare::Rigour;
use kit::exchange::exchange;
use kit::run::{Outcome, run};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn respond_answers_as_the_cases_say() {
    let is_update = std::env::var("UPDATE").is_ok();
    check_all(|case| {
        let mut function = ours::Function::new(case)?;
        let outcomes = run(case, &mut |packet, over_tcp, _| function.respond(packet, over_tcp), Rigour::Ours);
        if is_update {
            update(case, outcomes);
            return Ok(Vec::new());
        }
        Ok(outcomes)
    });
}

#[test]
fn the_server_answers_as_the_cases_say() {
    check_all(|case| {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let handle = ours::serve(&case.zones, &case.settings, &[any_port])?;
        let address = handle.addresses()[0];
        let mut server = |packet: &[u8], over_tcp: bool, is_silent: bool| {
            let patience = Duration::from_millis(if is_silent { 100 } else { 5_000 });
            exchange(address, packet, over_tcp, patience)
        };
        Ok(run(case, &mut server, Rigour::Ours))
    });
}

/// Every case must be as written, and every reply must be a message to an independent decoder as well.
fn check_all(outcomes_of: impl Fn(&Case) -> Result<Vec<Outcome>, String> + Sync) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dns");
    let cases = read_all(&folder);
    let count: usize = cases.iter().map(|case| case.steps.len()).sum();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // A server that is told to stop takes a moment; several at a time do not wait for each other.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = check(case, outcomes_of(case));
                    faults.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    println!("{count} asks");
    assert!(faults.is_empty(), "{} of {count} are not as the cases say:\n{}", faults.len(), faults.join("\n"));
}

fn check(case: &Case, outcomes: Result<Vec<Outcome>, String>) -> Vec<String> {
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(fault) => return vec![format!("tests/dns/{}.case: {fault}", case.name)],
    };
    let mut faults = Vec::new();
    for outcome in outcomes {
        let step = &case.steps[outcome.step];
        let line = step.lines.start + 1;
        let mut told: Vec<String> =
            outcome.differences.iter().map(|found| format!("{}: {}", found.part, found.told)).collect();
        if step.expect.is_none() {
            told.push("expects nothing: FILL=1 cargo test --test peers writes what the peers agree on".to_owned());
        }
        check_with_hickory(&outcome, &mut told);
        if !told.is_empty() {
            faults.push(format!("tests/dns/{}.case:{line}: {}\n    {}", case.name, step.text, told.join("\n    ")));
        }
    }
    faults
}

fn check_with_hickory(outcome: &Outcome, told: &mut Vec<String>) {
    let (Some(octets), Some(reply)) = (&outcome.octets, &outcome.reply) else { return };
    // Data of no octets is fine in an unknown type (RFC 3597); hickory-proto takes it for a part of an update.
    if reply.records().any(|record| record.data == "\\# 0") {
        return;
    }
    match Message::from_vec(octets) {
        Err(error) => told.push(format!("hickory-proto does not read the reply: {error}")),
        Ok(message) => {
            let counts = (message.answers.len(), message.authorities.len(), message.additionals.len());
            if counts != (reply.answer.len(), reply.authority.len(), reply.additional.len()) {
                told.push(format!("hickory-proto counts {counts:?} records in the sections"));
            }
        }
    }
}

/// Only what differs is written: a short form that holds stays as it is.
fn update(case: &Case, outcomes: Vec<Outcome>) {
    let is_new = |outcome: &Outcome| !outcome.differences.is_empty() || case.steps[outcome.step].expect.is_none();
    let replies: Vec<_> = outcomes.into_iter().filter(is_new).map(|outcome| (outcome.step, outcome.reply)).collect();
    if !replies.is_empty() {
        kit::rewrite::rewrite(case, &replies);
    }
}
