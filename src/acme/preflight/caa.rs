//! CAA: which CAs the owner of a domain lets certify it (RFC 8659, with RFC 8657).
//!
//! The set closest to the name counts, found by climbing. Our own zones are asked directly, others by a resolver.

use super::{Applicant, Proven};
use crate::acme::ask::{Data, Resolver};
use crate::acme::own::{self, ALIASES_MAX, Said, shown};
use crate::acme::trouble::Trouble;
use crate::cert::Subject;
use crate::store::Snapshot;
use crate::wire::{Kind, Name, NameRef};

/// The bit of the flags that says "who does not understand this must not issue" (RFC 8659, section 4.1).
const CRITICAL: u8 = 0x80;

/// A property.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Property {
    flags: u8,
    tag: String,
    value: String,
}

/// Whether this CA may certify the name; a note if that could not be found out.
pub(super) async fn check(
    snapshot: &Snapshot,
    resolver: &Resolver,
    applicant: &Applicant<'_>,
    proven: &Proven<'_>,
) -> Result<Option<String>, Trouble> {
    let Subject::Name(text) = proven.subject else { return Ok(None) };
    if applicant.identities.is_empty() {
        return Ok(None);
    }
    let base = text.strip_prefix("*.").unwrap_or(text);
    let Ok(name) = Name::parse(format!("{base}.").as_bytes(), None) else { return Ok(None) };
    let mut at = Some(name.borrow().to_lower());
    while let Some(domain) = at.filter(|domain| !domain.borrow().is_root()) {
        match set(snapshot, resolver, domain.borrow()).await {
            Err(reason) => {
                return Ok(Some(format!("could not find out which CAs may certify {}: {reason}", shown(&domain))));
            }
            Ok(properties) if !properties.is_empty() => {
                return decide(&properties, &domain, applicant, proven).map(|()| None);
            }
            Ok(_) => at = domain.borrow().parent().map(NameRef::to_name),
        }
    }
    Ok(None)
}

/// The CAA set of a name itself.
async fn set(snapshot: &Snapshot, resolver: &Resolver, name: NameRef<'_>) -> Result<Vec<Property>, String> {
    let mut name = name.to_name();
    for _ in 0..ALIASES_MAX {
        match own::say(snapshot, name.borrow(), Kind::CAA) {
            Said::Data(records) => return Ok(records.iter().filter_map(|data| read(data)).collect()),
            Said::Nothing => return Ok(Vec::new()),
            Said::Alias(target) => name = target,
            Said::NotOurs => {
                let reply = resolver.ask(name.borrow(), Kind::CAA).await?;
                let property = |data: Data| {
                    let Data::Caa(flags, tag, value) = data else { return None };
                    Some(Property { flags, tag, value: String::from_utf8_lossy(&value).into_owned() })
                };
                return Ok(reply.answer.into_iter().filter_map(|record| property(record.data)).collect());
            }
        }
    }
    Ok(Vec::new())
}

fn read(data: &[u8]) -> Option<Property> {
    let ([flags, size], rest) = data.split_first_chunk()?;
    let (tag, value) = rest.split_at_checked(usize::from(*size))?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Some(Property { flags: *flags, tag: text(tag).to_ascii_lowercase(), value: text(value) })
}

