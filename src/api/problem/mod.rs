//! What a failed request gets: a problem document (RFC 9457) that says what is wrong and what to do next.
//!
//! The inner reason of a failure on our side goes to the log, not to the client. The types of problems stand in one
//! [`table`].

use std::io;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::types::plain;
use crate::access::Limit;
use crate::wire::Name;
use crate::zone::text::Source;
use crate::zone::{Fault, Severity};

mod table;

pub(super) use table::*;

const ERROR: &str = "error";
const WARNING: &str = "warning";

/// A problem document (RFC 9457, section 3.1).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(examples(json!({
    "type": "/problems/bad-values", "title": "The request has wrong values", "status": 422,
    "detail": "MX preference must be a number from 0 to 65535",
    "hint": "write a number from 0 to 65535 instead of \"70000\"",
    "faults": [{
        "severity": "error", "field": "/values/0", "column": 1,
        "message": "MX preference must be a number from 0 to 65535",
        "cure": "write a number from 0 to 65535 instead of \"70000\"",
    }],
})))]
pub struct Problem {
    /// The type of problem, for programs: a reference relative to the API's own address.
    #[serde(rename = "type")]
    #[schema(value_type = String, format = "uri-reference", examples("/problems/bad-values"))]
    pub kind: Box<str>,
    /// The type of problem, for people.
    #[schema(value_type = String, examples("The request has wrong values"))]
    pub title: Box<str>,
    /// The HTTP status code.
    #[schema(minimum = 400, maximum = 599, examples(422))]
    pub status: u16,
    /// What is wrong this time, naming the culprit.
    #[schema(examples("MX preference must be a number from 0 to 65535"))]
    pub detail: String,
    /// What to do next.
    #[schema(examples("write a number from 0 to 65535 instead of \"70000\""))]
    pub hint: String,
    /// The faults of a zone file or of records, all of them, in their order there.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<ZoneFault>)]
    pub faults: Box<[ZoneFault]>,
    /// The tag of what is there now, when the one in the request is out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, examples("\"2026112102\""))]
    pub current: Option<Box<str>>,
    /// The limit of the token that forbids it: `rights`, `zones`, `names`, `types` or `networks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(rights|zones|names|types|networks)$",
        examples("zones"))]
    pub limit: Option<Limit>,
    /// After how many seconds the same request can succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, examples(6))]
    pub retry_after_seconds: Option<u16>,
}

/// What the system says is wrong, in the words people know: lower case, and without ` (os error 13)`.
pub fn system_reason(fault: &io::Error) -> String {
    let text = fault.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_lowercase(),
        None => text,
    }
}

/// One fault of a zone file, or of a value in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ZoneFault {
    /// `error` (the zone is refused) or `warning`.
    #[schema(pattern = "^(error|warning)$", examples("error"))]
    pub severity: String,
    /// The field of the request, if the fault stands in one: a JSON pointer (RFC 6901) such as `/values/0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "json-pointer", examples("/values/0"))]
    pub field: Option<String>,
    /// The file, if the fault stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("request"))]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, examples(12))]
    pub line: Option<u32>,
    /// The column, in octets from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, examples(1))]
    pub column: Option<u16>,
    /// What is wrong.
    #[schema(examples("MX preference must be a number from 0 to 65535"))]
    pub message: String,
    /// What to do about it.
    #[schema(examples("write a number from 0 to 65535 instead of \"70000\""))]
    pub cure: String,
}

impl Problem {
    /// A problem of this type, which the handler's annotation names too.
    pub(super) fn new<T: ProblemType>(_: T, detail: String, hint: &str) -> Self {
        Self {
            kind: T::ROW.address().into(),
            title: T::ROW.title.into(),
            status: T::ROW.status.as_u16(),
            detail,
            hint: hint.into(),
            faults: Box::default(),
            current: None,
            limit: None,
            retry_after_seconds: None,
        }
    }

    /// 400: the request makes no sense.
    pub(super) fn bad_request(detail: String, hint: &str) -> Self {
        Self::new(BadRequest, detail, hint)
    }

    /// 404: no such zone.
    pub(super) fn no_zone(apex: &Name) -> Self {
        let detail = format!("there is no zone {}", plain(apex.borrow()));
        let hint = "`freehold zone list`, or GET /v1/zones, shows all zones";
        Self::new(NoSuchZone, detail, hint)
    }

    /// 404: no such path.
    pub(super) fn no_path(path: &str) -> Self {
        let detail = format!("there is nothing at {path}");
        Self::new(NotFound, detail, "GET /v1/ shows all there is")
    }

    /// 409: what is there is not what the request takes for granted.
    pub(super) fn conflict(detail: String, hint: &str) -> Self {
        Self::new(Conflict, detail, hint)
    }

