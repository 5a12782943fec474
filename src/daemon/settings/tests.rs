//! Every fault that a settings file can have, and the sample file of the manual.

use super::*;

/// The first fault as `line:column width: message: cure`.
fn fault(text: &str) -> String {
    let faults = read(text).err().unwrap_or_default();
    let fault = faults.first().unwrap_or_else(|| panic!("no fault in {text}"));
    let place = fault.place.unwrap();
    format!("{}:{} {}: {}: {}", place.line, place.column, place.width, fault.message, fault.cure)
}

#[test]
fn unknown_keys_are_answered_with_the_one_that_was_meant() {
    assert_eq!(fault("[dns]\nlisen = []\n"), "2:1 5: there is no setting `lisen` here: did you mean `listen`?");
    assert_eq!(fault("[sotre]\n"), "1:2 5: there is no section or setting `sotre` here: did you mean [store]?");
    assert_eq!(
        fault("[log]\ncolour = true\n"),
        "2:1 6: there is no setting `colour` here: this section has `level`, `format`"
    );
    assert_eq!(
        fault("x = 1\n"),
        "1:1 1: there is no section or setting `x` here: the sections are [store], [dns], [admin], [edge], [acme], [log]; each key stands below one"
    );
}

#[test]
fn wrong_types_are_answered_with_what_to_write() {
    assert_eq!(
        fault("[dns]\ncookies = \"yes\"\n"),
        "2:11 5: invalid type: string \"yes\", expected a boolean: write true or false, without quotes"
    );
    assert_eq!(
        fault("[dns]\nworkers = \"two\"\n"),
        "2:11 5: invalid type: string \"two\", expected u16: write a whole number of that range, without quotes"
    );
    assert_eq!(
        fault("[dns]\nworkers = 70000\n"),
        "2:11 5: invalid value: integer `70000`, expected u16: write a whole number of that range, without quotes"
    );
    assert_eq!(
        fault("[store]\ndirectory = 5\n"),
        "2:13 1: invalid type: integer `5`, expected path string: write it in double quotes"
    );
    assert_eq!(
        fault("[dns]\nlisten = \"192.0.2.1\"\n"),
        "2:10 11: invalid type: string \"192.0.2.1\", expected a sequence: write a list: [ \"...\", \"...\" ]"
    );
    assert_eq!(
        fault("[log]\nlevel = \"loud\"\n"),
        "2:9 6: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`: write one of \"error\", \"warn\", \"info\", \"debug\", \"trace\""
    );
    assert_eq!(
        fault("dns = 5\n"),
        "1:7 1: invalid type: integer `5`, expected struct Settings: write it as a section: its name in brackets on a line, keys below"
    );
}

