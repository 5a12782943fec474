//! Why there is no certificate yet: in the CA's own words where it said something, with what to do about it, and how soon
//! another attempt makes sense.

use std::fmt;
use std::io;

use instant_acme::{Error, Problem};

use super::plan::Cause;
use crate::cert;

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) message: String,
    pub(super) cure: String,
    pub(super) cause: Cause,
    /// Whether another CA might say yes.
    pub(super) another_ca_may_help: bool,
    /// Until when the CA wants to be left alone, in seconds since 1970.
    pub(super) wait_until: Option<u64>,
    /// The type of the CA's problem document, without its common beginning.
    pub(super) kind: Option<String>,
}

impl Trouble {
    /// One that lasts until somebody does something here.
    pub(super) fn ours(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cure: cure.into(),
            cause: Cause::Lasting,
            another_ca_may_help: false,
            wait_until: None,
            kind: None,
        }
    }

    /// One that would have been for sure, found out before anything was sent.
    pub(super) fn preflight(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cause: Cause::Preflight, ..Self::ours(message, cure) }
    }

    /// A fault of the CA or of the way to it, likely to be gone soon.
    pub(super) fn passing(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cause: Cause::Passing, another_ca_may_help: true, ..Self::ours(message, cure) }
    }

    /// What this CA does not want or cannot do.
    pub(super) fn of_this_ca(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { another_ca_may_help: true, ..Self::ours(message, cure) }
    }

    /// What the ACME client says went wrong, and what it noted of the CA's last refusal.
    pub(super) fn of(error: Error, retry_after: Option<u64>) -> Self {
        let text = error.to_string();
        let nonsense =
            || Self::passing(format!("the CA's answer makes no sense ({text})"), "nothing; it is tried again");
        let mut trouble = match error {
            Error::Api(problem) => Self::of_problem(&problem),
            Error::Timeout(_) => Self::passing("the CA did not finish in time", "nothing; it is tried again"),
            Error::Unsupported(what) => Self::of_this_ca(
                format!("the CA does not support {what}"),
                "change the settings of this CA below [[acme.ca]]",
            ),
            Error::Json(fault) => Self::passing(
                format!("the CA's answer makes no sense ({fault})"),
                "check that acme.ca.directory is the URL of an ACME directory",
            ),
            Error::Other(fault) => Self::passing(
                words(&*fault),
                "check this machine's connection and the CA's status page; it is tried again",
            ),
            Error::Crypto | Error::KeyRejected | Error::Http(_) | Error::InvalidUri(_) | Error::Str(_) => nonsense(),
            _ => nonsense(), // the type is another package's and may grow
        };
        trouble.wait_until = retry_after;
        trouble
    }

    /// What the CA says in a problem document (RFC 8555, section 6.7).
    pub(super) fn of_problem(problem: &Problem) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
        let (cure, cause, another_ca_may_help) = advice(kind);
        Self {
            message: said(problem, kind),
            cure: cure.to_owned(),
            cause,
            another_ca_may_help,
            wait_until: None,
            kind: Some(kind.to_owned()),
        }
    }

    /// Whether the CA says that it does not know our account, or not any more.
    pub(super) fn is_about_the_account(&self) -> bool {
        matches!(self.kind.as_deref(), Some("accountDoesNotExist" | "unauthorized"))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.cure)
    }
}

impl From<cert::Fault> for Trouble {
    fn from(fault: cert::Fault) -> Self {
        Self::ours(fault.message, fault.cure)
    }
}

/// The CA's words, with those about single names.
fn said(problem: &Problem, kind: &str) -> String {
    let detail = problem.detail.as_deref().unwrap_or("it does not say why");
    let mut said = format!("the CA says: {detail} ({kind})");
    for part in problem.subproblems.iter().take(5) {
        let name = part.identifier.as_ref().map(|name| name.authorized(false).to_string()).unwrap_or_default();
        said += &format!("; {name}: {}", part.detail.as_deref().unwrap_or("no reason given"));
    }
    said
}

/// What to do about a kind of problem, how lasting it is, and whether another CA may help.
fn advice(kind: &str) -> (&'static str, Cause, bool) {
    use Cause::{Lasting, Passing};
    match kind {
        "badNonce" | "serverInternal" => ("nothing; it is tried again", Passing, true),
        "rateLimited" => (
            "wait; it is tried again when the CA allows. If its words name a page to unpause, go there first",
            Lasting,
            true,
        ),
        "caa" => (
            "let the CAA record of the domain name this CA, or take it away (`freehold record list ZONE`)",
            Lasting,
            true,
        ),
        "dns" => (
            "check that the world reaches this server for the zone: `dig +trace NAME`, and port 53 over UDP and TCP",
            Lasting,
            false,
        ),
        "connection" | "tls" => {
            ("check that the world reaches this server for the name, on ports 80 and 443", Lasting, false)
        }
        "incorrectResponse" | "unauthorized" => (
            "check that the name leads to this server and to no other, and that no old `_acme-challenge` record is in the way",
            Lasting,
            false,
        ),
        "accountDoesNotExist" => ("nothing; a new account is made", Lasting, true),
        "externalAccountRequired" => {
            ("ask the CA for an external account and set acme.ca.eab_id and acme.ca.eab_key_file", Lasting, true)
        }
        "userActionRequired" => ("do what the CA's words ask for, then `freehold cert renew NAME`", Lasting, true),
        "rejectedIdentifier" | "unsupportedIdentifier" => {
            ("this CA will not certify the name; name another CA below [[acme.ca]]", Lasting, true)
        }
        "invalidProfile" => ("correct acme.ca.profile, or leave it out", Lasting, true),
        "badCSR" | "badPublicKey" | "badSignatureAlgorithm" => ("try the other kind of key (acme.key)", Lasting, true),
        "invalidContact" | "unsupportedContact" => ("correct acme.contact, or leave it out", Lasting, true),
        _ => ("read the CA's words; `freehold cert renew NAME` tries again at once", Lasting, true),
    }
}

/// All that an error says, down to its cause, in one line.
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// What the system says, without its ` (os error 28)`.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Trouble {
        Trouble::of_problem(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_ca_is_quoted_and_its_kind_decides_the_cure() {
        let told = problem(
            r#"{"type": "urn:ietf:params:acme:error:caa", "detail": "CAA record for a.org prevents issuance",
                "subproblems": [{"detail": "no", "identifier": {"type": "dns", "value": "a.org"}}]}"#,
        );
        assert_eq!(told.message, "the CA says: CAA record for a.org prevents issuance (caa); a.org: no");
        assert!(told.cure.contains("CAA") && told.another_ca_may_help && told.cause == Cause::Lasting);
        assert_eq!(problem(r#"{"type": "urn:ietf:params:acme:error:serverInternal"}"#).cause, Cause::Passing);
        let unknown = problem("{}");
        assert!(unknown.message.contains("does not say why") && unknown.cure.contains("cert renew"));
    }

    #[test]
    fn a_refusal_with_a_time_keeps_it() {
        let limited: Problem = serde_json::from_str(r#"{"type": "urn:ietf:params:acme:error:rateLimited"}"#).unwrap();
        let told = Trouble::of(Error::Api(limited), Some(5));
        assert_eq!((told.wait_until, told.kind.as_deref()), (Some(5), Some("rateLimited")));
        let nonsense = Trouble::of(serde_json::from_str::<u8>("x").unwrap_err().into(), None);
        assert!(nonsense.message.contains("makes no sense") && nonsense.cause == Cause::Passing);
    }
}
