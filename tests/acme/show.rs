//! `tests/pebble`, which shows a real exchange with a CA to whoever wants to see one: it ends well, and leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts it, with a folder of its own for what it keeps for a while.
fn start(folder: &Path) -> Child {
    Command::new("timeout")
        .args(["--foreground", "--kill-after=5", "120"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pebble"))
        .args(["--binary", env!("CARGO_BIN_EXE_freehold")])
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Where Freehold serves HTTPS in it.
fn https(said: &str) -> Option<u16> {
    said.split_once(" (HTTPS)")?.0.rsplit_once(':')?.1.parse().ok()
}

fn nothing_is_left(folder: &Path, port: u16) {
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the server is still there");
}

#[test]
fn a_real_exchange_is_shown_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let output = start(folder.path()).wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for step in [
        "s  Pebble, a CA, answers at https://127.0.0.1:",
        "s  $ freehold route add app.home.example ",
        "          +app.home.example. 300 IN A 127.0.0.1\n",
        "s  the CA has issued, ",
        "          Hello from the app.\n",
        "issuer=CN = Pebble Intermediate CA ",
        "s  every name server of the zone is this one\n",
        "s from the route to the page.",
    ] {
        assert!(said.contains(step), "{step}: {said}");
    }
    nothing_is_left(folder.path(), https(&said).unwrap());
}

#[test]
fn a_show_that_is_broken_off_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut show = start(folder.path());
    let mut lines = BufReader::new(show.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| https(&line)).expect("the server starts");
    // `timeout` hands it on.
    assert!(Command::new("kill").args(["-TERM", &show.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    assert!(!show.wait().unwrap().success());
    let mut said = String::new();
    show.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("error:"), "{said}");
    nothing_is_left(folder.path(), port);
}