#[test]
fn bad_addresses_and_ranges_are_shown_where_they_stand() {
    assert_eq!(
        fault("[dns]\nlisten = [\"192.0.2.1\", \"192.0.2.256\"]\n"),
        "2:24 13: \"192.0.2.256\" is not an address: write \"192.0.2.1\", \"192.0.2.1:5300\" or \"[2001:db8::1]:5300\""
    );
    assert_eq!(
        fault("[dns]\nworkers = 1\n[dns.tcp]\nidle_seconds = 0\n"),
        "4:16 1: dns.tcp.idle_seconds is 0: it must be from 0.01 to 3600"
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    assert!(fault("[dns\n").starts_with("1:5 0: "), "{}", fault("[dns\n"));
    assert!(fault("[dns]\nworkers = 1\nworkers = 2\n").starts_with("3:1 7: duplicate key"));
}

#[test]
fn each_section_reports_its_own_fault() {
    let faults = read("[dns]\nlisen = []\n[log]\nlevl = 1\n").err().unwrap();
    assert_eq!(faults.iter().map(|fault| fault.place.unwrap().line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn without_a_file_only_this_machine_is_served() {
    let settings = development();
    assert!(!settings.dns.listen.is_empty());
    assert!(settings.dns.listen.iter().all(|listen| listen.0.ip().is_loopback() && listen.0.port() == 5300));
    assert_eq!(settings.store.directory, Path::new("./freehold-data"));
}

#[test]
fn a_second_reading_tells_what_is_different() {
    let loaded = |text: &str| {
        let (settings, table) = read(text).unwrap();
        Loaded { settings, file: None, table }
    };
    let old = loaded("[dns]\nworkers = 1\ncookies = true\n[log]\nlevel = \"info\"\n");
    let new = loaded("[dns]\nworkers = 2\ncookies = true\n[admin]\nsocket = \"s\"\n[log]\nlevel = \"warn\"\n");
    assert_eq!(new.different_from(&old), ["admin.socket", "dns.workers", "log.level"]);
    assert_eq!(old.different_from(&old), [""; 0]);
}

/// serde names the keys of a section when it meets one that is not among them.
fn keys(section: &str) -> Vec<String> {
    let text = format!("[{section}]\n\"?\" = 1\n");
    let fault = toml::from_str::<Sections>(&text).err().unwrap();
    fault.message().split('`').skip(3).step_by(2).map(String::from).collect()
}

#[derive(Deserialize)]
#[serde(default)]
struct Sections {
    store: store::Settings,
    dns: dns::Settings,
    admin: api::Settings,
    acme: acme::Settings,
    edge: edge::Settings,
    log: logging::Settings,
}

impl Default for Sections {
    fn default() -> Self {
        let Settings { store, dns, admin, acme, edge, log } = Settings::default();
        Self { store, dns, admin, acme, edge: edge.unwrap_or_default(), log }
    }
}

#[test]
fn the_manual_names_every_setting() {
    let manual = include_str!("../../../docs/settings.md");
    for section in [
        "store",
        "dns",
        "dns.tcp",
        "dns.rate_limit",
        "dns.encrypted",
        "admin",
        "edge",
        "edge.clients",
        "edge.apps",
        "edge.access_log",
        "edge.cache",
        "edge.address_health",
        "acme",
        "acme.limits",
        "log",
    ] {
        assert!(manual.contains(&format!("`[{section}]`")), "docs/settings.md lacks [{section}]");
        let keys = keys(section);
        assert!(!keys.is_empty(), "{section}");
        for key in keys {
            assert!(manual.contains(&format!("`{key}`")), "docs/settings.md lacks {section}.{key}");
        }
    }
}

/// The sample of the manual is a whole settings file, and each of its values is the default unless it says so.
#[test]
fn the_manual_s_sample_is_sound() {
    let manual = include_str!("../../../docs/settings.md");
    let sample = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (settings, _) = read(sample).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(settings.store.directory, Path::new("/var/lib/freehold"));
}

/// What `freehold init` writes holds every setting, and shows the default of each but for those that have none.
#[test]
fn the_sample_of_init_holds_every_setting() {
    const WITHOUT: [&str; 4] = ["identity = ", "version = ", "socket = ", "names = "];
    let sample = include_str!("../../cli/sample.toml");
    let setting = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let all: Vec<&str> =
        sample.lines().map(|line| line.strip_prefix("# ").filter(|bare| setting(bare)).unwrap_or(line)).collect();
    for section in ["store", "dns", "dns.tcp", "dns.rate_limit", "admin", "log"] {
        let within = all.iter().skip_while(|line| **line != format!("[{section}]")).skip(1);
        let within: Vec<_> = within.take_while(|line| !line.starts_with('[')).collect();
        for key in keys(section).iter().filter(|key| !["tcp", "rate_limit", "encrypted"].contains(&key.as_str())) {
            assert!(
                within.iter().any(|line| line.starts_with(&format!("{key} = "))),
                "the sample lacks {section}.{key}"
            );
        }
    }
    let shown: String = all.iter().map(|line| format!("{line}\n")).collect();
    assert!(read(&shown).is_ok(), "{:?}", read(&shown).err());
    let defaults: String = all
        .iter()
        .filter(|line| !WITHOUT.iter().any(|key| line.starts_with(key)))
        .map(|line| format!("{line}\n"))
        .collect();
    let (read, _) = read(&defaults).unwrap_or_else(|faults| panic!("{faults:?}"));
    let (standard, listen) = (Settings::default(), Some(api::Listen::DEFAULT.to_vec()));
    assert_eq!((&read.store, &read.dns), (&standard.store, &standard.dns));
    assert_eq!(format!("{:?}", read.log), format!("{:?}", standard.log));
    assert_eq!((read.admin.listen, read.admin.zone_file_size_max), (listen, standard.admin.zone_file_size_max));
}
