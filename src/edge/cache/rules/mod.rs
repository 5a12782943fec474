//! Which answers may be kept, for how long, and for whom (RFC 9111, RFC 5861). A function of two heads and the time.
//!
//! The rules of a shared cache are those of the crate `http-cache-semantics`. It takes directives only in lower case, so it is given
//! them in lower case; and around it stand rules that only ever keep less: nothing with a cookie in it, nothing by guesswork,
//! and what was asked for by somebody who says who it is (`Authorization`, `Cookie`) only if the app says that it is for everybody.

use std::time::{Duration, SystemTime};

use http_cache_semantics::{CacheOptions, CachePolicy};
use hyper::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, COOKIE, DATE, ETAG, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, PRAGMA, SET_COOKIE, VARY,
};
use hyper::http::{request, response};
use hyper::{Method, Request, Response, StatusCode};

use crate::edge::headers::names;
use crate::route::Cache as Wanted;

/// Fields that an answer may vary by.
const VARY_MAX: usize = 8;
/// Nothing is fresh for longer than a year, whatever it says.
const LIFETIME_MAX: Duration = Duration::from_secs(31_536_000);

/// What may be done with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Verdict {
    /// How old it was when it came.
    pub(super) age: Duration,
    /// At which age it stops being fresh; zero: it is always asked for again.
    pub(super) fresh: Duration,
    /// For how long after that it may be shown while it is asked for again.
    pub(super) while_asking: Duration,
    /// For how long after that it may be shown if the app fails.
    pub(super) if_error: Duration,
    /// Whether the app says that it is for everybody.
    pub(super) open: bool,
    /// By which fields of the request it varies.
    pub(super) vary: Vec<HeaderName>,
}

/// The directives of `Cache-Control`, in lower case.
pub(super) struct Directives(String);

impl Directives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = headers.get_all(CACHE_CONTROL).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        Self(all.collect::<Vec<_>>().join(",").to_ascii_lowercase())
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.split(',').map(|directive| directive.split_once('=').unwrap_or((directive, "")));
        pairs.map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all().any(|(found, _)| found == name)
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        let (_, value) = self.all().find(|(found, _)| *found == name)?;
        value.parse().ok().map(Duration::from_secs)
    }
}

/// Whether a request says who it is from.
pub(super) fn is_personal(headers: &HeaderMap, wanted: &Wanted) -> bool {
    headers.contains_key(AUTHORIZATION) || (!wanted.ignore_cookies && headers.contains_key(COOKIE))
}

/// What may be done with the answer to a GET; none if it is not to be kept.
///
/// `known` tells whether the route found out who asks (by password, certificate, or somebody else's word) and told the app, in fields
/// of which the cache knows nothing.
pub(super) fn judge(
    asked: &request::Parts,
    came: &response::Parts,
    wanted: &Wanted,
    known: bool,
    now: SystemTime,
) -> Option<Verdict> {
    let (request, response) = (&asked.headers, &came.headers);
    let (wish, word) = (Directives::of(request), Directives::of(response));
    let kind = response.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let refused = wish.has("no-store")
        || response.contains_key(SET_COOKIE)
        || response.contains_key(CONTENT_RANGE)
        || came.status == StatusCode::PARTIAL_CONTENT
        || kind.starts_with(b"text/event-stream");
    let open = word.has("public") || word.has("s-maxage");
    let may_share = open || (word.has("must-revalidate") && !known && !request.contains_key(COOKIE));
    if refused || ((known || is_personal(request, wanted)) && !may_share) {
        return None;
    }
    let mut vary = vary(response)?;
    if response.contains_key(CONTENT_ENCODING) && !vary.iter().any(|name| name == "accept-encoding") {
        vary.push(HeaderName::from_static("accept-encoding")); // an app that forgot it
    }
    let policy = policy(asked, came, &word, wanted, now);
    if !policy.is_storable() {
        return None;
    }
    let fresh = policy.time_to_live(now).saturating_add(policy.age(now)).min(LIFETIME_MAX);
    let fresh = if policy.is_stale(now) { Duration::ZERO } else { fresh };
    let age = apparent_age(response, now).max(policy.age(now));
    let never_stale = ["must-revalidate", "proxy-revalidate", "no-cache"].iter().any(|name| word.has(name));
    // s-maxage alone forbids it too (section 4.2.4), but who writes a stale-... beside it means it.
    let stale = |name, default: u32| match never_stale {
        true => Duration::ZERO,
        false => word.seconds(name).unwrap_or(Duration::from_secs(default.into())).min(LIFETIME_MAX),
    };
    let if_error = if word.has("s-maxage") { 0 } else { wanted.stale_if_error_seconds };
    let verdict = Verdict {
        age,
        fresh,
        while_asking: stale("stale-while-revalidate", 0),
        if_error: stale("stale-if-error", if_error),
        open,
        vary,
    };
    let has_validator = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);
    let is_of_use = age < fresh || has_validator || verdict.while_asking + verdict.if_error > Duration::ZERO;
    is_of_use.then_some(verdict)
}

