//! `freehold cert`: how certificates stand and why, asked for, renewed, brought, handed out.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use http_body_util::BodyExt;
use hyper::Method;

use super::arguments::{Cert, Options, Output};
use super::door::{Door, Place, escaped, question, with_json};
use super::json;
use super::save::{Readers, save};
use super::stop::{Exit, Stop};
use super::terminal::{Progress, ask, can_ask, table};
use crate::api::{
    CertificateAttempt, CertificateDetails, CertificateList, CertificateSummary, ImportedCertificate, NewCertificate,
};

const ALL: &str = "/v1/certificates";
/// Octets of a file that is imported. A chain has some ten thousand.
const FILE_SIZE_MAX: u64 = 1 << 18;

/// `freehold cert ...`
pub(super) async fn cert(place: &Place, command: &Cert, options: &Options) -> Result<Exit, Stop> {
    match command {
        Cert::List => list(place, options).await,
        Cert::Why { name } => why(place, name, options).await,
        Cert::Request { names } => {
            let question = with_json(question(Method::POST, ALL, "")?, &NewCertificate { names: names.clone() })?;
            change(place, question, "is asked for", options).await
        }
        Cert::Renew { name } => {
            let question = question(Method::POST, &path(name, "/renewal"), "")?;
            change(place, question, "is renewed", options).await
        }
        Cert::Export { name, key, root: _, file } => export(place, name.as_deref(), *key, file.as_deref()).await,
        Cert::Import { chain, key } => {
            let body = ImportedCertificate { chain: read(chain)?, key: read(key)? };
            let question = with_json(question(Method::POST, "/v1/certificate-imports", "")?, &body)?;
            change(place, question, "is kept", options).await
        }
        Cert::Delete { name, yes } => delete(place, name, *yes).await,
    }
}

fn path(name: &str, below: &str) -> String {
    format!("{ALL}/{}{below}", escaped(name))
}

async fn list(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let list: CertificateList = door.ask_json(question(Method::GET, ALL, "")?).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&list)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = list.certificates.iter().map(row).collect();
    if !rows.is_empty() {
        table(&mut io::stdout().lock(), &["NAME", "STATE", "ISSUER", "VALID UNTIL (UTC)", "NEXT (UTC)"], &rows)?;
    }
    for warning in list.certificates.iter().filter_map(|one| one.warning.as_ref()) {
        writeln!(io::stderr(), "warning: {}\n = cure: {}", warning.message, warning.cure)?;
    }
    let unwell = |one: &&CertificateSummary| one.last_error.is_some() && one.warning.is_none();
    let failing = list.certificates.iter().filter(unwell);
    let names: Vec<_> = failing.map(|one| one.names.first().unwrap_or(&one.id).as_str()).take(3).collect();
    if let Some(first) = names.first() {
        writeln!(io::stderr(), "not well: {}; `freehold cert why {first}` says why", names.join(", "))?;
    }
    Ok(Exit::Done)
}

fn row(one: &CertificateSummary) -> Vec<String> {
    let until = one
        .not_after
        .as_deref()
        .map_or_else(String::new, |until| format!("{}, {} % left", time(until), one.left_percent.unwrap_or(0)));
    let next = match (one.next_attempt.as_deref(), one.failures) {
        (None, _) => "import the next one".to_owned(),
        (Some(next), 0) => time(next),
        (Some(next), failures) => format!("{} (attempt {})", time(next), failures + 1),
    };
    let next = if one.origin.is_none() && one.next_attempt.is_none() { "soon".to_owned() } else { next };
    vec![names(one), one.state.clone(), one.issuer.clone().unwrap_or_default(), until, next]
}

