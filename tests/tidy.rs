//! The rules of the house, kept by a test rather than by memory: who may import whom, where each big package has
//! its one home, how long a file may be, that each says what it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "who cannot go on here should stop")]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of `src` from the ground up. A file imports only from floors below its own and from its own folder.
const FLOORS: &[&[&str]] = &[
    &["limits", "tally"],
    &["wire"],
    &["zone", "route", "cert", "access"],
    &["store"],
    &["dns", "acme", "edge"],
    &["api", "web"],
    &["cli", "daemon"],
];

/// Names of packages, and the only places of `src` that may say them.
const HOMES: &[(&str, &[&str])] = &[
    ("sled::", &["src/store/disk"]),
    ("hickory_", &["src/wire/", "src/zone/sign/", "src/dns/encrypted"]),
    ("rustls", &["src/api/listen/tls", "src/cli/remote/", "src/edge/tls", "src/dns/", "src/cert/", "src/acme/tls"]),
    ("rcgen", &["src/cert/"]),
    ("instant_acme", &["src/acme/"]),
    ("axum::", &["src/api/", "src/web/"]),
    ("clap::", &["src/cli/"]),
    ("mimalloc::", &["src/memory.rs"]),
    ("libmimalloc_sys::", &["src/memory.rs"]),
    ("listenfd::", &["src/daemon/"]),
    ("sd_notify::", &["src/daemon/"]),
    ("libc::", &["src/dns/batch", "src/dns/sockets", "src/store/", "src/daemon/", "src/memory"]),
];

/// The only files with unsafe code, each operation with its reason beside it.
const UNSAFE: &[&str] = &["src/dns/batch.rs", "src/memory.rs"];

const FILE_LINES_MAX: usize = 500;

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The code without comments and without what follows `#[cfg(test)]`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        lines
            .map(|(at, line)| (at + 1, line.split("//").next().unwrap_or("")))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                let built = path.file_name().is_some_and(|name| name == "target"); // by the fuzzer
                waiting.extend((!built).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                let path = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn all() -> Vec<Source> {
    sources(&["src", "tests", "benches", "fuzz"])
}

fn assert_none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}\n", offences.join("\n  "));
}

fn floor_of(folder: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&folder))
}

#[test]
fn imports_only_point_down() {
    let mut offences = Vec::new();
    for source in sources(&["src"]) {
        let inside = source.path.trim_start_matches("src/");
        let folder = inside.split('/').next().unwrap_or("").trim_end_matches(".rs");
        if ["main", "memory", "lib"].contains(&folder) {
            continue;
        }
        let Some(mine) = floor_of(folder) else {
            offences.push(format!("{}: the folder {folder} stands on no floor (tests/tidy.rs)", source.path));
            continue;
        };
        for (line, code) in source.code() {
            for used in code.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let allowed = used == folder || floor_of(&used).is_some_and(|theirs| theirs < mine);
                if !allowed {
                    offences.push(format!("{}:{line}: {folder} may not import {used}", source.path));
                }
            }
        }
    }
    assert_none("a file imports only from lower floors and from its own folder", offences);
}

#[test]
fn big_packages_have_one_home() {
    let mut offences = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test()) {
        for (line, code) in source.code() {
            for (package, homes) in HOMES {
                if code.contains(package) && !homes.iter().any(|home| source.path.starts_with(home)) {
                    offences.push(format!("{}:{line}: {package} belongs to {}", source.path, homes.join(", ")));
                }
            }
        }
    }
    assert_none("each big package has its home", offences);
}

#[test]
fn unsafe_code_has_one_home_and_a_reason_each() {
    let mut offences = Vec::new();
    for source in sources(&["src"]) {
        for (line, code) in source.code().filter(|(_, code)| {
            code.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).any(|word| word == "unsafe")
        }) {
            if !UNSAFE.contains(&source.path.as_str()) {
                offences.push(format!("{}:{line}: {}", source.path, code.trim()));
            } else if !source
                .text
                .lines()
                .take(line - 1)
                .collect::<Vec<_>>()
                .iter()
                .rev()
                .take(6)
                .any(|line| line.contains("SAFETY:"))
            {
                offences.push(format!("{}:{line}: no SAFETY comment in the six lines above", source.path));
            }
        }
    }
    assert_none("unsafe code lives in one place, with its reasons", offences);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut offences = Vec::new();
    for source in all() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines} lines; more than {FILE_LINES_MAX} should become a folder", source.path));
        }
        let inner_tests = source.path.starts_with("src/") && source.is_test();
        if !inner_tests && !source.text.starts_with("//!") {
            offences.push(format!("{}: does not open with //! and what it is", source.path));
        }
    }
    assert_none("one idea a file", offences);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
    ];
    let mut offences = Vec::new();
    for source in all() {
        for (line, text) in source.text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| text.contains(**mark)) {
                offences.push(format!("{}:{}: {mark}", source.path, line + 1));
            }
        }
    }
    assert_none("what is committed is finished", offences);
}
