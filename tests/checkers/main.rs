//! Zones that are wrong in one way each, put to us and to the four reference checkers: named-checkzone, kzonecheck,
//! nsd-checkzone and ldns-read-zone. Whatever one of them refuses we refuse, or `tests/checkers/zones` says why not;
//! whatever we alone refuse, it says why.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop there")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use freehold::zone::{Severity, Zone, text};

const HEAD: &str = "$ORIGIN example.org.\n$TTL 300\n@ SOA ns h 1 3600 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n";

/// Each checker with its arguments; the file comes last.
const CHECKERS: [(&str, &[&str]); 4] = [
    ("named-checkzone", &["-q", "-i", "local", "example.org"]),
    ("kzonecheck", &["-o", "example.org"]),
    ("nsd-checkzone", &["example.org"]),
    ("ldns-read-zone", &[]),
];

struct Case {
    name: String,
    verdict: String,
    because: Option<String>,
    zone: String,
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/zones");
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("\n== ").skip(1);
    let case = |block: &str| {
        let (title, mut rest) = block.split_once('\n').unwrap();
        let (name, verdict) = title.split_once(": ").unwrap();
        let because = rest.strip_prefix("because: ").map(|behind| {
            let (reason, behind) = behind.split_once('\n').unwrap();
            rest = behind;
            reason.to_owned()
        });
        Case { name: name.into(), verdict: verdict.into(), because, zone: rest.replacen("HEAD\n", HEAD, 1) }
    };
    blocks.map(case).collect()
}

fn ours(zone: &str) -> &'static str {
    let mut load = |_: &str, _: &str| Err(ErrorKind::NotFound.into());
    let origin = "example.org".parse().ok();
    let reading = text::read(zone.as_bytes().into(), "zone", origin, &mut load, &mut |_| ());
    let mut faults = reading.faults;
    faults.extend(Zone::build(reading.draft).faults);
    match faults.iter().map(|fault| fault.severity).min() {
        None => "accepted",
        Some(Severity::Warning) => "warned",
        Some(Severity::Error) => "refused",
    }
}

/// The checkers that refuse the file.
fn refusing(file: &Path) -> Vec<&'static str> {
    let refuses = |(program, arguments): &(&str, &[&str])| {
        let mut command = Command::new(program);
        command.args(*arguments).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status();
        let status = status.unwrap_or_else(|fault| panic!("{program} does not run: {fault}; tests/setup installs it"));
        !status.success()
    };
    CHECKERS.iter().filter(|checker| refuses(checker)).map(|(program, _)| *program).collect()
}

#[test]
fn what_the_reference_checkers_refuse_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("zone");
    let mut faults = Vec::new();
    let cases = cases();
    for Case { name, verdict, because, zone } in &cases {
        fs::write(&file, zone).unwrap();
        let (ours, others) = (ours(zone), refusing(&file));
        if ours != verdict {
            faults.push(format!("{name}: expected {verdict}, but it is {ours}"));
        }
        let differs = (ours == "refused") == others.is_empty();
        match (differs, because) {
            (true, None) => faults.push(format!("{name}: we say {ours}, but {others:?} refuse it; no reason is given")),
            (false, Some(_)) => faults.push(format!("{name}: nothing differs any more: remove the reason")),
            (true, Some(_)) | (false, None) => (),
        }
    }
    assert!(cases.len() > 60, "only {} zones were found", cases.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
