//! The name server's transports over real sockets on loopback: batches, pipelining, limits, time-outs, stopping.
//!
//! What is in the answers is the business of other tests; here there is no zone, so that each reply is REFUSED.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop right there")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use freehold::dns::cookie::Cookies;
use freehold::dns::settings::{RateLimit, Tcp};
use freehold::dns::{self, Handle, Moment, Settings, Sockets};
use freehold::store::Snapshot;
use socket2::{Domain, Socket, Type};

const SECRET: [u8; 16] = *b"a secret of ours";
/// Long enough for a busy machine; whoever waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(10);

// ----- Kit ------------------------------------------------------------------------------------------------

struct Server {
    handle: Handle,
    snapshots: Arc<ArcSwap<Snapshot>>,
}

impl Server {
    /// On a free port of 127.0.0.1 unless the settings name another address.
    fn start(settings: Settings) -> Self {
        assert_eq!(settings.check(), Vec::<String>::new());
        Self::start_on(Sockets::bind(&settings).unwrap(), &settings)
    }

    fn start_on(sockets: Sockets, settings: &Settings) -> Self {
        let snapshots = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        let handle = dns::start(sockets, settings, &SECRET, Arc::clone(&snapshots)).unwrap();
        Self { handle, snapshots }
    }

    fn address(&self) -> SocketAddr {
        self.handle.addresses()[0]
    }

    fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address()).unwrap())
    }

    /// A connection from another address of this machine.
    fn connect_from(&self, source: [u8; 4]) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&self.address().into()).unwrap();
        Client::new(socket.into())
    }
}

fn settings() -> Settings {
    Settings { listen: vec!["127.0.0.1:0".parse().unwrap()], workers: 2, ..Settings::default() }
}

fn with_tcp(tcp: Tcp) -> Settings {
    Settings { workers: 1, tcp, ..settings() }
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct Client(TcpStream);

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut message).unwrap();
        message
    }

    fn ask(&mut self, id: u16) {
        self.send(&framed(&query(id)));
        check(&self.receive(), id);
    }

    /// Whether the server closes, rather than sends anything.
    fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(fault) => fault.kind() == ErrorKind::ConnectionReset,
        }
    }
}

fn udp_client() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Asks over UDP until an answer comes; the kernel may drop what it likes.
fn canary(address: SocketAddr) {
    let client = udp_client();
    client.set_read_timeout(Some(millis(100))).unwrap();
    let answered = eventually(|| {
        client.send_to(&query(4_711), address).unwrap();
        let mut reply = [0; 512];
        client.recv_from(&mut reply).is_ok_and(|(length, from)| {
            check(&reply[..length], 4_711);
            from == address
        })
    });
    assert!(answered, "no answer from {address}");
}

fn query(id: u16) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend(b"\0\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01");
    query
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

fn check(reply: &[u8], id: u16) {
    assert_eq!(reply[..2], id.to_be_bytes());
    assert_eq!((reply[2] & 0x80, reply[3] & 0x0f), (0x80, 5), "a response, REFUSED");
}

fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        sleep(millis(2));
    }
    false
}

// ----- UDP ------------------------------------------------------------------------------------------------

#[test]
fn each_of_many_queries_is_answered_to_whom_it_came_from() {
    let server = Server::start(settings());
    let clients: Vec<_> = (0..40).map(|_| udp_client()).collect();
    for round in 0..20 {
        for (number, client) in clients.iter().enumerate() {
            client.send_to(&query(round << 8 | number as u16), server.address()).unwrap();
        }
        for (number, client) in clients.iter().enumerate() {
            let mut reply = [0; 512];
            let (length, from) = client.recv_from(&mut reply).unwrap();
            assert_eq!(from, server.address());
            check(&reply[..length], round << 8 | number as u16);
        }
    }
    let totals = server.handle.stop();
    assert_eq!((totals.udp.queries, totals.udp.replies[5], totals.udp.unsent), (800, 800, 0));
}

