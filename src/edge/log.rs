//! The access log: a line for each request, as JSON or as Apache and nginx write it.
//!
//! Each thread gathers lines and hands them over a few times a second, so that the file is written in large pieces and threads
//! meet there rarely. A line tells nothing but the request: no header of the client's beyond `Referer` and `User-Agent`, no
//! cookie, no body. A file that was moved away is opened anew, so any log rotation works without a signal.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::{HeaderMap, HeaderValue, REFERER, USER_AGENT};
use hyper::{Method, Uri, Version};
use serde::Serialize;

use super::exchange::Exchange;
use super::passage::Story;
use super::settings::{AccessLog as Settings, LogFormat};
use super::worker::Worker;

/// Octets of lines that a thread gathers before it hands them over.
const GATHERED_MAX: usize = 64 << 10;
/// Octets of one word from the client, such as its `User-Agent`.
const WORD_SIZE_MAX: usize = 1_024;

/// What stands in a line for a connection that is passed on unopened.
const PASSED_METHOD: &str = "CONNECT";
const PASSED_PROTOCOL: &str = "TLS";

/// Where the lines go; all threads share it.
pub(super) struct AccessLog {
    settings: Settings,
    file: Mutex<Option<File>>,
}

/// What is known of a request when it comes, kept only if it is going to be noted down.
#[derive(Default)]
pub(super) struct Record(Option<Rc<Noted>>);

struct Noted {
    method: Method,
    uri: Uri,
    version: Version,
    host: HeaderValue,
    client: String,
    referer: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    route: RefCell<Box<str>>,
}

/// The lines of one thread.
pub(super) struct Lines {
    log: Arc<AccessLog>,
    gathered: RefCell<String>,
}

impl AccessLog {
    pub(super) fn open(settings: Settings) -> io::Result<Self> {
        let file = match (&settings.file, settings.format) {
            (Some(path), LogFormat::Json | LogFormat::Combined) => Some(append(path)?),
            (None, _) | (_, LogFormat::Off) => None,
        };
        Ok(Self { settings, file: Mutex::new(file) })
    }

    /// Whether lines are written at all.
    pub(super) fn is_on(&self) -> bool {
        self.settings.format != LogFormat::Off
    }

    fn write(&self, lines: &str) -> io::Result<()> {
        let Some(path) = &self.settings.file else { return io::stdout().lock().write_all(lines.as_bytes()) };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !file.as_ref().is_some_and(|file| is_at(file, path)) {
            *file = Some(append(path)?);
        }
        file.as_mut().map_or(Ok(()), |file| file.write_all(lines.as_bytes()))
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Whether the file is still the one at its path.
fn is_at(file: &File, path: &PathBuf) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}

impl Record {
    /// Takes note of a request, if requests are noted down.
    pub(super) fn of(
        log: &AccessLog,
        head: (&Method, &Uri, Version, &HeaderMap),
        host: &HeaderValue,
        client: IpAddr,
    ) -> Self {
        if !log.is_on() {
            return Self(None);
        }
        let (method, uri, version, headers) = head;
        Self(Some(Rc::new(Noted {
            method: method.clone(),
            uri: uri.clone(),
            version,
            host: host.clone(),
            client: client.to_string(),
            referer: headers.get(REFERER).cloned(),
            agent: headers.get(USER_AGENT).cloned(),
            route: RefCell::default(),
        })))
    }

    /// Takes note of the route.
    pub(super) fn set_route(&self, id: &str) {
        if let Some(noted) = &self.0 {
            *noted.route.borrow_mut() = id.into();
        }
    }
}

impl Lines {
    pub(super) fn new(log: Arc<AccessLog>) -> Self {
        Self { log, gathered: RefCell::default() }
    }

    /// Notes a request down that is over, if its turn has come.
    pub(super) fn note(&self, exchange: &Exchange, status: u16, sent: u64, took: Duration, whole: bool) {
        let record = exchange.record.borrow();
        let Some(noted) = &record.0 else { return };
        let one_of = u64::from(self.log.settings.one_of);
        if status < 500 && one_of > 1 && !exchange.client.worker.random.next().is_multiple_of(one_of) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let over = Over { exchange, noted, status, sent, took, whole, now };
        let mut gathered = self.gathered.borrow_mut();
        match self.log.settings.format {
            LogFormat::Off => return,
            LogFormat::Json => over.json(&mut gathered),
            LogFormat::Combined => over.combined(&mut gathered),
        }
        if gathered.len() > GATHERED_MAX {
            drop(gathered);
            self.flush(exchange.client.worker.stats());
        }
    }

    /// Notes down a connection that was passed on, or not, and is over: in the form of a request that asked for a tunnel.
    pub(super) fn note_passage(&self, story: &Story<'_>, worker: &Worker) {
        let settings = &self.log.settings;
        if story.status < 500 && settings.one_of > 1 && !worker.random.next().is_multiple_of(settings.one_of.into()) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut gathered = self.gathered.borrow_mut();
        match settings.format {
            LogFormat::Off => return,
            LogFormat::Json => story.json(now, worker.random.next(), &mut gathered),
            LogFormat::Combined => story.combined(now, &mut gathered),
        }
        if gathered.len() > GATHERED_MAX {
            drop(gathered);
            self.flush(worker.stats());
        }
    }

