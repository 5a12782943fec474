//! DNS over TLS (RFC 7858).

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hickory_proto::rr::RecordType;

use crate::kit::{NAME, QUESTIONS, Server, framed, plain, query, rewritten, unpadded};

#[test]
fn replies_are_those_of_tcp_and_padded_for_whoever_pads() {
    let server = Server::start();
    let mut stream = server.connect();
    for (id, (name, kind)) in (1..).zip(QUESTIONS) {
        let plain = query(id, name, kind, false);
        stream.send(&plain);
        assert_eq!(stream.receive(), server.over_tcp(&plain), "{name} {kind}");
        let padded = query(id, name, kind, true);
        stream.send(&padded);
        let reply = server.over_tcp(&padded);
        assert_ne!(reply.len() % 468, 0, "over TCP nothing is padded");
        assert_eq!(unpadded(&stream.receive()), rewritten(&reply), "{name} {kind}");
    }
}

#[test]
fn many_queries_go_over_one_connection_without_waiting() {
    let server = Server::start();
    let mut stream = server.connect();
    let queries: Vec<u8> =
        (0..1_000).flat_map(|id| framed(&query(id, QUESTIONS[usize::from(id) % 4].0, RecordType::A, false))).collect();
    let (mut sent, mut seen) = (queries.chunks(5_000), [false; 1_000]);
    for _ in 0..1_000 {
        if let Some(part) = sent.next() {
            stream.0.write_all(part).unwrap(); // wherever that cuts a query in two
        }
        let reply = stream.receive();
        seen[usize::from(u16::from_be_bytes([reply[0], reply[1]]))] = true;
        if reply[1] == 0 {
            stream.0.flush().unwrap();
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    assert_eq!(server.handle.stats().tls.queries, 1_000);
}

/// 1,000 replies of 22 kilooctets are more than any buffer on the way holds.
#[test]
fn a_client_that_reads_late_gets_everything_and_one_that_never_does_is_cut() {
    let server = Server::with("tcp = { write_seconds = 3, message_seconds = 60, idle_seconds = 60 }");
    let large = framed(&query(7, "large.home.example.", RecordType::TXT, false));
    let mut stream = server.connect();
    for _ in 0..1_000 {
        stream.0.write_all(&large).unwrap();
    }
    let first = stream.receive();
    assert!(first.len() > 20_000);
    for _ in 1..1_000 {
        assert_eq!(stream.receive(), first);
    }
    assert_eq!(server.handle.stats().tls.timed_out, 0);
    stream.0.sock.set_nonblocking(true).unwrap();
    while server.handle.stats().tls.timed_out == 0 {
        let _ = stream.0.write(&large); // what cannot be written now is not needed
        std::thread::sleep(Duration::from_micros(100)); // until the server has lost its patience
    }
    server.until("cut", |stats| stats.tls.open() == 0);
}

#[test]
fn a_slow_handshake_is_cut_and_an_idle_connection_is_closed_with_a_word() {
    let server = Server::with("tcp = { message_seconds = 3, idle_seconds = 3 }");
    let begin = Instant::now();
    let mut silent = plain(server.tls());
    let mut crawling = plain(server.tls());
    crawling.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap(); // the beginning of a hello
    for slow in [&mut silent, &mut crawling] {
        assert_eq!(slow.read(&mut [0; 100]).unwrap_or(0), 0);
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert_eq!(server.handle.stats().tls.timed_out, 2);
    let mut stream = server.connect();
    stream.send(&query(1, "www.home.example.", RecordType::A, false));
    stream.receive();
    // rustls takes an end without the word for an error.
    assert_eq!(stream.0.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn one_client_has_so_many_connections_and_none_of_those_over_tcp() {
    let server = Server::with("tcp = { connections_per_client_max = 2 }");
    let (_one, mut two) = (server.connect(), server.connect());
    assert!(server.connect_with(server.client(b"dot"), NAME).is_err());
    assert_eq!(server.handle.stats().tls.refused, 1);
    let asked = query(1, "www.home.example.", RecordType::A, false);
    two.send(&asked);
    assert_eq!(two.receive(), server.over_tcp(&asked));
}

#[test]
fn a_renewed_certificate_is_shown_to_the_next_and_nobody_is_disturbed() {
    let server = Server::start();
    let shown = |stream: &crate::kit::Stream<rustls::StreamOwned<rustls::ClientConnection, _>>| {
        stream.0.conn.peer_certificates().unwrap()[0].clone()
    };
    let mut before = server.connect();
    server.certify(NAME);
    let after = server.connect();
    assert_ne!(shown(&before), shown(&after));
    before.send(&query(1, "www.home.example.", RecordType::A, false));
    before.receive();
    let elsewhere = server.connect_with(server.client(b"dot"), "app.home.example").err().unwrap().to_string();
    assert!(
        elsewhere.contains("only valid for DnsName(\"ns1.home.example\")"),
        "it is shown that of the first name: {elsewhere}"
    );
    let other_protocol = server.connect_with(server.client(b"h2"), NAME).err().unwrap().to_string();
    assert!(
        other_protocol.contains("NoApplicationProtocol") || other_protocol.contains("application protocol"),
        "{other_protocol}"
    );
}

#[test]
fn garbage_harms_nobody_else() {
    let server = Server::start();
    let mut stream = server.connect();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 4_096], &[0xff; 70_000], &framed(&[0; 30])] {
        let mut socket = plain(server.tls());
        let _ = socket.write_all(garbage); // it may be cut before its end
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new()); // an alert, or a reset
    }
    let mut inside = server.connect();
    inside.send(&[0xff; 40]); // a reply, to which there is none
    inside.send(&[1, 2, 3]);
    for asked in [&mut stream, &mut inside] {
        asked.send(&query(9, "www.home.example.", RecordType::A, false));
        assert_eq!(asked.receive()[..2], [0, 9]);
    }
    let stats = server.handle.stop().tls;
    assert_eq!((stats.handshakes_failed, stats.panics, stats.malformed), (4, 0, 2));
}
