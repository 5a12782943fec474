//! What a narrow token must never see or change.

use hyper::Method;
use serde_json::json;

use super::tests::{Ask, JSON, VALUES};
use crate::api::caller::Caller;
use crate::api::tests::Bench;

#[tokio::test]
async fn a_token_of_one_zone_hears_of_no_other() {
    let bench = Bench::with_zones().await;
    let token = bench.token("home", r#"{"rights":"write","zones":["home.example"]}"#).await.reveal();
    let get = async |path: &str| Ask::new(Method::GET, path).send(&bench, &token).await;
    let zones = get("/v1/zones").await.body;
    assert_eq!((zones["zones"].as_array().unwrap().len(), &zones["zones"][0]["name"]), (1, &json!("home.example")));
    let status = get("/v1/status").await.body;
    assert_eq!((&status["zones"], &status["records"]), (&json!(1), &json!(7)));
    for path in ["/v1/zones/other.example", "/v1/zones/none.example", "/v1/zones/sub.home.example/records"] {
        assert_eq!(get(path).await.problem(), (403, "forbidden", "zones"), "there or not, it is the same: {path}");
    }
    let foreign = get("/v1/zones/home.example/history/2").await;
    assert_eq!(foreign.problem().1, "no-such-revision");
    assert!(!foreign.body.to_string().contains("other"), "{}", foreign.body);
}

#[tokio::test]
async fn a_list_shows_only_what_may_be_seen() {
    let bench = Bench::with_zones().await;
    let names =
        bench.token("names", r#"{"rights":"read","names":["_acme-challenge.*","www.home.example"]}"#).await.reveal();
    let types = bench.token("types", r#"{"rights":"read","types":["TXT"]}"#).await.reveal();
    let list = async |token: &str, query: &str| {
        let path = format!("/v1/zones/home.example/records?{query}");
        let reply = Ask::new(Method::GET, &path).send(&bench, token).await;
        let sets = reply.body["records"].as_array().unwrap().clone();
        let sets: Vec<_> = sets
            .iter()
            .map(|set| format!("{} {}", set["name"].as_str().unwrap(), set["type"].as_str().unwrap()))
            .collect();
        (sets, reply.body["next"].as_str().map(str::to_owned))
    };
    let (challenge, www, text) = ("_acme-challenge.home.example. TXT", "www.home.example. A", "www.home.example. TXT");
    assert_eq!(list(&names, "").await.0, [challenge, www, text]);
    assert_eq!(list(&types, "").await.0, [challenge, text]);
    assert_eq!(list(&types, "name=blog").await.0, [""; 0]);
    let (page, next) = list(&types, "limit=1").await;
    let next = next.unwrap();
    assert_eq!(page, [challenge]);
    // The cursor is the next set that may be seen, not the one behind this.
    assert!(next.contains("03777777"), "{next}");
    assert_eq!(list(&types, &format!("limit=1&cursor={next}")).await, (vec![text.to_owned()], None));
    let from_the_start = "0001".to_owned() + "04686f6d65076578616d706c6500"; // home.example, whoever has made it up
    assert_eq!(list(&names, &format!("cursor={from_the_start}")).await.0, [challenge, www, text]);
}

#[tokio::test]
async fn refusals_and_reports_tell_nothing_of_what_lies_outside() {
    let bench = Bench::with_zones().await;
    let token =
        bench.token("www", r#"{"rights":"write","names":["www.home.example"],"types":["TXT","AAAA"]}"#).await.reveal();
    let path = "/v1/zones/home.example/records/www/AAAA";
    for method in [Method::GET, Method::DELETE] {
        let reply = Ask::new(method.clone(), path).send(&bench, &token).await;
        assert_eq!(reply.problem(), (404, "no-such-record", ""), "{method}");
        assert!(!reply.body.to_string().contains("TXT") && !reply.body.to_string().contains(" A"), "{}", reply.body);
    }
    // Whoever sees the whole zone is told what a new cut hides.
    let token = bench.token("lan", r#"{"rights":"write","names":["lan.home.example"]}"#).await.reveal();
    let (status, ..) = bench.ask(Method::PUT, "/v1/zones/home.example/records/secret.lan/TXT", JSON, VALUES).await;
    assert_eq!(status, 201);
    let cut = r#"{"values": ["ns.example.net."]}"#;
    let cut = || Ask::new(Method::PUT, "/v1/zones/home.example/records/lan/NS?dry_run=1").body(JSON, cut);
    let told = cut().from(Caller::socket(0)).send(&bench, "").await;
    assert!(told.body.to_string().contains("secret"), "{}", told.body);
    let told = cut().send(&bench, &token).await;
    assert!(told.status == 200 && !told.body.to_string().contains("secret"), "{}", told.body);
}

/// Every step of a patch is looked at, wherever it stands, and nothing of it is done.
#[tokio::test]
async fn one_step_too_far_and_nothing_is_done() {
    let bench = Bench::with_zones().await;
    let token =
        bench.token("acme", r#"{"rights":"write","names":["_acme-challenge.*"],"types":["TXT"]}"#).await.reveal();
    let step =
        |action: &str, name: &str, kind: &str| json!({"action": action, "name": name, "type": kind, "values": ["x"]});
    let good = || step("put", "_acme-challenge", "TXT");
    let revision = bench.store.snapshot().revision;
    for (changes, limit) in [
        (vec![good(), step("put", "www", "TXT")], "names"),
        (vec![step("add", "@", "TXT"), good()], "names"),
        (vec![good(), step("put", "_acme-challenge", "CNAME")], "types"),
        (vec![good(), step("put", "_acme-challenge.home.example.", "CNAME")], "types"),
        (vec![good(), json!({"action": "delete", "name": "blog", "type": "CNAME"})], "names"),
    ] {
        let body = json!({ "changes": changes }).to_string();
        let reply =
            Ask::new(Method::PATCH, "/v1/zones/home.example/records").body(JSON, &body).send(&bench, &token).await;
        let expected = if reply.status == 422 { (422, "bad-values", "") } else { (403, "forbidden", limit) };
        assert_eq!(reply.problem(), expected, "{body}");
    }
    assert_eq!(bench.store.snapshot().revision, revision);
    let body = json!({ "changes": [good(), step("add", "_acme-challenge.new", "TXT")] }).to_string();
    let reply = Ask::new(Method::PATCH, "/v1/zones/home.example/records").body(JSON, &body).send(&bench, &token).await;
    assert_eq!((reply.status, bench.store.snapshot().revision), (200, revision + 1), "{}", reply.body);
}

/// What a token has done it can take back; what others did beside it, it cannot.
#[tokio::test]
async fn an_undo_needs_the_right_to_every_set() {
    let bench = Bench::with_zones().await;
    let token =
        bench.token("acme", r#"{"rights":"write","names":["_acme-challenge.*"],"types":["TXT"]}"#).await.reveal();
    let undo = async |revision: u64| {
        let body = format!(r#"{{"revision": {revision}}}"#);
        Ask::new(Method::POST, "/v1/zones/home.example/undo").body(JSON, &body).send(&bench, &token).await
    };
    assert_eq!(undo(3).await.problem(), (403, "forbidden", "names"));
    assert_eq!(undo(1).await.problem(), (403, "forbidden", "names"), "that would delete the zone");
    let both = r#"{"changes": [{"action": "put", "name": "_acme-challenge", "type": "TXT", "values": ["e"]},
        {"action": "put", "name": "_acme-challenge", "type": "A", "values": ["192.0.2.1"]}]}"#;
    let (status, ..) = bench.ask(Method::PATCH, "/v1/zones/home.example/records", JSON, both).await;
    assert_eq!(status, 200);
    let revision = bench.store.snapshot().revision;
    assert_eq!(undo(revision).await.problem(), (403, "forbidden", "types"));
    let put = Ask::new(Method::PUT, "/v1/zones/home.example/records/_acme-challenge/TXT").body(JSON, VALUES);
    let revision = put.send(&bench, &token).await.body["revision"].as_u64().unwrap();
    assert_eq!(undo(revision).await.status, 200);
}

// ----- Guesses --------------------------------------------------------------------------------------------