#[test]
fn replies_leave_from_the_address_that_was_asked() {
    let listen = vec!["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()];
    let server = Server::start(Settings { listen, ..settings() });
    let [ipv4, ipv6] = server.handle.addresses() else { panic!("two addresses") };
    for asked in ["127.0.0.1", "127.0.0.7", "127.9.8.7"] {
        canary(SocketAddr::new(asked.parse().unwrap(), ipv4.port()));
        let tcp = TcpStream::connect((asked, ipv4.port())).unwrap();
        Client::new(tcp).ask(1);
    }
    let client = UdpSocket::bind("[::1]:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked: SocketAddr = format!("[::1]:{}", ipv6.port()).parse().unwrap();
    client.send_to(&query(9), asked).unwrap();
    let mut reply = [0; 512];
    let (length, from) = client.recv_from(&mut reply).unwrap();
    check(&reply[..length], 9);
    assert_eq!(from, asked);
    Client::new(TcpStream::connect(asked).unwrap()).ask(10);
}

#[test]
fn garbage_of_every_size_leaves_the_server_answering() {
    let server = Server::start(settings());
    let client = udp_client();
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    for size in (0..1_500).chain([4_095, 4_096, 4_097, 9_000, 65_507]) {
        let mut packet = vec![0; size];
        for octet in &mut packet {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *octet = (noise >> 56) as u8;
        }
        client.send_to(&packet, server.address()).unwrap();
        if size % 100 == 0 {
            canary(server.address()); // keeps the two in step, so that the kernel drops nothing
        }
    }
    canary(server.address());
    let totals = server.handle.stop();
    assert!(totals.udp.malformed > 1_000 && totals.udp.panics == 0, "{totals:?}");
    assert_eq!(totals.udp.oversized, 3);
}

#[test]
fn a_flood_gets_little_back_and_its_neighbours_are_answered() {
    let rate_limit = RateLimit { responses_per_second: 1, burst: 5, exempt: Vec::new(), ..RateLimit::default() };
    let server = Server::start(Settings { rate_limit, workers: 1, ..settings() });
    let flooder = udp_client();
    let neighbour = UdpSocket::bind("127.0.1.1:0").unwrap();
    neighbour.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut replies, mut octets, mut truncated, mut reply) = (0, 0, 0, [0; 512]);
    for id in 0..1_000 {
        flooder.send_to(&query(id), server.address()).unwrap();
        if id % 50 < 49 {
            continue;
        }
        let sent = u64::from(id) + 1;
        assert!(eventually(|| server.handle.stats().udp.queries == sent));
        while replies < sent - server.handle.stats().udp.dropped {
            let length = flooder.recv(&mut reply).unwrap();
            (replies, octets) = (replies + 1, octets + length);
            truncated += u64::from(reply[2] & 2 != 0);
        }
    }
    assert!(octets * 10 <= 1_000 * query(0).len() * 6, "{octets} octets came back");
    assert!((490..=505).contains(&replies) && truncated >= replies - 20, "{replies} replies, {truncated} truncated");
    neighbour.send_to(&query(1), server.address()).unwrap();
    let length = neighbour.recv(&mut reply).unwrap();
    check(&reply[..length], 1);
    server.connect().ask(2);
    let now = Moment::now().unix_seconds;
    let cookie = Cookies::new(&SECRET).make(b"a client", Ipv4Addr::LOCALHOST.into(), now);
    for id in 0..20 {
        let mut query = query(id);
        query[11] = 1;
        query.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\x1c\0\x0a\0\x18a client");
        query.extend(cookie);
        flooder.set_read_timeout(Some(PATIENCE)).unwrap();
        flooder.send_to(&query, server.address()).unwrap();
        let length = flooder.recv(&mut reply).unwrap();
        check(&reply[..length], id);
    }
}

#[test]
fn an_idle_server_lets_go_of_an_old_snapshot() {
    let server = Server::start(settings());
    canary(server.address());
    let mut connection = server.connect();
    connection.ask(1);
    let old = Arc::downgrade(&server.snapshots.load_full());
    server.snapshots.store(Arc::new(Snapshot::default()));
    assert!(eventually(|| old.strong_count() == 0));
}

// ----- TCP ------------------------------------------------------------------------------------------------

#[test]
fn a_thousand_pipelined_queries_are_answered_in_order() {
    let server = Server::start(settings());
    let mut client = server.connect();
    let all: Vec<u8> = (0..1_000).flat_map(|id| framed(&query(id))).collect();
    client.send(&all);
    (0..1_000).for_each(|id| check(&client.receive(), id));
    // And without waiting at all, more than fits any buffer.
    let (mut writer, all) = (client.0.try_clone().unwrap(), (0..20_000).flat_map(|id| framed(&query(id))));
    let all: Vec<u8> = all.collect();
    scope(|scope| {
        scope.spawn(move || writer.write_all(&all).unwrap());
        (0..20_000).for_each(|id| check(&client.receive(), id));
    });
    assert_eq!(server.handle.stop().tcp.queries, 21_000);
}

#[test]
fn however_a_query_is_cut_up_it_is_answered() {
    let server = Server::start(settings());
    let mut client = server.connect();
    client.0.set_nodelay(true).unwrap();
    let long = [&query(2)[..], &[0; 3_000]].concat(); // trailing octets: FORMERR, but a reply
    for (first, second) in [(query(1), query(2)), (query(1), long), (Vec::new(), query(1)), (vec![0; 60_000], query(1))]
    {
        let octets = [framed(&first), framed(&second), framed(&query(3))].concat();
        for size in [1, 2, 3, 7, 64, 5_000].into_iter().filter(|size| octets.len() / size < 2_000) {
            octets.chunks(size).for_each(|chunk| client.send(chunk));
            while client.receive()[..2] != [0, 3] {}
        }
    }
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.is_closed());
}

