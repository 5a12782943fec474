//! What a shell is told while a command is typed: commands and options from their declarations, zones and names from
//! the running server.
//!
//! The shell's script calls this program again with `FREEHOLD_COMPLETE` set. Both come from one version, since
//! `systemd/install` puts them in place together. Rejected: scripts that are complete in themselves, for they know no zone.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::StyledStr;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use hyper::Method;

use super::arguments::{Arguments, Options, Shell};
use super::door::{Door, Place, question, zone_path};
use super::stop::{Exit, Stop};
use crate::api::{RecordList, ZoneList, ZoneSummary};
use crate::wire::{Kind, Name};

/// The environment's word that a shell asks.
const VARIABLE: &str = "FREEHOLD_COMPLETE";
/// Whoever presses a key does not wait longer than this for the server.
const TIME_MAX: Duration = Duration::from_millis(400);
/// Zones whose names are offered, where any zone may be meant.
const ZONES_MAX: usize = 20;
/// Record types with a mnemonic have lower numbers, but for two that nobody types.
const KIND_MAX: u16 = 300;

/// A file that zsh loads when it is first needed is also its first call.
const AUTOLOADED: &str = "\
if [ \"$funcstack[1]\" = _freehold ]; then
    _clap_dynamic_completer_freehold \"$@\"
fi
";

/// Where the store and its server are, by the options that were typed so far.
pub type FindPlaceFor = fn(&Options) -> Result<Place, String>;

/// Answers a shell that asks what could be typed; `None` if this is a command like any other.
pub fn complete(find_place: FindPlaceFor) -> Option<ExitCode> {
    env::var_os(VARIABLE)?;
    let words: Vec<OsString> = env::args_os().collect();
    let typed: Vec<OsString> = words.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let place = || {
        let command = Arguments::command().ignore_errors(true);
        let matches = command.try_get_matches_from(&typed).ok()?;
        let options = Options::from_arg_matches(&matches).ok()?;
        super::place(&options, &|| find_place(&options)).ok()
    };
    let source = Arc::new(Source { place: place() });
    let completed = CompleteEnv::with_factory(|| with_values(Arguments::command(), &source))
        .var(VARIABLE)
        .bin("freehold")
        .completer("freehold")
        .try_complete(words, env::current_dir().ok().as_deref());
    match completed {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(_) => Some(ExitCode::from(2)), // a shell that is not known: it would not understand why
    }
}

/// `freehold completions SHELL`
pub(super) fn script(shell: Shell) -> Result<Exit, Stop> {
    let name = match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
    };
    let shells = Shells::builtins();
    let completer = shells.completer(name).ok_or_else(|| Stop::failed(format!("{name} is not known"), ""))?;
    let program = program();
    let mut out = io::stdout().lock();
    completer.write_registration(VARIABLE, "freehold", "freehold", &program, &mut out)?;
    match shell {
        Shell::Zsh => out.write_all(AUTOLOADED.as_bytes())?,
        Shell::Bash | Shell::Fish => (),
    }
    Ok(Exit::Done)
}

/// What the script calls: the plain name, if that leads here.
fn program() -> String {
    let (Ok(this), Some(path)) = (env::current_exe(), env::var_os("PATH")) else { return "freehold".to_owned() };
    let found = env::split_paths(&path).map(|directory| directory.join("freehold")).find(|file| file.is_file());
    let same = found.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == this);
    if same { "freehold".to_owned() } else { this.display().to_string() }
}

/// Every argument learns what can stand for it by the name of its value.
fn with_values(command: clap::Command, source: &Arc<Source>) -> clap::Command {
    let command = command.mut_args(|argument| {
        let name = argument.get_value_names().and_then(|names| names.first()).map(|name| name.as_str().to_owned());
        let source = Arc::clone(source);
        match name.as_deref() {
            Some("ZONE") => argument.add(ArgValueCompleter::new(move |typed: &OsStr| source.zones(typed))),
            Some("NAME") => argument.add(ArgValueCompleter::new(move |typed: &OsStr| source.names(typed))),
            Some("TYPE") => argument.add(ArgValueCompleter::new(kinds)),
            Some("COMMAND") => argument.add(ArgValueCompleter::new(commands)),
            _ => argument,
        }
    });
    command.mut_subcommands(|command| with_values(command, source))
}

fn kinds(typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy().to_uppercase();
    let kinds = (1..KIND_MAX).map(Kind).filter(|kind| !kind.is_meta()).filter_map(Kind::mnemonic);
    kinds.filter(|kind| kind.starts_with(&typed)).map(CompletionCandidate::new).collect()
}

fn commands(typed: &OsStr) -> Vec<CompletionCandidate> {
    let (command, typed) = (Arguments::command(), typed.to_string_lossy());
    let all = command.get_subcommands().flat_map(|command| std::iter::once(command).chain(command.get_subcommands()));
    let fitting = all.filter(|command| command.get_name().starts_with(&*typed));
    fitting.map(|command| CompletionCandidate::new(command.get_name())).collect()
}

/// The running server. Without one there is nothing to offer: the store is not opened for a key.
struct Source {
    place: Option<Place>,
}

impl Source {
    fn zones(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let typed = typed.to_string_lossy().to_lowercase();
        let zones = self.ask(async |door| zones(door).await).unwrap_or_default();
        let fitting = zones.into_iter().filter(|zone| zone.name.starts_with(&typed));
        let told = |zone: &ZoneSummary| StyledStr::from(format!("{} records, serial {}", zone.records, zone.serial));
        fitting.map(|zone| CompletionCandidate::new(&zone.name).help(Some(told(&zone)))).collect()
    }

    /// The names of records, as far as they fit into one page a zone.
    fn names(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let typed = typed.to_string_lossy().to_lowercase();
        let mut names = self
            .ask(async |door| {
                let mut names = Vec::new();
                for zone in zones(door).await?.into_iter().take(ZONES_MAX) {
                    let zone: Name = zone.name.parse().ok()?;
                    let question = question(Method::GET, &zone_path(&zone, "/records"), "limit=1000").ok()?;
                    let page: RecordList = door.ask_json(question).await.ok()?;
                    names.extend(page.records.into_iter().map(|set| set.name.trim_end_matches('.').to_owned()));
                }
                Some(names)
            })
            .unwrap_or_default();
        names.dedup();
        names.into_iter().filter(|name| name.starts_with(&typed)).map(CompletionCandidate::new).collect()
    }

    fn ask<T>(&self, work: impl AsyncFnOnce(&mut Door) -> Option<T>) -> Option<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let asked = async { work(&mut Door::running(self.place.as_ref()?).await.ok()??).await };
        runtime.block_on(async { tokio::time::timeout(TIME_MAX, asked).await.ok()? })
    }
}

async fn zones(door: &mut Door) -> Option<Vec<ZoneSummary>> {
    let list: ZoneList = door.ask_json(question(Method::GET, "/v1/zones", "").ok()?).await.ok()?;
    Some(list.zones)
}
