//! DNS over TLS, over QUIC and over HTTPS, asked by clients that are none of ours: rustls, quinn, hickory's, curl.
//!
//! What the answers are is the business of other tests: here they have to be those that TCP gives. kdig and a resolver that asks
//! over TLS are in `tests/dig`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop right there")]

mod https;
mod kit;
mod quic;
mod tls;
