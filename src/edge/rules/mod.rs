//! What a route asks of its requests beyond where they go ([`crate::route::Options`]): who may come, how often, what the app is
//! told, what the client is told.
//!
//! Three moments, each one call in `proxy.rs`: [`admit`] before anything else is done, the cheapest question first; [`prepare`] when the
//! head is as the app gets it, so that nothing a client forged or named in `Connection` can undo it; [`finish`] over every
//! answer along the route, pages of failures too. A route without rules passes each with one comparison.

mod certificate;
mod guard;
mod password;
mod rate;
mod security;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};

use super::admit::Asked;
use super::exchange::Exchange;
use super::failure::Failure;
use super::forwarded::Origin;
use super::inflow::Inflow;
use crate::route::Route;
use crate::route::options::{FieldName, Given, Options};
use password::{Guesser, Passwords};
use rate::Rates;

const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_USER: HeaderName = HeaderName::from_static("x-forwarded-user");

/// What is remembered between requests, by all threads together. All of it is bounded.
pub(super) struct Memory {
    rates: Rates,
    passwords: Passwords,
}

impl Memory {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { rates: Rates::new()?, passwords: Passwords::new()? })
    }
}

/// A request along a route with rules.
pub(super) struct Ruled {
    route: Arc<Route>,
    /// The host that is asked for, with its port.
    host: HeaderValue,
    /// Whom the request is from.
    origin: Origin,
    /// Fields that the answer gets beside its own.
    told: RefCell<HeaderMap>,
    /// Fields that the app is told, in place of the client's.
    copied: RefCell<HeaderMap>,
}

impl Ruled {
    /// The port that the request is from. Of a client behind a trusted proxy only the address is known.
    pub(super) fn source(&self, peer: SocketAddr) -> SocketAddr {
        let port = if peer.ip() == self.origin.address { peer.port() } else { 0 };
        SocketAddr::new(self.origin.address, port)
    }

    /// What the route asks for.
    pub(super) fn options(&self) -> &Options {
        self.route.options()
    }
}

/// Whether a request may go on: nothing if so, an answer if it gets that instead.
pub(super) async fn admit(
    request: &Request<Inflow>,
    route: &Arc<Route>,
    (asked, origin): (&Asked, Origin),
    exchange: &Rc<Exchange>,
) -> Result<Option<Response<()>>, Failure> {
    let options = route.options();
    if !options.has_rules() {
        return Ok(None);
    }
    let ruled = exchange.ruled.get_or_init(|| {
        Rc::new(Ruled {
            route: Arc::clone(route),
            host: asked.authority.clone(),
            origin,
            told: RefCell::default(),
            copied: RefCell::default(),
        })
    });
    let memory = &exchange.client.worker.shared.rules;
    if !options.access.admits(origin.address) {
        return Err(Failure::NetworkRefused);
    }
    if let Some(limit) = &options.rate_limit {
        memory.rates.ask(limit, route.id(), origin.address, &mut ruled.told.borrow_mut())?;
    }
    if let Some(wanted) = &options.client_certificate {
        certificate::admit(wanted, exchange, &mut ruled.copied.borrow_mut())?;
    }
    if let Some(auth) = &options.basic_auth {
        let guesser = Guesser { rates: &memory.rates, route: route.id(), client: origin.address };
        let user = memory.passwords.admit(auth, request.headers(), &guesser, &ruled.told).await?;
        ruled.copied.borrow_mut().insert(X_FORWARDED_USER, user.0.clone());
    }
    if let Some(auth) = &options.forward_auth
        && let Some(answer) = guard::ask(auth, request, origin, ruled, exchange).await?
    {
        return Ok(Some(answer));
    }
    match options.body_size_max {
        Some(most) if announced(request.headers()) > most => Err(Failure::BodyTooLarge),
        Some(_) | None => Ok(None),
    }
}

/// Octets of the body as the head announces them.
fn announced(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Makes the head what the app gets. Behind `rest` octets of its path begins what the route's own path leaves.
pub(super) fn prepare(head: &mut Parts, rest: usize, exchange: &Exchange) -> Result<(), Failure> {
    let Some(ruled) = exchange.ruled.get() else { return Ok(()) };
    let options = ruled.route.options();
    rewrite(head, rest, &ruled.route)?;
    if options.basic_auth.as_ref().is_some_and(|auth| !auth.keep_authorization) {
        head.headers.remove(AUTHORIZATION);
    }
    if options.client_certificate.is_some() {
        certificate::FIELDS.into_iter().for_each(|name| drop(head.headers.remove(name)));
    }
    for name in options.forward_auth.iter().flat_map(|auth| &auth.copy).filter_map(Given::meaning) {
        take_off(&mut head.headers, name);
    }
    for (name, value) in &*ruled.copied.borrow() {
        head.headers.append(name, value.clone());
    }
    options.headers.request.apply(&mut head.headers);
    Ok(())
}

/// Takes off what a client may have forged, in every spelling that an app could take for it.
fn take_off(headers: &mut HeaderMap, FieldName(name): &FieldName) {
    let same = |other: &&HeaderName| other.as_str().replace('_', "-") == name.as_str().replace('_', "-");
    let forged: Vec<HeaderName> = headers.keys().filter(same).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

fn rewrite(head: &mut Parts, rest: usize, route: &Route) -> Result<(), Failure> {
    let rule = &route.options().path;
    if !rule.strip && rule.prefix.is_none() {
        return Ok(());
    }
    let fault = Failure::Unsound("The path of the request leads somewhere else than it says.");
    let target = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rewritten = rule.rewrite(target, rest).and_then(|text| PathAndQuery::try_from(text).ok());
    let mut parts = head.uri.clone().into_parts();
    parts.path_and_query = Some(rewritten.ok_or_else(|| fault.clone())?);
    head.uri = Uri::from_parts(parts).map_err(|_| fault)?;
    if rule.strip && !route.path().is_root() {
        tell_prefix(&mut head.headers, route);
    }
    Ok(())
}

/// Tells the app where it stands. What a trusted proxy has taken off before comes first.
fn tell_prefix(headers: &mut HeaderMap, route: &Route) {
    let before = headers.get(X_FORWARDED_PREFIX).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let prefix = format!("{}{}", before.trim_end_matches('/'), route.path().encoded());
    if let Ok(value) = HeaderValue::try_from(prefix) {
        headers.insert(X_FORWARDED_PREFIX, value);
    }
}

/// Completes an answer.
pub(super) fn finish(headers: &mut HeaderMap, exchange: &Exchange) {
    let Some(ruled) = exchange.ruled.get() else { return };
    let options = ruled.route.options();
    for (name, value) in &*ruled.told.borrow() {
        headers.append(name, value.clone());
    }
    if options.security_headers {
        security::complete(headers, ruled.origin.secure);
    }
    options.headers.response.apply(headers);
}
