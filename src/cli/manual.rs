//! `freehold man`: the manual, a page a command, from the same declarations as the help.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::arguments::{Arguments, DESCRIPTION, EVERY, EXITS};
use super::stop::{Exit, Stop};

/// Files that matter to somebody who runs it as a service.
const FILES: [(&str, &str); 5] = [
    ("./freehold.toml, /etc/freehold/freehold.toml", "The settings; the first that is there, or that of --config."),
    ("/var/lib/freehold", "The data directory, unless --data, FREEHOLD_DATA or the settings name another."),
    ("/run/freehold/admin.socket", "Where commands reach the server that systemd runs."),
    ("/usr/local/share/doc/freehold", "What there is to read beside this manual."),
    ("./freehold-data", "The data directory of development mode."),
];

/// What the environment decides.
const ENVIRONMENT: [(&str, &str); 7] = [
    ("FREEHOLD_DATA", "The data directory; goes before the settings, and --data before it."),
    ("FREEHOLD_SERVER", "The URL of a server to talk to instead of this machine's; --server goes before it."),
    ("FREEHOLD_TOKEN_FILE, FREEHOLD_TOKEN", "A file with the token for it, or the token itself."),
    ("FREEHOLD_CA_FILE", "The CA to trust about it instead of those of this system."),
    ("VISUAL, EDITOR", "The editor of `freehold zone edit`."),
    ("TMPDIR", "Where `freehold zone edit` keeps the text meanwhile."),
    ("NO_COLOR", "No colour, whatever it says; --color goes before it."),
];

/// What stands at the top of every piece: an apostrophe that is one in every formatter.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// Where examples begin in the long help of a command.
const EXAMPLES: &str = "Examples:\n";

/// `freehold man [COMMAND...]`, `freehold man --directory DIRECTORY`
pub(super) fn man(words: &[String], directory: Option<&Path>) -> Result<Exit, Stop> {
    let mut root = Arguments::command();
    root.build();
    match directory {
        Some(directory) => write_all(&root, directory)?,
        None => print(&Page::of(find(&root, words)?), &mut io::stdout().lock())?,
    }
    Ok(Exit::Done)
}

fn find<'c>(root: &'c Command, words: &[String]) -> Result<&'c Command, Stop> {
    let words = words.strip_prefix(&["freehold".to_owned()]).unwrap_or(words);
    words.iter().try_fold(root, |command, word| command.find_subcommand(word)).ok_or_else(|| {
        let message = format!("there is no command `freehold {}`", words.join(" "));
        Stop::new(Exit::Usage, message, "`freehold --help` shows all")
    })
}

fn write_all(command: &Command, directory: &Path) -> Result<(), Stop> {
    let page = Page::of(command);
    let path = directory.join(format!("{}.1", page.name));
    let unwritable = |fault: io::Error| Stop::file("write", &path, &fault);
    fs::create_dir_all(directory).map_err(unwritable)?;
    let mut file = File::create(&path).map_err(unwritable)?;
    print(&page, &mut file).map_err(unwritable)?;
    command.get_subcommands().try_for_each(|command| write_all(command, directory))
}

/// A page of the manual.
struct Page {
    /// As `freehold-zone-import`.
    name: String,
    command: Command,
    /// What every command takes stands on the main page only.
    is_main: bool,
    examples: Vec<String>,
}

impl Page {
    fn of(command: &Command) -> Self {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let is_main = name == "freehold";
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.split_once(EXAMPLES).map(|(_, examples)| examples).unwrap_or_default();
        let hidden = |argument: clap::Arg| {
            let is_everywhere = argument.get_help_heading() == Some(EVERY) || argument.get_id() == "help";
            argument.hide(is_everywhere && !is_main)
        };
        let mut command = command.clone().mut_args(hidden);
        if is_main {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            command = command.long_about(format!("{about}.\n\n{DESCRIPTION}"));
        }
        Self { name, command, is_main, examples: examples.lines().map(Into::into).collect() }
    }
}

