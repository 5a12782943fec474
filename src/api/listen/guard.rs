//! What keeps the API from being used through somebody's browser: whose host a request is for, which page it comes from,
//! and what a browser may do with the answer.
//!
//! A page anywhere can make a browser ask `http://localhost:8053`, and by DNS rebinding under a name of its own. Neither gets
//! through: the host has to be one of ours, and no request of a page is taken, whatever its method. There are no CORS headers
//! at all.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::super::caller::Caller;
use super::super::problem::{CrossSite, Problem, WrongHost};
use super::super::settings::{HostName, Listen, Settings};

/// The pages that show the API to people, and what is below the last. A link to them may stand anywhere.
const PAGES: [&str; 3] = ["/", "/v1", "/v1/"];
const PROBLEMS: &str = "/problems/";

/// Headers of every answer, unless it has its own: it is nobody else's business, is what it says it is, and may do nothing
/// in a browser.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What requests may be for.
pub(in crate::api) struct Hosts {
    known: HashSet<HostName>,
}

impl Hosts {
    /// The addresses that are listened at, and the names that were given.
    pub(in crate::api) fn of(settings: &Settings) -> Arc<Self> {
        let listen = settings.listen.as_deref().unwrap_or(&Listen::DEFAULT);
        let listen = listen.iter().map(|listen| listen.0.ip()).filter(|address| !address.is_unspecified());
        let mut known: HashSet<HostName> = listen.map(HostName::from).collect();
        known.extend(HostName::read("localhost"));
        known.extend(settings.names.iter().cloned());
        Arc::new(Self { known })
    }

    /// Whether a host is this server. `local` is the address that was reached: listening everywhere, each is ours.
    fn has(&self, host: &HostName, local: IpAddr) -> bool {
        let is_address = |address: IpAddr| address.is_loopback() || address.to_canonical() == local.to_canonical();
        self.known.contains(host) || host.address().is_some_and(is_address)
    }

    fn check(&self, parts: &Parts, local: IpAddr) -> Result<(), Problem> {
        let mut hosts = parts.headers.get_all(header::HOST).iter().map(|host| host.to_str().ok()?.parse().ok());
        let first = hosts.next();
        if hosts.next().is_some() {
            return Err(bad_host("the request has several Host headers"));
        }
        let told: Vec<Option<Authority>> = first.into_iter().chain(parts.uri.authority().cloned().map(Some)).collect();
        if told.is_empty() {
            return Err(bad_host("the request does not say for which host it is"));
        }
        for authority in told {
            let host = authority.as_ref().and_then(host_of).ok_or_else(|| bad_host("the Host header is no host"))?;
            if !self.has(&host, local) {
                return Err(not_ours(&host));
            }
        }
        Ok(())
    }
}

/// The host of `host`, `host:port` and nothing else.
fn host_of(authority: &Authority) -> Option<HostName> {
    let is_whole = authority.as_str() == authority.host() || authority.port_u16().is_some();
    let has_user = authority.as_str().contains('@');
    HostName::read(authority.host()).filter(|_| is_whole && !has_user)
}

/// RFC 9112, section 3.2: 400 and nothing else.
fn bad_host(detail: &str) -> Problem {
    Problem::bad_request(detail.into(), "send one Host header with the name or address that was connected to")
}

fn not_ours(host: &HostName) -> Problem {
    let detail = format!("{host} is not a name of this server");
    let hint = "use the address it listens at, or add the name to `names` below [admin] in the settings file";
    Problem::new(WrongHost, detail, hint)
}

/// Lets a request pass that comes neither from a page nor for another host.
pub(in crate::api) async fn admit(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let local = match parts.extensions.get::<ConnectInfo<Caller>>() {
        Some(ConnectInfo(Caller::Network { local, .. })) => Some(*local),
        // No browser reaches a Unix socket, and no name leads there.
        Some(ConnectInfo(Caller::Here(_) | Caller::Socket(_))) | None => None,
    };
    let checked = local.map_or(Ok(()), |local| hosts.check(&parts, local)).and_then(|()| of_no_page(&parts));
    match checked {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// Browsers say where a request comes from: `Origin` with all that can change something, `Sec-Fetch-Site` with
/// everything.
fn of_no_page(parts: &Parts) -> Result<(), Problem> {
    let path = parts.uri.path();
    let is_read = matches!(parts.method, Method::GET | Method::HEAD);
    let is_page = is_read && (PAGES.contains(&path) || path.starts_with(PROBLEMS));
    let site = parts.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let foreign = site.is_some_and(|site| !matches!(site, b"none" | b"same-origin"));
    if is_page || !foreign && !parts.headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let detail = "the request comes from a web page".to_owned();
    let hint = "the API is for programs; use the freehold command, curl, or the like";
    Err(Problem::new(CrossSite, detail, hint))
}

/// Gives an answer its headers.
pub(in crate::api) async fn dress(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Arc<Hosts> {
        let listen = ["192.0.2.1", "[::]:443"].map(|text| Listen::try_from(text.to_owned()).unwrap());
        let names = vec![HostName::try_from("DNS.example.com".to_owned()).unwrap()];
        Hosts::of(&Settings { listen: Some(listen.into()), names, ..Settings::default() })
    }

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_hosts_of_ours_are_answered() {
        let local: IpAddr = "::ffff:198.51.100.7".parse().unwrap();
        let status = |uri: &str, hosts_told: &[&str]| {
            let headers: Vec<_> = hosts_told.iter().map(|host| ("host", *host)).collect();
            hosts().check(&parts(uri, &headers), local).map_or_else(|problem| problem.status, |()| 200)
        };
        for ours in [
            "localhost",
            "LOCALHOST.:8053",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:8053",
            "192.0.2.1",
            "dns.example.com:8053",
            "198.51.100.7:8053",
        ] {
            assert_eq!(status("/", &[ours]), 200, "{ours}");
        }
        for theirs in ["evil.example", "localhost.evil.example", "198.51.100.8", "[::]", "0.0.0.0", "2130706433"] {
            assert_eq!(status("/", &[theirs]), 421, "{theirs}");
        }
        for broken in ["", "a b", "user@localhost", "[::1", "localhost:x"] {
            assert_eq!(status("/", &[broken]), 400, "{broken}");
        }
        assert_eq!(status("/", &[]), 400);
        assert_eq!(status("/", &["localhost", "localhost"]), 400);
        assert_eq!(status("http://localhost/", &[]), 200, "HTTP/2 says it in the address");
        assert_eq!(status("http://evil.example/", &["localhost"]), 421);
        assert_eq!(status("http://localhost/", &["evil.example"]), 421);
    }

    #[test]
    fn no_page_gets_through() {
        let status = |uri: &str, headers: &[(&str, &str)]| {
            of_no_page(&parts(uri, headers)).map_or_else(|problem| problem.status, |()| 200)
        };
        assert_eq!(status("/v1/zones", &[]), 200);
        assert_eq!(status("/v1/zones", &[("sec-fetch-site", "none")]), 200, "typed in by hand");
        assert_eq!(status("/v1/zones", &[("sec-fetch-site", "same-origin")]), 200);
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost:8053"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(status("/v1/zones", headers), 403, "{headers:?}");
            assert_eq!(status("/v1/", headers), 200, "{headers:?}");
            assert_eq!(status("/problems/stale", headers), 200, "{headers:?}");
        }
    }
}
