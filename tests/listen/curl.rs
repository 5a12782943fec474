//! curl, and what it brings back.

use std::process::Command;

use crate::kit::Home;

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Got {
    /// curl's exit code.
    pub(crate) code: i32,
    pub(crate) status: u16,
    /// `1.1` or `2`.
    pub(crate) version: String,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Got {
    /// A field of the head.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
    }

    /// The last word of the type of the problem.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        let kind = problem["type"].as_str().unwrap();
        format!("{} {}", self.status, kind.trim_start_matches("/problems/"))
    }
}

/// Runs curl in the directory of a test.
pub(crate) fn curl(home: &Home, arguments: &[&str]) -> Got {
    let output = Command::new("curl")
        .args(["--silent", "--max-time", "60", "--include", "--write-out", "\n%{http_code} %{http_version}"])
        .args(arguments)
        .current_dir(home.path(""))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .output()
        .unwrap_or_else(|fault| panic!("curl does not start ({fault}): run tests/setup, which installs it"));
    let text = String::from_utf8(output.stdout).unwrap();
    let (answer, written) = text.rsplit_once('\n').unwrap();
    let (status, version) = written.split_once(' ').unwrap();
    // What is interim, `100 Continue`, comes as a head of its own.
    let mut rest = answer;
    let mut head = "";
    while rest.starts_with("HTTP/") {
        (head, rest) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
    }
    Got {
        code: output.status.code().unwrap(),
        status: status.parse().unwrap(),
        version: version.to_owned(),
        head: head.to_lowercase(),
        body: rest.to_owned(),
    }
}
