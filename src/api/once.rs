//! `Idempotency-Key`: a request that is sent again because its answer got lost is not done again, but answered again.
//!
//! Every verb of this API but POST may be repeated as it is; so may the POST that adds values to a record set. For those that
//! may not (a token is made, a change is taken back, a zone is made) a client sends a key of its own making, such as a UUID. The
//! answer is kept for a day, in memory, for whoever sent it and under that key. The work goes on when the client is gone, for that
//! is when it will come again. What failed has changed nothing and is not kept: the same key may try again.
//!
//! Rejected: keeping answers on the disk (they can hold the secret of a token), and keeping them for requests without a key
//! by their content (two that are meant are not one).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Bytes;

use super::auth::Allowed;
use super::problem::{InProgress, KeyReused};
use super::{Problem, extract};
use crate::limits::{ANSWERS_KEPT_FOR, ANSWERS_KEPT_MAX, ANSWERS_KEPT_SIZE_MAX, IDEMPOTENCY_KEY_SIZE_MAX};

/// The header of a request.
const HEADER: &str = "idempotency-key";
/// The header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";

/// What the description calls the header. (The key itself is read by [`layer`], before the handler.)
pub(super) struct IdempotencyKey;

/// The answers that are kept. Cloned, it is the same.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// The answers from the oldest to the newest, and when each may go.
    order: VecDeque<(Duration, Key)>,
    octets: usize,
}

/// Who, and the key they chose.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(String, String);

/// What a request wants, hashed.
type Wish = [u8; 32];

enum Entry {
    UnderWay(Wish),
    Done(Wish, Answer),
}

/// An answer as it was given.
#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What becomes of a request with a key.
enum Turn {
    /// It is done.
    First(UnderWay),
    /// It was done.
    Again(Answer),
}

/// A request under way. Dropped without an answer, the key is free again.
struct UnderWay {
    answers: Answers,
    key: Key,
    wish: Wish,
    is_done: bool,
}

/// Around a handler: does a request with a key once.
pub(super) async fn layer(request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let allowed =
        request.extensions().get::<Allowed>().cloned().ok_or_else(|| Problem::internal(&"nobody is known"))?;
    let (answers, now) = (allowed.answers().clone(), allowed.running());
    let (parts, body) = request.into_parts();
    let body = extract::octets(Request::from_parts(parts.clone(), body), &()).await?;
    let wish = wish(&parts, &body);
    match answers.turn(Key(allowed.identity(), key), wish, now)? {
        Turn::Again(answer) => Ok(answer.again()),
        Turn::First(turn) => {
            let work = turn.work(Request::from_parts(parts, Body::from(body)), next, now);
            // On a task of its own: it goes on even if the client is gone.
            tokio::spawn(work).await.unwrap_or_else(|fault| Err(Problem::internal(&fault)))
        }
    }
}

/// Reads the key: any visible text, with or without the quotes that the draft of the IETF asks for.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let (Some(value), next) = (values.next(), values.next()) else { return Ok(None) };
    let key = value.to_str().ok().map(|text| text.trim().trim_matches('"')).filter(|key| {
        (1..=IDEMPOTENCY_KEY_SIZE_MAX).contains(&key.len()) && key.bytes().all(|octet| octet.is_ascii_graphic())
    });
    match key {
        Some(key) if next.is_none() => Ok(Some(key.to_owned())),
        Some(_) | None => {
            let detail =
                format!("the header Idempotency-Key is not one word of 1 to {IDEMPOTENCY_KEY_SIZE_MAX} characters");
            Err(Problem::bad_request(
                detail,
                "send a new UUID with each request, and the same one when you send it again",
            ))
        }
    }
}

/// What makes two requests the same.
fn wish(parts: &Parts, body: &[u8]) -> Wish {
    let mut hash = digest::Context::new(&digest::SHA256);
    let kind = parts.headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    for part in [parts.method.as_str().as_bytes(), target.as_bytes(), kind, body] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut wish = [0; 32];
    wish.copy_from_slice(hash.finish().as_ref());
    wish
}

