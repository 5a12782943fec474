//! The command line as a user meets it: the real binary, in a directory of its own, its whole output compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "who cannot go on here should stop"
)]

mod check;
mod history;
mod kit;
mod records;
mod serve;
mod settings;
mod zones;