/// The library's opinion of the exchange.
fn policy(
    asked: &request::Parts,
    came: &response::Parts,
    word: &Directives,
    wanted: &Wanted,
    now: SystemTime,
) -> CachePolicy {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = asked.uri.clone();
    if let Some(credentials) = asked.headers.get(AUTHORIZATION) {
        request.headers_mut().insert(AUTHORIZATION, credentials.clone());
    }
    let mut response = Response::new(());
    *response.status_mut() = came.status;
    let headers = response.headers_mut();
    for name in [AGE, DATE, EXPIRES, LAST_MODIFIED, PRAGMA, VARY] {
        came.headers.get_all(&name).iter().for_each(|value| {
            headers.append(&name, value.clone());
        });
    }
    let silent = word.0.is_empty() && !came.headers.contains_key(EXPIRES) && !came.headers.contains_key(PRAGMA);
    let usual = [200, 203, 301, 308, 404, 410].contains(&came.status.as_u16());
    if let Ok(words) = HeaderValue::from_str(&word.0)
        && !word.0.is_empty()
    {
        headers.insert(CACHE_CONTROL, words);
    } else if silent && usual && wanted.default_seconds > 0 && !is_personal(&asked.headers, wanted) {
        let words = format!("max-age={}", wanted.default_seconds);
        HeaderValue::try_from(words).into_iter().for_each(|words| drop(headers.insert(CACHE_CONTROL, words)));
    } else if !word.0.is_empty() {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store")); // it says something that is no text
    }
    let options = CacheOptions {
        shared: true,
        cache_heuristic: 0.0,
        immutable_min_time_to_live: Duration::ZERO,
        ignore_cargo_cult: false,
    };
    CachePolicy::new_options(&request, &response, now, options)
}

/// How old an answer is by its own date (RFC 9111, section 4.2.3). The library looks at `Age` only.
fn apparent_age(headers: &HeaderMap, now: SystemTime) -> Duration {
    let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    date.and_then(|date| now.duration_since(date).ok()).unwrap_or_default()
}

/// The fields of the request that the answer varies by; none if nobody can know.
fn vary(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut fields = Vec::new();
    for value in headers.get_all(VARY) {
        value.to_str().ok()?;
        for name in names(value) {
            let name = HeaderName::from_bytes(name.as_bytes()).ok().filter(|name| name != "*")?;
            if !fields.contains(&name) {
                fields.push(name);
            }
        }
    }
    (fields.len() <= VARY_MAX).then_some(fields)
}

/// The kept head with what a 304 says anew (RFC 9111, section 3.2). What belongs to the octets of the body stays.
pub(super) fn freshened(kept: &HeaderMap, said: &HeaderMap) -> HeaderMap {
    const OF_THE_BODY: [&str; 6] =
        ["content-length", "content-encoding", "content-range", "content-type", "content-md5", "content-digest"];
    let mut headers = kept.clone();
    headers.remove(AGE);
    for name in said.keys().filter(|name| !OF_THE_BODY.contains(&name.as_str())) {
        headers.remove(name);
        said.get_all(name).iter().for_each(|value| {
            headers.append(name, value.clone());
        });
    }
    headers
}

#[cfg(test)]
mod tests;
