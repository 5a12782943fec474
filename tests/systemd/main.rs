//! Freehold as a systemd service: sockets that are handed over, what systemd is told, restarts under load, the units
//! and the script that installs them. The tests play systemd themselves; its own tools are used where they are there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod install;
mod kit;
mod load;
mod sockets;
mod units;
