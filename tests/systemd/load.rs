//! Reload and restart while clients ask: each query is asked exactly once, and each has to be answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::{Machine, PATIENCE, ask_tcp, ask_udp, client};

/// Clients over UDP, each with one query under way.
const CLIENTS: u16 = 4;
/// Answers that clients get at least before, and again after, what is done to the server.
const ANSWERS_AROUND: usize = 1_000;
/// How long nobody may be answered while the server is restarted.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// One load at a time: two of them would measure each other.
static TURN: Mutex<()> = Mutex::new(());

/// What clients saw while something was done to the server.
struct Seen {
    answers: usize,
    /// The longest time between two answers to anybody.
    silence: Duration,
    /// Connections over TCP that were closed without an answer, and had to be made again.
    broken: usize,
}

/// Lets clients ask over UDP and TCP, without pause, until `deed` is done. A query over UDP is never sent twice: one
/// that is lost fails the test.
fn under_load(machine: &Machine, deed: impl FnOnce()) -> Seen {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let more_answers = || {
        let (wanted, until) = (answers.load(Ordering::Relaxed) + ANSWERS_AROUND, Instant::now() + PATIENCE);
        while answers.load(Ordering::Relaxed) < wanted {
            assert!(Instant::now() < until, "answers stay away");
            thread::sleep(Duration::from_millis(1)); // the clients need the processor
        }
    };
    let (times, broken) = (Mutex::new(Vec::new()), Mutex::new(0));
    let address = machine.address;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (socket, mut mine, mut id) = (client(address), Vec::new(), 0);
                while !over.load(Ordering::Relaxed) {
                    id = (id + 1) % 0xF000;
                    ask_udp(&socket, id);
                    mine.push(Instant::now());
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                times.lock().unwrap().extend(mine);
            });
        }
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if ask_tcp(address, 1).is_err() {
                    *broken.lock().unwrap() += 1;
                    ask_tcp(address, 2).expect("an answer to who comes again");
                }
                thread::sleep(Duration::from_millis(1)); // closed connections occupy ports for a while
            }
        });
        let end = Finally(&over);
        more_answers();
        deed();
        more_answers();
        drop(end);
    });
    let mut times = times.into_inner().unwrap();
    times.sort();
    let silence = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    Seen { answers: times.len(), silence, broken: broken.into_inner().unwrap() }
}

/// Sets the flag, also if what comes before fails.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn reloads_lose_no_query() {
    let machine = Machine::new(&["127.0.0.1"]);
    let server = machine.start();
    assert_eq!(machine.told(), "READY=1\n");
    let seen = under_load(&machine, || {
        for _ in 0..50 {
            server.signal("HUP");
            assert!(machine.told().starts_with("RELOADING=1\n"));
            assert_eq!(machine.told(), "READY=1\n");
        }
    });
    println!("50 reloads: {} answers, longest silence {:?}", seen.answers, seen.silence);
    assert_eq!(seen.broken, 0);
    server.stop();
}

#[test]
fn restarts_lose_no_query_and_are_over_within_a_second() {
    let machine = Machine::new(&["127.0.0.1"]);
    let mut server = Some(machine.start());
    assert_eq!(machine.told(), "READY=1\n");
    let mut silences = Vec::new();
    for _ in 0..3 {
        let seen = under_load(&machine, || {
            server.take().unwrap().stop();
            assert_eq!(machine.told(), "STOPPING=1\n");
            server = Some(machine.start());
            assert_eq!(machine.told(), "READY=1\n");
        });
        println!(
            "restart: {} answers, longest silence {:?}, {} connections broken",
            seen.answers, seen.silence, seen.broken
        );
        assert!(seen.broken <= 1, "only the connection that was open may break: {}", seen.broken);
        silences.push(seen.silence);
    }
    // The best of three: a start syncs the disk, and a machine that builds something else meanwhile can stall for seconds.
    let best = silences.iter().min().unwrap();
    assert!(*best < SILENCE_MAX, "{silences:?}");
}
