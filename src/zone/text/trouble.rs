//! Everything that can be wrong with a zone file, as enums: one for each part of the work.

use crate::wire::rdata::{What, Word};
use crate::wire::{Kind, Name, NameFault};
use crate::zone::Severity;

use super::lexer::Breakage;
use super::ttl::TtlFault;

/// Something wrong, and where in the text of its file.
#[derive(Debug)]
pub(super) struct Finding {
    /// Offset of the culprit.
    pub(super) at: usize,
    /// Its octets; 0 where something is missing.
    pub(super) size: usize,
    /// What is wrong with it.
    pub(super) what: Trouble,
}

impl Finding {
    pub(super) fn new(at: usize, size: usize, what: impl Into<Trouble>) -> Self {
        Self { at, size, what: what.into() }
    }

    /// A word is wrong.
    pub(super) fn word(word: Word<'_>, what: impl Into<Trouble>) -> Self {
        Self::new(word.at, word.raw.len() + if word.quoted { 2 } else { 0 }, what)
    }
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The octets are no words.
    Broken(Breakage),
    File(FileTrouble),
    Owner(OwnerTrouble),
    Head(HeadTrouble),
    Data(DataTrouble),
    Zone(ZoneTrouble),
    Directive(DirectiveTrouble),
    /// Something is wrong with the record that a step of `$GENERATE` makes; `text` is the culprit in it.
    Generated {
        step: i64,
        text: String,
        what: Box<Trouble>,
    },
}

/// What is wrong with the file, or with all files.
#[derive(Debug)]
pub(super) enum FileTrouble {
    /// The file is UTF-16.
    Utf16,
    /// There is no SOA, so that the name of the zone is not known.
    NoSoa,
    /// More records than a draft holds.
    Full,
    /// Faults that were not kept.
    More { errors: usize, warnings: usize },
}

/// What is wrong with the owner.
#[derive(Debug)]
pub(super) enum OwnerTrouble {
    /// Not a name.
    Name(NameFault),
    /// The first record has none.
    Missing,
    /// A warning: an omitted owner behind `$ORIGIN` is easily taken for the origin.
    BeforeOrigin(Name),
}

/// What is wrong between the owner and the data.
#[derive(Debug)]
pub(super) enum HeadTrouble {
    /// The type is missing.
    NoKind,
    /// The word is neither a type nor a class nor a TTL. If the owner looks like a type, the blank before it was
    /// perhaps forgotten.
    UnknownKind { owner: Option<Kind> },
    /// The word stands in quotes where a type should be.
    Quoted,
    /// The type is never data.
    MetaKind(Kind),
    /// The class is not IN.
    OtherClass,
    /// A second class.
    ClassTwice,
    /// The TTL is larger than a TTL can be.
    TtlTooLarge,
    /// A second TTL.
    TtlTwice,
    /// No TTL, and nowhere to take it from.
    NoTtl,
    /// A warning: no TTL, and no `$TTL`, so that of the record before is taken.
    TtlOfRecordBefore(u32),
    /// A warning: no TTL, and no `$TTL`, so the SOA's minimum is taken.
    TtlOfSoaMinimum(u32),
}

/// What is wrong with the record data.
#[derive(Debug)]
pub(super) enum DataTrouble {
    /// It does not fit the type.
    Unfit(Kind, What),
    /// A name is relative, and there is no origin.
    Relative,
    /// A warning: a comment begins in the middle of what was meant as text.
    CutText,
}

/// What is wrong with a record as part of the zone.
#[derive(Debug)]
pub(super) enum ZoneTrouble {
    /// The owner is not in the zone.
    Outside { owner: Name, apex: Name },
    /// The first SOA has another name than the zone should have.
    Other { owner: Name, apex: Name },
    /// An SOA that is not at the apex.
    SecondSoa { owner: Name, apex: Name },
}

/// What is wrong with a directive.
#[derive(Debug)]
pub(super) enum DirectiveTrouble {
    /// No such directive.
    Unknown,
    /// A directive behind a blank.
    Indented,
    /// Something is missing; says what.
    Missing(&'static str),
    /// Too many words.
    Extra,
    /// Not a TTL.
    Ttl(TtlFault),
    /// The origin is not a name.
    Origin(NameFault),
    /// The file cannot be had; says why.
    Include(String),
    /// The file is being read already; the labels of the circle.
    Circle(Vec<String>),
    /// Files in files, too deep.
    Depth,
    /// Too many files.
    Count,
    /// Not `start-stop/step`.
    Range,
    /// Not `${offset,width,base}`.
    Template,
    /// Too many records or octets would be generated.
    TooMany,
}

macro_rules! parts {
    ($($variant:ident $part:ident),*) => {
        $(impl From<$part> for Trouble {
            fn from(part: $part) -> Self {
                Self::$variant(part)
            }
        })*
    };
}

parts!(
    Broken Breakage, File FileTrouble, Owner OwnerTrouble, Head HeadTrouble, Data DataTrouble, Zone ZoneTrouble,
    Directive DirectiveTrouble
);

impl Trouble {
    /// Whether the zone is refused for it.
    pub(super) fn severity(&self) -> Severity {
        let is_warning = matches!(
            self,
            Self::File(FileTrouble::More { errors: 0, .. })
                | Self::Owner(OwnerTrouble::BeforeOrigin(_))
                | Self::Head(HeadTrouble::TtlOfRecordBefore(_) | HeadTrouble::TtlOfSoaMinimum(_))
                | Self::Data(DataTrouble::CutText)
        );
        if is_warning { Severity::Warning } else { Severity::Error }
    }
}
