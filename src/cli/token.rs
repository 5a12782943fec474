//! Commands about tokens: list, create, revoke.
//!
//! A secret is the one result that goes to standard output, so that `TOKEN=$(freehold token create ...)` holds it and nothing
//! else; all that is said about it goes to standard error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hyper::Method;

use super::arguments::{NewToken, Options, Output};
use super::door::{Door, Place, escaped, question, with_json};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{ask, can_ask, table};
use crate::access::Rights;
use crate::api::{self, MadeToken, RevokedToken, TokenList, TokenScope, TokenSummary};

const TOKENS: &str = "/v1/tokens";
/// Entries of a list that a table shows; the rest is counted.
const SHOWN_MAX: usize = 3;

/// `freehold token list`
pub(super) async fn list(place: &Place, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let list: TokenList = door.ask_json(question(Method::GET, TOKENS, "")?).await?;
    door.close().await?;
    if options.output == Output::Json {
        json(&list.tokens)?;
        return Ok(Exit::Done);
    }
    if list.tokens.is_empty() {
        writeln!(io::stderr(), "no tokens: freehold token create NAME --admin makes one")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = list.tokens.iter().map(row).collect();
    table(&mut io::stdout().lock(), &["ID", "NAME", "RIGHTS", "SCOPE", "EXPIRES (UTC)", "LAST USED (UTC)"], &rows)?;
    Ok(Exit::Done)
}

fn row(token: &TokenSummary) -> Vec<String> {
    let expires = match &token.expires {
        None => "never".to_owned(),
        Some(at) if token.expired => format!("expired {}", moment(at)),
        Some(at) => moment(at),
    };
    let used = token.last_used.as_ref().map(|last| format!("{} {}", moment(&last.time), last.from));
    vec![
        token.id.clone(),
        token.name.clone(),
        token.scope.rights.to_string(),
        scope(&token.scope),
        expires,
        used.unwrap_or_else(|| "never".to_owned()),
    ]
}

/// Where a token may do what it may do, in a few words.
fn scope(scope: &TokenScope) -> String {
    let TokenScope { rights: _, zones, names, types, networks } = scope;
    let some = |list: &Option<Vec<String>>, word: &str| list.as_ref().map(|list| format!("{word}{}", joined(list)));
    let parts = [some(zones, ""), some(names, ""), some(types, ""), some(networks, "from ")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "everything".to_owned() } else { parts.join(" ") }
}

fn joined(list: &[String]) -> String {
    let more = list.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0).map(|more| format!("+{more}"));
    list.iter().take(SHOWN_MAX).cloned().chain(more).collect::<Vec<_>>().join(",")
}

/// `2026-11-21 15:04:05`
fn moment(time: &str) -> String {
    time.trim_end_matches('Z').replace('T', " ")
}

/// `freehold token create NAME`
pub(super) async fn create(place: &Place, new: &NewToken, options: &Options) -> Result<Exit, Stop> {
    // The file first: a secret that cannot be written down is lost.
    let mut file = new.file.as_deref().map(SecretFile::new).transpose()?;
    let mut door = Door::open(place, true).await?;
    let made: MadeToken = door.ask_json(with_json(question(Method::POST, TOKENS, "")?, &body(new))?).await?;
    door.close().await?;
    if let Some(file) = &mut file {
        file.write(&made.secret)?;
    }
    match (options.output, &file) {
        (Output::Json, None) => json(&made)?,
        (Output::Json, Some(_)) => json(&made.token)?,
        (Output::Table, None) => {
            writeln!(io::stdout(), "{}", made.secret)?;
            writeln!(io::stderr(), "{}\nthis was its secret: keep it now, it is never shown again", told(&made.token))?;
        }
        (Output::Table, Some(file)) => {
            writeln!(io::stderr(), "{}\nits secret is in {}", told(&made.token), file.path.display())?;
        }
    }
    Ok(Exit::Done)
}

fn body(new: &NewToken) -> api::NewToken {
    let rights = match (new.admin, new.write) {
        (true, _) => Rights::Admin,
        (false, true) => Rights::Write,
        (false, false) => Rights::Read,
    };
    let list = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    api::NewToken {
        name: new.name.clone(),
        rights: rights.name().to_owned(),
        zones: list(&new.zones),
        names: list(&new.names),
        types: list(&new.kinds.iter().map(ToString::to_string).collect::<Vec<_>>()),
        networks: list(&new.networks),
        expires_after_seconds: new.expires.map(u64::from),
    }
}

fn told(token: &TokenSummary) -> String {
    let TokenSummary { name, id, scope: limits, expires, .. } = token;
    let ends = expires.as_ref().map_or("never expires".to_owned(), |at| format!("expires {} UTC", moment(at)));
    format!("token {name}, id {id}: {}, {}, {ends}", limits.rights, scope(limits))
}

/// A new file for a secret; if nothing is written to it, it goes.
struct SecretFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl SecretFile {
    fn new(path: &Path) -> Result<Self, Stop> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|fault| Stop::file("write", path, &fault))?;
        Ok(Self { path: path.to_owned(), file, is_written: false })
    }

    fn write(&mut self, secret: &str) -> Result<(), Stop> {
        self.is_written = true; // whatever arrived is better kept
        let written = writeln!(self.file, "{secret}").and_then(|()| self.file.sync_all());
        written.map_err(|fault| Stop::file("write", &self.path, &fault))
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.is_written {
            let _ = fs::remove_file(&self.path); // it is empty, and our own
        }
    }
}

/// `freehold token revoke TOKEN`
pub(super) async fn revoke(place: &Place, wanted: &str, yes: bool, options: &Options) -> Result<Exit, Stop> {
    let mut door = Door::open(place, false).await?;
    let list: TokenList = door.ask_json(question(Method::GET, TOKENS, "")?).await?;
    let token = find(&list.tokens, wanted)?;
    if !yes {
        confirm(token)?;
    }
    let path = format!("{TOKENS}/{}", escaped(&token.id));
    let revoked: RevokedToken = door.ask_json(question(Method::DELETE, &path, "")?).await?;
    door.close().await?;
    match options.output {
        Output::Json => json(&revoked)?,
        Output::Table => writeln!(io::stdout(), "token {}, id {}: revoked", revoked.name, revoked.id)?,
    }
    Ok(Exit::Done)
}

fn find<'t>(tokens: &'t [TokenSummary], wanted: &str) -> Result<&'t TokenSummary, Stop> {
    let by_id = tokens.iter().find(|token| token.id == wanted);
    by_id
        .or_else(|| tokens.iter().find(|token| token.name == wanted))
        .ok_or_else(|| Stop::failed(format!("there is no token {wanted:?}"), "`freehold token list` shows all tokens"))
}

fn confirm(token: &TokenSummary) -> Result<(), Stop> {
    let name = &token.name;
    if !can_ask() {
        let message = format!("the token {name} would be revoked, and there is no terminal to ask at");
        return Err(Stop::new(Exit::Usage, message, "add --yes if you mean it"));
    }
    let last = token.last_used.as_ref().map(|last| format!("last used {} UTC from {}", moment(&last.time), last.from));
    let last = last.as_deref().unwrap_or("never used");
    match ask(&format!("Revoke the token {name} ({}, {}, {last})? [y/N]", token.scope.rights, scope(&token.scope)))?
        .as_str()
    {
        "y" | "yes" => Ok(()),
        _ => Err(Stop::failed("nothing was revoked", "")),
    }
}