    /// 422: the zone file has faults.
    pub(super) fn bad_zone(zone: &str, faults: Vec<ZoneFault>) -> Self {
        let errors = faults.iter().filter(|fault| fault.severity == ERROR).count();
        let detail = format!("{zone} has {errors} {}", if errors == 1 { "error" } else { "errors" });
        let hint = "mend the faults listed and send the whole file again; nothing was changed";
        let mut problem = Self::new(BadZone, detail, hint);
        problem.faults = faults.into();
        problem
    }

    /// 422: values of the request are not what their types need.
    pub(super) fn bad_values(faults: Vec<ZoneFault>) -> Self {
        Self::of_faults(BadValues, "values are wrong", faults)
    }

    /// 409: the zone would not be sound.
    pub(super) fn zone_rule(faults: &[Fault]) -> Self {
        Self::of_faults(ZoneRule, "rules of the zone would be broken", ZoneFault::list(faults, &[]))
    }

    /// One fault speaks for itself; of several it is said how many.
    fn of_faults<T: ProblemType>(kind: T, many: &str, faults: Vec<ZoneFault>) -> Self {
        let (detail, hint) = match &faults[..] {
            [one] => (one.message.clone(), one.cure.clone()),
            all => (format!("{} {many}", all.len()), "see the faults listed; nothing was changed".to_owned()),
        };
        Self { faults: faults.into(), ..Self::new(kind, detail, &hint) }
    }

    /// 412: `current` is the tag of what is there now.
    pub(super) fn stale(current: Option<&str>) -> Self {
        let detail = match current {
            Some(tag) => format!("what is there now has the tag {tag}, which the request's conditions exclude"),
            None => "nothing is there, and the request has the condition that something is".to_owned(),
        };
        let hint = "read it again, decide again, and send that tag in If-Match";
        Self { current: current.map(Into::into), ..Self::new(Stale, detail, hint) }
    }

    /// 415: `wanted` is the only content type that is taken here.
    pub(super) fn content_type(found: &str, wanted: &str) -> Self {
        let hint = format!("send the header Content-Type: {wanted}");
        Self::new(WrongContentType, format!("the content type is {found}"), &hint)
    }

    /// 503: not now. `reason` ends with what to do, behind its last colon.
    pub(super) fn unavailable<T: ProblemType>(kind: T, reason: &str) -> Self {
        let (detail, hint) = reason.rsplit_once(": ").unwrap_or((reason, "try again"));
        Self::new(kind, detail.to_owned(), hint)
    }

    /// 500: our fault. The reason is logged; the client learns that it was not its own mistake.
    pub(super) fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "an admin request failed");
        let hint = "look at the server's log; if it tells you nothing, report it as a bug";
        let detail = "the server could not do this, and the fault is its own".to_owned();
        Self::new(Internal, detail, hint)
    }
}

impl ZoneFault {
    /// Faults as the zone-file reader and the zone's own checks report them.
    pub fn list(faults: &[Fault], files: &[Source]) -> Vec<Self> {
        faults.iter().map(|fault| Self::new(fault, files)).collect()
    }

    /// A fault in a field of a request. A value is one line nearly always, so that only the column is said.
    pub(super) fn in_field(field: String, fault: &Fault) -> Self {
        let line = fault.place.map(|place| place.line).filter(|line| *line > 1);
        Self { field: Some(field), line, ..Self::new(fault, &[]) }
    }

    fn new(fault: &Fault, files: &[Source]) -> Self {
        let severity = match fault.severity {
            Severity::Error => ERROR,
            Severity::Warning => WARNING,
        };
        Self {
            severity: severity.into(),
            field: None,
            file: fault.place.and_then(|place| files.get(usize::from(place.file))).map(|file| file.label.to_string()),
            line: fault.place.map(|place| place.line),
            column: fault.place.map(|place| place.column),
            message: fault.message.clone(),
            cure: fault.cure.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let current = self.current.as_deref().and_then(|tag| HeaderValue::from_str(tag).ok());
        let challenge = challenge(status, self.kind.ends_with(BadToken::ROW.name));
        let retry_after = self.retry_after_seconds.map(HeaderValue::from);
        let kind = Some(HeaderValue::from_static("application/problem+json"));
        let mut response = (status, Json(self)).into_response();
        for (name, value) in [
            (header::CONTENT_TYPE, kind),
            (header::ETAG, current),
            (header::WWW_AUTHENTICATE, challenge),
            (header::RETRY_AFTER, retry_after),
        ] {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// How to ask with the right token (RFC 6750, section 3).
fn challenge(status: StatusCode, has_token: bool) -> Option<HeaderValue> {
    let challenge = match (status, has_token) {
        (StatusCode::UNAUTHORIZED, false) => "Bearer realm=\"freehold\"",
        (StatusCode::UNAUTHORIZED, true) => "Bearer realm=\"freehold\", error=\"invalid_token\"",
        (StatusCode::FORBIDDEN, _) => "Bearer realm=\"freehold\", error=\"insufficient_scope\"",
        _ => return None,
    };
    Some(HeaderValue::from_static(challenge))
}
