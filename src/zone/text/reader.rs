//! What the reader of a zone file knows while it reads, and its loop over the entries of a file.

use std::sync::Arc;

use crate::limits::NAME_SIZE_MAX;
use crate::wire::rdata::Word;
use crate::wire::{Name, NameFault, NameRef, name};
use crate::zone::{Draft, Fault, Place, Severity};

use super::lexer::{Entry, Lexer};
use super::trouble::{FileTrouble, Finding, Trouble};
use super::ttl::Ttls;
use super::{FAULTS_MAX, Load, PROGRESS_STEP, Reading, Source, wording};

/// The state that goes through all files of a zone.
pub(super) struct Reader<'r> {
    pub(super) draft: Draft,
    pub(super) apex: Apex,
    pub(super) ttls: Ttls,
    pub(super) files: Vec<Source>,
    /// The files that are being read, the included behind the including.
    pub(super) open: Vec<u16>,
    pub(super) load: &'r mut Load<'r>,
    pub(super) includes: usize,
    pub(super) generated: u64,
    pub(super) generated_octets: usize,
    /// The record data of the record at hand.
    pub(super) rdata: Vec<u8>,
    /// The draft takes no more records.
    pub(super) full: bool,
    faults: Vec<Fault>,
    /// Faults that are not kept, errors apart from warnings.
    more: (usize, usize),
    progress: &'r mut dyn FnMut(usize),
    /// Octets of the files that have been read to their end, and how many were read when progress was last told.
    octets_before: usize,
    octets_told: usize,
}

/// What is known about the name of the zone.
pub(super) struct Apex {
    /// The name that the caller gave or the first SOA has.
    pub(super) name: Option<Name>,
    /// Whether an SOA has been seen.
    pub(super) has_soa: bool,
    /// The name of the zone that the file holds, if the caller has given another one.
    pub(super) other: Option<Name>,
}

/// What belongs to one file while it is read.
pub(super) struct Scope<'a> {
    pub(super) file: u16,
    pub(super) text: &'a [u8],
    pub(super) lexer: Lexer<'a>,
    pub(super) origin: Option<Name>,
    /// Whether the origin has changed since the last owner was written.
    pub(super) origin_moved: bool,
    pub(super) owner: Owner,
}

impl Scope<'_> {
    /// Where something in the entry stands.
    pub(super) fn place(&self, entry: &Entry, at: usize, size: usize) -> Place {
        self.lexer.place(self.file, entry, at, size)
    }
}

/// The owner of the record at hand and of those that follow without one.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    octets: [u8; NAME_SIZE_MAX],
    size: usize,
    /// The last owner could not be read; its records are passed over.
    pub(super) is_broken: bool,
}

impl Owner {
    /// No owner so far.
    pub(super) fn none() -> Self {
        Self { octets: [0; NAME_SIZE_MAX], size: 0, is_broken: false }
    }

    /// Reads an owner.
    pub(super) fn set(&mut self, text: &[u8], origin: Option<NameRef<'_>>) -> Result<(), NameFault> {
        let parsed = name::parse_into(text, origin, &mut self.octets);
        self.is_broken = parsed.is_err();
        self.size = parsed?;
        Ok(())
    }

    /// The name, if there is one.
    pub(super) fn name(&self) -> Option<NameRef<'_>> {
        let is_known = self.size > 0 && !self.is_broken;
        is_known.then(|| NameRef::trusted(&self.octets[..self.size]))
    }
}

impl<'r> Reader<'r> {
    pub(super) fn new(origin: Option<Name>, load: &'r mut Load<'r>, progress: &'r mut dyn FnMut(usize)) -> Self {
        Self {
            draft: Draft::new(origin.clone().unwrap_or_else(Name::root)),
            apex: Apex { name: origin, has_soa: false, other: None },
            ttls: Ttls::default(),
            files: Vec::new(),
            open: Vec::new(),
            load,
            includes: 0,
            generated: 0,
            generated_octets: 0,
            rdata: Vec::new(),
            full: false,
            faults: Vec::new(),
            more: (0, 0),
            progress,
            octets_before: 0,
            octets_told: 0,
        }
    }

