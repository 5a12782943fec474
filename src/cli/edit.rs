//! `freehold zone edit`: a zone as a text in somebody's editor, and back.
//!
//! The zone is not held meanwhile: its tag goes out with the text and comes back with it (`If-Match`), so what somebody
//! else has changed is never overwritten. What was typed is never lost either: whatever goes wrong, the text stays where
//! it is and its path is told. Rejected: merging the two by lines, which can make a third zone that nobody has seen.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::{ETAG, HeaderValue};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

use super::arguments::{Options, Output};
use super::change::{Consent, differences, summary};
use super::check::exit_of;
use super::door::{Door, Place, escaped, question, zone_path};
use super::import::{put, tell_faults};
use super::json;
use super::stop::{Exit, Stop};
use super::terminal::{Progress, ask, can_ask};
use super::zone_file::{self, ZoneText};
use crate::api::{ZoneChange, plain};
use crate::wire::Name;
use crate::zone::Zone;

/// What is looked for where neither VISUAL nor EDITOR says which editor to take.
const EDITORS: [&str; 2] = ["editor", "vi"];
/// Characters of a zone's name in the name of its file.
const FILE_NAME_SIZE_MAX: usize = 100;
/// HTTP's Precondition Failed.
const STALE: u16 = 412;

/// `freehold zone edit ZONE`
pub(super) async fn edit(place: &Place, zone: &Name, consent: Consent, options: &Options) -> Result<Exit, Stop> {
    let asks = !consent.yes && !consent.dry_run;
    if asks && (!can_ask() || options.output == Output::Json) {
        let message = "it could not be asked whether the change is meant";
        return Err(Stop::new(Exit::Usage, message, "run it at a terminal without -o json, or add --yes or --dry-run"));
    }
    // From here on Ctrl-C belongs to the editor; at a question it means no.
    let interrupt = signal(SignalKind::interrupt())?;
    let (text, tag) = take(place, zone).await?;
    let draft = Draft::write(zone, &text)?;
    let mut editing = Editing { place, zone, consent, options, interrupt, tag, draft };
    let ended = editing.run(&text).await;
    match &ended {
        Ok((_, Text::Done)) => editing.draft.remove(),
        Err(_) if editing.draft.read().is_ok_and(|now| now == text) => editing.draft.remove(),
        Ok((_, Text::Wanted)) | Err(_) => {
            if let Err(stop) = &ended {
                write!(io::stderr(), "{stop}")?;
            }
            writeln!(io::stderr(), "your text is kept: {}", editing.draft.path.display())?;
            return Ok(ended.map_or_else(|stop| stop.exit, |(exit, _)| exit));
        }
    }
    ended.map(|(exit, _)| exit)
}

/// The zone as a text, and its tag.
async fn take(place: &Place, zone: &Name) -> Result<(Vec<u8>, HeaderValue), Stop> {
    let mut door = Door::open(place, false).await?;
    let answer = door.ask(question(Method::GET, &zone_path(zone, "/file"), "")?).await?;
    let broken = |reason: &str| Stop::failed(format!("the zone did not arrive whole: {reason}"), "try again");
    let tag = answer.headers().get(ETAG).cloned().ok_or_else(|| broken("it has no tag"))?;
    let body = answer.into_body().collect().await.map_err(|fault| broken(&fault.to_string()))?;
    door.close().await?;
    let mut text = head(zone).into_bytes();
    text.extend_from_slice(&body.to_bytes());
    Ok((text, tag))
}

fn head(zone: &Name) -> String {
    let zone = plain(zone.borrow());
    format!(
        "; {zone}. Change what you like, save and leave: what is different is shown, and you are asked.\n\
         ; Leave it as it is to change nothing. The serial takes care of itself; comments are not kept.\n\n"
    )
}

/// Whether the text is needed any longer.
enum Text {
    Done,
    Wanted,
}

/// What comes after a look at the text.
enum Next {
    End(Exit, Text),
    EditAgain,
}

struct Editing<'a> {
    place: &'a Place,
    zone: &'a Name,
    consent: Consent,
    options: &'a Options,
    interrupt: Signal,
    tag: HeaderValue,
    draft: Draft,
}

