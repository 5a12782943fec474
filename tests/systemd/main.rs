//! Freehold as a systemd service: sockets that are handed over, what systemd is told, restarts under load, the units
//! and the script that installs them. Most tests play systemd themselves; `boot` starts a real one, where the
//! machine allows it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod boot;
mod install;
mod kit;
mod load;
mod sockets;
mod units;
mod web;
