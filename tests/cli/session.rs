//! Sessions at a shell, as files: each command with the whole of what it says, compared with what it really says.
//!
//! `tests/cli/sessions/README.md` tells the form. `UPDATE=1` writes what is said into the files; read the difference
//! before it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kit::{Home, Server};

/// A file of `sessions/`.
struct Session {
    path: PathBuf,
    /// Everything above the first command.
    head: Vec<String>,
    steps: Vec<Step>,
}

/// A command, what it is expected to say, and the comment behind it.
pub(crate) struct Step {
    pub(crate) line: usize,
    command: Vec<String>,
    pub(crate) said: Vec<String>,
    /// Blank lines behind that.
    gap: usize,
    comment: Vec<String>,
}

/// Plays a session, in each of the ways that its head names.
pub(crate) fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/sessions").join(name).with_extension("session");
    let mut session = Session::read(&path);
    let ways: Vec<String> = session.head.iter().filter_map(|line| line.strip_prefix("#: ")).map(Into::into).collect();
    let update = std::env::var_os("UPDATE").is_some();
    for way in if ways.is_empty() { vec!["where none has run".to_owned()] } else { ways } {
        let wrong = session.play(&way, update);
        assert!(wrong.is_empty(), "{}, {way}:\n{}", session.path.display(), wrong.join("\n"));
    }
    if update {
        fs::write(&path, session.text()).unwrap();
    }
}

impl Session {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        let mut session = Self { path: path.to_owned(), head: Vec::new(), steps: Vec::new() };
        for (at, line) in text.lines().enumerate() {
            let line = line.to_owned();
            match session.steps.last_mut() {
                _ if line.starts_with("$ ") => session.steps.push(Step::new(at + 1, &line[2..])),
                None => session.head.push(line),
                Some(step) if line.starts_with("> ") && step.said.is_empty() => step.command.push(line),
                Some(step) if line.starts_with("# ") || !step.comment.is_empty() => step.comment.push(line),
                Some(step) => step.said.push(line),
            }
        }
        for step in &mut session.steps {
            step.gap = trim(&mut step.said);
        }
        session
    }

    /// The commands that say something else, with both. `update` takes what they say instead.
    fn play(&mut self, way: &str, update: bool) -> Vec<String> {
        let home = Home::new();
        fs::create_dir(home.path("tmp")).unwrap();
        let server = match way {
            "with a server" => Some(home.serve_settled()),
            "over HTTPS" => Some(home.serve_secure()),
            // One has run here before, so that both ways begin at the same revision.
            "without a server" => {
                home.serve_settled().stop();
                None
            }
            "where none has run" => None,
            other => panic!("{}: there is no way \"{other}\"", self.path.display()),
        };
        let mut wrong = Vec::new();
        for step in &mut self.steps {
            let said = step.run(&home, server.as_ref(), "");
            if matches(&step.said, &said) {
                continue;
            }
            if update {
                step.said = kept(&step.said, &said);
            } else {
                let (command, expected, said) = (step.command.join("\n"), step.said.join("\n"), said.join("\n"));
                wrong.push(format!("line {}: {command}\n--- expected\n{expected}\n--- said\n{said}\n---\n", step.line));
            }
        }
        if let Some(server) = server {
            server.stop();
        }
        wrong
    }

    fn text(&self) -> String {
        let mut text = self.head.iter().fold(String::new(), |text, line| text + line + "\n");
        for step in &self.steps {
            let gap = vec![String::new(); step.gap];
            for line in [&step.command, &step.said, &gap, &step.comment].into_iter().flatten() {
                text += &format!("{line}\n");
            }
        }
        text
    }
}

impl Step {
    pub(crate) fn new(line: usize, command: &str) -> Self {
        Self { line, command: vec![format!("$ {command}")], said: Vec::new(), gap: 0, comment: Vec::new() }
    }

    /// Another line of the command.
    pub(crate) fn go_on(&mut self, line: &str) {
        self.command.push(format!("> {line}"));
    }

    /// Another line of what it is expected to say.
    pub(crate) fn expect(&mut self, line: &str) {
        self.said.push(line.trim_end().to_owned());
    }

    pub(crate) fn begins_with(&self, text: &str) -> bool {
        self.text().starts_with(text)
    }

    /// Has one thing in place of another in the command.
    pub(crate) fn replace(&mut self, this: &str, that: &str) {
        self.command.iter_mut().for_each(|line| *line = line.replace(this, that));
    }

    /// Has placeholders where what is said differs: for every moment and revision, and for these words.
    pub(crate) fn differ(&mut self, words: &[(&str, &str)]) {
        for line in &mut self.said {
            words.iter().for_each(|(word, placeholder)| *line = line.replace(word, placeholder));
            let moment = (0..line.len()).find(|at| line.get(*at..at + 19).is_some_and(is_time));
            if let Some(at) = moment {
                line.replace_range(at..at + 19, "<time>");
                line.replace_range(..at, "<number> "); // before it stands the revision
            }
            for word in ["revision ", "--before "] {
                if let Some((before, number)) = line.rsplit_once(word) {
                    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
                    *line = format!("{before}{word}<number>{rest}");
                }
            }
        }
    }