fn print(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let manual = Man::new(page.command.clone());
    let version = concat!("freehold ", env!("CARGO_PKG_VERSION"));
    writeln!(out, "{APOSTROPHE}.TH {} 1 \"\" \"{version}\" \"Freehold\"", page.name.to_uppercase())?;
    piece(out, |part| manual.render_name_section(part))?;
    piece(out, |part| synopsis(page).to_writer(part))?;
    piece(out, |part| manual.render_description_section(part))?;
    piece(out, |part| manual.render_options_section(part))?;
    if page.command.has_subcommands() {
        piece(out, |part| manual.render_subcommands_section(part))?;
    }
    let mut roff = Roff::new();
    exit_status(&mut roff);
    if page.is_main {
        table(&mut roff, "FILES", &FILES);
        table(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
    }
    if !page.examples.is_empty() {
        examples(&mut roff, &page.examples);
    }
    see_also(&mut roff, page);
    piece(out, |part| roff.to_writer(part))
}

/// Each piece defines the apostrophe anew; a page needs it once.
fn piece(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    out.write_all(text.strip_prefix(APOSTROPHE.as_bytes()).unwrap_or(&text))
}

/// As the help has it, which tells more than clap_mangen's: which values may come several times.
fn synopsis(page: &Page) -> Roff {
    let usage = page.command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let name = page.name.replace('-', " ");
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(&name), roman(usage.strip_prefix(&name).unwrap_or(usage))]);
    roff
}

/// As the help tells it.
fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXITS {
        roff.control("TP", []);
        roff.text([bold(code.to_string())]);
        roff.text([roman(format!("{meaning}."))]);
    }
}

fn table(roff: &mut Roff, head: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [head]);
    for (what, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(*what)]);
        roff.text([roman(*meaning)]);
    }
}

/// Line for line, as in the help.
fn examples(roff: &mut Roff, lines: &[String]) {
    roff.control("SH", ["EXAMPLES"]);
    let (commands, rest) = lines.split_at(lines.iter().position(String::is_empty).unwrap_or(lines.len()));
    roff.control("nf", []);
    for line in commands {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
    if !rest.is_empty() {
        roff.control("PP", []);
    }
    rest.iter().filter(|line| !line.is_empty()).for_each(|line| {
        roff.text([roman(line)]);
    });
}

fn see_also(roff: &mut Roff, page: &Page) {
    roff.control("SH", ["SEE ALSO"]);
    let above = page.name.rsplit_once('-').map(|(above, _)| above.to_owned());
    let below = page.command.get_subcommands().map(|command| format!("{}-{}", page.name, command.get_name()));
    let pages: Vec<_> = above.into_iter().chain(below).collect();
    for (at, name) in pages.iter().enumerate() {
        let comma = if at + 1 < pages.len() { "," } else { "" };
        roff.text([bold(name), roman(format!("(1){comma}"))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(words: &[&str]) -> String {
        let mut root = Arguments::command();
        root.build();
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let mut page = Vec::new();
        print(&Page::of(find(&root, &words).unwrap()), &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn every_command_has_a_page_with_its_sections() {
        let mut root = Arguments::command();
        root.build();
        let mut waiting = vec![&root];
        while let Some(command) = waiting.pop() {
            waiting.extend(command.get_subcommands());
            let mut text = Vec::new();
            print(&Page::of(command), &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
                assert!(text.contains(&format!("\n.SH {section}\n")), "{section}: {text}");
            }
        }
    }

    #[test]
    fn the_main_page_tells_of_files_and_the_environment_and_the_others_of_examples() {
        let main = page(&[]);
        assert!(["FILES", "ENVIRONMENT", "EXAMPLES"].iter().all(|section| main.contains(section)), "{main}");
        let import = page(&["zone", "import"]);
        assert!(
            import.contains("freehold zone import example.org.zone") && !import.contains("ENVIRONMENT"),
            "{import}"
        );
        assert!(!import.contains("\\-\\-color"), "what every command takes is on the main page");
        assert!(find(&Arguments::command(), &["zone".into(), "frobnicate".into()]).is_err());
    }
}
