//! A page of metrics: fetched by hand over the Unix socket, read by a small parser of our own and a strict one of others.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks over the Unix socket: status, content type and body.
pub(crate) fn ask(socket: &Path, method: &str, path: &str) -> (u16, String, String) {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, &format!("{method} {path} HTTP/1.1\r\nHost: freehold\r\nConnection: close\r\n\r\n"))
}

/// Asks over TCP, with a header of one's own: the status.
pub(crate) fn ask_tcp(url: &str, path: &str, header: &str) -> u16 {
    let host = url.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(stream, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n")).0
}

/// Makes a token that has these rights: its secret.
pub(crate) fn token(socket: &Path, rights: &str) -> String {
    let body = format!(r#"{{"name": "{rights}", "rights": "{rights}"}}"#);
    let head = "POST /v1/tokens HTTP/1.1\r\nHost: freehold\r\nConnection: close\r\nContent-Type: application/json";
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (status, _, made) = exchange(UnixStream::connect(socket).unwrap(), &request);
    assert_eq!(status, 201, "{made}");
    made.split('"').find(|word| word.starts_with("freehold_")).unwrap().to_owned()
}

fn exchange(mut stream: impl Read + Write, request: &str) -> (u16, String, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (head[9..12].parse().unwrap(), kind.to_owned(), body.to_owned())
}

/// The numbers of a page by series, and which of them may only go up.
#[derive(Debug, Default)]
pub(crate) struct Page {
    values: BTreeMap<String, f64>,
    rising: Vec<String>,
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut rises = false;
        assert!(text.ends_with("\n# EOF\n"));
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                rises = family.ends_with(" counter") || family.ends_with(" histogram");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let known = page.values.insert(series.to_owned(), value.parse().unwrap());
                assert_eq!(known, None, "{series} is there twice");
                page.rising.extend(rises.then(|| series.to_owned()));
            }
        }
        page
    }

    /// Whether there is such a series.
    pub(crate) fn knows(&self, series: &str) -> bool {
        self.values.contains_key(series)
    }

    /// The value of a series; of a family without its labels, the sum.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let is_it =
            |known: &str| known == series || known.strip_prefix(series).is_some_and(|rest| rest.starts_with('{'));
        let values: Vec<f64> = self.values.iter().filter(|(known, _)| is_it(known)).map(|(_, value)| *value).collect();
        assert!(!values.is_empty(), "there is no {series}");
        values.iter().sum()
    }

    /// By how much it has grown since an earlier page.
    pub(crate) fn gained(&self, before: &Self, series: &str) -> f64 {
        self.value(series) - before.value(series)
    }

    /// What was larger, or there at all, on an earlier page, though it may only go up.
    pub(crate) fn fallen(&self, before: &Self) -> Vec<String> {
        let fallen = |series: &&String| self.values.get(*series).is_none_or(|value| *value < before.values[*series]);
        before.rising.iter().filter(fallen).cloned().collect()
    }
}

/// What prometheus_client's own parser of OpenMetrics says: how many families there are, or what is wrong. `None`: no Python
/// here has it.
pub(crate) fn strict(page: &str) -> Option<Result<usize, String>> {
    const PROGRAM: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(len(list(text_string_to_metric_families(sys.stdin.read()))))";
    let chosen = std::env::var("FREEHOLD_PYTHON").ok();
    let pythons = chosen.iter().map(String::as_str).chain(["python3", "/usr/bin/python3"]);
    let python = pythons.into_iter().find(|python| {
        let has_it = Command::new(python).args(["-c", "import prometheus_client"]).stderr(Stdio::null()).status();
        has_it.is_ok_and(|status| status.success())
    })?;
    let mut child = Command::new(python);
    let child = child.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    Some(if output.status.success() { Ok(told(&output.stdout).parse().unwrap()) } else { Err(told(&output.stderr)) })
}
