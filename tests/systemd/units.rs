//! The units and the sample settings: sound, tight, and of one mind with each other and with the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use freehold::{daemon, dns, edge};

/// What `systemd-analyze security` may say at most, in tenths: from 0 (safe) to 100.
const EXPOSURE_MAX: &str = "16";

const UNITS: [&str; 10] = [
    "freehold.service",
    "freehold-dns.socket",
    "freehold-dns-tls.socket",
    "freehold-dns-quic.socket",
    "freehold-http.socket",
    "freehold-https.socket",
    "freehold-http3.socket",
    "freehold-admin.socket",
    "freehold-backup.service",
    "freehold-backup.timer",
];

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap()
}

/// The values of an option in a unit.
fn values(unit: &str, option: &str) -> Vec<String> {
    let lines = text(unit);
    let values = lines.lines().filter_map(|line| line.strip_prefix(option)?.strip_prefix('='));
    values.map(String::from).collect()
}

/// Runs `systemd-analyze`: whether it is content, and what it says; none if this machine has none.
fn analyze(arguments: &[&str]) -> Option<(bool, String)> {
    let there = Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        println!("skipped: no systemd-analyze here; tests/setup installs it");
        return None;
    }
    let output = Command::new("systemd-analyze").args(arguments).output().unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let directory = tempfile::tempdir().unwrap();
    let copies: Vec<String> = UNITS
        .iter()
        .map(|unit| {
            let copy = directory.path().join(unit);
            // It looks whether the program is there.
            let text = text(unit).replace("/usr/local/bin/freehold", env!("CARGO_BIN_EXE_freehold"));
            fs::write(&copy, text).unwrap();
            copy.to_str().unwrap().to_owned()
        })
        .collect();
    let mut arguments = vec!["verify", "--man=no"];
    arguments.extend(copies.iter().map(String::as_str));
    let Some((content, said)) = analyze(&arguments) else { return };
    // What it says of other units of this machine is not about ours.
    let said: Vec<_> = said.lines().filter(|line| line.contains("freehold")).collect();
    assert!(said.is_empty() && content, "{said:?}");
}

#[test]
fn the_services_are_as_tight_as_promised() {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    for unit in ["freehold.service", "freehold-backup.service"] {
        let arguments =
            ["security", "--offline=true", "--no-pager", &threshold, path(unit).to_str().unwrap()].map(String::from);
        let Some((content, said)) = analyze(&arguments.each_ref().map(String::as_str)) else { return };
        assert!(content && said.contains("Overall exposure level"), "{unit}: {said}");
    }
}

#[test]
fn the_sample_settings_are_sound_with_and_without_what_is_commented_out() {
    let chosen = daemon::Chosen { config: Some(path("freehold.toml")), ..daemon::Chosen::default() };
    let settings = daemon::load(&chosen).unwrap_or_else(|bad| panic!("{bad}")).settings;
    assert_eq!(settings.dns, dns::Settings::default());
    assert_eq!(settings.store.directory, Path::new("/var/lib/freehold"));
    assert_eq!(values("freehold.service", "StateDirectory"), ["freehold"]);
    assert_eq!([settings.admin.socket.unwrap().to_str().unwrap()], values("freehold-admin.socket", "ListenStream")[..]);
    let directory = tempfile::tempdir().unwrap();
    let all = directory.path().join("freehold.toml");
    let sample = text("freehold.toml");
    let means = |rest: &&str| rest.contains(" = ") || rest.starts_with('[');
    let lines = sample.lines().map(|line| line.strip_prefix("# ").filter(means).unwrap_or(line));
    let lines: Vec<_> = lines.collect();
    assert_ne!(lines.join("\n"), sample.trim_end(), "something is commented out");
    fs::write(&all, lines.join("\n")).unwrap();
    let chosen = daemon::Chosen { config: Some(all), ..daemon::Chosen::default() };
    let all = daemon::load(&chosen).unwrap_or_else(|bad| panic!("{bad}")).settings;
    assert!(
        all.dns.identity.is_some() && all.acme.terms_agreed && all.edge.is_some_and(|edge| !edge.addresses.is_empty())
    );
}

