//! DNS over TCP (RFC 7766, RFC 9210): a thread for each worker, which asks the kernel what has happened, reads all
//! of it, and then answers all of it.
//!
//! Queries may be sent without waiting for replies; all that came together is answered together. Who may stay:
//!
//! * A network has a limit of its own; one connection more is refused.
//! * When all are taken, the one that has been waiting longest, for its next query or for the rest of one, makes room.
//!   Refusing the new one instead would let whoever came first shut all others out; like this an attacker has to
//!   open thousands of connections in the time that an honest client needs for one question.
//! * An idle connection is closed after a time that shrinks with the number that is left ([`super::census::Census::idle`]).
//! * A query that does not get finished, and a client that does not read, are cut after their own limits; the time for the first
//!   query begins with the connection.
//!
//! A query costs two system calls and its share of a third, a connection four more (accept, watch, read the end, close). The clock is read, and memory is asked
//! for what the answers need ([`super::ahead`]), once for all connections of a turn.
//!
//! Rejected: tokio, whose tasks and timers cost as much as the answer; a timer for each connection (see [`super::seats`]),
//! closing after a number of queries, TCP_DEFER_ACCEPT (of connections that are accepted together 99 in 100 have brought their query).

mod connection;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::SockRef;

use super::answers::{Answers, Turn};
use super::batch::BATCH;
use super::census::Entrance;
use super::framing::{OUTPUT_ROOM, message};
use super::seats::{Seats, Waiting};
use super::settings::Tcp;
use super::{Moment, Transport};
use crate::limits;
use connection::{Came, Connection, reset};

/// Things that the kernel tells at once; what is more, it tells next time.
const EVENTS: usize = 2 * BATCH;
/// Octets that are read at once of one connection; some fifty queries, after which others have their turn. An odd number
/// of cache lines: see `batch.rs`.
const INPUT_SIZE: usize = 4_096 + 64;
/// Connections that are accepted from one socket before those that are there have their turn.
const ACCEPTED_MAX: usize = BATCH;
/// How long no connection is accepted after the kernel could not hand one over: at 100 tries a second, each of which
/// frees a descriptor, a server that has run out of them still serves newcomers.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// How long connections may take to get rid of their last replies when the server stops.
const DRAIN_MAX: Duration = Duration::from_millis(500);
/// How often it is looked whether they have.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// The connections of one worker.
pub(super) struct Server {
    poll: Poll,
    doors: Vec<Door>,
    /// When connections are accepted again after the kernel could not hand one over, in microseconds.
    opens: u64,
    answers: Answers,
    limits: Tcp,
    seats: Seats<Connection>,
    /// Who has something to do; each stands there once.
    ready: VecDeque<u32>,
    input: Box<[u8]>,
    output: Box<[u8]>,
    complained: bool,
}

/// A socket from which connections are accepted.
struct Door {
    listener: TcpListener,
    /// Whether somebody may stand before it: the kernel tells only once.
    is_knocked: bool,
}

