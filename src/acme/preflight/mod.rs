//! Before an order: what would doom it, told in plain words, and nothing is sent.
//!
//! Only what is known to fail stops an order. What could not be found out (no resolver, no answer) is noted and left to the CA.

mod caa;
pub(super) mod delegation;

use super::ask::{NO_SUCH_NAME, Resolver};
use super::challenge::Place;
use super::trouble::Trouble;
use crate::cert::Subject;
use crate::store::Snapshot;
use crate::wire::{Kind, Name};

/// Who is going to be asked, as far as CAA records can tell.
pub(super) struct Applicant<'a> {
    /// The names under which the CA stands in CAA records; none if it does not say.
    pub(super) identities: &'a [String],
    /// The URL of our account there, if we have one.
    pub(super) account: Option<&'a str>,
}

/// How a name is going to be proven.
pub(super) struct Proven<'a> {
    pub(super) subject: &'a Subject,
    /// Where its TXT record is going to lie; none if the edge proves it.
    pub(super) place: Option<&'a Place>,
    /// The name of the kind of challenge.
    pub(super) method: &'a str,
}

/// Looks at everything; what it found, in words.
pub(super) async fn look(
    snapshot: &Snapshot,
    resolver: &Resolver,
    applicant: &Applicant<'_>,
    proven: &[Proven<'_>],
) -> Result<Vec<String>, Trouble> {
    let mut notes = Vec::new();
    let mut zones: Vec<&Name> = proven.iter().filter_map(|proven| proven.place).map(|place| &place.zone).collect();
    zones.sort_by(|a, b| a.borrow().canonical_cmp(b.borrow()));
    zones.dedup();
    for zone in zones {
        notes.push(delegation::check(snapshot, resolver, zone).await?);
    }
    for name in proven {
        if name.place.is_none()
            && let Some(note) = reaches_somebody(resolver, name.subject).await?
        {
            notes.push(note);
        }
        if let Some(note) = caa::check(snapshot, resolver, applicant, name).await? {
            notes.push(note);
        }
    }
    Ok(notes)
}

/// A name of others has to lead somewhere, or nobody can look.
async fn reaches_somebody(resolver: &Resolver, subject: &Subject) -> Result<Option<String>, Trouble> {
    let Subject::Name(text) = subject else { return Ok(None) };
    let Ok(name) = Name::parse(format!("{text}.").as_bytes(), None) else { return Ok(None) };
    match resolver.ask(name.borrow(), Kind::A).await {
        Ok(reply) if reply.rcode == NO_SUCH_NAME => Err(Trouble::preflight(
            format!("{text} is not a name that the world knows, and it lies in no zone of this server"),
            "give it an A or AAAA record that leads to this server, or bring its zone here",
        )),
        Ok(_) => Ok(None),
        Err(reason) => Ok(Some(format!("could not find out where {text} leads: {reason}"))),
    }
}
