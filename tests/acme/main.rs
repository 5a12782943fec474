//! Certificates: a real CA (Pebble) that looks at names through a real resolver (Unbound), which follows a real delegation to
//! our server; and a scripted CA for what Pebble cannot do.
//!
//! `cargo test --test acme`. Needs pebble, openssl and what `tests/dig` needs, which `tests/setup` installs, and the right to make
//! a network namespace. One file for each theme.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop there"
)]

mod certificates;
#[path = "../kit/mod.rs"]
mod kit;
#[path = "../dig/network.rs"]
#[allow(dead_code, reason = "the world of the resolver tests, with another server of ours in it")]
mod network;
#[path = "../dns/ours.rs"]
#[allow(dead_code, reason = "only what the world needs")]
mod ours;
mod pebble;
mod scripted;
mod server;
mod show;
mod stubborn;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// One test to libtest, since all share one world; each theme is run and told of, also after another has failed.
#[test]
fn a_real_ca_is_convinced() {
    if let Some(is_well) = network::enter("a_real_ca_is_convinced") {
        assert!(is_well, "see above; if there is nothing above, this machine allows no network namespaces");
        return;
    }
    let ours = server::Ours::start();
    let world = network::World::around(|| ours.serve());
    let mut failed = Vec::new();
    let only = std::env::var("THEME").unwrap_or_default();
    for (name, theme) in certificates::THEMES.iter().filter(|(name, _)| name.contains(&only)) {
        let start = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| theme(&world, &ours))) {
            Ok(()) => println!("    {name} ... ok ({} ms)", start.elapsed().as_millis()),
            Err(_) => failed.push(name),
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}
