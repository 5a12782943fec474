//! Questions about the server itself, in class CHAOS: closed unless the settings say what to tell (RFC 4892).

use crate::wire::reply::{Data, Owner, Section, Spot};
use crate::wire::{Kind, Query, Rcode, Reply};

use super::Policy;

/// `version.bind` and `version.server`, `id.server` and `hostname.bind`: a TXT record each.
pub(super) fn answer(reply: &mut Reply<'_>, query: &Query<'_>, policy: &Policy) -> Rcode {
    let text = match query.key.name().as_bytes() {
        b"\x07version\x04bind\0" | b"\x07version\x06server\0" => &policy.version,
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => &policy.identity,
        _ => return Rcode::REFUSED,
    };
    let Some(text) = text else { return Rcode::REFUSED };
    reply.set_authoritative(true);
    if query.kind != Kind::TXT && query.kind != Kind::ANY {
        return Rcode::NOERROR;
    }
    let mut rdata = [0; 256];
    rdata[0] = text.len() as u8;
    rdata[1..=text.len()].copy_from_slice(text);
    let record = Data { rdata: &rdata[..=text.len()], hints: &[], name_at: 0 };
    let owner = Owner::at(query.key.name(), Spot::question(query.key.name()));
    let fixed = [0, 16, 0, 3, 0, 0, 0, 0];
    if reply.put_set(Section::Answer, owner, &fixed, [record].into_iter(), &mut |_| ()).is_err() {
        reply.set_truncated();
    }
    Rcode::NOERROR
}