impl Answers {
    /// Whose turn it is. `now` is the time since the start.
    fn turn(&self, key: Key, wish: Wish, now: Duration) -> Result<Turn, Problem> {
        let mut kept = self.lock();
        kept.forget(now);
        match kept.entries.get(&key) {
            None if kept.entries.len() - kept.order.len() >= ANSWERS_KEPT_MAX => {
                let detail = format!("{ANSWERS_KEPT_MAX} requests with an Idempotency-Key are under way");
                Err(Problem::new(InProgress, detail, "send it again in a moment"))
            }
            None => {
                kept.entries.insert(key.clone(), Entry::UnderWay(wish));
                drop(kept);
                Ok(Turn::First(UnderWay { answers: self.clone(), key, wish, is_done: false }))
            }
            Some(Entry::UnderWay(theirs) | Entry::Done(theirs, _)) if *theirs != wish => {
                let detail = "another request was sent with this Idempotency-Key".to_owned();
                Err(Problem::new(
                    KeyReused,
                    detail,
                    "send a new key with each request, and the same one only for the same",
                ))
            }
            Some(Entry::UnderWay(_)) => {
                let detail = "the request with this Idempotency-Key is still being worked on".to_owned();
                Err(Problem::new(InProgress, detail, "send it again in a moment"))
            }
            Some(Entry::Done(_, answer)) => Ok(Turn::Again(answer.clone())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Lets answers go that are too old.
    fn forget(&mut self, now: Duration) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn keep(&mut self, key: Key, wish: Wish, answer: Answer, now: Duration) {
        self.octets += answer.size();
        self.entries.insert(key.clone(), Entry::Done(wish, answer));
        self.order.push_back((now + ANSWERS_KEPT_FOR, key));
        while self.order.len() > ANSWERS_KEPT_MAX || self.octets > ANSWERS_KEPT_SIZE_MAX {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.order.pop_front().and_then(|(_, key)| self.entries.remove(&key));
        if let Some(Entry::Done(_, answer)) = oldest {
            self.octets -= answer.size();
        }
    }
}

impl UnderWay {
    async fn work(mut self, request: Request, next: Next, now: Duration) -> Result<Response, Problem> {
        let response = next.run(request).await;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|fault| Problem::internal(&fault))?.to_bytes();
        let answer = Answer { status: parts.status, headers: parts.headers.clone(), body: body.clone() };
        self.is_done = true;
        self.answers.lock().keep(self.key.clone(), self.wish, answer, now);
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.is_done {
            self.answers.lock().entries.remove(&self.key);
        }
    }
}

impl Answer {
    /// About how many octets it holds.
    fn size(&self) -> usize {
        const OF_AN_ENTRY: usize = 1_024; // keys, headers
        self.body.len() + OF_AN_ENTRY
    }

    fn again(self) -> Response {
        let mut response = (self.status, self.headers, self.body).into_response();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = ANSWERS_KEPT_FOR;

    fn answer(size: usize) -> Answer {
        Answer { status: StatusCode::CREATED, headers: HeaderMap::new(), body: vec![0; size].into() }
    }

    fn turn(answers: &Answers, who: &str, key: &str, wish: u8, now: Duration) -> Result<Turn, u16> {
        answers.turn(Key(who.into(), key.into()), [wish; 32], now).map_err(|problem| problem.status)
    }

    fn finish(turn: Result<Turn, u16>, size: usize, now: Duration) {
        let Ok(Turn::First(mut turn)) = turn else { panic!("it is not the first") };
        turn.is_done = true;
        turn.answers.lock().keep(turn.key.clone(), turn.wish, answer(size), now);
    }

    fn is_again(turn: Result<Turn, u16>) -> bool {
        matches!(turn, Ok(Turn::Again(_)))
    }

    #[test]
    fn an_answer_is_kept_for_a_day_for_whoever_asked() {
        let (answers, zero) = (Answers::default(), Duration::ZERO);
        let first = turn(&answers, "ci", "k", 1, zero);
        assert_eq!(turn(&answers, "ci", "k", 1, zero).err(), Some(409), "under way");
        assert_eq!(turn(&answers, "ci", "k", 2, zero).err(), Some(422), "under way, and another");
        finish(first, 1, zero);
        assert!(is_again(turn(&answers, "ci", "k", 1, DAY - Duration::from_nanos(1))));
        assert_eq!(turn(&answers, "ci", "k", 2, zero).err(), Some(422));
        for (who, key) in [("anna", "k"), ("ci", "l")] {
            assert!(matches!(turn(&answers, who, key, 1, zero), Ok(Turn::First(_))), "{who} {key}");
        }
        assert!(matches!(turn(&answers, "ci", "k", 2, DAY), Ok(Turn::First(_))), "a day later");
        assert!(answers.lock().entries.is_empty() && answers.lock().octets == 0);
    }

    #[test]
    fn what_came_to_nothing_may_be_tried_again() {
        let (answers, zero) = (Answers::default(), Duration::ZERO);
        drop(turn(&answers, "ci", "k", 1, zero));
        assert!(matches!(turn(&answers, "ci", "k", 2, zero), Ok(Turn::First(_))));
    }

    #[test]
    fn the_oldest_make_room() {
        let (answers, zero) = (Answers::default(), Duration::ZERO);
        for number in 0..=ANSWERS_KEPT_MAX {
            finish(turn(&answers, "ci", &number.to_string(), 1, zero), 1, zero);
        }
        assert!(matches!(turn(&answers, "ci", "0", 1, zero), Ok(Turn::First(_))));
        assert!(is_again(turn(&answers, "ci", "1", 1, zero)));
        finish(turn(&answers, "ci", "large", 1, zero), ANSWERS_KEPT_SIZE_MAX - 2_000, zero);
        assert!(!is_again(turn(&answers, "ci", "1", 1, zero)) && is_again(turn(&answers, "ci", "large", 1, zero)));
        finish(turn(&answers, "ci", "larger", 1, zero), ANSWERS_KEPT_SIZE_MAX, zero);
        let kept = answers.lock();
        assert_eq!((kept.order.len(), kept.octets), (0, 0), "one that is too large is not kept at all");
    }

    #[test]
    fn requests_under_way_are_not_without_number() {
        let (answers, zero) = (Answers::default(), Duration::ZERO);
        let turns: Vec<_> =
            (0..ANSWERS_KEPT_MAX).map(|number| turn(&answers, "ci", &number.to_string(), 1, zero)).collect();
        assert_eq!(turn(&answers, "ci", "more", 1, zero).err(), Some(409));
        drop(turns);
        assert!(turn(&answers, "ci", "more", 1, zero).is_ok());
    }

    #[test]
    fn keys_are_words() {
        let read = |text: &str| {
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            key(&HeaderMap::from_iter([(HEADER.parse().unwrap(), value)])).map_err(|problem| problem.status)
        };
        let longest = "a".repeat(IDEMPOTENCY_KEY_SIZE_MAX);
        assert_eq!(key(&HeaderMap::new()).ok(), Some(None));
        assert_eq!(read("\"8e03978e\""), Ok(Some("8e03978e".into())));
        assert_eq!(read(&longest), Ok(Some(longest.clone())));
        for wrong in ["", "\"\"", "a b", "\u{e9}", &(longest + "a")] {
            assert_eq!(read(wrong), Err(400), "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static("a"));
        headers.append(HEADER, HeaderValue::from_static("b"));
        assert!(key(&headers).is_err());
    }
}
