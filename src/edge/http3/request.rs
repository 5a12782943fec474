//! One request over HTTP/3: read, answered by the same code as any other ([`proxy::handle`]), sent.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use hyper::body::Body as _;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use super::code::{Code, Fault};
use super::connection::Link;
use super::head::{self, Head};
use super::inflow::{Inflow, Verdict};
use super::outflow::Outflow;
use super::{frame, inflow};
use crate::edge::answer::Body;
use crate::edge::client::Client;
use crate::edge::inflow::Inflow as Whole;
use crate::edge::proxy;

/// Answers the request of a stream.
pub(super) async fn answer(link: Rc<Link>, send: SendStream, receive: RecvStream) {
    let verdict = Verdict::default();
    let mut out = Outflow::new(send, &verdict);
    let source = Rc::new(RefCell::new(receive));
    let mut inflow = Inflow::new(&source, &link, &verdict);
    let patience = link.client.worker.shared.settings.clients.head;
    let head = match out.unless_parted(timeout(patience, inflow.head())).await {
        Some(Ok(Ok(head))) => head,
        Some(Ok(Err(fault))) => return refuse(fault, out, inflow, &link).await,
        Some(Err(_)) => {
            link.client.worker.stats().timed_out.add(1);
            return out.refuse(Code::RequestIncomplete);
        }
        None => return link.client.abandons(),
    };
    let only_head = head.method == Method::HEAD;
    let request = request(head, inflow);
    // Who goes before there is an answer lets the app go as well.
    let Some(answered) = out.unless_parted(proxy::handle(request, Rc::clone(&link.client))).await else { return };
    let response = match answered {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if give(response, only_head, &mut out, &link.client).await {
        inflow::hang_up(&source, verdict.get().unwrap_or(Code::NoError));
        out.finish().await;
    }
}

/// What is no request gets no answer but the number that says why, but for a head that is too large: people see that.
async fn refuse(fault: Fault, mut out: Outflow, inflow: inflow::Inflow, link: &Link) {
    link.client.abandons();
    match fault {
        Fault::Connection(code) => link.end(code),
        Fault::Request(code) => out.refuse(code),
        Fault::Gone => (),
        Fault::HeadTooLarge => {
            drop(inflow);
            let section = head::write(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &HeaderMap::new());
            let patience = link.client.worker.shared.settings.clients.take;
            if out.give_all(frame::headers(&section), patience).await {
                out.finish().await;
            }
        }
    }
}

fn request(head: Head, inflow: Inflow) -> Request<Whole> {
    let Head { method, uri, headers, length: _ } = head;
    let mut request = Request::new(Whole::Http3(Box::new(inflow)));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_3;
    *request.headers_mut() = headers;
    request
}

/// Sends an answer; false if it did not come to its end.
async fn give(response: Response<Body>, only_head: bool, out: &mut Outflow, client: &Client) -> bool {
    let (mut head, mut body) = response.into_parts();
    let bare = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    complete(&mut head.headers, &body, bare, only_head, client);
    let section = head::write(head.status, &head.headers);
    if !out.give([frame::headers(&section), Bytes::new()], &body).await {
        return false;
    }
    if bare || only_head {
        body.is_not_wanted();
    }
    while !body.is_end_stream() {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let part = match out.unless_parted(next).await {
            Some(None) => break,
            Some(Some(Ok(part))) => part,
            Some(Some(Err(_))) | None => return false,
        };
        let parts = match part.into_data() {
            Ok(data) if data.is_empty() => continue,
            Ok(data) => [frame::data(data.len()), data],
            Err(part) => match part.into_trailers() {
                Ok(fields) => [frame::headers(&head::write_trailers(&fields)), Bytes::new()],
                Err(_) => continue,
            },
        };
        if !out.give(parts, &body).await {
            return false;
        }
    }
    true
}

/// Adds what hyper adds over the other versions: the date, and the length where it is known.
fn complete(headers: &mut HeaderMap, body: &Body, bare: bool, only_head: bool, client: &Client) {
    if !headers.contains_key(DATE) {
        let worker = &client.worker;
        if let Ok(date) = HeaderValue::from_bytes(&worker.date.at(worker.watch.now())) {
            headers.insert(DATE, date);
        }
    }
    let length = body.size_hint().exact().filter(|length| !(bare || only_head && *length == 0));
    if let Some(length) = length.filter(|_| !headers.contains_key(CONTENT_LENGTH)) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}
