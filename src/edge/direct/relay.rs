//! Brings an answer to the client, part by part as it comes. One part is in memory, and whoever is slower is waited for.

use std::future::{Future, poll_fn};
use std::io::{IoSlice, Write as _};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};

use hyper::header::{HeaderName, HeaderValue};
use tokio::io::AsyncWrite;

use super::answer::{Body, Part, is_of_the_connection};
use super::ask::{Asked, READ_SIZE, poll_receive, unless_gone};
use super::chunks::Broken;
use super::page::give_page;
use super::request::Request;
use super::{Next, Peer};
use crate::edge::client::Order;
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::headers::is_unwanted;
use crate::edge::stats::AppFailure;

/// Octets that are copied behind those in front of them: sending from one place costs the system less than from several.
const JOINED_SIZE_MAX: usize = 2 << 10;

/// Octets of an answer that are read at once when there is more of it than [`READ_SIZE`].
pub(super) const READ_SIZE_MAX: usize = 64 << 10;

/// Brings the answer to the client, and the app's connection home.
pub(super) async fn relay(
    asked: Asked<Vec<u8>>,
    request: &Request,
    peer: &mut Peer<'_>,
    exchange: &Rc<Exchange>,
) -> Next {
    let Asked { mut app, head, mut front, mut octets, last } = asked;
    let mut body = head.body;
    let mut size = READ_SIZE;
    let behind = loop {
        let part = match body.take(&mut octets) {
            Ok(part) => part,
            Err(Broken) if exchange.is_answered() => return breaks_off(exchange),
            Err(Broken) => return give_page(&Failure::AppGarbled, request, peer, exchange).await,
        };
        if !exchange.is_answered() {
            exchange.answers(head.status);
        }
        if !give_part(&part, &body, &mut front, &octets, peer, exchange).await {
            exchange.ends(false);
            return Next::Cut;
        }
        if part.last {
            break part.behind;
        }
        if octets.len() >= size {
            size = READ_SIZE_MAX; // there is a lot of it
        }
        octets.clear();
        let receiving = in_time(poll_fn(|context| poll_receive(&mut app.stream, &mut octets, size, context)), exchange);
        match unless_gone(receiving, peer, &exchange.client).await {
            None | Some(None) => {
                exchange.ends(false);
                return Next::Cut;
            }
            Some(Some(0)) if matches!(body, Body::UntilClose) => body = Body::Closed,
            Some(Some(0)) => return breaks_off(exchange),
            Some(Some(_)) => (),
        }
    };
    exchange.ends(true);
    if head.keeps && behind == 0 {
        app.go_home();
    }
    if last { Next::Over } else { Next::Request }
}

/// The app did not keep its word: what the client has must not look whole.
fn breaks_off(exchange: &Exchange) -> Next {
    exchange.app_failed(AppFailure::BrokenOff);
    exchange.ends(false);
    Next::Cut
}

/// What comes of waiting for the app; none if it is silent for too long.
async fn in_time<T>(work: impl Future<Output = T>, exchange: &Exchange) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        if exchange.late().is_some() {
            return Poll::Ready(None);
        }
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            exchange.waits_for_app(context);
        }
        polled.map(Some)
    })
    .await
}

/// Gives the client a part of the body, in a chunk if it goes in chunks, behind whatever stands in front of it.
async fn give_part(
    part: &Part,
    body: &Body,
    front: &mut Vec<u8>,
    octets: &[u8],
    peer: &mut Peer<'_>,
    exchange: &Exchange,
) -> bool {
    let mut payload = &octets[..part.size];
    let mut back = Vec::new();
    if body.goes_in_chunks() && !payload.is_empty() {
        let written = write!(front, "{:x}\r\n", payload.len());
        debug_assert!(written.is_ok(), "memory takes what is written");
        back.extend_from_slice(b"\r\n");
    }
    if body.goes_in_chunks() && part.last {
        back.extend_from_slice(b"0\r\n");
        write_trailers(body.trailers(), &mut back);
        back.extend_from_slice(b"\r\n");
    }
    if front.is_empty() && payload.is_empty() && back.is_empty() {
        return true;
    }
    exchange.gives(payload.len() as u64);
    if payload.len() <= JOINED_SIZE_MAX && !front.is_empty() {
        front.extend_from_slice(payload);
        front.append(&mut back);
        payload = &[];
    }
    let given = give(peer, [front, payload, &back], exchange).await;
    front.clear();
    given
}

/// Writes the fields behind the last chunk that are for the client.
fn write_trailers(lines: &[u8], out: &mut Vec<u8>) {
    for line in lines.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let Ok(name) = HeaderName::from_bytes(name) else { continue };
        let ends_here = matches!(name.as_str(), "host" | "content-length" | "trailer" | "expect");
        let sound = HeaderValue::from_bytes(value).is_ok();
        if sound && !ends_here && !is_of_the_connection(name.as_str()) && !is_unwanted(name.as_str(), false) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Writes to the client what lies in several places, as one; false if the client is gone or takes nothing for too long.
pub(super) async fn give(peer: &mut Peer<'_>, parts: [&[u8]; 3], exchange: &Exchange) -> bool {
    let mut given = 0;
    let wrote = poll_fn(|context| {
        loop {
            if exchange.late().is_some() || exchange.client.poll_order(context) == Some(Order::End) {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
            let slices = rest(&parts, given);
            let mut stream = Pin::new(peer.guarded.bare());
            if slices.iter().all(|slice| slice.is_empty()) {
                return stream.poll_flush(context);
            }
            let wrote = match &slices {
                [only, second, third] if second.is_empty() && third.is_empty() => {
                    stream.as_mut().poll_write(context, only)
                }
                all => stream.as_mut().poll_write_vectored(context, all),
            };
            match ready!(wrote)? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                count => given += count,
            }
        }
    });
    wrote.await.is_ok()
}

/// What is left of the parts behind so many octets.
fn rest<'p>(parts: &[&'p [u8]; 3], mut passed: usize) -> [IoSlice<'p>; 3] {
    parts.map(|part| {
        let skipped = passed.min(part.len());
        passed -= skipped;
        IoSlice::new(&part[skipped..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_not_given_again() {
        let parts: [&[u8]; 3] = [b"ab", b"cd", b"ef"];
        let left = |passed| rest(&parts, passed).map(|slice| String::from_utf8(slice.to_vec()).unwrap());
        assert_eq!(left(0), ["ab", "cd", "ef"]);
        assert_eq!(left(3), ["", "d", "ef"]);
        assert_eq!(left(6), ["", "", ""]);
    }

    #[test]
    fn trailers_say_nothing_that_only_a_head_may() {
        let mut out = Vec::new();
        let lines = b"X-Sum: 1\r\nContent-Length: 5\r\nX-Real-IP: 1\r\nTE: x\r\nno colon\r\nb ad: 1\r\n";
        write_trailers(lines, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "x-sum: 1\r\n");
    }
}
