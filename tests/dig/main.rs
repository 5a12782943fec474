//! Resolver tests: a real resolver and real tools, a whole chain of delegations, our server at its end.
//!
//! `cargo test --test dig`. Needs dig, drill, kdig, unbound, nsd, named, pebble, curl, ip and unshare, which `tests/setup` installs, and
//! the right to make a network namespace (root, or unprivileged user namespaces). One file for each theme.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop there"
)]

mod encrypted;
#[path = "../kit/mod.rs"]
mod kit;
#[path = "../metrics/page.rs"]
#[allow(dead_code, reason = "only what a page says")]
mod metrics;
mod network;
mod options;
mod others;
#[path = "../dns/ours.rs"]
#[allow(dead_code, reason = "the function is for the cases, the server for both")]
mod ours;
#[path = "../acme/pebble.rs"]
#[allow(dead_code, reason = "only that it runs")]
mod pebble;
mod resolver;
mod stranger;
mod tools;
mod walk;

use network::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// One test to libtest, since all share one world; each theme is run and told of, also after another has failed.
#[test]
fn resolvers_and_tools_get_on_with_us() {
    if let Some(is_well) = network::enter("resolvers_and_tools_get_on_with_us") {
        assert!(is_well, "see above; if there is nothing above, this machine allows no network namespaces");
        return;
    }
    let world = World::start();
    let mut failed = Vec::new();
    for (name, theme) in THEMES {
        let start = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| theme(&world))) {
            Ok(()) => println!("    {name} ... ok ({} ms)", start.elapsed().as_millis()),
            Err(_) => failed.push(name),
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

type Theme = (&'static str, fn(&World));

const THEMES: &[Theme] = &[
    ("resolver: every kind of record", resolver::every_kind_of_record),
    ("resolver: aliases are followed", resolver::aliases_are_followed),
    ("resolver: names that are not there", resolver::names_that_are_not_there),
    ("resolver: empty names do not stop it", resolver::empty_names_do_not_stop_it),
    ("resolver: wildcards", resolver::wildcards),
    ("resolver: a large answer comes over TCP", resolver::a_large_answer_comes_over_tcp),
    ("resolver: the case of the client comes back", resolver::the_case_of_the_client_comes_back),
    ("resolver: it asked us", resolver::it_asked_us),
    ("walk: by hand", walk::by_hand),
    ("walk: into a child that is ours too", walk::into_a_child_that_is_ours_too),
    ("walk: dig +trace", walk::dig_trace),
    ("walk: dig +nssearch", walk::dig_nssearch),
    ("walk: drill -T", walk::drill_trace),
    ("options: transports", options::transports),
    ("options: replies leave from the address asked", options::replies_leave_from_the_address_asked),
    ("options: sizes", options::sizes),
    ("options: cookies", options::cookies),
    ("options: EDNS options", options::options),
    ("options: one connection, many questions", options::one_connection_many_questions),
    ("options: the case of the question comes back", options::the_case_of_the_question_comes_back),
    ("options: closed doors", options::closed_doors),
    ("stranger: a route, a certificate, a visit", stranger::a_route_a_certificate_a_visit),
    ("others: drill", others::drill_asks),
    ("others: kdig", others::kdig_asks),
    ("encrypted: kdig over every transport", encrypted::kdig_over_every_transport),
    ("encrypted: a resolver asks over TLS", encrypted::a_resolver_asks_over_tls),
];