impl Server {
    /// Takes listening sockets.
    pub(super) fn new(listeners: Vec<net::TcpListener>, answers: Answers, limits: Tcp) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut doors = Vec::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            // What is set here is inherited by every accepted connection, and costs no system call there.
            SockRef::from(&listener).set_tcp_nodelay(true)?; // replies are written together; holding them back gains nothing
            listener.set_nonblocking(true)?;
            let mut listener = TcpListener::from_std(listener);
            poll.registry().register(&mut listener, door_token(number), Interest::READABLE)?;
            doors.push(Door { listener, is_knocked: false });
        }
        Ok(Self {
            poll,
            doors,
            opens: 0,
            answers,
            limits,
            seats: Seats::default(),
            ready: VecDeque::new(),
            input: vec![0; BATCH * INPUT_SIZE].into(),
            output: vec![0; OUTPUT_ROOM].into(),
            complained: false,
        })
    }

    /// Answers until `stop`.
    pub(super) fn serve(mut self, stop: &AtomicBool) {
        let mut events = Events::with_capacity(EVENTS);
        let tick = self.limits.tick();
        let mut swept = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            self.turn(&mut events, tick);
            if swept.elapsed() >= tick {
                self.sweep();
                swept = Instant::now();
            }
        }
        self.drain(&mut events);
    }

    /// Waits for something to do, no longer than this, and does it.
    fn turn(&mut self, events: &mut Events, patience: Duration) {
        let patience = if self.ready.is_empty() { patience } else { Duration::ZERO };
        let knocked = self.doors.iter().any(|door| door.is_knocked);
        let patience = if knocked { patience.min(self.until_open()) } else { patience };
        if let Err(fault) = self.poll.poll(events, Some(patience)) {
            if fault.kind() != ErrorKind::Interrupted {
                self.complain(&fault, "cannot wait for DNS connections");
                thread::sleep(ACCEPT_PAUSE);
            }
            return;
        }
        for event in events.iter() {
            match self.doors.get_mut(usize::MAX - event.token().0) {
                Some(door) => door.is_knocked = true,
                None => {
                    let seat = event.token().0 as u32;
                    if let Some(connection) = self.seats.connection(seat) {
                        connection.notice(event);
                        enqueue(&mut self.ready, connection, seat);
                    }
                }
            }
        }
        // Among few names one after the other is best, for what the kernel knows of a connection is in the nearest cache then.
        let together = if self.answers.turn().is_ahead_of(BATCH) { BATCH } else { 1 };
        self.answer(together);
        for _ in 0..ACCEPTED_MAX / together {
            if !self.doors.iter().any(|door| door.is_knocked) || !self.until_open().is_zero() {
                break;
            }
            self.accept(together);
            self.answer(together);
        }
    }

    /// Answers those that have something to do, as many as a batch holds, but for those that get something to do meanwhile.
    /// So many of them are read before the first is answered.
    fn answer(&mut self, together: usize) {
        let Self { poll, answers, seats, ready, input, output, .. } = self;
        let mut left = ready.len().min(BATCH);
        if left == 0 {
            return;
        }
        let turn = answers.turn();
        let mut round = Round { registry: poll.registry(), turn: &turn, seats, ready, output };
        let (mut batch, mut queries) = ([(0, Came::End); BATCH], 0);
        while left > 0 {
            let count = round.read(&mut batch[..together.min(left)], input);
            let batch = &batch[..count];
            left = if count > 0 { left - count } else { 0 };
            let came =
                || batch.iter().zip(input.chunks_exact(INPUT_SIZE)).map(|((seat, came), input)| (*seat, *came, input));
            turn.look_ahead(batch.len(), came().filter_map(|(_, came, input)| message(&input[..came.count()])));
            for (seat, came, input) in came() {
                queries += round.settle(seat, came, &input[..came.count()]);
            }
        }
        turn.stats.took(turn.now.micros_since(), queries);
    }

    /// Takes some of those who stand before each door: whatever happens to one of them, the next is accepted.
    fn accept(&mut self, most: usize) {
        let now = Moment::now().micros;
        for door in 0..self.doors.len() {
            for _ in 0..most {
                if !self.doors[door].is_knocked {
                    break;
                }
                match self.doors[door].listener.accept() {
                    Ok((stream, peer)) => self.admit(stream, peer, now),
                    Err(fault) if fault.kind() == ErrorKind::WouldBlock => self.doors[door].is_knocked = false,
                    // The client has gone while it waited: no reason to wait ourselves.
                    Err(fault) if matches!(fault.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => (),
                    Err(fault) => return self.pause(&fault, now),
                }
            }
        }
    }

    /// Accepts nobody for a while, and makes room.
    fn pause(&mut self, fault: &io::Error, now: u64) {
        self.opens = now + ACCEPT_PAUSE.as_micros() as u64;
        self.complain(fault, "cannot accept DNS connections; trying on. Too few file descriptors? See LimitNOFILE=");
        let turn = self.answers.turn();
        turn.stats.accept_failed.add(1);
        make_room(&mut self.seats, &turn);
    }

    /// How long until connections are accepted.
    fn until_open(&self) -> Duration {
        match self.opens {
            0 => Duration::ZERO,
            opens => Duration::from_micros(opens.saturating_sub(Moment::now().micros)),
        }
    }

    /// Gives a connection a seat, or closes it.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, now: u64) {
        let address = peer.ip().to_canonical();
        let turn = self.answers.turn();
        let census = turn.policy.census(Transport::Tcp);
        let room = match census.enter(address) {
            Entrance::Free => true,
            Entrance::Crowded => {
                let made = make_room(&mut self.seats, &turn);
                if !made {
                    census.leave(address);
                }
                made
            }
            Entrance::Refused => false,
        };
        if !room {
            turn.stats.refused.add(1);
            reset(&stream);
            return;
        }
        turn.stats.accepted.add(1);
        let seat = self.seats.take(now);
        let mut connection = Connection::new(stream, address);
        enqueue(&mut self.ready, &mut connection, seat); // its first query is often there already
        self.seats.occupy(seat, connection);
    }

    /// Closes the connections whose time is up.
    fn sweep(&mut self) {
        let turn = self.answers.turn();
        let idle = turn.policy.idle(Transport::Tcp);
        for (waiting, limit) in
            [(Waiting::Query, idle), (Waiting::Message, self.limits.message), (Waiting::Reader, self.limits.write)]
        {
            let moment = turn.now.micros.saturating_sub(limit.as_micros() as u64);
            while let Some(seat) = self.seats.overdue(waiting, moment) {
                turn.stats.timed_out.add(1);
                close(&mut self.seats, seat, &turn);
            }
        }
    }

    /// Answers what has arrived, lets the clients read it, and closes all connections.
    fn drain(&mut self, events: &mut Events) {
        self.doors.clear();
        let begun = Instant::now();
        // Whoever has just been accepted is about to ask.
        while begun.elapsed() < DRAIN_STEP {
            self.turn(events, DRAIN_STEP.saturating_sub(begun.elapsed()));
        }
        self.close_all(&[Waiting::Query, Waiting::Message]);
        while begun.elapsed() < DRAIN_MAX && !self.seats.is_empty() {
            self.turn(events, DRAIN_STEP);
            self.close_all(&[Waiting::Query, Waiting::Message]);
        }
        self.close_all(&[Waiting::Reader]);
    }

    fn close_all(&mut self, kinds: &[Waiting]) {
        let turn = self.answers.turn();
        while let Some(seat) = self.seats.longest(kinds) {
            close(&mut self.seats, seat, &turn);
        }
    }

    /// Says once what goes wrong.
    fn complain(&mut self, fault: &io::Error, what: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::error!(%fault, "{what}");
        }
    }
}

