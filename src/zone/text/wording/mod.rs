//! What a person is told: what is wrong, naming the culprit, and what to write instead.

mod record;

use crate::wire::NameFault;
use crate::zone::{Fault, Place};

use super::directive::DIRECTIVES;
use super::lexer::Breakage;
use super::trouble::{DirectiveTrouble, FileTrouble, OwnerTrouble, Trouble, ZoneTrouble};
use super::ttl::TtlFault;
use super::{GENERATED_MAX, GENERATED_OCTETS_MAX, INCLUDE_DEPTH_MAX, INCLUDES_MAX};

/// Characters of the culprit that are shown in a message.
const QUOTED_MAX: usize = 48;

/// A message and its cure.
type Words = (String, String);

/// Puts trouble into words. `culprit` is the text it is about, as it stands in the file.
pub(super) fn fault(place: Option<Place>, what: &Trouble, culprit: &[u8]) -> Fault {
    let (message, cure) = words(what, culprit);
    Fault { severity: what.severity(), place, message, cure }
}

fn words(what: &Trouble, culprit: &[u8]) -> Words {
    match what {
        Trouble::Broken(what) => broken(*what),
        Trouble::File(what) => file(what),
        Trouble::Owner(what) => owner(what, culprit),
        Trouble::Head(what) => record::head(what, culprit),
        Trouble::Data(what) => record::data(what, culprit),
        Trouble::Zone(what) => zone(what),
        Trouble::Directive(what) => directive(what, culprit),
        Trouble::Generated { step, text, what } => {
            let (message, cure) = words(what, text.as_bytes());
            (format!("$GENERATE, where $ is {step}: {message}"), cure)
        }
    }
}

fn said(message: impl Into<String>, cure: impl Into<String>) -> Words {
    (message.into(), cure.into())
}

