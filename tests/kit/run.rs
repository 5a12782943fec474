//! Puts a case's steps to a server, whatever stands behind it: a socket, or a function.

use super::case::{Case, Step};
use super::compare::{Difference, Rigour, differences};
use super::expect::Expect;
use super::message::Reply;
use super::query::{Packet, Query, server_cookie};

/// What one step came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The step's index in its case.
    pub(crate) step: usize,
    pub(crate) octets: Option<Vec<u8>>,
    pub(crate) reply: Option<Reply>,
    pub(crate) differences: Vec<Difference>,
}

/// A server: octets, whether over TCP, and whether silence is expected; gives the reply's octets.
pub(crate) type Server<'a> = dyn FnMut(&[u8], bool, bool) -> Option<Vec<u8>> + 'a;

/// All steps of a case, in their order.
pub(crate) fn run(case: &Case, server: &mut Server<'_>, rigour: Rigour) -> Vec<Outcome> {
    case.steps.iter().enumerate().map(|(index, step)| run_step(index, step, server, rigour)).collect()
}

fn run_step(index: usize, step: &Step, server: &mut Server<'_>, rigour: Rigour) -> Outcome {
    let query = &step.query;
    let is_silent = matches!(step.expect, Some(Expect::Silence));
    let cookie = if learns_cookie(query) { learn_cookie(query, server) } else { Vec::new() };
    let packet = query.octets(0x4a00 + index as u16, &cookie);
    let id = packet.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
    let octets = server(&packet, query.over_tcp, is_silent);
    let mut outcome = Outcome { step: index, octets, reply: None, differences: Vec::new() };
    match outcome.octets.as_deref().map(Reply::read).transpose() {
        Ok(reply) => outcome.reply = reply,
        Err(fault) => {
            outcome.differences.push(Difference { part: "reply", told: format!("not a DNS message: {}", fault.0) });
            return outcome;
        }
    }
    if let Some(expect) = &step.expect {
        outcome.differences = differences(query, expect, outcome.reply.as_ref(), id, rigour);
    }
    outcome
}

fn learns_cookie(query: &Query) -> bool {
    matches!(&query.packet, Packet::Ask(ask) if ask.learns_cookie)
}

fn learn_cookie(query: &Query, server: &mut Server<'_>) -> Vec<u8> {
    let octets = server(&query.octets(1, &[]), query.over_tcp, false);
    let reply = octets.and_then(|octets| Reply::read(&octets).ok());
    reply.and_then(|reply| server_cookie(&reply.edns?)).unwrap_or_default()
}
