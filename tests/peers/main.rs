//! The cases of `tests/dns`, put to NSD, Knot and BIND.
//!
//! What the three agree on is what we expect of ourselves; each case in which one answers otherwise is explained in
//! `tests/peers/differences`. `cargo test --test peers`; `CASE=wildcard` takes only the files with that in their path;
//! `FILL=1` writes into cases without expectation (`ask NAME TYPE` and no more) what at least two peers agree on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop there"
)]

#[path = "../kit/mod.rs"]
mod kit;
mod servers;
mod table;

use kit::case::{Case, read_all};
use kit::compare::{Difference, Rigour};
use kit::exchange::exchange;
use kit::expect::Expect;
use kit::run::{Outcome, run};
use servers::{PEERS, Peer, start};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A difference found.
#[derive(Debug)]
struct Finding {
    case: String,
    line: usize,
    ask: String,
    peer: Peer,
    differences: Vec<Difference>,
}

#[test]
fn peers_answer_as_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let cases = read_all(&folder.join("dns"));
    let table = table::read(&folder.join("peers/differences"));
    let findings = ask_peers(&cases);
    let mut faults = Vec::new();
    for finding in &findings {
        let parts: Vec<&str> = finding.differences.iter().map(|difference| difference.part).collect();
        let (case, ask, peer) = (finding.case.as_str(), finding.ask.as_str(), finding.peer.name());
        // Every line is tried, so that each that matches counts as used.
        if table.iter().filter(|line| line.explains(case, ask, peer, &parts)).count() == 0 {
            faults.push(told(finding, &parts));
        }
    }
    if std::env::var("CASE").is_err() {
        for line in table.iter().filter(|line| !line.unused().is_empty()) {
            let peers = line.unused().join(" ");
            faults.push(format!("tests/peers/differences:{}: no longer so with {peers}: remove it", line.number));
        }
    }
    let steps: usize = cases.iter().map(|case| case.steps.len()).sum();
    println!("{steps} asks of {} cases put to {} peers; {} differ", cases.len(), PEERS.len(), findings.len());
    assert!(faults.is_empty(), "{} unexplained:\n{}", faults.len(), faults.join("\n"));
}

fn told(finding: &Finding, parts: &[&str]) -> String {
    let Finding { case, line, ask, peer, differences } = finding;
    let mut text = format!("tests/dns/{case}.case:{line}: {case} | {ask} | {} | {} |", peer.name(), parts.join(" "));
    differences.iter().for_each(|difference| text.push_str(&format!("\n    {}: {}", difference.part, difference.told)));
    text
}

/// Two case files at a time, each with three peers: more would only wait for the processor.
fn ask_peers(cases: &[Case]) -> Vec<Finding> {
    let next = AtomicUsize::new(0);
    let findings = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    findings.lock().unwrap().extend(ask_peers_one(case));
                }
            });
        }
    });
    let mut findings = findings.into_inner().unwrap();
    findings.sort_by(|one, other| (&one.case, one.line).cmp(&(&other.case, other.line)));
    findings
}

fn ask_peers_one(case: &Case) -> Vec<Finding> {
    let outcomes: Vec<(Peer, Result<Vec<Outcome>, String>)> = std::thread::scope(|scope| {
        let asking: Vec<_> = PEERS.iter().map(|peer| (*peer, scope.spawn(|| ask_peer(*peer, case)))).collect();
        asking.into_iter().map(|(peer, outcomes)| (peer, outcomes.join().unwrap())).collect()
    });
    if std::env::var("FILL").is_ok() {
        fill(case, &outcomes);
    }
    let finding = |peer, line, ask: &str, differences| Finding {
        case: case.name.clone(),
        line,
        ask: ask.to_owned(),
        peer,
        differences,
    };
    let mut findings = Vec::new();
    for (peer, outcomes) in outcomes {
        match outcomes {
            Err(fault) => findings.push(finding(peer, 1, "zones", vec![Difference { part: "start", told: fault }])),
            Ok(outcomes) => {
                for outcome in outcomes.into_iter().filter(|outcome| !outcome.differences.is_empty()) {
                    let step = &case.steps[outcome.step];
                    findings.push(finding(peer, step.lines.start + 1, &step.text, outcome.differences));
                }
            }
        }
    }
    findings
}

fn ask_peer(peer: Peer, case: &Case) -> Result<Vec<Outcome>, String> {
    let started = start(peer, case)?;
    let mut server = |packet: &[u8], over_tcp: bool, is_silent: bool| {
        let patience = Duration::from_millis(if is_silent { 250 } else { 600 });
        exchange(started.address, packet, over_tcp, patience)
    };
    Ok(run(case, &mut server, Rigour::Peer))
}

/// Writes what at least two peers agree on into the steps that have no expectation yet.
fn fill(case: &Case, outcomes: &[(Peer, Result<Vec<Outcome>, String>)]) {
    let mut agreed = Vec::new();
    for (index, step) in case.steps.iter().enumerate().filter(|(_, step)| step.expect.is_none()) {
        let texts: Vec<(String, &Outcome)> = outcomes
            .iter()
            .filter_map(|(_, outcomes)| outcomes.as_ref().ok()?.get(index))
            .map(|outcome| (sorted(outcome, step.is_send()), outcome))
            .collect();
        let count = |text: &str| texts.iter().filter(|(other, _)| other.eq_ignore_ascii_case(text)).count();
        match texts.iter().find(|(text, _)| count(text) >= 2) {
            Some((_, outcome)) => {
                let octets = outcome.octets.as_deref();
                agreed.push((index, octets.map(|octets| kit::message::Reply::read(octets).unwrap())));
            }
            None => {
                println!("{}: {}: all differ:", case.name, step.text);
                texts.iter().for_each(|(text, _)| println!("{text}"));
            }
        }
    }
    kit::rewrite::rewrite(case, &agreed);
}

fn sorted(outcome: &Outcome, is_send: bool) -> String {
    let text = Expect::print(outcome.reply.as_ref(), is_send);
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("edns")).collect();
    lines.sort_unstable();
    lines.join("\n")
}
