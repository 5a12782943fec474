//! `freehold zone check`: every fault with its place and its cure, and the verdict.

use std::process::Command;

use crate::kit::{Home, Said};

const GOOD: &str = "\
$TTL 300
@    SOA ns hostmaster 7 3600 600 86400 300
     NS  ns
ns   A   192.0.2.53
www  A   192.0.2.1
";

fn said(code: i32, out: &str) -> Said {
    Said { code, out: out.into(), err: String::new() }
}

#[test]
fn a_sound_zone_is_summed_up() {
    let home = Home::new();
    home.write("home.example.zone", GOOD);
    let expected = said(0, "ok: home.example, 3 names, 4 records, serial 7\n");
    assert_eq!(home.run(&["zone", "check", "home.example.zone"]), expected);
    assert_eq!(home.run_with(&["zone", "check", "-", "--origin", "home.example"], GOOD), expected);
}

#[test]
fn every_fault_is_shown_with_its_line_and_its_cure() {
    let home = Home::new();
    home.write("home.example.zone", &format!("{GOOD}mail A 192.0.2.256\nblog CNAME www\nblog TXT \"both\"\n"));
    let expected = include_str!("expected/faults.txt");
    assert_eq!(home.run(&["zone", "check", "home.example.zone"]), said(1, expected));
}

#[test]
fn warnings_alone_are_exit_code_3() {
    let home = Home::new();
    home.write("home.example.zone", &format!("{GOOD}blog CNAME nowhere\n"));
    let expected = include_str!("expected/warning.txt");
    assert_eq!(home.run(&["zone", "check", "home.example.zone"]), said(3, expected));
}

#[test]
fn colour_is_only_for_those_who_want_it() {
    let home = Home::new();
    home.write("home.example.zone", "@ A 192.0.2.256\n");
    assert!(!home.run(&["zone", "check", "home.example.zone"]).out.contains('\x1b'));
    assert!(home.run(&["zone", "check", "home.example.zone", "--color", "always"]).out.contains('\x1b'));
}

#[test]
fn an_included_file_is_found_beside_the_one_that_names_it_and_its_faults_carry_its_name() {
    let home = Home::new();
    home.write("zones/home.example.zone", &format!("{GOOD}$INCLUDE parts/mail\n"));
    home.write("zones/parts/mail", "@ MX ten mail\n");
    let said = home.run(&["zone", "check", "zones/home.example.zone"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("--> zones/parts/mail:1:6\n"), "{}", said.out);
}

#[test]
fn a_program_gets_json() {
    let home = Home::new();
    home.write("home.example.zone", &format!("{GOOD}x A y\n"));
    let said = home.run(&["-o", "json", "zone", "check", "home.example.zone"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &report["ok"], &report["faults"][0]["line"]), (1, &false.into(), &6.into()));
}

#[test]
fn a_file_that_is_not_there_is_one_line_with_the_cure() {
    let home = Home::new();
    let expected = "error: cannot read nowhere.zone: no such file or directory\n = cure: check the path\n";
    assert_eq!(
        home.run(&["zone", "check", "nowhere.zone"]),
        Said { code: 1, out: String::new(), err: expected.into() }
    );
}

#[test]
fn the_sample_zones_are_sound() {
    let home = Home::new();
    for file in ["home.example.zone", "2.0.192.in-addr.arpa.zone", "8.b.d.0.1.0.0.2.ip6.arpa.zone"] {
        let path = format!("{}/zones/{file}", env!("CARGO_MANIFEST_DIR"));
        let said = home.run(&["zone", "check", &path]);
        assert_eq!(said.code, 0, "{file}: {}", said.out);
    }
}

/// The samples are for everybody: other name servers' checkers have nothing to say about them either. Knot and NSD do
/// not know `$GENERATE`, which one sample is there to show.
#[test]
fn other_checkers_find_the_sample_zones_sound() {
    for (program, options, zones) in [
        (
            "named-checkzone",
            &["-i", "local"][..],
            &["home.example", "2.0.192.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"][..],
        ),
        ("nsd-checkzone", &[][..], &["home.example", "8.b.d.0.1.0.0.2.ip6.arpa"][..]),
    ] {
        for &zone in zones {
            let path = format!("{}/zones/{zone}.zone", env!("CARGO_MANIFEST_DIR"));
            let path_with_sbin = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
            let run =
                Command::new(program).args(options).args([zone, path.as_str()]).env("PATH", path_with_sbin).output();
            let Ok(output) = run else {
                eprintln!("skipped: {program} is not installed (tests/setup installs it)");
                break;
            };
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success() && !said.contains("warning"), "{program} {zone}: {said}");
        }
    }
}