/// The names in short.
fn names(one: &CertificateSummary) -> String {
    match one.names.as_slice() {
        [] => one.id.clone(),
        [name] => name.clone(),
        [first, second] => format!("{first} {second}"),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

async fn why(place: &Place, name: &str, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let details: CertificateDetails = door.ask_json(question(Method::GET, &path(name, ""), "")?).await?;
    door.close().await?;
    match options.output {
        Output::Json => json(&details)?,
        Output::Table => io::stdout().lock().write_all(page(&details).as_bytes())?,
    }
    Ok(Exit::Done)
}

/// The whole story, as one reads it.
fn page(details: &CertificateDetails) -> String {
    let one = &details.certificate;
    let mut page = format!("{}\n", one.names.join(", "));
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            page += &format!("  {name:<10} {value}\n");
        }
    };
    say("state", one.state.clone());
    say("issuer", one.issuer.clone().unwrap_or_default());
    say("serial", one.serial.clone().unwrap_or_default());
    if let (Some(from), Some(until)) = (&one.not_before, &one.not_after) {
        let left = one.left_percent.unwrap_or(0);
        say("valid", format!("{} to {} UTC, {left} % left", time(from), time(until)));
    }
    if let Some(window) = &details.window {
        let why = window.explanation.as_ref().map(|page| format!(" ({page})")).unwrap_or_default();
        say("CA's wish", format!("renew between {} and {} UTC{why}", time(&window.start), time(&window.end)));
    }
    say("next", one.next_attempt.as_deref().map(|next| format!("{} UTC", time(next))).unwrap_or_default());
    if let Some(error) = &one.last_error {
        say("error", error.message.clone());
        say("cure", error.cure.clone());
    }
    if details.attempts.is_empty() {
        page += "\nno CA was asked yet\n";
    }
    details.attempts.iter().for_each(|attempt| page += &told(attempt));
    page
}

fn told(attempt: &CertificateAttempt) -> String {
    let rehearsal = if attempt.rehearsal { ", a rehearsal" } else { "" };
    let mut text = format!("\n{} UTC  {}{rehearsal}: {}\n", time(&attempt.started), attempt.directory, attempt.outcome);
    for step in &attempt.steps {
        text += &format!("  {:>8.3} s  {}\n", step.after_ms as f64 / 1_000.0, step.text);
    }
    if let Some(error) = &attempt.error {
        text += &format!("     error  {}\n      cure  {}\n", error.message, error.cure);
    }
    text
}

/// Makes a change, and says what it is about now.
async fn change(place: &Place, question: crate::api::Question, deed: &str, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let is_running = matches!(door, Door::Server(_));
    let details: CertificateDetails = door.ask_json(question).await?;
    door.close().await?;
    let one = &details.certificate;
    match options.output {
        Output::Json => json(&details)?,
        Output::Table => {
            let name = one.names.first().unwrap_or(&one.id);
            writeln!(io::stdout(), "the certificate for {} {deed}", one.names.join(", "))?;
            if deed != "is kept" && is_running {
                writeln!(io::stderr(), "`freehold cert why {name}` shows how far it is")?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn export(place: &Place, name: Option<&str>, key: bool, file: Option<&Path>) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let (path, readers) = match (name, key) {
        (None, _) => ("/v1/authority".to_owned(), Readers::Usual),
        (Some(name), false) => (path(name, "/chain"), Readers::Usual),
        (Some(name), true) => (path(name, "/key"), Readers::Owner),
    };
    let answer = door.ask(question(Method::GET, &path, "")?).await?;
    let progress = Progress::new();
    save(answer, file.unwrap_or(Path::new("-")), readers, &progress).await?;
    door.close().await?;
    Ok(Exit::Done)
}

async fn delete(place: &Place, name: &str, yes: bool) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    if !yes {
        let details: CertificateDetails = door.ask_json(question(Method::GET, &path(name, ""), "")?).await?;
        confirm(&details.certificate)?;
    }
    let answer = door.ask(question(Method::DELETE, &path(name, ""), "")?).await?;
    drop(answer.into_body().collect().await);
    door.close().await?;
    writeln!(io::stdout(), "the certificate for {name} is deleted")?;
    Ok(Exit::Done)
}

fn confirm(one: &CertificateSummary) -> Result<(), Stop> {
    if !can_ask() {
        return Err(Stop::new(Exit::Usage, "nobody is there to be asked", "say --yes"));
    }
    match ask(&format!("Delete the certificate for {}? [y/N]", one.names.join(", ")))?.as_str() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Stop::new(Exit::Failed, "nothing was deleted", "")),
    }
}

