//! A storm of spoilt queries against the running server, the real binary, over UDP and TCP: it does not end, answers
//! a canary all the while, holds no more memory afterwards, and stops as it should.
//!
//! Small with the other tests, because any packet may be the one. The full size:
//! `STORM_PACKETS=1000000 cargo test --release --test storm`. `STORM_SEED` repeats a storm; the seed is printed.
//!
//! The storm keeps in step with the server: after each volley the canary is asked from the very same socket, so its
//! answer says that all of the volley has been read, and the kernel never drops for want of room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test is what a panic is for here")]

mod canary;
mod dice;
mod mutate;
mod server;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use dice::Dice;
use server::Server;

const PACKETS: u64 = 50_000;
const SEED: u64 = 0x5745_4154_4845_5221;
/// One packet in so many goes over TCP.
const TCP_SHARE: u64 = 8;
/// Packets between two canaries over UDP: as many as the smallest usual buffer of a socket holds.
const VOLLEY: u64 = 64;
/// Packets of one TCP connection at most.
const TCP_PACKETS_MAX: usize = 32;
/// Sockets of the storm: enough that every worker of the server has some.
const UDP_SOCKETS: usize = 16;
/// What the process may hold more after the storm than before, in KiB: what the first storm has not touched yet.
const GROWTH_MAX: i64 = 2 << 10;
/// Packets of the first storm at least.
const WARM_UP: u64 = 10_000;
/// The longest that a connection may stay open when all has been said.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_storm_of_spoilt_queries_is_weathered() {
    let packets = number("STORM_PACKETS").unwrap_or(PACKETS);
    let seed = number("STORM_SEED").unwrap_or(SEED);
    say(&format!("storm: {packets} packets, STORM_SEED={seed}"));
    let mut server = Server::start();
    let over_tcp = packets / TCP_SHARE;
    // The first rounds touch memory that is then kept: buffers, stacks, the allocator's pages.
    let warm_up = WARM_UP.max(packets / 10);
    rage(&mut server, warm_up, warm_up / TCP_SHARE, seed ^ 1);
    let before = server.memory();
    let start = Instant::now();
    let slowest = rage(&mut server, packets - over_tcp, over_tcp, seed);
    let seconds = start.elapsed().as_secs_f64();
    let after = server.memory();
    say(&format!(
        "storm: weathered in {seconds:.1} s, slowest canary {:.1} ms, memory {before} KiB before and {after} KiB after",
        slowest.as_secs_f64() * 1e3
    ));
    assert!(after - before <= GROWTH_MAX, "memory grew from {before} to {after} KiB");
    let log = server.stop();
    assert!(!log.contains("panic"), "{log}");
}

/// Both storms at once; the longest that a canary took.
fn rage(server: &mut Server, over_udp: u64, over_tcp: u64, seed: u64) -> Duration {
    let address = server.address;
    std::thread::scope(|scope| {
        let tcp = scope.spawn(move || rage_tcp(address, over_tcp, Dice(seed ^ 0x7c9)));
        let udp = rage_udp(server, over_udp, Dice(seed));
        udp.max(tcp.join().expect("the storm over TCP"))
    })
}

fn rage_udp(server: &mut Server, packets: u64, mut dice: Dice) -> Duration {
    let sockets: Vec<UdpSocket> = (0..UDP_SOCKETS).map(|_| canary::socket(server.address)).collect();
    let seeds = mutate::seeds();
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while sent < packets {
        let socket = &sockets[dice.below(sockets.len())];
        for _ in 0..VOLLEY.min(packets - sent) {
            let packet = mutate::mutate(&seeds, &mut dice);
            socket.send(&packet).expect("room in the kernel");
            sent += 1;
        }
        slowest = slowest.max(canary::ask(socket, sent as u16));
        assert!(server.is_running(), "the server ended after {sent} packets");
    }
    slowest
}

/// Connections one after the other: some frames lie about their length, some are sent in pieces, some connections are
/// thrown away with the replies unread. Every few of them are followed by the canary.
fn rage_tcp(server: SocketAddr, packets: u64, mut dice: Dice) -> Duration {
    let seeds = mutate::seeds();
    let (mut sent, mut slowest) = (0, Duration::ZERO);
    while sent < packets {
        let mut octets = Vec::new();
        for _ in 0..1 + dice.below(TCP_PACKETS_MAX) {
            mutate::frame(&mutate::mutate(&seeds, &mut dice), &mut dice, &mut octets);
            sent += 1;
        }
        let piece = if dice.chance(4) { 1 + dice.below(100) } else { octets.len() };
        converse(server, &octets, piece, dice.chance(4));
        if dice.chance(8) {
            slowest = slowest.max(canary::ask_over_tcp(server));
        }
    }
    slowest
}

/// Says all of it. The server may cut the connection at any time, but must not leave it hanging.
fn converse(server: SocketAddr, octets: &[u8], piece: usize, leave_at_once: bool) {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    if octets.chunks(piece).any(|piece| stream.write_all(piece).is_err()) || leave_at_once {
        return;
    }
    let _ = stream.shutdown(Shutdown::Write); // fails if the server has cut it
    let mut room = [0; 4_096];
    loop {
        match stream.read(&mut room) {
            Ok(1..) => (),
            Ok(0) => return,
            Err(fault) if fault.kind() == io::ErrorKind::ConnectionReset => return,
            Err(fault) => panic!("the connection hangs: {fault}"),
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Past the capture of test output: the seed has to be seen.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
