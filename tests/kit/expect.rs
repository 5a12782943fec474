//! What a case expects: read from its words, and printed from a reply.

use super::message::{Record, Reply};
use super::name::{rcode_code, rcode_text};

/// The words that begin a part of an expectation.
const PARTS: [&str; 4] = ["answer", "authority", "additional", "edns"];
const FLAGS: [&str; 7] = ["aa", "tc", "rd", "ra", "z", "ad", "cd"];

/// What must come back.
#[derive(Debug, Clone)]
pub(crate) enum Expect {
    Silence,
    Reply(Expected),
}

/// The parts of a reply that a case tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) rcode: u16,
    pub(crate) flags: Vec<String>,
    pub(crate) answer: Vec<Pattern>,
    pub(crate) authority: Vec<Pattern>,
    pub(crate) additional: Vec<Pattern>,
    /// The OPT record's options; None: the case says nothing of EDNS.
    pub(crate) edns: Option<Vec<String>>,
}

/// A record, or several, that one entry of a case stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `www.example.org 300 A 192.0.2.1`; without data: any data of one record.
    Record(String),
    /// `SOA`: one record of this type, whatever owner and TTL.
    Kind(String),
    /// `40 of big.example.org 300 TXT`.
    Many(usize, String),
    /// `one-set-of any.example.org`: all records there are have this owner and are of one type (RFC 8482).
    OneSet(String),
}

impl Expect {
    /// The words after `->`.
    pub(crate) fn read(words: &[String]) -> Result<Expect, String> {
        let [rcode, rest @ ..] = words else { return Err("nothing after ->".to_owned()) };
        if rcode == "silence" {
            return if rest.is_empty() { Ok(Expect::Silence) } else { Err("words after silence".to_owned()) };
        }
        let rcode = rcode_code(rcode).ok_or(format!("no such response code: {rcode}"))?;
        let flags = rest.iter().take_while(|word| !PARTS.contains(&word.as_str())).cloned().collect::<Vec<_>>();
        if let Some(flag) = flags.iter().find(|flag| !FLAGS.contains(&flag.as_str())) {
            return Err(format!("no such flag: {flag}"));
        }
        let mut expected = Expected { rcode, ..Expected::default() };
        let mut rest = &rest[flags.len()..];
        expected.flags = flags;
        while let [part, after @ ..] = rest {
            let length = after.iter().take_while(|word| !PARTS.contains(&word.as_str())).count();
            expected.part(part, &after[..length])?;
            rest = &after[length..];
        }
        Ok(Expect::Reply(expected))
    }

    /// The text of an expectation that `reply` meets.
    pub(crate) fn print(reply: Option<&Reply>, is_send: bool) -> String {
        let Some(reply) = reply else { return " -> silence\n".to_owned() };
        let mut head = format!(" -> {}", rcode_text(reply.rcode));
        for flag in &reply.flags {
            head.push_str(&format!(" {flag}"));
        }
        let mut parts: Vec<String> = Vec::new();
        let mut section = |name: &str, records: &[Record]| {
            parts.extend(records.iter().map(|record| format!("{name} {}", short(name, record))));
        };
        section("answer", &reply.answer);
        section("authority", &reply.authority);
        section("additional", &reply.additional);
        let words = reply.edns.as_ref().map(|edns| edns.words().join(" "));
        if let Some(words) = words.filter(|words| is_send || !words.is_empty()) {
            parts.push(format!("edns {words}").trim_end().to_owned());
        }
        match &parts[..] {
            [] => format!("{head}\n"),
            [only] if only.len() < 64 => format!("{head} {only}\n"),
            parts => parts.iter().fold(format!("{head}\n"), |text, part| format!("{text}  {part}\n")),
        }
    }
}

/// Nobody wants to read the whole SOA on every denial.
fn short(section: &str, record: &Record) -> String {
    match (section, record.kind) {
        ("authority", 6) => format!("{} {} SOA", record.owner, record.ttl),
        _ => record.to_string(),
    }
}

impl Expected {
    fn part(&mut self, part: &str, words: &[String]) -> Result<(), String> {
        let section = match part {
            "edns" => {
                self.edns.get_or_insert_default().extend(words.iter().cloned());
                self.edns.iter_mut().for_each(|words| words.sort());
                return Ok(());
            }
            "answer" => &mut self.answer,
            "authority" => &mut self.authority,
            _ => &mut self.additional,
        };
        match words {
            [none] if none == "none" => (),
            words => section.push(Pattern::read(words)?),
        }
        Ok(())
    }
}

impl Pattern {
    fn read(words: &[String]) -> Result<Pattern, String> {
        Ok(match words {
            [] => return Err("a part without a record; write `none`".to_owned()),
            [kind] => Pattern::Kind(kind.clone()),
            [one_set, owner] if one_set == "one-set-of" => Pattern::OneSet(owner.clone()),
            [count, of, record @ ..] if of == "of" => {
                Pattern::Many(count.parse().map_err(|_| format!("no number: {count}"))?, record.join(" "))
            }
            words => Pattern::Record(words.join(" ")),
        })
    }
}
