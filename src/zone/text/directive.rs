//! `$ORIGIN`, `$TTL`, `$INCLUDE`, and the way to `$GENERATE`.

use crate::wire::Name;
use crate::wire::rdata::Word;

use super::lexer::Entry;
use super::reader::{Reader, Scope};
use super::trouble::{DirectiveTrouble, Finding};
use super::{INCLUDE_DEPTH_MAX, INCLUDES_MAX, Source, ttl};

/// Every directive, as it is written.
pub(super) const DIRECTIVES: [&str; 4] = ["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"];

impl Reader<'_> {
    /// Does what a directive says.
    pub(super) fn directive(&mut self, scope: &mut Scope<'_>, entry: &Entry, words: &[Word<'_>]) {
        let name = words[0].raw.to_ascii_uppercase();
        let done = match &name[..] {
            b"$ORIGIN" => self.change_origin(scope, entry, words),
            b"$TTL" => self.change_ttl(entry, words),
            b"$INCLUDE" => self.include(scope, entry, words),
            b"$GENERATE" => self.generate(scope, entry, words),
            _ => Err(Finding::word(words[0], DirectiveTrouble::Unknown)),
        };
        if let Err(finding) = done {
            self.tell(scope, entry, finding);
        }
    }

    /// `$ORIGIN name`: what relative names are completed with from here on.
    fn change_origin(&mut self, scope: &mut Scope<'_>, entry: &Entry, words: &[Word<'_>]) -> Result<(), Finding> {
        let word = argument(words, 1, entry, "the name of the origin")?;
        nothing_behind(words, 2)?;
        scope.origin = Some(origin(scope, word)?);
        scope.origin_moved = true;
        Ok(())
    }

    /// `$TTL seconds`: the TTL of records without one from here on (RFC 2308, section 4).
    fn change_ttl(&mut self, entry: &Entry, words: &[Word<'_>]) -> Result<(), Finding> {
        let read = argument(words, 1, entry, "the TTL").and_then(|word| {
            nothing_behind(words, 2)?;
            ttl::parse(word.raw).map_err(|fault| Finding::word(word, DirectiveTrouble::Ttl(fault)))
        });
        match read {
            Ok(ttl) => self.ttls.directive(ttl),
            Err(_) => self.ttls.hush(),
        }
        read.map(drop)
    }

    /// `$INCLUDE file [origin]`: reads a file as if it stood here. Origin and last owner are as before behind it
    /// (RFC 1035, section 5.1).
    fn include(&mut self, scope: &Scope<'_>, entry: &Entry, words: &[Word<'_>]) -> Result<(), Finding> {
        let word = argument(words, 1, entry, "the path of the file to include")?;
        let origin = match words.get(2) {
            Some(word) => Some(origin(scope, *word)?),
            None => scope.origin.clone(),
        };
        nothing_behind(words, 3)?;
        let file = self.open_file(scope, word).map_err(|what| Finding::word(word, what))?;
        self.file(file, origin, scope.owner);
        Ok(())
    }

    /// The index of the file that is included; the same file is kept once, however often it is included.
    fn open_file(&mut self, scope: &Scope<'_>, word: Word<'_>) -> Result<u16, DirectiveTrouble> {
        if self.open.len() >= INCLUDE_DEPTH_MAX {
            return Err(DirectiveTrouble::Depth);
        }
        if self.includes >= INCLUDES_MAX {
            return Err(DirectiveTrouble::Count);
        }
        self.includes += 1;
        let octets = unescape(word.raw);
        let path =
            std::str::from_utf8(&octets).map_err(|_| DirectiveTrouble::Include("its path is not UTF-8".to_owned()))?;
        let from = &self.files[usize::from(scope.file)].label;
        let (label, text) = (self.load)(path, from).map_err(|error| DirectiveTrouble::Include(error.to_string()))?;
        let Some(file) = self.files.iter().position(|file| file.label == label) else {
            self.files.push(Source { label, text });
            return u16::try_from(self.files.len() - 1).map_err(|_| DirectiveTrouble::Count);
        };
        match self.open.iter().position(|open| usize::from(*open) == file) {
            Some(at) => {
                let circle = self.open[at..].iter().map(|open| self.files[usize::from(*open)].label.clone());
                Err(DirectiveTrouble::Circle(circle.chain([label]).collect()))
            }
            None => u16::try_from(file).map_err(|_| DirectiveTrouble::Count),
        }
    }
}

/// The word that a directive needs.
pub(super) fn argument<'a>(
    words: &[Word<'a>],
    at: usize,
    entry: &Entry,
    what: &'static str,
) -> Result<Word<'a>, Finding> {
    words.get(at).copied().ok_or(Finding::new(entry.end, 0, DirectiveTrouble::Missing(what)))
}

fn nothing_behind(words: &[Word<'_>], count: usize) -> Result<(), Finding> {
    words.get(count).map_or(Ok(()), |word| Err(Finding::word(*word, DirectiveTrouble::Extra)))
}

fn origin(scope: &Scope<'_>, word: Word<'_>) -> Result<Name, Finding> {
    Name::parse(word.raw, scope.origin.as_ref().map(Name::borrow))
        .map_err(|fault| Finding::word(word, DirectiveTrouble::Origin(fault)))
}

/// A path with its escapes resolved: `\ ` is a blank. (An escaped number stays: no path needs one.)
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(octet) = rest.next() {
        path.push(if *octet == b'\\' { *rest.next().unwrap_or(octet) } else { *octet });
    }
    path
}
