//! Tokens as a client meets them: made, listed, used, revoked; and requests that are sent again.

use hyper::Method;
use serde_json::{Value, json};

use crate::api::auth::tests::{Ask, Reply, network};
use crate::api::tests::{Bench, FILE, ZONE};

const JSON: &str = "application/json";

async fn create(bench: &Bench, admin: &str, body: &Value) -> Reply {
    Ask::new(Method::POST, "/v1/tokens").body(JSON, &body.to_string()).send(bench, admin).await
}

async fn admin(bench: &Bench) -> String {
    bench.token("first", r#"{"rights":"admin"}"#).await.reveal()
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_revoked() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    let body = json!({
        "name": "acme", "rights": "write", "zones": ["Home.Example", "bücher.example"],
        "names": ["_acme-challenge.*", "*.bücher.example"], "types": ["txt", "TYPE65280"],
        "networks": ["192.0.2.77/24", "2001:db8::1"], "expires_after_seconds": 86_400,
    });
    let made = create(&bench, &admin, &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (secret, token) = (made.body["secret"].as_str().unwrap(), &made.body["token"]);
    let id = token["id"].as_str().unwrap();
    assert_eq!(made.headers["location"].to_str().unwrap(), format!("/v1/tokens/{id}"));
    assert!(secret.starts_with(&format!("freehold_{id}_")));
    let expected = json!({
        "id": id, "name": "acme", "rights": "write", "zones": ["home.example", "xn--bcher-kva.example"],
        "names": ["_acme-challenge.*", "*.xn--bcher-kva.example"], "types": ["TXT", "TYPE65280"],
        "networks": ["192.0.2.0/24", "2001:db8::1/128"], "created": token["created"], "expires": token["expires"],
        "expired": false, "last_used": null,
    });
    assert_eq!(token, &expected);
    let path = format!("/v1/tokens/{id}");
    let read = async || Ask::new(Method::GET, &path).send(&bench, &admin).await;
    assert_eq!(read().await.body, expected);
    assert_eq!(Ask::new(Method::GET, "/v1/zones").send(&bench, secret).await.status, 200);
    let used = read().await.body["last_used"].clone();
    assert_eq!((&used["from"], used["time"].as_str().map(str::len)), (&json!("192.0.2.7"), Some(20)));

    let list = Ask::new(Method::GET, "/v1/tokens").send(&bench, &admin).await;
    let names: Vec<_> = list.body["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["acme", "first"]);
    assert!(!list.body.to_string().contains(&secret[21..]) && !list.body.to_string().contains("hash"));
    let revoked = Ask::new(Method::DELETE, &path).send(&bench, &admin).await;
    assert_eq!((revoked.status, &revoked.body["name"], &revoked.body["id"]), (200, &json!("acme"), &json!(id)));
    for method in [Method::GET, Method::DELETE] {
        let gone = Ask::new(method, &path).send(&bench, &admin).await;
        assert_eq!((gone.status, &gone.body["type"]), (404, &json!("/problems/no-such-token")));
    }
    assert_eq!(create(&bench, &admin, &body).await.status, 201, "the name is free again");
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_told_all_its_faults() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    for (body, fields) in [
        (
            json!({"name": "a b", "rights": "all", "expires_after_seconds": 0}),
            &["/name", "/expires_after_seconds", "/rights"][..],
        ),
        (
            json!({"name": "a", "rights": "read", "expires_after_seconds": 2_147_483_648_u64}),
            &["/expires_after_seconds"],
        ),
        (
            json!({"name": "a", "rights": "read", "zones": ["a..b"], "names": ["ok", "*.*"], "types": ["NONE", "A", "ANY"],
                "networks": ["192.0.2.0/33", "::"]}),
            &["/zones/0", "/names/1", "/types/0", "/types/2", "/networks/0"],
        ),
        (json!({"name": "a", "rights": "read", "zones": []}), &["/zones"]),
        (json!({"name": "a", "rights": "admin", "zones": ["home.example"]}), &["/zones"]),
        (json!({"name": "a", "rights": "write", "zones": ["home.example"], "names": ["www"]}), &["/names/0"]),
    ] {
        let refused = create(&bench, &admin, &body).await;
        let faults = refused.body["faults"].as_array().unwrap();
        let told: Vec<_> = faults.iter().map(|fault| fault["field"].as_str().unwrap()).collect();
        assert_eq!((refused.status, &told[..]), (422, fields), "{body}");
        assert!(faults.iter().all(|fault| !fault["cure"].as_str().unwrap().is_empty()), "{faults:?}");
    }
    for body in ["{}", r#"{"name": "a", "rights": "read", "zone": ["a"]}"#, "[]", ""] {
        let refused = Ask::new(Method::POST, "/v1/tokens").body(JSON, body).send(&bench, &admin).await;
        assert_eq!(refused.status, 400, "{body}");
    }
    let good = json!({"name": "first", "rights": "read"});
    let taken = create(&bench, &admin, &good).await;
    assert_eq!((taken.status, &taken.body["type"]), (409, &json!("/problems/exists")));
    assert_eq!(bench.store.snapshot().tokens.len(), 1, "nothing came of any of these");
}

#[tokio::test]
async fn of_those_who_take_a_name_at_once_one_gets_it() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    let body = json!({"name": "ci", "rights": "read"});
    let mut all = Vec::new();
    let (a, b, c) =
        tokio::join!(create(&bench, &admin, &body), create(&bench, &admin, &body), create(&bench, &admin, &body));
    all.extend([a.status, b.status, c.status]);
    all.sort_unstable();
    assert_eq!(all, [201, 409, 409]);
}

/// A write token must not come by more than it has.
#[tokio::test]
async fn only_an_administrator_makes_tokens() {
    let bench = Bench::new();
    let write = bench.token("writer", r#"{"rights":"write"}"#).await.reveal();
    let refused = create(&bench, &write, &json!({"name": "more", "rights": "admin"})).await;
    assert_eq!((refused.status, &refused.body["limit"]), (403, &json!("rights")));
    assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"freehold\", error=\"insufficient_scope\"");
}

// ----- Sent again -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_request_that_is_sent_again_is_not_done_again() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    let body = r#"{"name": "ci", "rights": "read"}"#;
    let ask = || Ask::new(Method::POST, "/v1/tokens").header("idempotency-key", "\"8e03978e\"");
    let first = ask().body(JSON, body).send(&bench, &admin).await;
    let again = ask().body(JSON, body).send(&bench, &admin).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((&first.body, &first.headers["location"]), (&again.body, &again.headers["location"]));
    assert!(first.headers.get("idempotency-replayed").is_none() && again.headers["idempotency-replayed"] == "true");
    assert_eq!(bench.store.snapshot().tokens.len(), 2);
    let other = ask().body(JSON, r#"{"name": "ci", "rights": "write"}"#).send(&bench, &admin).await;
    assert_eq!((other.status, &other.body["type"]), (422, &json!("/problems/key-reused")));
    let someone = bench.token("someone", r#"{"rights":"admin"}"#).await.reveal();
    let theirs = ask().body(JSON, body).send(&bench, &someone).await;
    assert_eq!(theirs.status, 409, "a key is its sender's own: the name is taken, and the secret is not told");
    let nobody = ask().body(JSON, body).send(&bench, "").await;
    assert_eq!(nobody.status, 401);
    let twice = ask().header("idempotency-key", "b").body(JSON, body).send(&bench, &admin).await;
    assert_eq!(twice.status, 400);
    let large = format!(r#"{{"name": "{}"}}"#, "a".repeat(crate::api::BODY_SIZE_MAX));
    assert_eq!(ask().body(JSON, &large).send(&bench, &admin).await.status, 413);
}

#[tokio::test]
async fn what_failed_may_be_tried_again_with_the_same_key() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    let body = r#"{"name_servers": ["ns.example.net"]}"#;
    let path = "/v1/zones/home.example";
    let ask = || Ask::new(Method::PUT, path).header("idempotency-key", "k").body(JSON, body);
    bench.put(FILE, ZONE).await;
    assert_eq!(ask().send(&bench, &admin).await.status, 409);
    bench.ask(Method::DELETE, path, "", "").await;
    let made = ask().send(&bench, &admin).await;
    let again = ask().send(&bench, &admin).await;
    assert_eq!((made.status, again.status, made.body), (201, 201, again.body));
}

#[tokio::test]
async fn an_undo_is_done_once_and_goes_on_when_its_client_is_gone() {
    let bench = Bench::new();
    let admin = admin(&bench).await;
    bench.put(FILE, ZONE).await;
    bench.put(FILE, &ZONE.replace("192.0.2.53", "192.0.2.54")).await;
    let body = format!(r#"{{"revision": {}}}"#, bench.store.snapshot().revision);
    let ask = || {
        let ask = Ask::new(Method::POST, "/v1/zones/home.example/undo").from(network("192.0.2.9"));
        ask.header("idempotency-key", "k").body(JSON, &body)
    };
    // The client goes as soon as its request has begun.
    let mut begun = Box::pin(ask().send(&bench, &admin));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(begun.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    drop(begun);
    let answer = loop {
        let reply = ask().send(&bench, &admin).await;
        match reply.status {
            409 => tokio::task::yield_now().await, // it is under way
            _ => break reply,
        }
    };
    assert_eq!((answer.status, answer.body["changed"].clone()), (200, json!(true)), "{}", answer.body);
    assert_eq!(answer.headers["idempotency-replayed"], "true");
    let without = Ask::new(Method::POST, "/v1/zones/home.example/undo").body(JSON, &body).send(&bench, &admin).await;
    assert_eq!((without.status, &without.body["type"]), (409, &json!("/problems/cannot-undo")));
}