impl Editing<'_> {
    async fn run(&mut self, before: &[u8]) -> Result<(Exit, Text), Stop> {
        loop {
            self.open_editor().await?;
            if self.draft.read()? == before {
                writeln!(io::stderr(), "{}: nothing changed", plain(self.zone.borrow()))?;
                return Ok((Exit::Done, Text::Done));
            }
            if let Next::End(exit, text) = self.look().await? {
                return Ok((exit, text));
            }
        }
    }

    async fn open_editor(&mut self) -> Result<(), Stop> {
        let (editor, path) = (editor()?, self.draft.path.clone());
        // It may have options, as `code --wait`; and no shell stays in between that Ctrl-C would end.
        let command = format!("exec {editor} \"$@\"");
        let run = spawn_blocking(move || Command::new("sh").args(["-c", &command, "freehold"]).arg(path).status());
        let status = run.await.map_err(io::Error::other)??;
        if status.success() { Ok(()) } else { Err(editor_failed(&editor, status)) }
    }

    /// Checks the text, shows what it would change, asks and changes it.
    async fn look(&mut self) -> Result<Next, Stop> {
        let read = zone_file::read(&self.draft.path, Some(self.zone.clone()), &Progress::new())?;
        let exit = exit_of(&read.checked);
        let zone = match tell_faults(&read.checked, self.options).and_then(|zone| self.same_zone(zone)) {
            Ok(zone) => zone,
            Err(stop) => {
                write!(io::stderr(), "{stop}")?;
                return self.edit_again(Stop::told(stop.exit)).await;
            }
        };
        let would = self.send(&zone, &read, true).await?;
        if !would.changed {
            self.tell(&would)?;
            return Ok(Next::End(exit, Text::Done));
        }
        if self.options.output == Output::Table {
            differences(&would, self.options)?;
        }
        if self.consent.dry_run {
            self.tell(&would)?;
            return Ok(Next::End(exit, Text::Wanted));
        }
        if !self.consent.yes {
            writeln!(io::stderr(), "{}", summary(&would))?;
            match self.ask("Change it? [y]es, [n]o, [e]dit again:").await?.as_str() {
                "y" | "yes" => (),
                "e" | "edit" => return Ok(Next::EditAgain),
                _ => return Err(Stop::failed("nothing was changed", "")),
            }
        }
        let change = self.send(&zone, &read, false).await?;
        self.tell(&change)?;
        Ok(Next::End(exit, Text::Done))
    }

    /// The text may name another zone: `$ORIGIN`, or an SOA record of another owner.
    fn same_zone(&self, zone: std::sync::Arc<Zone>) -> Result<std::sync::Arc<Zone>, Stop> {
        if zone.apex().same(self.zone.borrow()) {
            return Ok(zone);
        }
        let message = format!("the text is the zone {} now, not {}", plain(zone.apex()), plain(self.zone.borrow()));
        Err(Stop::failed(message, "leave $ORIGIN and the owner of the SOA record as they were"))
    }

    async fn edit_again(&mut self, stop: Stop) -> Result<Next, Stop> {
        if self.consent.yes || self.consent.dry_run {
            return Err(stop);
        }
        match self.ask("Edit again? [Y/n]").await?.as_str() {
            "" | "y" | "yes" => Ok(Next::EditAgain),
            _ => Err(Stop::failed("nothing was changed", "")),
        }
    }

    async fn send(&self, zone: &Zone, read: &ZoneText, dry_run: bool) -> Result<ZoneChange, Stop> {
        let mut door = Door::open(self.place, false).await?;
        let answer = door.ask_json(put(zone, read, dry_run, Some(&self.tag))?).await;
        door.close().await?;
        answer.map_err(|stop: Stop| if stop.status == Some(STALE) { self.stale() } else { stop })
    }

    fn stale(&self) -> Stop {
        let zone = plain(self.zone.borrow());
        let message = format!("{zone} was changed by somebody else while you edited it");
        let cure =
            format!("see how with `freehold zone history {zone}`, bring it into your text as well, and import that");
        Stop::failed(message, cure)
    }

    fn tell(&self, change: &ZoneChange) -> Result<(), Stop> {
        match (self.options.output, change.dry_run) {
            (Output::Json, _) => json(change),
            (Output::Table, true) => Ok(writeln!(io::stderr(), "{}", summary(change))?),
            (Output::Table, false) => Ok(writeln!(io::stdout(), "{}", summary(change))?),
        }
    }

    async fn ask(&mut self, question: &str) -> Result<String, Stop> {
        let question = question.to_owned();
        tokio::select! {
            answer = spawn_blocking(move || ask(&question)) => Ok(answer.map_err(io::Error::other)??),
            _ = self.interrupt.recv() => {
                writeln!(io::stderr())?;
                Err(Stop::failed("nothing was changed", ""))
            }
        }
    }
}

// ----- The editor and its file -------------------------------------------------------------------------------

fn editor() -> Result<String, Stop> {
    let chosen =
        ["VISUAL", "EDITOR"].iter().filter_map(|name| env::var(name).ok()).find(|value| !value.trim().is_empty());
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&&str| env::split_paths(&path).any(|directory| directory.join(name).is_file());
    chosen.or_else(|| EDITORS.iter().find(is_there).map(ToString::to_string)).ok_or_else(|| {
        Stop::failed("no editor is known", "say which with EDITOR, as in: EDITOR=nano freehold zone edit ...")
    })
}

fn editor_failed(editor: &str, status: ExitStatus) -> Stop {
    let how = status.code().map_or("was killed".to_owned(), |code| format!("ended with exit code {code}"));
    Stop::failed(format!("the editor ({editor}) {how}; nothing was changed"), "say another with EDITOR")
}

/// The file that is edited, in a directory that nobody else can enter: editors put their own files beside it.
struct Draft {
    directory: PathBuf,
    path: PathBuf,
}

impl Draft {
    fn write(zone: &Name, text: &[u8]) -> Result<Self, Stop> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let directory = env::temp_dir().join(format!("freehold-edit-{:016x}", u64::from_be_bytes(random)));
        let name: String = escaped(&plain(zone.borrow())).chars().take(FILE_NAME_SIZE_MAX).collect();
        let path = directory.join(name + ".zone");
        let unwritable = |fault: io::Error| Stop::file("write", &path, &fault);
        DirBuilder::new().mode(0o700).create(&directory).map_err(unwritable)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text)).map_err(unwritable)?;
        Ok(Self { directory, path })
    }

    fn read(&self) -> Result<Vec<u8>, Stop> {
        fs::read(&self.path).map_err(|fault| Stop::file("read", Path::new(&self.path), &fault))
    }

    /// What cannot be removed is in nobody's way.
    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
