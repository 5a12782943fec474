//! The admin API's doors as a client meets them: the real server, asked by curl, and by clients that misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    dead_code,
    reason = "who cannot go on here should stop, and the kit has more than is used here"
)]

mod curl;
#[path = "../cli/kit.rs"]
mod kit;
mod plain;
mod secure;
mod slow;
