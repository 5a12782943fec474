//! HTTP/3: the same routes as over TCP, by another library's client (h3, which shares nothing with ours but quinn), by one of another
//! house (ngtcp2) and by octets of the test's own.

mod attacks;
mod client;
mod moves;
mod offer;
mod protocol;
mod requests;
mod streams;

use freehold::edge::Settings;

use super::kit;

/// Settings for one thread, and one for HTTP/3.
fn settings() -> Settings {
    Settings { http3: true, ..kit::settings() }
}

/// An edge that serves HTTP/3.
fn start(routes: &[(&str, &str)]) -> kit::Edge {
    kit::Edge::with(routes.iter().map(|(from, target)| kit::route(from, target)), settings())
}