    /// Hands over what was gathered. What cannot be written is lost and counted; requests go on.
    pub(super) fn flush(&self, stats: &super::stats::Stats) {
        let mut gathered = self.gathered.borrow_mut();
        if gathered.is_empty() {
            return;
        }
        if self.log.write(&gathered).is_err() {
            stats.log_lost.add(gathered.lines().count() as u64);
        }
        gathered.clear();
        gathered.shrink_to(GATHERED_MAX * 2);
    }
}

/// A request that is over.
struct Over<'a> {
    exchange: &'a Exchange,
    noted: &'a Noted,
    status: u16,
    sent: u64,
    took: Duration,
    whole: bool,
    now: Duration,
}

/// A line in JSON.
#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    id: String,
    client: &'a str,
    method: &'a str,
    host: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    sent: u64,
    seconds: f64,
    complete: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    route: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    app: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
}

impl Over<'_> {
    fn json(&self, lines: &mut String) {
        let noted = self.noted;
        let line = Line {
            time: self.now.as_millis() as f64 / 1_000.0,
            id: format!("{:016x}", self.exchange.id()),
            client: &noted.client,
            method: noted.method.as_str(),
            host: word(Some(&noted.host)).unwrap_or_default(),
            path: noted.uri.path(),
            query: noted.uri.query(),
            protocol: protocol(noted.version),
            tls: self.exchange.client.secure.as_ref().map(|secure| secure.version),
            status: self.status,
            received: None,
            sent: self.sent,
            seconds: self.took.as_micros() as f64 / 1_000_000.0,
            complete: self.whole,
            route: &noted.route.borrow(),
            app: &self.exchange.app(),
            referer: word(noted.referer.as_ref()),
            agent: word(noted.agent.as_ref()),
        };
        if let Ok(line) = serde_json::to_string(&line) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }

    fn combined(&self, lines: &mut String) {
        let noted = self.noted;
        let target = noted.uri.path_and_query().map_or("", |path| path.as_str());
        let (referer, agent) = (word(noted.referer.as_ref()), word(noted.agent.as_ref()));
        let _ = writeln!(
            lines,
            "{} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\"",
            noted.client,
            apache_time(self.now.as_secs()),
            noted.method,
            quoted(target),
            protocol(noted.version),
            self.status,
            self.sent,
            quoted(referer.unwrap_or("-")),
            quoted(agent.unwrap_or("-")),
        );
    }
}

impl Story<'_> {
    fn json(&self, now: Duration, id: u64, lines: &mut String) {
        let (received, sent) = self.carried;
        let line = Line {
            time: now.as_millis() as f64 / 1_000.0,
            id: format!("{id:016x}"),
            client: &self.client.to_string(),
            method: PASSED_METHOD,
            host: self.host,
            path: "",
            query: None,
            protocol: PASSED_PROTOCOL,
            tls: None,
            status: self.status,
            received: Some(received),
            sent,
            seconds: self.took.as_micros() as f64 / 1_000_000.0,
            complete: self.whole,
            route: self.route,
            app: &self.app,
            referer: None,
            agent: None,
        };
        if let Ok(line) = serde_json::to_string(&line) {
            lines.push_str(&line);
            lines.push('\n');
        }
    }

    fn combined(&self, now: Duration, lines: &mut String) {
        let (time, sent) = (apache_time(now.as_secs()), self.carried.1);
        let (client, host, status) = (self.client, quoted(self.host), self.status);
        let _ = writeln!(
            lines,
            "{client} - - [{time}] \"{PASSED_METHOD} {host} {PASSED_PROTOCOL}\" {status} {sent} \"-\" \"-\""
        );
    }
}

/// A word of the client's, unless it is none.
fn word(value: Option<&HeaderValue>) -> Option<&str> {
    let text = value?.to_str().ok()?;
    Some(text.get(..WORD_SIZE_MAX).unwrap_or(text))
}

/// What could end a quotation or a line is written as Apache does.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// `10/Oct/2026:13:55:36 +0000`
fn apache_time(seconds: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let month = MONTHS[month as usize - 1];
    format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
}

/// Year, month and day of a day since 1970 (Howard Hinnant's `civil_from_days`, for days from 1970 on).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // since 0000-03-01, so that a leap day ends its year
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_apache_does() {
        for (seconds, written) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (951_782_399, "28/Feb/2000:23:59:59 +0000"),
            (951_782_400, "29/Feb/2000:00:00:00 +0000"),
            (1_791_640_536, "10/Oct/2026:13:55:36 +0000"),
            (4_107_542_400, "01/Mar/2100:00:00:00 +0000"),
        ] {
            assert_eq!(apache_time(seconds), written);
        }
    }

    #[test]
    fn no_word_of_a_client_ends_its_quotation_or_line() {
        assert_eq!(quoted("a\"b\\c\nd\u{1b}e\u{85}"), "a\\\"b\\\\c\\x0ad\\x1be\\x85");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let settings = Settings { format: LogFormat::Json, file: Some(path.clone()), one_of: 1 };
        let log = AccessLog::open(settings).unwrap();
        log.write("one\n").unwrap();
        std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        log.write("two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert!(
            AccessLog::open(Settings { format: LogFormat::Json, file: Some("/nowhere/at/all".into()), one_of: 1 })
                .is_err()
        );
    }
}
