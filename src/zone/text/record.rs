//! Reads one record: owner, TTL, class, type, data.

use crate::wire::rdata::{self, What, Word, Words};
use crate::wire::{Kind, Name, NameRef};
use crate::zone::{Draft, Place};

use super::lexer::{Breakage, Entry};
use super::reader::{Reader, Scope};
use super::trouble::{
    DataTrouble, DirectiveTrouble, FileTrouble, Finding, HeadTrouble, OwnerTrouble, Trouble, ZoneTrouble,
};
use super::ttl::{self, Source, TtlFault};

/// What stands between the owner and the data.
pub(super) struct Head {
    pub(super) ttl: Option<u32>,
    pub(super) kind: Kind,
    /// Which word the data begins with.
    pub(super) data: usize,
}

impl Head {
    /// Reads TTL, class (both may be missing, in any order) and type, from word `from` on.
    pub(super) fn read(words: &[Word<'_>], from: usize, end: usize) -> Result<Self, Finding> {
        let (mut ttl, mut has_class) = (None, false);
        for (at, word) in words.iter().enumerate().skip(from) {
            let wrong = |what| Err(Finding::word(*word, what));
            match (word.raw, class(word.raw)) {
                _ if word.quoted => return wrong(HeadTrouble::Quoted),
                ([b'0'..=b'9', ..], _) if ttl.is_some() => return wrong(HeadTrouble::TtlTwice),
                ([b'0'..=b'9', ..], _) => match ttl::parse(word.raw) {
                    Ok(seconds) => ttl = Some(seconds),
                    Err(TtlFault::TooLarge) => return wrong(HeadTrouble::TtlTooLarge),
                    Err(TtlFault::Syntax) => return wrong(unknown_kind(words, from)),
                },
                (_, Some(_)) if has_class => return wrong(HeadTrouble::ClassTwice),
                (_, Some(Class::Internet)) => has_class = true,
                (_, Some(Class::Other)) => return wrong(HeadTrouble::OtherClass),
                (raw, None) => {
                    return match Kind::from_text(raw) {
                        Some(kind) if kind.is_meta() => wrong(HeadTrouble::MetaKind(kind)),
                        Some(kind) => Ok(Self { ttl, kind, data: at + 1 }),
                        None => wrong(unknown_kind(words, from)),
                    };
                }
            }
        }
        Err(Finding::new(end, 0, HeadTrouble::NoKind))
    }
}

enum Class {
    Internet,
    Other,
}

/// Reads a class (RFC 1035, section 3.2.4; RFC 3597, section 5; NONE of RFC 2136). ANY is a type as well, and told
/// as such.
fn class(raw: &[u8]) -> Option<Class> {
    match raw {
        [b'I' | b'i', b'N' | b'n'] => Some(Class::Internet),
        [a, b] => {
            let pair = [a.to_ascii_uppercase(), b.to_ascii_uppercase()];
            [*b"CH", *b"HS", *b"CS"].contains(&pair).then_some(Class::Other)
        }
        [prefix @ .., _] if prefix.len() >= 5 && prefix[..5].eq_ignore_ascii_case(b"CLASS") => {
            let digits = raw[5..].iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(&raw[5..]).ok().and_then(|digits| digits.parse::<u16>().ok());
            digits.then_some(if number == Some(1) { Class::Internet } else { Class::Other })
        }
        _ => raw.eq_ignore_ascii_case(b"NONE").then_some(Class::Other),
    }
}

/// No type where one should be. The owner is looked at as well: a type in the first column is one there.
#[cold]
fn unknown_kind(words: &[Word<'_>], from: usize) -> HeadTrouble {
    HeadTrouble::UnknownKind { owner: words[..from].first().and_then(|owner| Kind::from_text(owner.raw)) }
}

impl Reader<'_> {
    /// Reads a record and keeps it.
    pub(super) fn record(&mut self, scope: &mut Scope<'_>, entry: &Entry, words: &[Word<'_>]) {
        let first = words[0];
        self.owner(scope, entry, first);
        let head = match Head::read(words, usize::from(!entry.indented), entry.end) {
            Ok(head) => head,
            Err(mut finding) => {
                let is_unknown = matches!(finding.what, Trouble::Head(HeadTrouble::UnknownKind { .. }));
                if is_unknown && entry.indented && !first.quoted && first.raw.starts_with(b"$") {
                    finding.what = DirectiveTrouble::Indented.into();
                }
                return self.tell(scope, entry, finding);
            }
        };
        let is_ours = head.kind != Kind::SOA || self.soa(scope, entry, first);
        if let Err(finding) = self.data(scope, &head, words, entry.end) {
            self.broken_data(scope, entry, finding);
            if is_ours {
                self.stand_in(scope, entry, &head, first);
            }
            return;
        }
        if let Some(at) = entry.glued_comment.filter(|_| is_text(head.kind)) {
            self.tell(scope, entry, Finding::new(at, 1, DataTrouble::CutText));
        }
        let ttl = match head.ttl {
            Some(ttl) => {
                self.ttls.explicit(ttl);
                ttl
            }
            None => self.implicit_ttl(scope, entry, head.kind, first),
        };
        if is_ours && let Some(owner) = scope.owner.name() {
            let place = scope.place(entry, first.at, entry.end - first.at);
            if let Err(what) = self.push(owner, head.kind, ttl, place) {
                self.tell(scope, entry, Finding::word(first, what));
            }
        }
    }

