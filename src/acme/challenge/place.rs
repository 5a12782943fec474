//! Where the record for a name has to lie.

use crate::acme::ask::{Data, Resolver};
use crate::acme::own::{self, ALIASES_MAX, Said};
use crate::acme::trouble::Trouble;
use crate::cert::Subject;
use crate::store::Snapshot;
use crate::wire::{Kind, Name, NameRef};

/// A place for a TXT record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The zone of ours, in lower case.
    pub(crate) zone: Name,
    /// The owner of the record, in lower case.
    pub(crate) owner: Name,
}

/// Where the proof for this name has to lie, if it is in a zone of ours. An alias that stands at `_acme-challenge` itself is
/// followed, through our zones and others'; one that comes from a wildcard is not, for the record overrules it.
pub(crate) async fn place(
    snapshot: &Snapshot,
    resolver: &Resolver,
    subject: &Subject,
) -> Result<Option<Place>, Trouble> {
    let Subject::Name(name) = subject else { return Ok(None) };
    let base = name.strip_prefix("*.").unwrap_or(name);
    let mut owner = parse(&format!("_acme-challenge.{base}."))?;
    for _ in 0..ALIASES_MAX {
        let next = match own::zone_of(snapshot, owner.borrow()) {
            Some(zone) => match zone.node(owner.borrow()).and_then(|node| node.set(Kind::CNAME)) {
                None => return Ok(Some(Place { zone: zone.apex().to_name(), owner })),
                Some(_) => match own::say(snapshot, owner.borrow(), Kind::TXT) {
                    Said::Alias(target) => Some(target),
                    Said::Data(_) | Said::Nothing | Said::NotOurs => None,
                },
            },
            None => alias_of_others(resolver, owner.borrow()).await,
        };
        match next {
            Some(target) => owner = target,
            None => return Ok(None),
        }
    }
    Err(Trouble::preflight(
        format!("_acme-challenge.{base} leads through more than {ALIASES_MAX} aliases"),
        "let it lead to its goal directly",
    ))
}

/// Where a name of somebody else's leads, if it is an alias. What cannot be found out is none.
async fn alias_of_others(resolver: &Resolver, name: NameRef<'_>) -> Option<Name> {
    let reply = resolver.ask(name, Kind::CNAME).await.ok()?;
    reply.answer.into_iter().find_map(|record| {
        let Data::Alias(target) = record.data else { return None };
        record.owner.borrow().same(name).then_some(target)
    })
}

fn parse(text: &str) -> Result<Name, Trouble> {
    Name::parse(text.as_bytes(), None)
        .map(|name| name.borrow().to_lower())
        .map_err(|fault| Trouble::preflight(format!("{text} cannot be a name: {fault}"), "use a shorter name"))
}
