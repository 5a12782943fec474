//! What a failed request gets: a problem document (RFC 9457) that says what is wrong and what to do next.
//!
//! The inner reason of a failure on our side goes to the log, not to the client.

use std::io;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::types::plain;
use crate::wire::Name;
use crate::zone::text::Source;
use crate::zone::{Fault, Severity};

const ERROR: &str = "error";
const WARNING: &str = "warning";

/// A problem document (RFC 9457, section 3.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// The kind of problem, for programs: a reference relative to the API's own address.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// The kind of problem, for people.
    pub title: Box<str>,
    /// The HTTP status code.
    pub status: u16,
    /// What is wrong this time, naming the culprit.
    pub detail: String,
    /// What to do next.
    pub hint: String,
    /// The faults of a zone file or of records, all of them, in their order there.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub faults: Box<[ZoneFault]>,
    /// The tag of what is there now, when the one in the request is out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<str>>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneFault {
    /// `error` (the zone is refused) or `warning`.
    pub severity: String,
    /// The field of the request, if the fault stands in one: a JSON pointer (RFC 6901) such as `/values/0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The file, if the fault stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, in octets from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u16>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub cure: String,
}

impl Problem {
    /// A problem of the kind whose name ends `type`; `title` is the same for all of that kind.
    pub(super) fn new(status: StatusCode, kind: &str, title: &str, detail: String, hint: &str) -> Self {
        Self {
            kind: format!("/problems/{kind}").into(),
            title: title.into(),
            status: status.as_u16(),
            detail,
            hint: hint.into(),
            faults: Box::default(),
            current: None,
        }
    }

    /// 400: the request makes no sense.
    pub(super) fn bad_request(detail: String, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request is not understood", detail, hint)
    }

    /// 404: no such zone.
    pub(super) fn no_zone(apex: &Name) -> Self {
        let detail = format!("there is no zone {}", plain(apex.borrow()));
        let hint = "`freehold zone list`, or GET /v1/zones, shows all zones";
        Self::new(StatusCode::NOT_FOUND, "no-such-zone", "No such zone", detail, hint)
    }

    /// 404: no such path.
    pub(super) fn no_path(path: &str) -> Self {
        let detail = format!("there is nothing at {path}");
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail, "see the manual for the paths below /v1")
    }

    /// 409: what is there is not what the request takes for granted.
    pub(super) fn conflict(detail: String, hint: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Changed in the meantime", detail, hint)
    }

    /// 422: the zone file has faults.
    pub(super) fn bad_zone(zone: &str, faults: Vec<ZoneFault>) -> Self {
        let errors = faults.iter().filter(|fault| fault.severity == ERROR).count();
        let detail = format!("{zone} has {errors} {}", if errors == 1 { "error" } else { "errors" });
        let hint = "mend the faults listed and send the whole file again; nothing was changed";
        let title = "The zone is not ready to be served";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-zone", title, detail, hint);
        problem.faults = faults.into();
        problem
    }

    /// 422: values of the request are not what their types need.
    pub(super) fn bad_values(faults: Vec<ZoneFault>) -> Self {
        let title = "The request has wrong values";
        Self::of_faults(StatusCode::UNPROCESSABLE_ENTITY, "bad-values", title, "values are wrong", faults)
    }

    /// 409: the zone would not be sound.
    pub(super) fn zone_rule(faults: &[Fault]) -> Self {
        let title = "The zone does not allow this";
        let faults = ZoneFault::list(faults, &[]);
        Self::of_faults(StatusCode::CONFLICT, "zone-rule", title, "rules of the zone would be broken", faults)
    }

    /// One fault speaks for itself; of several it is said how many.
    fn of_faults(status: StatusCode, kind: &str, title: &str, many: &str, faults: Vec<ZoneFault>) -> Self {
        let (detail, hint) = match &faults[..] {
            [one] => (one.message.clone(), one.cure.clone()),
            all => (format!("{} {many}", all.len()), "see the faults listed; nothing was changed".to_owned()),
        };
        Self { faults: faults.into(), ..Self::new(status, kind, title, detail, &hint) }
    }

    /// 412: `current` is the tag of what is there now.
    pub(super) fn stale(current: Option<&str>) -> Self {
        let detail = match current {
            Some(tag) => format!("what is there now has the tag {tag}, which the request's conditions exclude"),
            None => "nothing is there, and the request has the condition that something is".to_owned(),
        };
        let hint = "read it again, decide again, and send that tag in If-Match";
        let title = "It is not what the request was made for";
        let problem = Self::new(StatusCode::PRECONDITION_FAILED, "stale", title, detail, hint);
        Self { current: current.map(Into::into), ..problem }
    }

    /// 408: what the client sends does not come.
    pub(super) fn too_slow(detail: &str) -> Self {
        let (status, hint) = (StatusCode::REQUEST_TIMEOUT, "send it again, over a better line if there is one");
        Self::new(status, "too-slow", "The request is too slow", detail.to_owned(), hint)
    }

    /// 415: `wanted` is the only content type that is taken here.
    pub(super) fn content_type(found: &str, wanted: &str) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let hint = format!("send the header Content-Type: {wanted}");
        Self::new(status, "content-type", "Wrong content type", format!("the content type is {found}"), &hint)
    }

    /// 503: not now. `reason` ends with what to do, behind its last colon.
    pub(super) fn unavailable(kind: &str, title: &str, reason: &str) -> Self {
        let (detail, hint) = reason.rsplit_once(": ").unwrap_or((reason, "try again"));
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, title, detail.to_owned(), hint)
    }

    /// 500: our fault. The reason is logged; the client learns that it was not its own mistake.
    pub(super) fn internal(reason: &dyn std::fmt::Display) -> Self {
        tracing::error!(%reason, "an admin request failed");
        let hint = "look at the server's log; if it tells you nothing, report it as a bug";
        let detail = "the server could not do this, and the fault is its own".to_owned();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke", detail, hint)
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
        let mut response = (status, Json(self)).into_response();
        if let Some(tag) = current {
            response.headers_mut().insert(header::ETAG, tag);
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}
