//! Every type of problem there is, in one table: what programs call it, its status, its title, and when it comes.
//!
//! A handler's annotation names the types it may answer with, as in `responses(..., NoSuchZone, Stale)`, and
//! [`Problem::new`](super::Problem::new) takes the same names. So the description of the API, its page and the answers
//! themselves all say the same. Rejected: an enum, for annotations take types; and strings, which nobody checks.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

/// A type of problem (RFC 9457, section 3.1.1).
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Row {
    /// What programs call it: the last part of its address.
    pub(in crate::api) name: &'static str,
    pub(in crate::api) status: StatusCode,
    /// What people call it.
    pub(in crate::api) title: &'static str,
    /// When it comes.
    pub(in crate::api) when: &'static str,
}

impl Row {
    /// The `type` of the problem document: a reference relative to the API's own address.
    pub(in crate::api) fn address(&self) -> String {
        format!("/problems/{}", self.name)
    }

    /// The answer, under a key that several types with one status can have side by side. The description makes one
    /// answer of them (see [`crate::api::description`]).
    fn response(&self) -> BTreeMap<String, RefOr<Response>> {
        let key = format!("{} {}", self.status.as_u16(), self.name);
        BTreeMap::from([(key, Response::new(self.when).into())])
    }
}

/// A type that stands for a row of the table.
pub(in crate::api) trait ProblemType: IntoResponses {
    /// The row.
    const ROW: Row;
}

macro_rules! table {
    ($($type:ident $status:ident $name:literal $title:literal $when:literal)*) => {
        $(
            #[doc = $when]
            pub(in crate::api) struct $type;

            impl ProblemType for $type {
                const ROW: Row = Row { name: $name, status: StatusCode::$status, title: $title, when: $when };
            }

            impl IntoResponses for $type {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    Self::ROW.response()
                }
            }
        )*

        /// The table.
        pub(in crate::api) const ROWS: &[Row] = &[$($type::ROW),*];
    };
}

table! {
    BadRequest BAD_REQUEST "bad-request" "The request is not understood"
        "A name, type, number, query, header or the JSON is not understood."
    NoToken UNAUTHORIZED "no-token" "A token is needed"
        "No token was sent, and over the network it takes one."
    BadToken UNAUTHORIZED "bad-token" "The token is not valid"
        "What was sent is no token, or one that is not known, or that has expired."
    Forbidden FORBIDDEN "forbidden" "The token does not reach this"
        "`limit` names the limit of the token that forbids it: `rights`, `zones`, `names`, `types` or `networks`."
    CrossSite FORBIDDEN "cross-site" "Not from a web page"
        "A browser sent the request on behalf of a web page; the API is for programs."
    NotFound NOT_FOUND "not-found" "Not found"
        "There is nothing at this path."
    NoSuchZone NOT_FOUND "no-such-zone" "No such zone"
        "There is no zone of this name."
    NoSuchRecord NOT_FOUND "no-such-record" "No such record"
        "There are no records of this name and type, or not with these values."
    NoSuchRevision NOT_FOUND "no-such-revision" "No such revision"
        "The revision is not one of this zone, or so long ago that it was forgotten."
    NoSuchItem NOT_FOUND "no-such-item" "No such thing"
        "There is no such thing; perhaps it is gone by now."
    NoSuchToken NOT_FOUND "no-such-token" "No such token"
        "There is no token of this id; perhaps it was revoked."
    NoSuchCertificate NOT_FOUND "no-such-certificate" "No such certificate"
        "There is no certificate for this name, and none was asked for."
    NoSuchRoute NOT_FOUND "no-such-route" "No such route"
        "There is no route of this host and path."
    WrongMethod METHOD_NOT_ALLOWED "method" "Method not possible"
        "The path is there, but not for this method; the header `Allow` says for which."
    TooSlow REQUEST_TIMEOUT "too-slow" "The request is too slow"
        "The body took too long to arrive."
    Conflict CONFLICT "conflict" "Changed in the meantime"
        "Somebody else changed the same thing at the same time: look again, and send it again."
    Exists CONFLICT "exists" "It is there already"
        "What shall be made is there already."
    TooManyTokens CONFLICT "too-many-tokens" "There are too many tokens"
        "There are as many tokens as there can be."
    StillWanted CONFLICT "still-wanted" "It is still wanted"
        "The certificate belongs to a route, and goes with it."
    InProgress CONFLICT "in-progress" "It is being worked on"
        "A request with this `Idempotency-Key` is under way: send it again in a moment."
    ZoneRule CONFLICT "zone-rule" "The zone does not allow this"
        "The zone would not be sound: data beside a CNAME, no SOA, no name server, an alias that leads in a circle."
    OwnedByRoute CONFLICT "owned-by-route" "This belongs to a route"
        "The addresses of a route's host are the edge's; the hint says how to change them."
    NameTaken CONFLICT "name-taken" "The name is taken"
        "The name has records by hand where those of a route would stand; the hint says which to delete."
    LeadsBack CONFLICT "leads-back" "The target leads back here"
        "The target of the route is Freehold itself, or a redirect that ends where it began."
    HostPassed CONFLICT "host-passed" "The host is passed on unopened"
        "One route of a host passes connections on unopened and another would have them opened; the hint says which to delete."
    CannotUndo CONFLICT "cannot-undo" "This cannot be taken back"
        "Something newer would be lost, or it is of a kind that is not taken back; the hint says what to do instead."
    Stale PRECONDITION_FAILED "stale" "It is not what the request was made for"
        "The conditions of `If-Match` or `If-None-Match` do not hold; `current` and `ETag` are the tag of what is there."
    TooLarge PAYLOAD_TOO_LARGE "too-large" "The request is too large"
        "The body is larger than is taken here."
    WrongContentType UNSUPPORTED_MEDIA_TYPE "content-type" "Wrong content type"
        "The header `Content-Type` does not name the one that is taken here."
    WrongHost MISDIRECTED_REQUEST "wrong-host" "This is another server"
        "The host that the request is for is none of this server's names."
    BadZone UNPROCESSABLE_ENTITY "bad-zone" "The zone is not ready to be served"
        "The zone file has errors; `faults` lists all of them, with line, column and cure."
    BadValues UNPROCESSABLE_ENTITY "bad-values" "The request has wrong values"
        "Values, names or TTLs in the body are wrong; `faults` lists all of them, each with its field."
    KeyReused UNPROCESSABLE_ENTITY "key-reused" "The key was used before"
        "Another request was sent with this `Idempotency-Key`."
    TooManyGuesses TOO_MANY_REQUESTS "too-many-guesses" "Too many wrong tokens"
        "Too many tokens from this network were wrong; the header `Retry-After` says when the next is looked at."
    Internal INTERNAL_SERVER_ERROR "internal" "Something broke"
        "The fault is the server's own; its log says more."
    NotSaved SERVICE_UNAVAILABLE "not-saved" "Not saved"
        "The disk does not take the change: nothing was changed, and answers go on."
    NotReady SERVICE_UNAVAILABLE "not-ready" "Not ready"
        "Something the server is there for does not work at present; `detail` names all of it."
    Busy SERVICE_UNAVAILABLE "busy" "Too busy"
        "There are too many connections to the admin API, or tests of routes; `Retry-After` says when to come again."
    Closing SERVICE_UNAVAILABLE "closing" "Closing"
        "The server is about to end: nothing was changed."
}