/// The culprit in quotes, cut to a size that a line holds; nothing in it reaches a terminal as a command.
pub(super) fn quote(culprit: &[u8]) -> String {
    let text = String::from_utf8_lossy(culprit.strip_prefix(b"\"").unwrap_or(culprit));
    let text = text.strip_suffix('"').filter(|_| culprit.len() > 1 && culprit[0] == b'"').unwrap_or(&text);
    let mut shown: String =
        text.chars().take(QUOTED_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(QUOTED_MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

/// Which of `candidates` was meant, if one is near: few letters added, lost, changed or swapped.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_uppercase();
    let distances = candidates.map(|name| (strsim::osa_distance(&word, name), name));
    let near = distances.filter(|(distance, name)| *distance <= 1 + name.len() / 4 && *distance < word.len());
    let likeness = |name: &str| (strsim::jaro_winkler(&word, name) * 1_000.0) as i64;
    near.min_by_key(|(distance, name)| (*distance, -likeness(name))).map(|(_, name)| name)
}

fn broken(what: Breakage) -> Words {
    match what {
        Breakage::OpenQuote => said(
            "this quote is not closed on its line",
            "write \" behind the text; a line break inside of a text is written \\010",
        ),
        Breakage::OpenParenthesis => {
            said("this parenthesis is never closed", "write ) behind the last word of the record")
        }
        Breakage::LateParenthesis => said(
            "the next record begins before this parenthesis is closed",
            "write ) behind the last word of the record",
        ),
        Breakage::StrayParenthesis => {
            said("this parenthesis was never opened", "remove it, or write ( on the first line of the record")
        }
        Breakage::Control(octet) => said(
            format!("the control octet {octet} stands here"),
            format!("remove it; in a name or a text it is written \\{octet:03}"),
        ),
        Breakage::TooManyWords => said("no record has so many words", "look for a parenthesis that is closed too late"),
    }
}

fn file(what: &FileTrouble) -> Words {
    match what {
        FileTrouble::Utf16 => said("this file is in UTF-16", "save it as UTF-8"),
        FileTrouble::NoSoa => said(
            "there is no SOA record, so it is not known which zone this is",
            "begin with $ORIGIN and an SOA record: @ SOA ns1 hostmaster 1 7200 3600 1209600 3600",
        ),
        FileTrouble::Full => said("the zone is larger than 4 GiB", "delegate parts of it to zones of their own"),
        FileTrouble::More { errors, warnings } => said(
            format!("there is more than is shown: errors {errors}, warnings {warnings}"),
            "mend what is shown and check again",
        ),
    }
}

/// What is wrong with a name.
fn name(culprit: &[u8], fault: NameFault) -> Words {
    let cure = match fault {
        NameFault::TooLong | NameFault::LabelTooLong => "shorten it",
        NameFault::EmptyLabel => "remove the dot that is too many",
        NameFault::BadEscape => "write \\\\ for a backslash, and \\ with three digits for any octet",
        NameFault::Empty => "write a name; @ is the origin",
        NameFault::Relative => "write the whole name with a final dot, or set $ORIGIN first",
        NameFault::CutShort | NameFault::Pointer => "write the name as text",
    };
    said(format!("{} is not a domain name: {fault}", quote(culprit)), cure)
}

fn owner(what: &OwnerTrouble, culprit: &[u8]) -> Words {
    match what {
        OwnerTrouble::Name(fault) => name(culprit, *fault),
        OwnerTrouble::Missing => said(
            "the line starts with a blank, which stands for the owner of the record before, but there is none",
            "write the owner in the first column; @ is the origin",
        ),
        OwnerTrouble::BeforeOrigin(owner) => said(
            format!("this record belongs to {owner}, the owner of the record before, and not to the new origin"),
            "write the owner; @ is the origin",
        ),
    }
}

fn zone(what: &ZoneTrouble) -> Words {
    match what {
        ZoneTrouble::Outside { owner, apex } => {
            let (owner, apex) = (owner.to_string(), apex.to_string());
            let cure = match owner.strip_suffix('.') {
                Some(relative) if relative.ends_with(apex.trim_end_matches('.')) || !relative.contains('.') => {
                    format!("if {relative}.{apex} is meant, write it without the final dot, or in full")
                }
                _ => "remove the record, or look whether $ORIGIN is what it should be".to_owned(),
            };
            said(format!("{owner} is not in the zone {apex}"), cure)
        }
        ZoneTrouble::Other { owner, apex } => said(
            format!("this is the zone {owner} and not {apex}"),
            format!("ask for the zone {owner}, or let the SOA belong to {apex}"),
        ),
        ZoneTrouble::SecondSoa { owner, apex } => said(
            format!("a second SOA, at {owner}: this is the zone {apex}"),
            "keep the one at the apex; another zone needs a file of its own",
        ),
    }
}

fn directive(what: &DirectiveTrouble, culprit: &[u8]) -> Words {
    let it = quote(culprit);
    match what {
        DirectiveTrouble::Unknown => {
            let near = nearest(&String::from_utf8_lossy(culprit), DIRECTIVES.into_iter());
            let cure = near.map_or_else(
                || format!("there are {}; a name that begins with $ is written \\$", DIRECTIVES.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            said(format!("unknown directive {it}"), cure)
        }
        DirectiveTrouble::Indented => {
            said(format!("the directive {it} does not stand in the first column"), "remove the blanks before it")
        }
        DirectiveTrouble::Missing(what) => {
            said(format!("{what} is missing"), format!("write it, as in: {}", example(what)))
        }
        DirectiveTrouble::Extra => said(format!("{it} is one word too many"), "remove it, or write ; before it"),
        DirectiveTrouble::Ttl(TtlFault::TooLarge) => record::ttl_too_large(&it),
        DirectiveTrouble::Ttl(TtlFault::Syntax) => said(format!("{it} is not a TTL"), record::TTL_FORMS),
        DirectiveTrouble::Origin(fault) => name(culprit, *fault),
        DirectiveTrouble::Include(error) => {
            said(format!("{it} cannot be included: {error}"), "correct the path, or put the lines of that file here")
        }
        DirectiveTrouble::Circle(labels) => {
            said(format!("files include each other in a circle: {}", labels.join(" -> ")), "remove one of the $INCLUDE")
        }
        DirectiveTrouble::Depth => {
            said(format!("more than {INCLUDE_DEPTH_MAX} files include each other"), "include fewer levels of files")
        }
        DirectiveTrouble::Count => {
            said(format!("more than {INCLUDES_MAX} files are included"), "put them together into fewer files")
        }
        DirectiveTrouble::Range => said(
            format!("{it} is not a range"),
            "write start-stop or start-stop/step, such as 1-100 or 0-254/2; the start is not larger than the stop",
        ),
        DirectiveTrouble::Template => said(
            format!("{it} has a ${{...}} that is not understood"),
            "write ${offset,width,base}, such as ${0,3,d}; the width is at most 255, the base d, o, x, X, n or N",
        ),
        DirectiveTrouble::TooMany => said(
            format!("more than {GENERATED_MAX} records or {} MiB would be generated", GENERATED_OCTETS_MAX >> 20),
            "use a wildcard, or a smaller range",
        ),
    }
}

/// How the directive looks that lacks something.
fn example(missing: &str) -> &'static str {
    match missing {
        "the TTL" => "$TTL 3600",
        "the name of the origin" => "$ORIGIN example.org.",
        "the path of the file to include" => "$INCLUDE hosts.zone",
        _ => "$GENERATE 1-100 host-$ A 192.0.2.$",
    }
}