/// What the connections of a batch are answered with.
struct Round<'a> {
    registry: &'a Registry,
    turn: &'a Turn<'a>,
    seats: &'a mut Seats<Connection>,
    ready: &'a mut VecDeque<u32>,
    output: &'a mut [u8],
}

impl Round<'_> {
    /// Reads as many as there are places, each into an input of its own; how many there were.
    fn read(&mut self, batch: &mut [(u32, Came)], input: &mut [u8]) -> usize {
        let mut count = 0;
        for (place, input) in batch.iter_mut().zip(input.chunks_exact_mut(INPUT_SIZE)) {
            let Some(seat) = self.ready.pop_front() else { break };
            // Whose connection was closed meanwhile takes a place for nothing.
            let came = self.seats.connection(seat).map_or(Came::End, |connection| {
                connection.is_queued = false;
                connection.read(input)
            });
            (*place, count) = ((seat, came), count + 1);
        }
        count
    }

    /// Answers what came of one connection, and sees to it that it has its next turn or is told of, or closes it. Gives how
    /// many queries there were.
    fn settle(&mut self, seat: u32, came: Came, input: &[u8]) -> u64 {
        let Some(connection) = self.seats.connection(seat) else { return 0 };
        let step = match came {
            Came::Octets { more, .. } => {
                connection.answer(self.turn, input, self.output).map(|exchange| (exchange, more))
            }
            Came::Nothing { flushed } if connection.watch(self.registry, token(seat)).is_ok() => {
                if flushed {
                    self.sit(seat, true);
                }
                return 0;
            }
            Came::Nothing { .. } | Came::End => Err(ErrorKind::UnexpectedEof.into()),
        };
        let watched = step.and_then(|step| connection.watch(self.registry, token(seat)).map(|()| step));
        let Ok((exchange, more)) = watched else {
            close(self.seats, seat, self.turn);
            return 0;
        };
        if connection.goes_on(more) {
            enqueue(self.ready, connection, seat);
        }
        self.sit(seat, exchange.consumed > 0);
        exchange.queries
    }

    /// Says what a connection waits for from now on, and how much it keeps meanwhile.
    fn sit(&mut self, seat: u32, anew: bool) {
        let Some(connection) = self.seats.connection(seat) else { return };
        let (waiting, held) = (connection.waiting(), connection.held());
        self.seats.wait(seat, waiting, self.turn.now.micros, anew);
        self.seats.hold(seat, held);
        if self.seats.held() > limits::TCP_HELD_MAX
            && let Some(slowest) = self.seats.longest(&[Waiting::Message, Waiting::Reader])
        {
            self.turn.stats.evicted.add(1);
            close(self.seats, slowest, self.turn);
        }
    }
}

fn token(seat: u32) -> Token {
    Token(seat as usize)
}

/// The doors have the last numbers, which no seat reaches.
fn door_token(number: usize) -> Token {
    Token(usize::MAX - number)
}

/// Puts a connection behind those that have something to do, unless it stands there.
fn enqueue(ready: &mut VecDeque<u32>, connection: &mut Connection, seat: u32) {
    if !std::mem::replace(&mut connection.is_queued, true) {
        ready.push_back(seat);
    }
}

/// Closes the connection that has waited longest.
fn make_room(seats: &mut Seats<Connection>, turn: &Turn<'_>) -> bool {
    let longest = seats.longest(&[Waiting::Query, Waiting::Message]);
    if let Some(seat) = longest {
        turn.stats.evicted.add(1);
        close(seats, seat, turn);
    }
    longest.is_some()
}

/// A connection is over.
fn close(seats: &mut Seats<Connection>, seat: u32, turn: &Turn<'_>) {
    if let Some(connection) = seats.leave(seat) {
        turn.policy.census(Transport::Tcp).leave(connection.address());
        turn.stats.closed.add(1);
    }
}
