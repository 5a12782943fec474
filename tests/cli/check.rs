//! The sample zones, in other checkers' eyes.

use std::process::Command;

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
