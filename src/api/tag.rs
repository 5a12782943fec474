//! Tags of what is there (`ETag`), and conditions on them (`If-Match`, `If-None-Match`; RFC 9110, sections 8.8.3 and 13.1).
//!
//! A zone's tag is its serial, which moves once with every change of the zone. A record set's tag is a hash of its content,
//! so whoever changes one set is not turned away because somebody has changed another.

use std::hash::Hasher;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::Problem;
use crate::store::Refused;
use crate::zone::{Set, Zone};

/// The tag of a zone.
pub(super) fn of_zone(zone: &Zone) -> String {
    format!("\"{}\"", zone.serial())
}

/// The tag of a record set.
pub(super) fn of_set(set: Set<'_>) -> String {
    let mut hash = SipHasher13::new();
    hash.write_u32(set.ttl());
    for data in set.rdatas() {
        hash.write_usize(data.len());
        hash.write(data);
    }
    format!("\"{:032x}\"", hash.finish128().as_u128())
}

/// The tag of what these octets are.
pub(super) fn of_octets(octets: &[u8]) -> String {
    let mut hash = SipHasher13::new();
    hash.write(octets);
    format!("\"{:032x}\"", hash.finish128().as_u128())
}

/// The tag as a header.
pub(super) fn header(tag: &str) -> [(HeaderName, HeaderValue); 1] {
    [(header::ETAG, HeaderValue::from_str(tag).unwrap_or(HeaderValue::from_static("\"\"")))]
}

/// What a request says must be so, or must not be so, for it to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    matching: Option<Vec<String>>,
    excluding: Option<Vec<String>>,
}

impl Conditions {
    /// Reads both headers.
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let (matching, excluding) = (tags(headers, header::IF_MATCH)?, tags(headers, header::IF_NONE_MATCH)?);
        Ok(Self { matching, excluding })
    }

    /// Whether they hold where `current` is the tag of what is there.
    pub(super) fn hold(&self, current: Option<String>) -> Result<(), Refused> {
        let named = |tags: &[String], weak| current.as_deref().is_some_and(|current| is_named(tags, current, weak));
        let matches = self.matching.as_deref().is_none_or(|tags| named(tags, false));
        let excluded = self.excluding.as_deref().is_some_and(|tags| named(tags, true));
        if matches && !excluded { Ok(()) } else { Err(Refused::Stale { current }) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// The tags of what somebody who reads has already (`If-None-Match`).
pub(super) struct Known(Vec<String>);

impl Known {
    /// The answer, with its tag: without a body if the reader has this already.
    pub(super) fn answer(&self, current: &str, body: impl IntoResponse) -> Response {
        match is_named(&self.0, current, true) {
            true => (StatusCode::NOT_MODIFIED, header(current)).into_response(),
            false => (header(current), body).into_response(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        tags(&parts.headers, header::IF_NONE_MATCH).map(Option::unwrap_or_default).map(Self)
    }
}

/// `If-Match` compares strongly: a weak tag is never the same. `If-None-Match` compares weakly.
fn is_named(tags: &[String], current: &str, weak: bool) -> bool {
    let same = |tag: &String| tag == "*" || tag == current || (weak && tag.strip_prefix("W/") == Some(current));
    tags.iter().any(same)
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Vec<String>>, Problem> {
    let mut tags = None::<Vec<String>>;
    for value in headers.get_all(&name) {
        let text = value.to_str().unwrap_or_default();
        let Some(read) = read(text) else {
            let detail = format!("the header {name} holds `{text}`, which is no tag");
            return Err(Problem::bad_request(detail, "send the ETag of an answer with its quotes, or * alone"));
        };
        tags.get_or_insert_default().extend(read);
    }
    Ok(tags)
}

/// The tags of one header: `*`, or a list of `"..."` and `W/"..."` (RFC 9110, section 8.8.3). A comma between quotes belongs to
/// the tag.
fn read(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim();
    if rest == "*" {
        return Some(vec![rest.to_owned()]);
    }
    let mut tags = Vec::new();
    loop {
        let (weak, quoted) = rest.strip_prefix("W/").map_or(("", rest), |quoted| ("W/", quoted));
        let (tag, behind) = quoted.strip_prefix('"')?.split_once('"')?;
        if tag.contains([' ', '\t']) {
            return None;
        }
        tags.push(format!("{weak}\"{tag}\""));
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(tags);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(name: HeaderName, value: &str, current: Option<&str>) -> bool {
        let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
        Conditions::read(&headers).unwrap().hold(current.map(Into::into)).is_ok()
    }

    #[test]
    fn conditions_are_those_of_rfc_9110() {
        for (value, current, matches, excludes) in [
            ("*", Some("\"a\""), true, false),
            ("*", None, false, true),
            ("\"a\"", Some("\"a\""), true, false),
            ("\"b\", \"a\"", Some("\"a\""), true, false),
            ("\"b,\\\" ,W/\"c\"\t,\"a\"", Some("\"a\""), true, false),
            ("\"b\"", Some("\"a\""), false, true),
            ("\"b\"", None, false, true),
            ("W/\"a\"", Some("\"a\""), false, false),
        ] {
            assert_eq!(holds(header::IF_MATCH, value, current), matches, "If-Match: {value}, {current:?}");
            assert_eq!(holds(header::IF_NONE_MATCH, value, current), excludes, "If-None-Match: {value}, {current:?}");
        }
        assert!(Conditions::default().hold(None).is_ok());
        for wrong in
            ["", "a", "\"a", "\"", "\"a\" \"b", "\"a\",", ",\"a\"", "*, \"a\"", "w/\"a\"", "W/", "\"a b\"", "\"a\"b"]
        {
            let headers = HeaderMap::from_iter([(header::IF_MATCH, wrong.parse().unwrap())]);
            assert!(Conditions::read(&headers).is_err(), "{wrong}");
        }
    }
}
