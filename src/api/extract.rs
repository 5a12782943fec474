//! What endpoints take out of a request's address; a fault becomes a problem document.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use hyper::body::Bytes;
use serde::de::DeserializeOwned;

use super::listen::Stalled;
use super::problem::{TooLarge, TooSlow};
use super::{BODY_SIZE_MAX, Problem};
use crate::limits::JSON_DEPTH_MAX;
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Fault, text};

/// What requests and answers are written in, except zone files and backups.
const JSON: &str = "application/json";

/// The `{zone}` of a path, in lower case.
pub(super) struct ZoneName(pub(super) Name);

impl<S: Send + Sync> FromRequestParts<S> for ZoneName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), ZONE_HINT))?;
        zone_name(&text).map(Self)
    }
}

/// The `{zone}`, in lower case, and the `{revision}` of a path.
pub(super) struct ZoneRevision(pub(super) Name, pub(super) u64);

impl<S: Send + Sync> FromRequestParts<S> for ZoneRevision {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((zone, revision)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), ZONE_HINT))?;
        let number = revision.parse().map_err(|_| {
            Problem::bad_request(format!("`{revision}` is not a revision"), "a revision is a number, as in 17")
        })?;
        Ok(Self(zone_name(&zone)?, number))
    }
}

const ZONE_HINT: &str = "write it as in home.example; a slash in it is written %2F";

pub(super) fn zone_name(text: &str) -> Result<Name, Problem> {
    let name = text::name(text, NameRef::root()).map_err(|fault| {
        Problem::bad_request(format!("this is not the name of a zone: {}", fault.message), ZONE_HINT)
    })?;
    Ok(name.borrow().to_lower())
}

/// The `{zone}`, `{name}` and `{type}` of a path, the names in lower case.
pub(super) struct SetPath {
    pub(super) apex: Name,
    pub(super) name: Name,
    pub(super) kind: Kind,
}

impl<S: Send + Sync> FromRequestParts<S> for SetPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((zone, name, kind)) = Path::<(String, String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|fault| Problem::bad_request(fault.body_text(), ZONE_HINT))?;
        let apex = zone_name(&zone)?;
        let told = |fault: Fault| Problem::bad_request(fault.message, &fault.cure);
        let name = owner(&name, apex.borrow()).map_err(told)?;
        Ok(Self { name, kind: self::kind(&kind).map_err(told)?, apex })
    }
}

/// The owner of records of a zone, in lower case: `@`, relative to the zone, or absolute with a final dot.
pub(super) fn owner(text: &str, apex: NameRef<'_>) -> Result<Name, Fault> {
    let name = text::name(text, apex)?;
    if !name.borrow().is_within(apex) {
        let message = format!("{name} does not lie in the zone {apex}");
        return Err(Fault::error(None, message, "write a name of this zone; @ is the zone itself"));
    }
    let relative = text::name(text, NameRef::root())?;
    if !text.ends_with('.') && !apex.is_root() && relative.borrow().is_within(apex) {
        let message = format!("`{text}` has no final dot, so it would be {name}");
        let cure = format!("write {relative} for the whole name; if the other is meant, write that with its final dot");
        return Err(Fault::error(None, message, cure));
    }
    Ok(name.borrow().to_lower())
}

/// A type that records can have.
pub(super) fn kind(text: &str) -> Result<Kind, Fault> {
    match text.parse::<Kind>() {
        Ok(kind) if kind.is_meta() => {
            let message = format!("{kind} is a type that is only ever asked, never data");
            Err(Fault::error(None, message, "name a type that records can have, such as A, MX or TXT"))
        }
        Ok(kind) => Ok(kind),
        Err(fault) => {
            let message = format!("`{text}` is {fault}");
            Err(Fault::error(None, message, "write it as in A, AAAA, MX, TXT or TYPE65280"))
        }
    }
}

/// The query of a request, decoded.
pub(super) struct Queries(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Queries {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect()))
    }
}

impl Queries {
    /// Refuses every key but these: whoever mistypes a filter or a dry run must not get the whole.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self.0.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(self),
            Some((key, _)) => {
                let detail = format!("the query `{key}` is not known here");
                let hint = match known {
                    [] => "this endpoint takes no query".to_owned(),
                    known => format!("this endpoint takes {}", known.join(", ")),
                };
                Err(Problem::bad_request(detail, &hint))
            }
        }
    }

    /// The one value of a key.
    pub(super) fn one(&self, key: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.all(key);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(Problem::bad_request(format!("the query `{key}` is there twice"), "give it once")),
        }
    }

    /// All values of a key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// A number of this range.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.one(key)? else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        match text.parse().ok().filter(|number| digits && range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let hint = format!("write a number from {} to {}", range.start(), range.end());
                Err(Problem::bad_request(format!("{key} is `{text}`"), &hint))
            }
        }
    }

    /// Whether only to say what would change.
    pub(super) fn dry_run(&self) -> Result<bool, Problem> {
        match self.one("dry_run")? {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(other) => Err(Problem::bad_request(format!("dry_run is `{other}`"), "write dry_run=1")),
        }
    }
}

/// A body in JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
        let kind = kind.unwrap_or(Cow::Borrowed("none")).into_owned();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(JSON) {
            return Err(Problem::content_type(&kind, JSON));
        }
        let octets = octets(request, state).await?;
        if json_depth(&octets) > JSON_DEPTH_MAX {
            let detail = format!("the body has more than {JSON_DEPTH_MAX} arrays and objects one in another");
            return Err(Problem::bad_request(detail, "GET /v1/ shows every body"));
        }
        serde_json::from_slice(&octets).map(Self).map_err(|fault| {
            Problem::bad_request(format!("the body is not understood: {fault}"), "GET /v1/ shows every body")
        })
    }
}

/// How many arrays and objects stand one in another, at most. Told before anything is read, for a reader keeps count on
/// its stack.
fn json_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for octet in text {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => (),
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => (),
        }
    }
    deepest
}

/// The octets of a body that is not a zone file.
pub(super) async fn octets<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|fault| match fault.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("the body is larger than {BODY_SIZE_MAX} octets");
            Problem::new(TooLarge, detail, "make several changes of it, or send the whole zone as a file")
        }
        _ if Stalled::caused(&fault) => Problem::new(TooSlow, "the body did not get on".into(), "send it again"),
        _ => Problem::bad_request(format!("the request broke off: {fault}"), "send it again"),
    })
}

/// A query without any key.
pub(super) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Queries::from_request_parts(parts, state).await?.only(&[]).map(|_| Self)
    }
}

/// The query `?dry_run=1`: only say what would change.
pub(super) struct DryRun(pub(super) bool);

impl<S: Send + Sync> FromRequestParts<S> for DryRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Queries::from_request_parts(parts, state).await?.only(&["dry_run"])?.dry_run().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_arrays_and_objects_outside_of_texts() {
        let depth = |text: &str| json_depth(text.as_bytes());
        assert_eq!(depth(r#"{"ttl": 300, "values": ["a", "b"]}"#), 2);
        assert_eq!(depth(r#"["[[[[", "\"[[[[", "\\", [1], [2]]"#), 2);
        assert_eq!(depth("]]]][["), 2);
        assert_eq!(depth("1"), 0);
    }
}
