//! Tests of the reader: text cases, and properties for octets of any kind.
//!
//! A case in `*.cases` is a title, a zone file, and what is read: faults with their places, then records.
//!
//! ```text
//! == title          (the zone is example. if the title does not say: unknown zone)
//! a 60 AAA ::1
//! ++ other.zone     (a file to include, if one is needed)
//! --
//! 1:6+3 error: unknown record type "AAA"
//!   cure: did you mean AAAA?
//! ```
//!
//! The characters ␀ ␉ ␌ ␍ stand for the octets they picture, ␠ for a blank at the end of a line. `UPDATE=1 cargo
//! test` writes what is read into the files; the difference is then to be reviewed.

mod properties;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::wire::{Name, rdata};
use crate::zone::draft::Record;
use crate::zone::{Severity, Zone};

use super::{Reading, read};

/// Reads `text` as the zone `origin`; `files` can be included.
fn read_text(text: &[u8], origin: Option<&str>, files: &[(String, Vec<u8>)]) -> Reading {
    let origin: Option<Name> = origin.map(|origin| origin.parse().unwrap());
    let mut load = |path: &str, _: &str| match files.iter().find(|(name, _)| name == path) {
        Some((name, text)) => Ok((name.clone(), Arc::from(&text[..]))),
        None => Err(io::Error::other("no such file")),
    };
    read(text.into(), "main.zone", origin, &mut load, &mut |_| ())
}

/// What was read: faults, then records.
fn outcome(reading: &Reading) -> String {
    let mut text = String::new();
    for fault in &reading.faults {
        let place = fault.place.map_or("-".to_owned(), |place| {
            let file = if place.file == 0 { "" } else { &format!("{}:", reading.files[place.file as usize].label) };
            format!("{file}{}:{}+{}", place.line, place.column, place.width)
        });
        let severity = if fault.severity == Severity::Error { "error" } else { "warning" };
        text += &format!("{place} {severity}: {}\n  cure: {}\n", fault.message, fault.cure);
    }
    text + &records(reading).concat()
}

/// The records as lines of text.
fn records(reading: &Reading) -> Vec<String> {
    let line = |record: &Record| {
        let draft = &reading.draft;
        let mut data = String::new();
        rdata::print(record.kind, draft.rdata(record), &mut data);
        format!("{} {} {} {data}\n", draft.owner(record), record.ttl, record.kind)
    };
    reading.draft.records().iter().map(line).collect()
}

fn octets(text: &str) -> Vec<u8> {
    let pictures = [('␀', "\0"), ('␉', "\t"), ('␌', "\x0c"), ('␍', "\r"), ('␠', " ")];
    pictures.iter().fold(text.to_owned(), |text, (picture, octet)| text.replace(*picture, octet)).into_bytes()
}

/// Runs a file of cases; returns it with what is really read.
fn run(cases: &str) -> (String, Vec<String>) {
    let (mut actual, mut wrong) = (String::new(), Vec::new());
    let mut parts = cases.split("\n== ");
    actual += parts.next().unwrap();
    for case in parts {
        let (title, rest) = case.split_once('\n').unwrap();
        let (input, expected) = rest.split_once("--\n").unwrap_or_else(|| panic!("no -- in {title}"));
        let mut files = input.split("++ ");
        let main = octets(files.next().unwrap());
        let files: Vec<_> = files.map(|file| file.split_once('\n').unwrap()).collect();
        let files: Vec<_> = files.into_iter().map(|(name, text)| (name.to_owned(), octets(text))).collect();
        let origin = (!title.contains("unknown zone")).then_some("example.");
        let got = outcome(&read_text(&main, origin, &files));
        if got.trim_end() != expected.trim_end() {
            wrong.push(format!("== {title}\n{input}-- expected\n{}\n-- read\n{got}", expected.trim_end()));
        }
        actual += &format!("\n== {title}\n{input}--\n{got}");
    }
    (actual, wrong)
}

#[test]
fn cases() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/zone/text/tests");
    for file in ["records.cases", "directives.cases", "generate.cases", "faults.cases", "broken.cases"] {
        let path = folder.join(file);
        let (actual, wrong) = run(&std::fs::read_to_string(&path).unwrap());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, actual).unwrap();
        } else {
            assert!(wrong.is_empty(), "{file}\n{}", wrong.join("\n"));
        }
    }
}