    /// The command as it is typed.
    pub(crate) fn text(&self) -> String {
        self.command.iter().map(|line| &line[2..]).collect::<Vec<_>>().join("\n")
    }

    /// What the command says on both its outputs, in the order of its saying, and its exit code if that is not 0.
    /// `before` is typed before it.
    pub(crate) fn run(&self, home: &Home, server: Option<&Server>, before: &str) -> Vec<String> {
        let command = self.text();
        if let Some(name) = command.strip_prefix("ask ") {
            let server = server.expect("a server to ask");
            return server.ask(name).iter().map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")).collect();
        }
        let path = [
            Path::new(env!("CARGO_BIN_EXE_freehold")).parent().unwrap().display().to_string(),
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/bin").to_owned(),
            std::env::var("PATH").unwrap(),
        ];
        let output = Command::new("timeout")
            .args(["60", "sh", "-c", &format!("exec 2>&1\n{before}{command}")])
            .current_dir(home.path(""))
            .env_clear()
            .envs([("PATH", path.join(":")), ("HOME", home.path("").display().to_string())])
            .envs([("TMPDIR", home.path("tmp").display().to_string()), ("LC_ALL", "C.UTF-8".to_owned())])
            .envs([("TERM", "xterm"), ("MANIFEST", env!("CARGO_MANIFEST_DIR"))])
            .envs(server.map(|server| server.elsewhere.clone()).unwrap_or_default())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut said: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        trim(&mut said);
        if !output.status.success() {
            said.push(format!("[{}]", output.status.code().unwrap_or(-1)));
        }
        said
    }
}

/// Takes blank lines at the end away; how many.
fn trim(lines: &mut Vec<String>) -> usize {
    let size = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    lines.drain(size..).count()
}

/// Lines as they are said now; those that were right stay as they were written, with their placeholders.
fn kept(expected: &[String], said: &[String]) -> Vec<String> {
    let right = |line: &String| expected.iter().find(|expected| is(expected, line)).cloned();
    said.iter().map(|line| right(line).unwrap_or_else(|| line.clone())).collect()
}

/// Whether lines are those expected; `...` stands for any number of them.
pub(crate) fn matches(expected: &[String], said: &[String]) -> bool {
    match expected {
        [] => said.is_empty(),
        [any, rest @ ..] if any == "..." => (0..=said.len()).any(|skipped| matches(rest, &said[skipped..])),
        [first, rest @ ..] => said.split_first().is_some_and(|(line, others)| is(first, line) && matches(rest, others)),
    }
}

/// A placeholder, and what it stands for.
type Placeholder = (&'static str, fn(&str) -> bool);

/// What stands for something that differs from run to run.
const PLACEHOLDERS: [Placeholder; 4] = [
    ("<time>", is_time),
    ("<number>", |text| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())),
    ("<word>", |text| !text.is_empty() && !text.contains(' ')),
    ("<any>", |_| true),
];

/// `2026-11-21 15:04:05`, or with a `T` and a `Z`.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ["0000-00-00 00:00:00", "0000-00-00T00:00:00Z"].contains(&shape.as_str())
}

/// Whether a line is the one expected. Beside a placeholder one blank stands for any number: what is wider moves what
/// stands behind it.
fn is(expected: &str, line: &str) -> bool {
    if !PLACEHOLDERS.iter().any(|(name, _)| expected.contains(name)) {
        return expected == line;
    }
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    fits(&squeezed(expected), &squeezed(line))
}

fn fits(pattern: &str, text: &str) -> bool {
    let first = PLACEHOLDERS
        .iter()
        .filter_map(|(name, is)| pattern.find(name).map(|at| (at, name, is)))
        .min_by_key(|(at, ..)| *at);
    let Some((at, name, is)) = first else { return pattern == text };
    let Some(rest) = text.strip_prefix(&pattern[..at]) else { return false };
    let ends = (0..=rest.len()).filter(|end| rest.is_char_boundary(*end));
    ends.into_iter().any(|end| is(&rest[..end]) && fits(&pattern[at + name.len()..], &rest[end..]))
}

#[test]
fn placeholders_stand_for_what_they_say() {
    assert!(is("a <number> b", "a   17 b") && !is("a <number> b", "a x b") && !is("a  b", "a b"));
    assert!(is("<time>  <word>  new", "2026-11-21 15:04:05  root  new") && !is("<time>", "15:04:05"));
    let lines = |text: &str| text.lines().map(Into::into).collect::<Vec<String>>();
    assert!(matches(&lines("a\n...\nd"), &lines("a\nb\nc\nd")) && !matches(&lines("a\n..."), &lines("b")));
}

/// A session that nobody plays would never be wrong.
#[test]
fn every_session_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/sessions");
    let main = include_str!("main.rs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let played = main.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        assert!(name == "README" || played, "{name} is not named in tests/cli/main.rs");
    }
}
