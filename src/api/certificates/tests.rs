//! Certificates as a client meets them.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::*;
use crate::api::auth::tests::{Ask, Reply};
use crate::api::tests::{Bench, FILE, ZONE};
use crate::cert::{Attempt, Authority, Outcome};

const JSON: &str = "application/json";
const DAY: Duration = Duration::from_secs(86_400);

async fn ask(bench: &Bench, secret: &str, method: Method, path: &str) -> Reply {
    Ask::new(method, path).send(bench, secret).await
}

async fn post(bench: &Bench, secret: &str, path: &str, body: &Value) -> Reply {
    Ask::new(Method::POST, path).body(JSON, &body.to_string()).send(bench, secret).await
}

async fn token(bench: &Bench, name: &str, scope: &str) -> String {
    bench.token(name, scope).await.reveal()
}

/// What lies there, as it is; nobody may remember it on the way.
async fn text(bench: &Bench, path: &str) -> String {
    let (status, _, body) = bench.ask(Method::GET, path, "", "").await;
    assert_eq!(status, 200);
    String::from_utf8(body).unwrap()
}

/// A chain and a key for these names.
fn made(names: &[&str], days: u32) -> Value {
    let names: Vec<Subject> = names.iter().map(|name| name.parse().unwrap()).collect();
    let made = Authority::new(unix_seconds()).unwrap().issue(&names, unix_seconds(), days * DAY).unwrap();
    json!({"chain": made.chain_pem(), "key": *made.key_pem()})
}

async fn put(bench: &Bench, item: Item) {
    bench.store.commit(Change::PutItem(item), crate::store::Actor::new("test", "")).await.unwrap();
}

