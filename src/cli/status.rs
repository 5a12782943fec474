//! `freehold status`: what the server does, on a page that fits every terminal.

use std::io::{self, Write};

use hyper::Method;

use super::arguments::{Options, Output};
use super::door::{Door, Place, question};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::count;
use crate::api::{Saved, Status};

/// `freehold status`
pub(super) async fn status(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let Some(mut door) = Door::running(place).await? else {
        let directory = &place.local("status")?.store.directory;
        let message = format!("no server runs on the data directory {}", directory.display());
        return Err(Stop::new(Exit::Unreachable, message, "start it with `freehold serve`"));
    };
    let status: Status = door.ask_json(question(Method::GET, "/v1/status", "")?).await?;
    if options.output == Output::Json {
        json(&status)?;
        return Ok(Exit::Done);
    }
    io::stdout().lock().write_all(page(&status).as_bytes())?;
    Ok(Exit::Done)
}

fn page(status: &Status) -> String {
    let (zones, names) = (count(status.zones, "zone"), count(status.names, "name"));
    let mut rows = vec![
        ("serves", format!("{zones}, {names}, {}", count(status.records, "record"))),
        ("at", status.addresses.join(", ")),
        ("queries", format!("{}, {} a second since the start", status.queries, rate(status))),
        ("changes", format!("revision {}, journal {}", status.revision, size(status.journal_size))),
        ("checkpoint", saved(status.checkpoint.as_ref(), "none yet")),
        ("backup", saved(status.backup.as_ref(), "none since the start")),
    ];
    rows.extend(status.memory_size.map(|memory| ("memory", size(memory))));
    if status.failing {
        rows.push(("disk", "takes no changes: see the log".to_owned()));
    }
    let mut page = format!("freehold {}, up {}\n", status.version, uptime(status.uptime_seconds));
    for (name, value) in rows {
        page += &format!("{name:12}{value}\n");
    }
    for warning in &status.warnings {
        page += &format!("warning: {}\n = cure: {}\n", warning.message, warning.cure);
    }
    page
}

/// Queries a second, as exact as is worth reading.
fn rate(status: &Status) -> String {
    let rate = status.queries as f64 / status.uptime_seconds.max(1) as f64;
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

fn saved(saved: Option<&Saved>, none: &str) -> String {
    let Some(Saved { revision, time }) = saved else { return none.to_owned() };
    format!("revision {revision}, {} UTC", time.trim_end_matches('Z').replace('T', " "))
}

fn size(octets: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if octets < 1_024 {
        return format!("{octets} B");
    }
    let mut size = octets as f64 / 1_024.0;
    let mut unit = 0;
    while size >= 1_023.95 && unit + 1 < units.len() {
        (size, unit) = (size / 1_024.0, unit + 1);
    }
    format!("{size:.1} {}", units[unit])
}

fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CertificateError;

    #[test]
    fn uptime_is_rounded_down_to_what_matters() {
        let texts = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 1_000_000].map(uptime);
        assert_eq!(texts, ["0 s", "59 s", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "11 d 13 h"]);
    }

    #[test]
    fn sizes_are_short() {
        let texts = [0, 1_023, 1_024, 48_210, (1 << 20) - 1, 1 << 20, 9_437_184, 5 << 40, u64::MAX].map(size);
        let expected = ["0 B", "1023 B", "1.0 KiB", "47.1 KiB", "1.0 MiB", "1.0 MiB", "9.0 MiB", "5.0 TiB"];
        assert_eq!(texts[..8], expected);
        assert_eq!(texts[8], "16777216.0 TiB");
    }

    #[test]
    fn a_page_tells_the_essentials() {
        let saved = |revision| Some(Saved { revision, time: "2026-11-21T15:55:58Z".into() });
        let status = Status {
            version: "1.2.3".into(),
            revision: 7,
            zones: 1,
            names: 25,
            records: 48,
            addresses: vec!["192.0.2.53:53".into(), "[2001:db8::53]:53".into()],
            uptime_seconds: 100_000,
            queries: 1_234_567,
            replies: 1_234_560,
            failing: true,
            journal_size: 48_210,
            checkpoint: saved(6),
            backup: None,
            memory_size: Some(9 << 20),
            warnings: vec![CertificateError { message: "it ends soon".into(), cure: "import another".into() }],
        };
        let expected = "\
freehold 1.2.3, up 1 d 3 h
serves      1 zone, 25 names, 48 records
at          192.0.2.53:53, [2001:db8::53]:53
queries     1234567, 12 a second since the start
changes     revision 7, journal 47.1 KiB
checkpoint  revision 6, 2026-11-21 15:55:58 UTC
backup      none since the start
memory      9.0 MiB
disk        takes no changes: see the log
warning: it ends soon
 = cure: import another
";
        assert_eq!(page(&status), expected);
        let young = Status { uptime_seconds: 0, queries: 3, memory_size: None, failing: false, ..status };
        assert!(page(&young).contains("3, 3.0 a second") && !page(&young).contains("memory"));
    }
}