    /// Takes from a record that was not understood what the records after it need: the owner, and of an SOA the
    /// name of the zone.
    pub(super) fn broken_record(&mut self, scope: &mut Scope<'_>, entry: &Entry, words: &[Word<'_>]) {
        let Some(first) = words.first() else { return };
        if !entry.indented {
            let _ = scope.owner.set(first.raw, scope.origin.as_ref().map(Name::borrow)); // one fault is enough
        }
        let Ok(head) = Head::read(words, usize::from(!entry.indented), entry.end) else { return };
        if head.kind == Kind::SOA {
            self.soa(scope, entry, *first);
        }
        self.stand_in(scope, entry, &head, *first);
    }

    /// Puts a record into the place of one that could not be read, if others depend on such a record: a CNAME whose
    /// target is broken is not to be blamed for it. See [`Draft::mark_incomplete`].
    fn stand_in(&mut self, scope: &Scope<'_>, entry: &Entry, head: &Head, first: Word<'_>) {
        if let Some(ttl) = head.ttl {
            self.ttls.explicit(ttl);
        }
        let count = (self.draft.len() as u32).to_be_bytes(); // no two alike, or they would be told as such
        let name = [b"\x04", &count[..], b"\x07invalid\x00"].concat();
        self.rdata.clear();
        match head.kind {
            Kind::A => self.rdata.extend(count),
            Kind::AAAA => self.rdata.extend([&[0; 12], &count[..]].concat()),
            Kind::NS | Kind::CNAME | Kind::DNAME => self.rdata.extend(name),
            Kind::SOA => {
                let numbers = [1u32, 7_200, 3_600, 1_209_600, 3_600].map(u32::to_be_bytes);
                self.rdata.extend([&name, &name, numbers.as_flattened()].concat());
                self.ttls.hush();
            }
            _ => return,
        }
        let ttl = head.ttl.unwrap_or_else(|| self.ttls.peek());
        if let Some(owner) = scope.owner.name() {
            let place = scope.place(entry, first.at, entry.end - first.at);
            let _ = self.push(owner, head.kind, ttl, place); // that it lies out of the zone is one fault too many
        }
    }

    /// Reads the owner, or takes the one of the record before.
    pub(super) fn owner(&mut self, scope: &mut Scope<'_>, entry: &Entry, first: Word<'_>) {
        if !entry.indented {
            scope.origin_moved = false;
            if let Err(fault) = scope.owner.set(first.raw, scope.origin.as_ref().map(Name::borrow)) {
                self.tell(scope, entry, Finding::word(first, OwnerTrouble::Name(fault)));
            }
            return;
        }
        match scope.owner.name() {
            Some(owner) if scope.origin_moved => {
                let what = OwnerTrouble::BeforeOrigin(owner.to_name());
                self.tell(scope, entry, Finding::word(first, what));
                scope.origin_moved = false;
            }
            None if !scope.owner.is_broken => {
                self.tell(scope, entry, Finding::word(first, OwnerTrouble::Missing));
                scope.owner.is_broken = true;
            }
            Some(_) | None => (),
        }
    }

    /// Reads the data into [`Reader::rdata`].
    fn data(&mut self, scope: &Scope<'_>, head: &Head, words: &[Word<'_>], end: usize) -> Result<(), Finding> {
        let words = Words::new(&words[head.data..], end);
        self.parse_data(scope.origin.as_ref(), head.kind, words)
    }

    /// As [`Reader::data`], for words of any text.
    pub(super) fn parse_data(&mut self, origin: Option<&Name>, kind: Kind, words: Words<'_>) -> Result<(), Finding> {
        self.rdata.clear();
        let parse = |origin: NameRef<'_>, rdata: &mut Vec<u8>| {
            rdata::parse(kind, &mut words.clone(), origin, rdata)
                .map_err(|fault| Finding::new(fault.at, fault.size, DataTrouble::Unfit(kind, fault.what)))
        };
        let Some(origin) = origin else {
            // Without an origin a name must be absolute: then the data is the same under any origin.
            let mut other = Vec::new();
            parse(Name::root().borrow(), &mut self.rdata)?;
            parse(NameRef::trusted(b"\x01x\x00"), &mut other)?;
            let first = words.peek();
            return match first {
                Some(first) if other != self.rdata => Err(Finding::word(first, DataTrouble::Relative)),
                _ => Ok(()),
            };
        };
        parse(origin.borrow(), &mut self.rdata)
    }

    #[cold]
    fn broken_data(&mut self, scope: &mut Scope<'_>, entry: &Entry, mut finding: Finding) {
        let is_too_much = matches!(finding.what, Trouble::Data(DataTrouble::Unfit(_, What::TooMany)));
        if is_too_much && let Some(open_at) = scope.lexer.retry(entry, finding.at) {
            finding = Finding::new(open_at, 1, Breakage::LateParenthesis);
        }
        self.tell(scope, entry, finding);
    }

    pub(super) fn implicit_ttl(&mut self, scope: &Scope<'_>, entry: &Entry, kind: Kind, first: Word<'_>) -> u32 {
        let minimum = self.rdata.last_chunk().filter(|_| kind == Kind::SOA).map(|octets| u32::from_be_bytes(*octets));
        let (ttl, source) = self.ttls.implicit(minimum);
        let what = match source {
            Source::Default => return ttl,
            Source::RecordBefore => HeadTrouble::TtlOfRecordBefore(ttl),
            Source::SoaMinimum => HeadTrouble::TtlOfSoaMinimum(ttl),
            Source::Nowhere => HeadTrouble::NoTtl,
        };
        self.tell(scope, entry, Finding::word(first, what));
        ttl
    }

    /// Learns the name of the zone from an SOA; returns whether the SOA belongs to the zone.
    fn soa(&mut self, scope: &mut Scope<'_>, entry: &Entry, first: Word<'_>) -> bool {
        let Some(owner) = scope.owner.name() else { return false };
        let owner = owner.to_name();
        if scope.origin.is_none() {
            scope.origin = Some(owner.clone());
        }
        let had_soa = std::mem::replace(&mut self.apex.has_soa, true);
        let what = match self.apex.name.clone() {
            None => {
                self.found_apex(&owner);
                return true;
            }
            Some(apex) if apex.borrow().same(owner.borrow()) => return true,
            Some(apex) if had_soa => ZoneTrouble::SecondSoa { owner, apex: self.apex.other.clone().unwrap_or(apex) },
            Some(apex) => {
                self.apex.other = Some(owner.clone());
                ZoneTrouble::Other { owner, apex }
            }
        };
        self.tell(scope, entry, Finding::word(first, what));
        false
    }

    /// The first SOA says which zone this is: the records before it move into its draft.
    fn found_apex(&mut self, apex: &Name) {
        self.apex.name = Some(apex.clone());
        let before = std::mem::replace(&mut self.draft, Draft::new(apex.clone()));
        for record in before.records() {
            self.rdata.clear();
            self.rdata.extend_from_slice(before.rdata(record));
            if let Err(what) = self.push(before.owner(record), record.kind, record.ttl, record.place) {
                self.keep(Some(record.place), &what, b"");
            }
        }
    }

    /// Keeps a record whose data is in [`Reader::rdata`], if it belongs to the zone.
    pub(super) fn push(&mut self, owner: NameRef<'_>, kind: Kind, ttl: u32, place: Place) -> Result<(), Trouble> {
        if let Some(apex) = &self.apex.name
            && !owner.is_within(apex.borrow())
        {
            return match &self.apex.other {
                Some(other) if owner.is_within(other.borrow()) => Ok(()), // told at the SOA
                _ => Err(ZoneTrouble::Outside { owner: owner.to_name(), apex: apex.clone() }.into()),
            };
        }
        self.draft.push(owner, kind, ttl, &self.rdata, place).map_err(|_| {
            self.full = true;
            FileTrouble::Full.into()
        })
    }
}

fn is_text(kind: Kind) -> bool {
    kind == Kind::TXT || kind == Kind::SPF
}