#[tokio::test]
async fn what_somebody_brings_is_listed_exported_and_deleted() {
    let bench = Bench::new();
    let admin = token(&bench, "first", r#"{"rights":"admin"}"#).await;
    let body = made(&["*.shop.example.net", "shop.example.net"], 30);
    let reply = post(&bench, &admin, "/v1/certificate-imports", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let certificate = &reply.body["certificate"];
    assert_eq!((&certificate["state"], &certificate["origin"]), (&json!("valid"), &json!("imported")));
    assert_eq!((&certificate["next_attempt"], &certificate["last_error"]), (&Value::Null, &Value::Null));
    let list = ask(&bench, &admin, Method::GET, "/v1/certificates").await;
    assert_eq!(list.body["certificates"], json!([certificate]));
    assert!(!list.body.to_string().contains("PRIVATE") && !reply.body.to_string().contains("PRIVATE"));
    for name in ["shop.example.net", "any.shop.example.net", "SHOP.example.net."] {
        let read = ask(&bench, &admin, Method::GET, &format!("/v1/certificates/{name}")).await;
        assert_eq!(read.body["certificate"]["id"], certificate["id"], "{name}");
    }
    let path = "/v1/certificates/shop.example.net";
    for part in ["chain", "key"] {
        assert_eq!(text(&bench, &format!("{path}/{part}")).await, body[part].as_str().unwrap());
    }
    assert_eq!(ask(&bench, &admin, Method::DELETE, path).await.status, 204);
    let gone = ask(&bench, &admin, Method::GET, path).await;
    assert_eq!((gone.status, &gone.body["type"]), (404, &json!("/problems/no-such-certificate")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_words() {
    let bench = Bench::new();
    let admin = token(&bench, "first", r#"{"rights":"admin"}"#).await;
    let (one, other) = (made(&["a.example.net"], 30), made(&["a.example.net"], 30));
    let mixed = json!({"chain": one["chain"], "key": other["key"]});
    let reply = post(&bench, &admin, "/v1/certificate-imports", &mixed).await;
    assert_eq!((reply.status, &reply.body["faults"][0]["field"]), (422, &json!("/chain")), "{}", reply.body);
    assert!(reply.body["detail"].as_str().unwrap().contains("does not belong"), "{}", reply.body);
    let ended = made(&["a.example.net"], 0);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let reply = post(&bench, &admin, "/v1/certificate-imports", &ended).await;
    assert!(reply.body["detail"].as_str().unwrap().contains("has ended"), "{}", reply.body);
    let reply = post(&bench, &admin, "/v1/certificates", &json!({"names": ["a..b", "ok.example", "b_c"]})).await;
    let fields: Vec<_> = reply.body["faults"].as_array().unwrap().iter().map(|fault| fault["field"].clone()).collect();
    assert_eq!((reply.status, fields), (422, vec![json!("/names/0"), json!("/names/2")]));
    assert_eq!(post(&bench, &admin, "/v1/certificates", &json!({"names": []})).await.status, 422);
}

#[tokio::test]
async fn one_asks_for_a_certificate_and_hears_why_there_is_none() {
    let bench = Bench::new();
    let admin = token(&bench, "first", r#"{"rights":"admin"}"#).await;
    let names = json!({"names": ["imap.example.net", "Mail.example.net"]});
    let reply = post(&bench, &admin, "/v1/certificates", &names).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let certificate = &reply.body["certificate"];
    assert_eq!((&certificate["state"], &certificate["asked_for"]), (&json!("missing"), &json!(true)));
    assert_eq!(certificate["names"], json!(["imap.example.net", "mail.example.net"]));
    let mut story = Story::clone(bench.store.snapshot().stories.iter().next().unwrap());
    let mut attempt = Attempt::new("https://ca.example/directory", unix_seconds());
    attempt.step(7, "the CA answers");
    attempt.fail("the CA says: no", "ask another");
    story.push(attempt);
    (story.failures, story.retry_at) = (1, unix_seconds() + 60);
    put(&bench, Item::Story(Arc::new(story))).await;
    let why = ask(&bench, &admin, Method::GET, "/v1/certificates/mail.example.net").await;
    let attempt = &why.body["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["error"]["cure"]), (&json!("failed"), &json!("ask another")));
    assert_eq!(attempt["steps"], json!([{"after_ms": 7, "text": "the CA answers"}]));
    assert_eq!(why.body["certificate"]["last_error"]["message"], "the CA says: no");
    let again = ask(&bench, &admin, Method::POST, "/v1/certificates/mail.example.net/renewal").await;
    assert_eq!((again.status, &again.body["certificate"]["failures"]), (202, &json!(0)));
    let story = bench.store.snapshot().stories.iter().next().unwrap().clone();
    assert!(story.renew_since.is_some() && story.retry_at == 0 && story.asked_for);
    assert_eq!(ask(&bench, &admin, Method::DELETE, "/v1/certificates/mail.example.net").await.status, 204);
    assert!(!bench.store.snapshot().stories.iter().next().unwrap().asked_for);
    assert!(matches!(story.attempts[0].outcome, Outcome::Failed { .. }));
}

#[tokio::test]
async fn a_token_reaches_the_certificates_of_its_zones_and_keys_are_for_administrators() {
    let bench = Bench::new();
    let inside = "app.home.example";
    let writer = token(&bench, "writer", r#"{"rights":"write","zones":["home.example."]}"#).await;
    assert_eq!(bench.ask(Method::PUT, FILE, "text/dns", ZONE).await.0, 200);
    let own = post(&bench, &writer, "/v1/certificate-imports", &made(&[inside], 30)).await;
    assert_eq!(own.status, 201, "{}", own.body);
    let foreign = post(&bench, &writer, "/v1/certificate-imports", &made(&[inside, "else.example.net"], 30)).await;
    assert_eq!((foreign.status, &foreign.body["limit"]), (403, &json!("zones")), "{}", foreign.body);
    let elsewhere = Arc::new(Authority::new(unix_seconds()).unwrap());
    let other = elsewhere.issue(&["else.example.net".parse().unwrap()], unix_seconds(), DAY).unwrap();
    put(&bench, Item::Certificate(Arc::new(other))).await;
    let list = ask(&bench, &writer, Method::GET, "/v1/certificates").await;
    let ids: Vec<_> = list.body["certificates"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(inside)]);
    assert_eq!(ask(&bench, &writer, Method::GET, "/v1/certificates/else.example.net").await.status, 403);
    let key = ask(&bench, &writer, Method::GET, &format!("/v1/certificates/{inside}/key")).await;
    assert_eq!((key.status, &key.body["limit"]), (403, &json!("rights")));
    assert_eq!(ask(&bench, &writer, Method::GET, &format!("/v1/certificates/{inside}/chain")).await.status, 200);
}

#[tokio::test]
async fn a_certificate_of_a_route_is_not_deleted_by_hand_and_the_root_is_for_all() {
    let bench = Bench::new();
    let admin = token(&bench, "first", r#"{"rights":"admin"}"#).await;
    assert_eq!(ask(&bench, &admin, Method::GET, "/v1/authority").await.status, 404);
    let authority = Arc::new(Authority::new(unix_seconds()).unwrap());
    let local = authority.issue(&["nas.local".parse().unwrap()], unix_seconds(), 90 * DAY).unwrap();
    put(&bench, Item::Certificate(Arc::new(local))).await;
    put(&bench, Item::Authority(Arc::clone(&authority))).await;
    let read = ask(&bench, &admin, Method::GET, "/v1/certificates/nas.local").await;
    let certificate = &read.body["certificate"];
    assert_eq!((&certificate["state"], &certificate["left_percent"]), (&json!("local"), &json!(99)));
    assert!(certificate["next_attempt"].is_string());
    let reply = ask(&bench, &admin, Method::DELETE, "/v1/certificates/nas.local").await;
    assert_eq!((reply.status, &reply.body["type"]), (409, &json!("/problems/still-wanted")));
    assert_eq!(text(&bench, "/v1/authority").await, authority.root_pem());
}

#[tokio::test]
async fn what_was_brought_and_ends_soon_is_told_wherever_somebody_looks() {
    let bench = Bench::new();
    let admin = token(&bench, "first", r#"{"rights":"admin"}"#).await;
    assert_eq!(bench.ask(Method::PUT, FILE, "text/dns", ZONE).await.0, 200);
    let early = unix_seconds() - 85 * DAY.as_secs();
    let names = ["app.home.example".parse().unwrap()];
    let made = Authority::new(early).unwrap().issue(&names, early, 90 * DAY).unwrap();
    let brought = Certificate::parse(&made.chain_pem(), &made.key_pem(), Origin::Imported).unwrap();
    put(&bench, Item::Certificate(Arc::new(brought))).await;
    let list = ask(&bench, &admin, Method::GET, "/v1/certificates").await;
    let warning = &list.body["certificates"][0]["warning"];
    let message = warning["message"].as_str().unwrap();
    assert!(message.starts_with("the certificate that was imported for app.home.example ends on "), "{message}");
    let status = ask(&bench, &admin, Method::GET, "/v1/status").await;
    assert_eq!(status.body["warnings"], json!([warning]));
    let outside = token(&bench, "outside", r#"{"rights":"read","zones":["other.example."]}"#).await;
    assert_eq!(ask(&bench, &outside, Method::GET, "/v1/status").await.body["warnings"], json!([]));
}
