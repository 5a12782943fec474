//! What the tests of the DNS answers share: the text of a case, the packets, the comparison.
//!
//! The kit knows nothing of Freehold's own code: it encodes, decodes and prints by itself, so that a
//! mistake in `wire` or `zone` cannot hide behind the same mistake in its test. The same cases
//! are put to our server (`tests/dns`) and to NSD, Knot and BIND (`tests/peers`). How a case
//! is written is told in `tests/dns/README.md`. Rejected: hickory-proto as the decoder here, since it refuses
//! replies that a test must be able to show (two OPT records, a bad class); it checks ours beside this one.
#![allow(dead_code, reason = "each test binary uses its part of the kit")]

pub(crate) mod case;
pub(crate) mod compare;
pub(crate) mod exchange;
pub(crate) mod expect;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod process;
pub(crate) mod query;
pub(crate) mod rdata;
pub(crate) mod rewrite;
pub(crate) mod run;
