//! `kill -9` at random moments. The writers run in a child process, which is this test binary again; it tells each
//! acknowledged change on its standard output, so the parent knows what was promised when it kills.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use freehold::store::Store;

use crate::kit::*;

const DIRECTORY: &str = "FREEHOLD_CRASH_DIRECTORY";
const STARTS: &str = "FREEHOLD_CRASH_STARTS";

#[test]
fn no_acknowledged_change_is_lost_when_the_process_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let (directory, copied) = (place.path().join("data"), place.path().join("copy"));
    let mut acknowledged = [0; WRITERS];
    let mut random = Random(42);
    let (start, mut rounds) = (Instant::now(), 0);
    while start.elapsed() < duration() {
        let mut child = spawn("kill::child_that_writes", &directory, &acknowledged);
        listen(&mut child, 1 + random.below(120), &mut acknowledged);
        copy(&directory, &copied); // the child goes on from its own ruins, not from what a clean close left
        let store = Store::open(&settings(&copied)).unwrap();
        acknowledged = assert_kept(&store.snapshot(), &acknowledged, &acknowledged, &format!("round {rounds}"));
        rounds += 1;
    }
    eprintln!("{rounds} kills, changes per writer: {acknowledged:?}");
    assert!(rounds >= 5);
}

/// Takes so many acknowledgements, kills, and takes those that were on their way.
fn listen(child: &mut Child, wanted: usize, acknowledged: &mut [u64; WRITERS]) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut heard = 0;
    for line in lines.map_while(Result::ok) {
        let Some((writer, number)) = line.strip_prefix("ack ").and_then(|line| line.split_once(' ')) else { continue };
        let Ok(number) = number.parse() else { continue }; // cut short by the kill
        acknowledged[writer.parse::<usize>().unwrap()] = number;
        heard += 1;
        if heard == wanted {
            child.kill().unwrap();
        }
    }
    assert!(heard >= wanted, "the child ended by itself after {heard}");
    child.wait().unwrap();
}

pub(crate) fn spawn(test: &str, directory: &std::path::Path, starts: &[u64]) -> Child {
    let starts: Vec<_> = starts.iter().map(u64::to_string).collect();
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(STARTS, starts.join(" "))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Nothing when it is run as a test; the writers when it is run as a child.
#[test]
fn child_that_writes() {
    let (Ok(directory), Ok(starts)) = (std::env::var(DIRECTORY), std::env::var(STARTS)) else { return };
    let store = &Store::open(&settings(directory.as_ref())).unwrap();
    std::thread::scope(|scope| {
        for (writer, start) in starts.split(' ').enumerate() {
            let start: u64 = start.parse().unwrap();
            scope.spawn(move || {
                for number in start + 1.. {
                    commit(store, change(writer, number)).unwrap();
                    // One write a line, so that lines are never mixed.
                    std::io::stdout().lock().write_all(format!("ack {writer} {number}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Nothing when it is run as a test; holds the directory when it is run as a child.
#[test]
fn child_that_holds() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let _store = Store::open(&settings(directory.as_ref())).unwrap();
    println!("open");
    let _ = std::io::stdin().read_line(&mut String::new());
}