#[test]
fn the_units_agree_with_each_other_and_with_the_server() {
    let streams = values("freehold-dns.socket", "ListenStream");
    assert_eq!(values("freehold-dns.socket", "ListenDatagram"), streams);
    let usual: Vec<String> = dns::Settings::default().listen.iter().map(ToString::to_string).collect();
    assert_eq!(streams, usual);
    assert_eq!(values("freehold-dns.socket", "FileDescriptorName"), ["dns"]);
    assert_eq!(values("freehold-admin.socket", "FileDescriptorName"), ["admin"]);
    assert_eq!(values("freehold-admin.socket", "SocketMode"), ["0660"]);
    assert_eq!(values("freehold-dns.socket", "ReceiveBuffer"), ["4M"]);
    assert_eq!(dns::Settings::default().udp_buffer_size, 4 << 20);
    assert_eq!(values("freehold.service", "StateDirectoryMode"), ["0700"]);
    let edge = edge::Settings::default();
    for (name, usual) in [("http", edge.http_addresses()), ("https", edge.https_addresses())] {
        let unit = format!("freehold-{name}.socket");
        let usual: Vec<String> = usual.iter().map(ToString::to_string).collect();
        assert_eq!(values(&unit, "ListenStream"), usual);
        assert_eq!(values(&unit, "FileDescriptorName"), [name]);
        assert_eq!(values(&unit, "Service"), ["freehold.service"]);
        // Another web server must not keep names from being served.
        assert!(values("freehold.service", "Wants")[0].contains(&unit));
        assert!(!values("freehold.service", "Requires")[0].contains(&unit));
    }
    let sockets = UNITS.iter().filter(|unit| unit.ends_with(".socket"));
    let (after, also) = (values("freehold.service", "After").remove(0), values("freehold.service", "Also").remove(0));
    for unit in sockets {
        assert!(after.contains(unit), "{after}: {unit}");
        // Encrypted DNS and HTTP/3 take settings first.
        let asked_for = unit.starts_with("freehold-dns-") || *unit == "freehold-http3.socket";
        assert_ne!(also.contains(unit), asked_for, "{also}: {unit}");
    }
    for (name, option, port) in
        [("dns-tls", "ListenStream", 853), ("dns-quic", "ListenDatagram", 853), ("http3", "ListenDatagram", 443)]
    {
        let unit = format!("freehold-{name}.socket");
        assert_eq!(values(&unit, option), [format!("0.0.0.0:{port}"), format!("[::]:{port}")]);
        assert_eq!(values(&unit, "FileDescriptorName"), [name]);
        assert_eq!(values(&unit, "Service"), ["freehold.service"]);
    }
    for socket in ["freehold-dns.socket", "freehold-admin.socket"] {
        assert_eq!(values(socket, "Service"), ["freehold.service"]);
        assert!(values("freehold.service", "Requires")[0].contains(socket));
    }
    for service in ["freehold.service", "freehold-backup.service"] {
        assert_eq!(
            (values(service, "User"), values(service, "CapabilityBoundingSet")),
            (vec!["freehold".into()], vec!["".into()])
        );
        assert!(values(service, "ExecStart")[0].contains("--config /etc/freehold/freehold.toml"));
    }
    assert!(text("sysusers.d/freehold.conf").contains("\nu freehold "));
    assert!(text("tmpfiles.d/freehold.conf").contains("\nd /run/freehold "));
}

/// No option without its reason: a comment stands above it, or above the options right before it. The backup's are
/// those of the server, and it says so.
#[test]
fn every_option_has_its_reason() {
    for unit in UNITS {
        let mut reason = false;
        for line in text(unit).lines() {
            match line.chars().next() {
                Some('#') => reason = true,
                None => reason = false,
                Some('[') => reason = line != "[Service]" && line != "[Socket]",
                Some(_) => assert!(reason, "{unit}: {line}"),
            }
        }
    }
}

/// The backup's own command, with the server's sockets played by a server, keeps the newest 14 and no others.
#[test]
fn the_newest_backups_stay() {
    let directory = tempfile::tempdir().unwrap();
    for day in 1..=20 {
        fs::write(directory.path().join(format!("freehold-202611{day:02}T000000Z.backup")), "").unwrap();
    }
    fs::write(directory.path().join("notes"), "").unwrap();
    let command = values("freehold-backup.service", "ExecStartPost").remove(0);
    let script = command.strip_prefix("/bin/sh -c '").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    let script = script.replace("\\\\", "\\").replace("%%", "%");
    let status =
        Command::new("/bin/sh").args(["-c", &script]).env("STATE_DIRECTORY", directory.path()).status().unwrap();
    assert!(status.success());
    let mut left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!((left.len(), left[0].to_str().unwrap()), (15, "freehold-20261107T000000Z.backup"));
}
