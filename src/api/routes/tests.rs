//! Routes as a client meets them: made, read, changed, refused with the reason, deleted; and what narrow tokens may do.

use hyper::Method;
use serde_json::{Value, json};

use crate::api::auth::tests::{Ask, Reply};
use crate::api::tests::{Bench, FILE, ZONE};
use crate::route::circle::Ourselves;
use crate::store::{Actor, Change, EdgeAddresses, Item};

const JSON: &str = "application/json";
const APP: &str = r#"{"apps": [{"url": "http://127.0.0.1:3000"}]}"#;
const PLACE: &str = "/v1/routes/app.home.example";

/// A zone, and an edge with addresses.
async fn bench() -> (Bench, String) {
    let bench = Bench::new();
    bench.put(FILE, &format!("{ZONE}www 300 A 192.0.2.1\nalias 300 CNAME www\nsub 300 NS ns.other.test.\n")).await;
    let addresses = EdgeAddresses::new([[192, 0, 2, 80].into()], ["2001:db8::80".parse().unwrap()]);
    let change = Change::PutItem(Item::Addresses(std::sync::Arc::new(addresses)));
    bench.store.commit(change, Actor::new("test", "")).await.unwrap();
    let admin = bench.token("admin", r#"{"rights":"admin"}"#).await.reveal();
    (bench, admin)
}

async fn put(bench: &Bench, token: &str, path: &str, body: &str) -> Reply {
    Ask::new(Method::PUT, path).body(JSON, body).send(bench, token).await
}

async fn ask(bench: &Bench, token: &str, method: Method, path: &str) -> Reply {
    Ask::new(method, path).send(bench, token).await
}

fn kind(reply: &Reply) -> (u16, &str) {
    let kind = reply.body["type"].as_str().unwrap_or_default();
    (reply.status, kind.trim_start_matches("/problems/"))
}

#[tokio::test]
async fn a_route_comes_with_its_records_and_goes_with_them() {
    let (bench, admin) = bench().await;
    let before = bench.store.snapshot().revision;
    let tried = put(&bench, &admin, &format!("{PLACE}?dry_run=1"), APP).await;
    assert_eq!((tried.status, &tried.body["dry_run"], bench.store.snapshot().revision), (200, &json!(true), before));
    let made = put(&bench, &admin, PLACE, APP).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let zone = &made.body["zones"][0];
    assert_eq!((&zone["serial_before"], &zone["serial_after"], &zone["added"]), (&json!(5), &json!(6), &json!(2)));
    assert_eq!(zone["differences"][0]["record"], "app.home.example. 300 IN A 192.0.2.80");
    assert_eq!((&made.body["id"], &made.body["revision"]), (&json!("app.home.example/"), &json!(before + 1)));

    let read = ask(&bench, &admin, Method::GET, PLACE).await;
    let expected = json!({
        "id": "app.home.example/", "host": "app.home.example", "path": "/", "zone": "home.example",
        "target": {"apps": [{"url": "http://127.0.0.1:3000"}]},
        "certificate": {"state": "none", "issuer": null, "valid_until": null},
    });
    assert_eq!((read.status, &read.body), (200, &expected));
    let tag = made.headers["etag"].to_str().unwrap();
    assert_eq!(read.headers["etag"], tag);
    let list = ask(&bench, &admin, Method::GET, "/v1/routes").await;
    assert_eq!(list.body["routes"], json!([expected]));

    let again = put(&bench, &admin, PLACE, APP).await;
    assert_eq!((again.status, &again.body["changed"]), (200, &json!(false)));
    let only_new = Ask::new(Method::PUT, PLACE).header("if-none-match", "*").body(JSON, APP).send(&bench, &admin).await;
    assert_eq!(kind(&only_new), (412, "stale"));
    assert_eq!(only_new.body["current"].as_str(), Some(tag));
    let drained = r#"{"apps": [{"url": "http://127.0.0.1:3000", "drained": true}], "plain_http": true}"#;
    let other = Ask::new(Method::PUT, PLACE).header("if-match", tag).body(JSON, drained).send(&bench, &admin).await;
    assert_eq!((other.status, &other.body["target"]["apps"][0]["drained"]), (200, &json!(true)), "{}", other.body);

    let gone = ask(&bench, &admin, Method::DELETE, PLACE).await;
    assert_eq!((gone.status, &gone.body["zones"][0]["removed"], &gone.body["target"]), (200, &json!(2), &Value::Null));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(kind(&ask(&bench, &admin, method, PLACE).await), (404, "no-such-route"));
    }
    let free = "/v1/zones/home.example/records/app/A";
    assert_eq!(put(&bench, &admin, free, r#"{"values": ["192.0.2.9"]}"#).await.status, 201, "the name is free again");
}

#[tokio::test]
async fn what_stands_by_hand_is_in_the_way_and_what_is_a_routes_is_not_for_hands() {
    let (bench, admin) = bench().await;
    for host in ["www", "alias"] {
        let refused = put(&bench, &admin, &format!("/v1/routes/{host}.home.example"), APP).await;
        assert_eq!(kind(&refused), (409, "name-taken"), "{}", refused.body);
        assert!(!refused.body["hint"].as_str().unwrap().is_empty());
    }
    assert_eq!(put(&bench, &admin, PLACE, APP).await.status, 201);
    let by_hand = put(&bench, &admin, "/v1/zones/home.example/records/app/A", r#"{"values": ["192.0.2.9"]}"#).await;
    assert_eq!(kind(&by_hand), (409, "owned-by-route"), "{}", by_hand.body);
}

#[tokio::test]
async fn a_host_of_others_has_no_records() {
    let (bench, admin) = bench().await;
    for host in ["app.elsewhere.test", "a.sub.home.example"] {
        let made = put(&bench, &admin, &format!("/v1/routes/{host}%2Fapi"), APP).await;
        assert_eq!((made.status, &made.body["zones"]), (201, &json!([])), "{}", made.body);
        let read = ask(&bench, &admin, Method::GET, &format!("/v1/routes/{host}%2Fapi")).await;
        assert_eq!((&read.body["zone"], &read.body["path"]), (&Value::Null, &json!("/api")));
    }
}

#[tokio::test]
async fn a_wrong_route_is_told_with_field_and_cure() {
    let (bench, admin) = bench().await;
    for (body, fields) in [
        (r#"{}"#, &[""][..]),
        (r#"{"apps": [{"url": "http://a"}], "folder": {"path": "/srv"}}"#, &[""]),
        (r#"{"apps": []}"#, &["/apps"]),
        (
            r#"{"apps": [{"url": "127.0.0.1:3000"}, {"url": "http://a"}, {"url": "ftp://b"}]}"#,
            &["/apps/0/url", "/apps/2/url"],
        ),
        (r#"{"redirect": {"url": "https://a", "status": 200}}"#, &["/redirect/status"]),
        (r#"{"redirect": {"url": "javascript://a"}}"#, &["/redirect/url"]),
        (r#"{"folder": {"path": "srv"}}"#, &["/folder"]),
    ] {
        let refused = put(&bench, &admin, PLACE, body).await;
        assert_eq!(kind(&refused), (422, "bad-values"), "{body}: {}", refused.body);
        let faults = refused.body["faults"].as_array().unwrap();
        assert_eq!(faults.iter().map(|fault| fault["field"].as_str().unwrap()).collect::<Vec<_>>(), fields, "{body}");
        assert!(faults.iter().all(|fault| !fault["cure"].as_str().unwrap().is_empty()));
    }
    for path in ["/v1/routes/192.0.2.1", "/v1/routes/a..b", "/v1/routes/a.example%2F..%2Fb"] {
        assert_eq!(kind(&put(&bench, &admin, path, APP).await), (400, "bad-request"), "{path}");
    }
    assert_eq!(put(&bench, &admin, PLACE, r#"{"app": "http://a"}"#).await.status, 400);
    assert!(bench.store.snapshot().routes.is_empty(), "nothing came of any of these");
}

#[tokio::test]
async fn nothing_leads_back_to_ourselves() {
    let mut live = Bench::live_of_nothing();
    live.ourselves = Ourselves {
        edge: vec!["0.0.0.0:443".parse().unwrap()],
        admin: vec!["127.0.0.1:8053".parse().unwrap()],
        admin_socket: Some("/run/freehold/admin.socket".into()),
        dns: vec![],
        addresses: vec![],
    };
    let bench = Bench::with_live(Some(live));
    let admin = bench.token("admin", r#"{"rights":"admin"}"#).await.reveal();
    for (body, word) in [
        (r#"{"apps": [{"url": "http://127.0.0.1:8053"}]}"#, "admin API"),
        (r#"{"apps": [{"url": "unix:/run/freehold/admin.socket"}]}"#, "admin API"),
        (r#"{"apps": [{"url": "https://127.0.0.1"}]}"#, "back to Freehold"),
        (r#"{"apps": [{"url": "https://app.home.example"}]}"#, "back to Freehold"),
        (r#"{"redirect": {"url": "/x"}}"#, "ends where it began"),
    ] {
        let refused = put(&bench, &admin, PLACE, body).await;
        assert_eq!(kind(&refused), (409, "leads-back"), "{body}: {}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(word), "{}", refused.body);
    }
}

#[tokio::test]
async fn a_narrow_token_sees_the_routes_of_its_names_and_changes_none() {
    let (bench, admin) = bench().await;
    for host in ["app.elsewhere.test", "other.home.example", "app.home.example"] {
        assert_eq!(put(&bench, &admin, &format!("/v1/routes/{host}"), APP).await.status, 201);
    }
    let scope = r#"{"rights":"write","zones":["home.example"],"names":["app.home.example"],"types":["A","AAAA"]}"#;
    let narrow = bench.token("narrow", scope).await.reveal();
    let list = ask(&bench, &narrow, Method::GET, "/v1/routes").await;
    let shown: Vec<_> = list.body["routes"].as_array().unwrap().iter().map(|route| &route["id"]).collect();
    assert_eq!(shown, ["app.home.example/"]);
    assert_eq!(ask(&bench, &narrow, Method::GET, PLACE).await.status, 200);
    for (host, limit) in
        [("other.home.example", "names"), ("app.elsewhere.test", "zones"), ("a.sub.home.example", "zones")]
    {
        let refused = ask(&bench, &narrow, Method::GET, &format!("/v1/routes/{host}")).await;
        assert_eq!((refused.status, &refused.body["limit"]), (403, &json!(limit)), "{host}: {}", refused.body);
    }
    let of_zone = bench.token("zone", r#"{"rights":"write","zones":["home.example"]}"#).await.reveal();
    let read = bench.token("read", r#"{"rights":"read"}"#).await.reveal();
    for token in [&narrow, &of_zone, &read] {
        for method in [Method::PUT, Method::DELETE] {
            assert_eq!(Ask::new(method, PLACE).body(JSON, APP).send(&bench, token).await.status, 403);
        }
    }
    let write = bench.token("write", r#"{"rights":"write"}"#).await.reveal();
    assert_eq!(ask(&bench, &write, Method::DELETE, PLACE).await.status, 200);
}