#[test]
fn what_was_asked_before_the_client_closed_its_side_is_answered() {
    let server = Server::start(settings());
    let mut client = server.connect();
    client.send(&[framed(&query(1)), framed(&query(2)), vec![0, 40, 1]].concat());
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    check(&client.receive(), 1);
    check(&client.receive(), 2);
    assert!(client.is_closed());
    assert!(eventually(|| server.handle.stats().tcp.open() == 0));
}

#[test]
fn however_much_was_asked_before_the_client_closed_its_side_is_answered() {
    let server = Server::start(settings());
    let mut client = server.connect();
    let all: Vec<u8> = (0..1_000).flat_map(|id| framed(&query(id))).collect();
    client.send(&all);
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    (0..1_000).for_each(|id| check(&client.receive(), id));
    assert!(client.is_closed());
}

#[test]
fn more_connections_than_are_answered_in_one_turn_are_all_answered() {
    let server = Server::start(with_tcp(Tcp { connections_per_client_max: 500, ..Tcp::default() }));
    let mut clients: Vec<_> = (0..400).map(|_| server.connect()).collect();
    for round in 0..3 {
        let both = [framed(&query(round)), framed(&query(round + 1))].concat();
        clients.iter_mut().for_each(|client| client.send(&both));
        for client in &mut clients {
            check(&client.receive(), round);
            check(&client.receive(), round + 1);
        }
    }
    clients.iter_mut().for_each(|client| client.0.shutdown(std::net::Shutdown::Write).unwrap());
    assert!(clients.iter_mut().all(Client::is_closed));
    assert_eq!(server.handle.stop().tcp.queries, 2_400);
}

#[test]
fn a_query_that_does_not_get_finished_is_cut() {
    let server = Server::start(with_tcp(Tcp { message: millis(200), ..Tcp::default() }));
    let (mut silent, mut slow, mut later) = (server.connect(), server.connect(), server.connect());
    let start = Instant::now();
    later.ask(1);
    later.send(&[0, 200, 1, 2, 3]);
    let closed = eventually(|| {
        sleep(millis(10)); // one octet at a time: each of them too late to help
        slow.0.write_all(if start.elapsed() < millis(10) { &[40] } else { &[1] }).is_err()
    });
    assert!(closed && start.elapsed() >= millis(200), "after {:?}", start.elapsed());
    assert!(silent.is_closed() && later.is_closed());
    assert!(eventually(|| server.handle.stats().tcp.open() == 0));
    assert_eq!(server.handle.stop().tcp.timed_out, 3);
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let server = Server::start(with_tcp(Tcp { idle: millis(1_000), ..Tcp::default() }));
    let (mut idle, mut busy) = (server.connect(), server.connect());
    let start = Instant::now();
    idle.ask(1);
    for id in 0..15 {
        busy.ask(id);
        sleep(millis(100)); // the pace of this client, not a wait for anything
    }
    busy.ask(99);
    assert!(idle.is_closed() && start.elapsed() >= millis(1_000));
    assert!(busy.is_closed());
    assert_eq!(server.handle.stop().tcp.timed_out, 2);
}

#[test]
fn a_client_that_does_not_read_is_cut_and_costs_the_others_nothing() {
    let server = Server::start(with_tcp(Tcp { write: millis(300), ..Tcp::default() }));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let mut deaf = Client::new(socket.into());
    let many: Vec<u8> = (0..1_000).flat_map(|id| framed(&query(id))).collect();
    let start = Instant::now();
    scope(|scope| {
        let cut = scope.spawn(move || {
            while start.elapsed() < PATIENCE {
                if let Err(fault) = deaf.0.write_all(&many) {
                    return fault.kind();
                }
            }
            panic!("it went on reading");
        });
        let mut other = server.connect();
        while !cut.is_finished() {
            other.ask(7);
        }
        let kind = cut.join().unwrap();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind:?}");
    });
    assert!(start.elapsed() >= millis(300));
    assert_eq!(server.handle.stop().tcp.timed_out, 1);
}

