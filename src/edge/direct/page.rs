//! Gives the client a page that says what is wrong, over HTTP/1.1.

use std::rc::Rc;

use hyper::header::{ALT_SVC, CONNECTION, HeaderValue};

use super::relay::give;
use super::request::Request;
use super::{Next, Peer};
use crate::edge::answer::Answer;
use crate::edge::exchange::Exchange;
use crate::edge::failure::Failure;
use crate::edge::pages;

/// Answers with a failure.
pub(super) async fn give_page(
    failure: &Failure,
    request: &Request,
    peer: &mut Peer<'_>,
    exchange: &Rc<Exchange>,
) -> Next {
    exchange.begins_anew(); // whatever was late, the page is not
    let mut page = pages::show(failure, request.form, exchange);
    let body = match exchange.answer.replace(Answer::Nothing) {
        Answer::Octets(octets) => octets,
        Answer::Nothing
        | Answer::App(..)
        | Answer::Near(_)
        | Answer::File(_)
        | Answer::Page(_)
        | Answer::Filling(_)
        | Answer::Squeezed(_)
        | Answer::Cut => hyper::body::Bytes::new(),
    };
    let last = request.last || exchange.client.is_leaving() || page.headers().contains_key(CONNECTION);
    if let Some(offer) = exchange.client.http3_offer() {
        page.headers_mut().insert(ALT_SVC, offer.clone());
    }
    if last {
        page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut front = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\nDate: ", page.status(), body.len()).into_bytes();
    front.extend_from_slice(&exchange.client.worker.date.at(exchange.client.worker.watch.now()));
    front.extend_from_slice(b"\r\n");
    for (name, value) in page.headers() {
        front.extend_from_slice(name.as_str().as_bytes());
        front.extend_from_slice(b": ");
        front.extend_from_slice(value.as_bytes());
        front.extend_from_slice(b"\r\n");
    }
    front.extend_from_slice(b"\r\n");
    let body = if request.head_only { &[][..] } else { &body };
    exchange.answers(page.status().as_u16());
    exchange.gives(body.len() as u64);
    let given = give(peer, [&front, body, &[]], exchange).await;
    exchange.ends(given);
    match (given, last) {
        (false, _) => Next::Cut,
        (true, true) => Next::Over,
        (true, false) => Next::Request,
    }
}