#[test]
fn a_case_that_is_wrong_is_told() {
    let (actual, wrong) = run("\n== a\na 60 A 192.0.2.1\n--\na.example. 60 A 192.0.2.2\n");
    assert_eq!(wrong.len(), 1);
    assert_eq!(actual, "\n== a\na 60 A 192.0.2.1\n--\na.example. 60 A 192.0.2.1\n");
}

#[test]
fn no_final_newline_no_record_lost() {
    for text in [
        "a 60 A 192.0.2.1",
        "a 60 A 192.0.2.1 ; x",
        "a 60 A 192.0.2.1\r",
        "a 60 A (192.0.2.1)",
        "\u{feff}a 60 A 192.0.2.1",
    ] {
        assert_eq!(
            outcome(&read_text(text.as_bytes(), Some("example"), &[])),
            "a.example. 60 A 192.0.2.1\n",
            "{text:?}"
        );
    }
}

#[test]
fn faults_are_kept_up_to_a_limit_and_then_counted() {
    let reading = read_text("a 60 X 1\n".repeat(1_005).as_bytes(), Some("example"), &[]);
    assert_eq!(reading.faults.len(), 1_001);
    assert_eq!(reading.faults[1_000].message, "there is more than is shown: errors 5, warnings 0");
    assert_eq!(reading.faults[999].place.unwrap().line, 1_000);
    let reading = read_text("a 60 X 1\n".repeat(1_000).as_bytes(), Some("example"), &[]);
    assert_eq!(reading.faults.len(), 1_000);
}

#[test]
fn progress_is_told_about_every_mebibyte() {
    let text: Arc<[u8]> = "a 60 A 192.0.2.1\n".repeat(200_000).into_bytes().into();
    let mut told = Vec::new();
    read(Arc::clone(&text), "x", Some(Name::root()), &mut |_, _| Err(io::Error::other("")), &mut |octets| {
        told.push(octets)
    });
    assert_eq!(told.len(), text.len() >> 20);
    assert!(told.windows(2).all(|pair| (1 << 20..=(1 << 20) + 64).contains(&(pair[1] - pair[0]))), "{told:?}");
}

/// One mistake is one fault, and no zone: what depends on a broken record is not blamed for it.
#[test]
fn a_broken_record_breaks_nothing_else() {
    for text in [
        "$TTL 60\n@ SOA ns host 1 2 3 4\n@ NS ns\nns A 192.0.2.1\n",
        "$TTL 60\n@ SOA ns host ( 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1\n",
        "$TTL 60\n@ SOA ns host 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.1.\nb CNAME ns\n",
        "$TTL 60\n@ SOA ns host 1 7200 3600 1209600 300\n@ NS ns..\nns A 192.0.2.1\n",
        "$TTL 60\nexample.org. SOA ns host 1 7200 3600 1209600 300\n",
    ] {
        let reading = read_text(text.as_bytes(), Some("example"), &[]);
        assert_eq!(reading.faults.len(), 1, "{text}");
        let built = Zone::build(reading.draft);
        assert!(built.zone.is_none() && built.faults.is_empty(), "{text} {:?}", built.faults);
    }
}

#[test]
fn utf_16_is_told_once() {
    let text: Vec<u8> = "\u{feff}a A 192.0.2.1\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reading = read_text(&text, Some("example"), &[]);
    assert_eq!(outcome(&reading), "1:1+2 error: this file is in UTF-16\n  cure: save it as UTF-8\n");
}

/// What would take for ever takes none: each of these is small and asks for a lot.
#[test]
fn work_is_bounded() {
    let rabbits: Vec<_> = (0..20)
        .map(|level| (format!("f{level}"), format!("$INCLUDE f{}\n", level + 1).repeat(100).into_bytes()))
        .collect();
    let texts: [&[u8]; 8] = [
        &b"a TXT (\n".repeat(50_000),
        &b"a A ( 192.0.2.1\n".repeat(50_000),
        &[b"a A ( 192.0.2.1\n".repeat(50_000), b")".repeat(50_000)].concat(),
        &b"( ".repeat(200_000),
        &b"a ".repeat(500_000),
        b"$GENERATE 0-100000 a$ TXT x\n$GENERATE 0-1000000 a$ TXT x\n",
        b"$GENERATE 0-2147483647 a$ TXT x\n",
        b"$INCLUDE f0\n",
    ];
    for text in texts {
        let start = std::time::Instant::now();
        let reading = read_text(text, Some("example"), &rabbits);
        assert!(!reading.faults.is_empty());
        assert!(start.elapsed().as_secs() < 120, "{:?}", String::from_utf8_lossy(&text[..20.min(text.len())]));
    }
}