/// Reads a file with a certificate or a key.
fn read(path: &Path) -> Result<String, Stop> {
    let unreadable = |fault: io::Error| Stop::file("read", path, &fault);
    let mut text = String::new();
    fs::File::open(path).map_err(unreadable)?.take(FILE_SIZE_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn time(moment: &str) -> String {
    moment.trim_end_matches('Z').replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{CertificateError, CertificateStep};

    fn summary() -> CertificateSummary {
        CertificateSummary {
            id: "app.example.org".into(),
            names: vec!["app.example.org".into()],
            state: "valid".into(),
            issuer: Some("Let's Encrypt E7".into()),
            serial: Some("04:ab".into()),
            not_before: Some("2026-11-21T15:00:00Z".into()),
            not_after: Some("2027-02-19T15:00:00Z".into()),
            left_percent: Some(66),
            origin: Some("acme".into()),
            asked_for: false,
            next_attempt: Some("2027-01-20T03:11:00Z".into()),
            failures: 0,
            last_error: None,
            warning: None,
        }
    }

    #[test]
    fn a_row_says_what_happens_next() {
        let well = row(&summary());
        let expected =
            ["app.example.org", "valid", "Let's Encrypt E7", "2027-02-19 15:00:00, 66 % left", "2027-01-20 03:11:00"];
        assert_eq!(well, expected);
        let failing = CertificateSummary { failures: 2, ..summary() };
        assert_eq!(row(&failing)[4], "2027-01-20 03:11:00 (attempt 3)");
        let brought = CertificateSummary { origin: Some("imported".into()), next_attempt: None, ..summary() };
        assert_eq!(row(&brought)[4], "import the next one");
        let new = CertificateSummary { origin: None, next_attempt: None, not_after: None, issuer: None, ..summary() };
        assert_eq!(row(&new)[2..], ["", "", "soon"]);
        let many = CertificateSummary { names: vec!["a".into(), "b".into(), "c".into()], ..summary() };
        assert_eq!(row(&many)[0], "a and 2 more");
    }

    #[test]
    fn a_page_tells_the_whole_story() {
        let error = CertificateError { message: "the CA says: no".into(), cure: "ask another".into() };
        let attempt = CertificateAttempt {
            directory: "https://ca.example/".into(),
            started: "2026-11-21T15:00:01Z".into(),
            rehearsal: true,
            outcome: "failed".into(),
            error: Some(error.clone()),
            steps: vec![CertificateStep { after_ms: 57, text: "the CA answers".into() }],
        };
        let certificate = CertificateSummary { failures: 1, last_error: Some(error), ..summary() };
        let details = CertificateDetails { revision: 7, certificate, window: None, attempts: vec![attempt] };
        let expected = "\
app.example.org
  state      valid
  issuer     Let's Encrypt E7
  serial     04:ab
  valid      2026-11-21 15:00:00 to 2027-02-19 15:00:00 UTC, 66 % left
  next       2027-01-20 03:11:00 UTC
  error      the CA says: no
  cure       ask another

2026-11-21 15:00:01 UTC  https://ca.example/, a rehearsal: failed
     0.057 s  the CA answers
     error  the CA says: no
      cure  ask another
";
        assert_eq!(page(&details), expected);
        let quiet = CertificateDetails { attempts: vec![], ..details };
        assert!(page(&quiet).ends_with("no CA was asked yet\n"));
    }
}
