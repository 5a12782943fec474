//! The edge, asked by real clients, with real and with wilful apps behind it.
//!
//! Most apps are small servers of the tests that keep what they were sent, octet by octet ([`app`]); nginx and Python stand
//! behind it where what matters is that others understand it. Clients are sockets of the tests where every octet counts
//! ([`client`]), and curl, h2load and Python else. Where a tool is missing, a line says so; `tests/setup` installs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

mod app;
mod client;
mod kit;

mod balance;
mod cache;
mod changes;
mod compress;
mod direct;
mod direct_http2;
mod failures;
mod files;
mod headers;
mod health;
mod http3;
mod limits;
mod names;
mod passage;
mod rules;
mod rules_auth;
mod rules_certificates;
mod rules_limits;
mod rules_proxy;
mod smuggling;
mod sockets;
mod streams;
mod tools;