fn decide(
    properties: &[Property],
    domain: &Name,
    applicant: &Applicant<'_>,
    proven: &Proven<'_>,
) -> Result<(), Trouble> {
    let domain = shown(domain);
    let refuse = |why: String| {
        Err(Trouble {
            another_ca_may_help: true,
            ..Trouble::preflight(
                format!("the CAA record of {domain} does not let this CA certify {}: {why}", proven.subject),
                format!("add `0 issue \"{}\"` to the CAA records of {domain}", applicant.identities[0]),
            )
        })
    };
    let known = ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"];
    if let Some(strange) = properties.iter().find(|p| p.flags & CRITICAL != 0 && !known.contains(&p.tag.as_str())) {
        return refuse(format!("it has the critical property {:?}, which no CA understands", strange.tag));
    }
    let with = |tag: &str| properties.iter().filter(|p| p.tag == tag).collect::<Vec<_>>();
    let wild = with("issuewild");
    let counting = if proven.subject.is_wildcard() && !wild.is_empty() { wild } else { with("issue") };
    if counting.is_empty() {
        return Ok(());
    }
    let mut reasons = Vec::new();
    for property in &counting {
        match names(&property.value, applicant, proven) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    refuse(reasons.join("; "))
}

/// Whether a value names this CA, for this account and kind of challenge.
fn names(value: &str, applicant: &Applicant<'_>, proven: &Proven<'_>) -> Result<(), String> {
    let mut parts = value.split(';').map(str::trim);
    let issuer = parts.next().unwrap_or_default();
    if issuer.is_empty() {
        return Err("it lets nobody".to_owned());
    }
    if !applicant.identities.iter().any(|own| own.eq_ignore_ascii_case(issuer)) {
        return Err(format!("it lets {issuer}"));
    }
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("validationmethods")
            && !value.split(',').any(|method| method.trim().eq_ignore_ascii_case(proven.method))
        {
            return Err(format!("it lets {issuer} by {value} only, not by {}", proven.method));
        }
        if name.eq_ignore_ascii_case("accounturi")
            && let Some(account) = applicant.account
            && account != value
        {
            return Err(format!("it lets the account {value} only, and ours is {account}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str, properties: &[(u8, &str, &str)]) -> Result<(), String> {
        let properties: Vec<_> = properties
            .iter()
            .map(|(flags, tag, value)| Property { flags: *flags, tag: (*tag).into(), value: (*value).into() })
            .collect();
        let identities = ["ca.example".to_owned(), "ca.test".to_owned()];
        let applicant = Applicant { identities: &identities, account: Some("https://ca.example/1") };
        let subject = name.parse().unwrap();
        let proven = Proven { subject: &subject, place: None, method: "dns-01" };
        decide(&properties, &"example.org".parse().unwrap(), &applicant, &proven).map_err(|trouble| trouble.message)
    }

    #[test]
    fn the_set_says_who_may() {
        let may = |name, properties: &[_]| told(name, properties).is_ok();
        assert!(may("a.org", &[(0, "issue", "ca.example")]));
        assert!(may("a.org", &[(0, "issue", "other"), (0, "issue", " CA.test ; x=y")]));
        assert!(may("a.org", &[(0, "iodef", "mailto:a@a.org")]), "nothing is said about issuing");
        assert!(may("a.org", &[(0, "issuewild", ";")]), "that is about wildcards");
        assert!(may("*.a.org", &[(0, "issue", ";"), (0, "issuewild", "ca.example")]));
        assert!(may("*.a.org", &[(0, "issue", "ca.example")]));
        assert!(may(
            "a.org",
            &[(0, "issue", "ca.example; validationmethods=http-01,dns-01; accounturi=https://ca.example/1")]
        ));
    }

    #[test]
    fn and_who_may_not_with_the_reason() {
        for (name, properties, reason) in [
            ("a.org", &[(0, "issue", ";")][..], "it lets nobody"),
            ("a.org", &[(0, "issue", "")], "it lets nobody"),
            ("a.org", &[(0, "issue", "other"), (0, "issue", "more")], "it lets other; it lets more"),
            ("*.a.org", &[(0, "issue", "ca.example"), (0, "issuewild", ";")], "it lets nobody"),
            ("a.org", &[(0, "issue", "ca.example; validationmethods=http-01")], "by http-01 only"),
            ("a.org", &[(0, "issue", "ca.example; accounturi=https://ca.example/2")], "ours is https://ca.example/1"),
            ("a.org", &[(128, "tbs", "x"), (0, "issue", "ca.example")], "critical property \"tbs\""),
        ] {
            let fault = told(name, properties).unwrap_err();
            assert!(fault.contains(reason), "{properties:?}: {fault}");
        }
    }
}