    /// Reads the file that everything starts with.
    pub(super) fn first_file(&mut self, source: Source, origin: Option<Name>) {
        self.draft.reserve(source.text.len());
        self.files.push(source);
        self.file(0, origin, Owner::none());
    }

    /// Reads a file to its end. It starts with the origin and the last owner of the file that includes it.
    pub(super) fn file(&mut self, file: u16, origin: Option<Name>, owner: Owner) {
        let text = Arc::clone(&self.files[usize::from(file)].text);
        let lexer = Lexer::new(&text);
        let mut scope = Scope { file, text: &text, lexer, origin, origin_moved: false, owner };
        self.open.push(file);
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            let place = Place { file, line: 1, column: 1, width: 2 };
            self.keep(Some(place), &FileTrouble::Utf16.into(), b"");
        } else {
            self.entries(&mut scope);
        }
        self.open.pop();
        self.octets_before += text.len();
    }

    fn entries<'a>(&mut self, scope: &mut Scope<'a>) {
        let mut words: Vec<Word<'a>> = Vec::new();
        while let Some(read) = scope.lexer.next(&mut words) {
            match read {
                Ok(entry) if is_directive(&entry, &words) => self.directive(scope, &entry, &words),
                Ok(entry) => self.record(scope, &entry, &words),
                Err(broken) => {
                    self.tell(scope, &broken.entry, Finding::new(broken.at, broken.size, broken.what));
                    if !is_directive(&broken.entry, &words) {
                        self.broken_record(scope, &broken.entry, &words);
                    }
                }
            }
            let octets = self.octets_before + scope.lexer.offset();
            if octets.saturating_sub(self.octets_told) >= PROGRESS_STEP {
                self.octets_told = octets;
                (self.progress)(octets);
            }
            if self.full {
                return;
            }
        }
    }

    /// Keeps a fault of an entry.
    #[cold]
    pub(super) fn tell(&mut self, scope: &Scope<'_>, entry: &Entry, finding: Finding) {
        if self.has_room(&finding.what) {
            let place = scope.place(entry, finding.at, finding.size);
            let culprit = scope.text.get(finding.at..finding.at + finding.size).unwrap_or_default();
            self.keep(Some(place), &finding.what, culprit);
        }
    }

    /// Keeps a fault; `culprit` is the text it is about.
    pub(super) fn keep(&mut self, place: Option<Place>, what: &Trouble, culprit: &[u8]) {
        if self.has_room(what) {
            self.faults.push(wording::fault(place, what, culprit));
        }
    }

    /// Whether one more fault is kept; counts it if not.
    fn has_room(&mut self, what: &Trouble) -> bool {
        let has_room = self.faults.len() < FAULTS_MAX;
        match what.severity() {
            _ if has_room => (),
            Severity::Error => self.more.0 += 1,
            Severity::Warning => self.more.1 += 1,
        }
        has_room
    }

    /// Ends the reading: what only the whole shows, and the count of what was not kept.
    pub(super) fn finish(mut self) -> Reading {
        if self.apex.name.is_none() {
            self.keep(None, &FileTrouble::NoSoa.into(), b"");
        }
        if self.apex.name.is_none() || self.apex.other.is_some() {
            self.draft = Draft::new(Name::root()); // what the wrong zone lacks helps nobody
        }
        if self.more.0 > 0 || self.faults.iter().any(|fault| fault.severity == Severity::Error) {
            self.draft.mark_incomplete();
        }
        if self.more != (0, 0) {
            let (errors, warnings) = self.more;
            self.faults.push(wording::fault(None, &FileTrouble::More { errors, warnings }.into(), b""));
        }
        Reading { draft: self.draft, faults: self.faults, files: self.files }
    }
}

fn is_directive(entry: &Entry, words: &[Word<'_>]) -> bool {
    !entry.indented && words.first().is_some_and(|word| !word.quoted && word.raw.starts_with(b"$"))
}
