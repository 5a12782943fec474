//! Routes as a client meets them: made, read, changed, refused with the reason, deleted; and what narrow tokens may do.

use hyper::Method;
use serde_json::{Value, json};

use crate::api::Live;
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
        "answer": {"state": "addresses", "records": ["A 192.0.2.80", "AAAA 2001:db8::80"]},
        "delegation": {"zone": "home.example", "state": "unknown", "message": "it was not looked at yet", "cure": null,
            "name_servers": [], "looked_at": null},
        "certificate": {"state": "none", "issuer": null, "serial": null, "valid_until": null, "next_attempt": null,
            "failures": 0, "last_error": null},
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
async fn options_are_told_with_all_their_faults_and_hashes_only_to_who_may_change_them() {
    let (bench, admin) = bench().await;
    let reader = bench.token("reader", r#"{"rights":"read"}"#).await.reveal();
    let hash = "$2y$05$MEGs2cmkBqd5lp5YNn4Rcul0qp1kA4I0zIbhLrXYFZJzdZAU3VBQm";
    let with = |options: &Value| json!({"apps": [{"url": "http://127.0.0.1:3000"}], "options": options}).to_string();
    let wrong = json!({"access": {"allow": ["home"]}, "basic_auth": {"users": {"anna": "s3cret!"}}});
    let refused = put(&bench, &admin, PLACE, &with(&wrong)).await;
    let told = refused.body.to_string();
    assert_eq!(refused.status, 422, "{told}");
    assert!(told.contains("/options/access/allow/0") && told.contains("/options/basic_auth/users/anna"), "{told}");
    assert!(!told.contains("s3cret!"), "what may be a password is not said again: {told}");
    let made = put(&bench, &admin, PLACE, &with(&json!({"basic_auth": {"users": {"anna": hash}}}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for path in [PLACE, "/v1/routes"] {
        let full = ask(&bench, &admin, Method::GET, path).await.body.to_string();
        assert!(full.contains(hash), "{full}");
        let shown = ask(&bench, &reader, Method::GET, path).await.body.to_string();
        assert!(shown.contains(r#""users":{"anna":"hidden"}"#) && !shown.contains("$2y$"), "{shown}");
    }
}

#[tokio::test]
async fn a_host_that_is_passed_on_has_one_route_and_no_certificate_of_ours() {
    let (bench, admin) = bench().await;
    let passed = r#"{"apps": [{"url": "tls://10.0.0.5:8443"}], "options": {"proxy_protocol": "v2"}}"#;
    let made = put(&bench, &admin, PLACE, passed).await;
    assert_eq!((made.status, &made.body["zones"][0]["added"]), (201, &json!(2)), "{}", made.body);
    let shown = ask(&bench, &admin, Method::GET, PLACE).await.body;
    assert_eq!((&shown["certificate"]["state"], &shown["answer"]["state"]), (&json!("app"), &json!("addresses")));
    let beside = put(&bench, &admin, &format!("{PLACE}%2Fapi"), APP).await;
    assert_eq!(kind(&beside), (409, "host-passed"), "{}", beside.body);
    assert_eq!(
        beside.body["hint"],
        "delete the other with `freehold route delete app.home.example/`, or choose another host"
    );
    let below = put(&bench, &admin, "/v1/routes/mail.home.example%2Fapi", passed).await;
    assert_eq!(below.status, 422, "{}", below.body);
    let wrong =
        r#"{"apps": ["tls://10.0.0.5"], "plain_http": true, "options": {"compress": true, "times": {"body": 1}}}"#;
    let told = put(&bench, &admin, "/v1/routes/mail.home.example", wrong).await;
    let fields: Vec<_> = told.body["faults"].as_array().unwrap().iter().collect();
    assert_eq!((told.status, fields.len()), (422, 3), "{}", told.body);
    for field in ["/plain_http", "/options/compress", "/options/times/body"] {
        assert!(told.body.to_string().contains(field), "{}", told.body);
    }
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
    let ourselves = Ourselves {
        edge: vec!["0.0.0.0:443".parse().unwrap()],
        admin: vec!["127.0.0.1:8053".parse().unwrap()],
        admin_socket: Some("/run/freehold/admin.socket".into()),
        dns: vec![],
        addresses: vec![],
    };
    let bench = Bench::with_live(|store| Live { ourselves, ..Bench::live_of_nothing(store) });
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

#[tokio::test]
async fn routes_are_listed_page_by_page() {
    let (bench, admin) = bench().await;
    let ids = ["a.test/", "b.home.example/api", "b.home.example/", "*.a.test/", "*.b.test/x", "*.b.test/"];
    for id in ids {
        let path = format!("/v1/routes/{}", id.replace('/', "%2F"));
        assert_eq!(put(&bench, &admin, &path, r#"{"apps": ["http://127.0.0.1:3000"]}"#).await.status, 201, "{id}");
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&bench, &admin, Method::GET, &format!("/v1/routes?limit=1{cursor}")).await;
        let routes = page.body["routes"].as_array().unwrap();
        assert_eq!(routes.len(), 1, "{}", page.body);
        seen.push(routes[0]["id"].as_str().unwrap().to_owned());
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={}", next.replace('/', "%2F"));
    }
    assert_eq!(seen, ids);
    for wrong in ["limit=0", "limit=10001", "cursor=a..b", "page=2"] {
        assert_eq!(ask(&bench, &admin, Method::GET, &format!("/v1/routes?{wrong}")).await.status, 400, "{wrong}");
    }
}

/// Each half of a circle is fine alone; the second is refused, however close they come and whichever way.
#[tokio::test]
async fn of_two_changes_that_close_a_circle_one_is_refused() {
    let (bench, admin) = bench().await;
    let one = r#"{"redirect": {"url": "https://b.test/"}}"#;
    let two = r#"{"redirect": {"url": "https://a.test/"}}"#;
    for _ in 0..20 {
        let (first, second) =
            tokio::join!(put(&bench, &admin, "/v1/routes/a.test", one), put(&bench, &admin, "/v1/routes/b.test", two));
        let mut told = [kind(&first).0, kind(&second).0];
        told.sort_unstable();
        assert_eq!(told, [201, 409], "{} {}", first.body, second.body);
        for path in ["/v1/routes/a.test", "/v1/routes/b.test"] {
            ask(&bench, &admin, Method::DELETE, path).await;
        }
    }
}

/// A change that is taken back must not bring back what leads to ourselves by now.
#[tokio::test]
async fn an_undo_closes_no_circle() {
    let (bench, admin) = bench().await;
    let to = |host: &str| format!(r#"{{"redirect": {{"url": "https://{host}.home.example/"}}}}"#);
    assert_eq!(put(&bench, &admin, "/v1/routes/one.home.example", &to("two")).await.status, 201);
    let gone = ask(&bench, &admin, Method::DELETE, "/v1/routes/one.home.example").await;
    assert_eq!(put(&bench, &admin, "/v1/routes/two.home.example", &to("one")).await.status, 201);
    let undo = json!({"revision": gone.body["revision"]}).to_string();
    let refused = Ask::new(Method::POST, "/v1/zones/home.example/undo").body(JSON, &undo).send(&bench, &admin).await;
    assert_eq!(kind(&refused), (409, "leads-back"), "{}", refused.body);
    assert!(bench.store.snapshot().routes.get("one.home.example/").is_none());
}

#[tokio::test]
async fn a_name_of_ours_that_is_ourselves_is_seen() {
    let ourselves = Ourselves { edge: vec!["0.0.0.0:443".parse().unwrap()], ..Ourselves::default() };
    let bench = Bench::with_live(|store| Live { ourselves, ..Bench::live_of_nothing(store) });
    let admin = bench.token("admin", r#"{"rights":"admin"}"#).await.reveal();
    bench.put(FILE, &format!("{ZONE}me 300 A 127.0.0.1\nalias 300 CNAME me\nother 300 A 192.0.2.7\n")).await;
    for (name, status) in [("me", 409), ("alias", 409), ("other", 201)] {
        let body = format!(r#"{{"apps": ["https://{name}.home.example"]}}"#);
        let told = put(&bench, &admin, "/v1/routes/app.elsewhere.test", &body).await;
        assert_eq!(told.status, status, "{name}: {}", told.body);
    }
}

#[tokio::test]
async fn a_test_names_the_step_that_fails_and_the_cure() {
    let bench = Bench::with_live(Bench::live_of_nothing);
    let admin = bench.token("admin", r#"{"rights":"admin"}"#).await.reveal();
    bench.put(FILE, ZONE).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let body = format!(r#"{{"apps": ["http://{free}"]}}"#);
    assert_eq!(put(&bench, &admin, PLACE, &body).await.status, 201);
    let told = ask(&bench, &admin, Method::POST, &format!("{PLACE}%2Fx/test")).await;
    assert_eq!(
        (told.status, &told.body["well"], &told.body["route"]),
        (200, &json!(false), &json!("app.home.example/"))
    );
    let steps = told.body["steps"].as_array().unwrap();
    let found = |step: &str, view: &str| {
        let is = |one: &&Value| one["step"] == step && one["view"] == view;
        steps.iter().find(is).unwrap_or_else(|| panic!("{step} {view}: {}", told.body))
    };
    for (step, view, outcome) in [
        ("route", "direct", "well"),
        ("name", "direct", "wrong"),
        ("app", "direct", "wrong"),
        ("address", "direct", "wrong"),
        ("delegation", "public", "skipped"),
        ("name", "public", "skipped"),
    ] {
        assert_eq!(found(step, view)["outcome"], outcome, "{step} {view}: {}", told.body);
    }
    assert!(found("app", "direct")["message"].as_str().unwrap().ends_with("nobody listens there"));
    assert!(found("app", "direct")["cure"].as_str().unwrap().starts_with("start the app"));
    assert!(found("delegation", "public")["message"].as_str().unwrap().contains("private name"));
    let none = ask(&bench, &admin, Method::POST, "/v1/routes/none.home.example/test").await;
    assert_eq!(none.body["steps"][0]["cure"], "`freehold route add none.home.example TARGET` makes one");
    assert_eq!(ask(&bench, &admin, Method::POST, "/v1/routes/*.home.example/test").await.status, 400);
    let reader = bench.token("reader", r#"{"rights":"read"}"#).await.reveal();
    assert_eq!(ask(&bench, &reader, Method::POST, &format!("{PLACE}/test")).await.status, 403);
    let narrow = bench.token("narrow", r#"{"rights":"write","zones":["other.example."]}"#).await.reveal();
    assert_eq!(ask(&bench, &narrow, Method::POST, &format!("{PLACE}/test")).await.status, 403);
}

#[tokio::test]
async fn a_purge_takes_the_right_to_change_the_route() {
    let (bench, admin) = bench().await;
    assert_eq!(put(&bench, &admin, PLACE, APP).await.status, 201);
    let purge = |query: &str| format!("{PLACE}/cache{query}");
    for query in ["", "?path=/news", "?path=/news/*", "?tag=a-17"] {
        let reply = ask(&bench, &admin, Method::DELETE, &purge(query)).await;
        assert_eq!((reply.status, &reply.body), (200, &json!({"id": "app.home.example/", "purged": 0})), "{query}");
    }
    for query in ["?path=news", "?path=/a&tag=b", "?tag=", "?tag=a,b", "?tag=a%20b", "?paths=/a"] {
        assert_eq!(kind(&ask(&bench, &admin, Method::DELETE, &purge(query)).await), (400, "bad-request"), "{query}");
    }
    let none = ask(&bench, &admin, Method::DELETE, "/v1/routes/none.home.example/cache").await;
    assert_eq!(kind(&none), (404, "no-such-route"));
    for rights in [r#"{"rights":"read"}"#, r#"{"rights":"write","zones":["home.example"]}"#] {
        let token = bench.token("narrow", rights).await.reveal();
        assert_eq!(ask(&bench, &token, Method::DELETE, &purge("")).await.status, 403, "{rights}");
    }
}