#[test]
fn one_network_has_a_limit() {
    let server = Server::start(with_tcp(Tcp { connections_per_client_max: 2, ..Tcp::default() }));
    let (mut first, mut second) = (server.connect(), server.connect());
    first.ask(1);
    second.ask(2);
    assert!(server.connect().is_closed());
    assert!(server.connect_from([127, 0, 0, 200]).is_closed(), "the same /24");
    server.connect_from([127, 0, 1, 1]).ask(3);
    first.ask(4);
    drop(first);
    assert!(eventually(|| server.handle.stats().tcp.closed >= 2));
    server.connect().ask(5);
    second.ask(6);
    assert_eq!(server.handle.stop().tcp.refused, 2);
}

#[test]
fn when_all_connections_are_taken_the_one_that_waited_longest_makes_room() {
    let server = Server::start(with_tcp(Tcp { connections_max: 3, ..Tcp::default() }));
    let mut clients: Vec<_> = (1..=3).map(|net| server.connect_from([127, net, 0, 1])).collect();
    for number in [2, 0, 1] {
        clients[number].ask(number as u16);
    }
    let mut fourth = server.connect_from([127, 4, 0, 1]);
    fourth.ask(4);
    assert!(clients[2].is_closed());
    clients[0].ask(5);
    clients[1].ask(6);
    server.connect_from([127, 5, 0, 1]).ask(7);
    assert!(fourth.is_closed());
    let totals = server.handle.stop();
    assert_eq!((totals.tcp.evicted, totals.tcp.refused), (2, 0));
}

#[test]
fn many_short_connections_leave_nothing_behind() {
    let server = Server::start(settings());
    for id in 0..300 {
        server.connect().ask(id);
    }
    assert!(eventually(|| server.handle.stats().tcp.open() == 0));
    assert_eq!(server.handle.stop().tcp.accepted, 300);
}

// ----- Start and stop -------------------------------------------------------------------------------------

#[test]
fn it_stops_within_a_second_whatever_the_clients_do() {
    let server = Server::start(settings());
    let (address, mut idle, mut half) = (server.address(), server.connect(), server.connect());
    idle.ask(1);
    half.ask(2);
    half.send(&[0, 40, 1]);
    let mut deaf = server.connect();
    deaf.0.set_write_timeout(Some(millis(300))).unwrap();
    let many: Vec<u8> = (0..1_000).flat_map(|id| framed(&query(id))).collect();
    while deaf.0.write_all(&many).is_ok() {}
    let mut asking = server.connect();
    asking.ask(3);
    asking.send(&framed(&query(4)));
    let start = Instant::now();
    let totals = server.handle.stop();
    assert!(start.elapsed() < millis(1_000), "it took {:?}", start.elapsed());
    check(&asking.receive(), 4);
    assert!(idle.is_closed() && half.is_closed() && asking.is_closed());
    assert_eq!(totals.tcp.open(), 0);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let again = Settings { listen: vec![address.to_string().parse().unwrap()], ..settings() };
    canary(Server::start(again).address());
}

#[test]
fn sockets_of_somebody_else_are_shared_by_the_workers() {
    // A port that is free for UDP need not be for TCP.
    let pair = || {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        TcpListener::bind(udp.local_addr().unwrap()).ok().map(|tcp| (udp, tcp))
    };
    let (udp, tcp) = (0..100).find_map(|_| pair()).unwrap();
    let address = udp.local_addr().unwrap();
    let (both, more) = (UdpSocket::bind("[::]:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let both_families = both.local_addr().unwrap();
    let sockets = Sockets::adopt(vec![udp, both, more], vec![tcp]).unwrap();
    let server = Server::start_on(sockets, &Settings { workers: 3, ..settings() });
    assert_eq!(server.handle.addresses()[..2], [address, both_families]);
    (0..20).for_each(|_| canary(address));
    (0..20).for_each(|id| server.connect().ask(id));
    canary(SocketAddr::new([127, 0, 0, 3].into(), both_families.port()));
    assert_eq!(server.handle.stop().tcp.accepted, 20);
}
