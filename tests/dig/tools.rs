//! dig, drill and kdig, run; and what they print, read the same way for all three.

use std::process::Command;

/// What a tool printed.
pub(crate) struct Told {
    command: String,
    text: String,
    /// Its lines with single spaces between the words, so that a test need not count blanks.
    lines: Vec<String>,
}

/// `dig` with these words.
pub(crate) fn dig(words: &str) -> Told {
    run("dig", words)
}

/// `drill` with these words.
pub(crate) fn drill(words: &str) -> Told {
    run("drill", words)
}

/// `kdig` with these words.
pub(crate) fn kdig(words: &str) -> Told {
    run("kdig", words)
}

fn run(program: &str, words: &str) -> Told {
    let output = Command::new(program).args(words.split_whitespace()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run tests/setup, which installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // The first line repeats the command: what is looked for there would always be found.
    let lines = text.lines().filter(|line| !line.starts_with("; <<>>"));
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    Told { command: format!("{program} {words}"), text, lines }
}

impl Told {
    /// Whether a line says exactly this (blanks apart).
    pub(crate) fn has_line(&self, wanted: &str) -> bool {
        self.lines.iter().any(|line| line == wanted)
    }

    /// Lines that begin with this, in their order.
    pub(crate) fn lines_with<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().map(String::as_str).filter(move |line| line.starts_with(start))
    }

    /// A line must say exactly this.
    #[track_caller]
    pub(crate) fn says(&self, wanted: &str) -> &Told {
        assert!(self.has_line(wanted), "{}\nno line says: {wanted}\n{}", self.command, self.text);
        self
    }

    /// This must stand somewhere.
    #[track_caller]
    pub(crate) fn contains(&self, wanted: &str) -> &Told {
        let is_there = self.lines.iter().any(|line| line.contains(wanted));
        assert!(is_there, "{}\nnowhere: {wanted}\n{}", self.command, self.text);
        self
    }

    /// This must stand nowhere.
    #[track_caller]
    pub(crate) fn lacks(&self, unwanted: &str) -> &Told {
        let is_there = self.lines.iter().any(|line| line.contains(unwanted));
        assert!(!is_there, "{}\nsays: {unwanted}\n{}", self.command, self.text);
        self
    }

    /// The rcode and the number of answers, as dig writes them.
    #[track_caller]
    pub(crate) fn status(&self, rcode: &str, answers: usize) -> &Told {
        self.contains(&format!("status: {rcode}")).contains(&format!("ANSWER: {answers},"))
    }
}
