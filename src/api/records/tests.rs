//! Single records as a client meets them: what goes in, what comes out, each way to get it wrong, and what several do
//! at once.

use http_body_util::{BodyExt, Full};
use hyper::Method;
use serde_json::{Value, json};

use crate::api::tests::{Bench, FILE, ZONE};
use crate::api::{RecordList, RecordSet};

const RECORDS: &str = "/v1/zones/home.example/records";

/// What came back: the status, the tag, the body.
struct Reply {
    status: u16,
    tag: Option<String>,
    body: Value,
}

impl Bench {
    async fn with_zone() -> Self {
        let bench = Self::new();
        bench.put(FILE, &format!("{ZONE}www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nblog 60 CNAME www\n")).await;
        bench
    }

    async fn send(&self, method: Method, below: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        let mut question = hyper::Request::builder().method(method).uri(format!("{RECORDS}{below}"));
        for (name, value) in headers {
            question = question.header(*name, *value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let question = question.header("content-type", "application/json").body(Full::from(body)).unwrap();
        let answer = self.here.answer(question).await;
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Reply { status, tag, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    async fn values(&self, below: &str) -> Vec<String> {
        let reply = self.send(Method::GET, below, &[], Value::Null).await;
        if reply.status == 404 {
            return Vec::new();
        }
        serde_json::from_value::<RecordSet>(reply.body).unwrap().values
    }
}

fn set(values: &[&str]) -> Value {
    json!({ "values": values })
}

#[tokio::test]
async fn a_set_is_put_read_and_deleted() {
    let bench = Bench::with_zone().await;
    let body = json!({ "ttl": 300, "values": ["10 mail", "20 mx.example.net."] });
    let put = bench.send(Method::PUT, "/@/MX", &[], body.clone()).await;
    assert_eq!(put.status, 201, "{}", put.body);
    assert_eq!(
        (&put.body["revision"], &put.body["serial_before"], &put.body["serial_after"]),
        (&json!(2), &json!(5), &json!(6))
    );
    assert_eq!(
        put.body["differences"],
        json!([
            { "sign": "+", "record": "home.example. 300 IN MX 10 mail.home.example." },
            { "sign": "+", "record": "home.example. 300 IN MX 20 mx.example.net." },
        ])
    );
    let read = bench.send(Method::GET, "/home.example./mx", &[], Value::Null).await;
    let expected = json!({
        "name": "home.example.", "type": "MX", "ttl": 300,
        "values": ["10 mail.home.example.", "20 mx.example.net."],
    });
    assert_eq!((read.status, &read.body, read.tag), (200, &expected, put.tag.clone()));
    let again = bench.send(Method::PUT, "/@/MX", &[], body).await;
    assert_eq!((again.status, &again.body["changed"], &again.body["revision"]), (200, &json!(false), &json!(2)));
    let gone = bench.send(Method::DELETE, "/@/MX", &[], Value::Null).await;
    assert_eq!((gone.status, &gone.body["removed"], gone.tag), (200, &json!(2), None));
    let twice = bench.send(Method::DELETE, "/@/MX", &[], Value::Null).await;
    assert_eq!(
        (twice.status, &twice.body["detail"]),
        (404, &json!("there are no MX records at home.example., only NS, SOA"))
    );
}

#[tokio::test]
async fn the_ttl_is_the_one_given_or_the_sets_own_or_the_soas() {
    let bench = Bench::with_zone().await;
    let ttl = async |below: &str| bench.send(Method::GET, below, &[], Value::Null).await.body["ttl"].clone();
    bench.send(Method::PUT, "/www/A", &[], set(&["192.0.2.9"])).await;
    assert_eq!(ttl("/www/A").await, 60, "its own");
    bench.send(Method::PUT, "/new/A", &[], set(&["192.0.2.9"])).await;
    assert_eq!(ttl("/new/A").await, 300, "the SOA's");
    bench.send(Method::POST, "/new/A", &[], json!({ "ttl": 0, "values": ["192.0.2.10"] })).await;
    assert_eq!(ttl("/new/A").await, 0, "given");
    let most = bench.send(Method::PUT, "/new/A", &[], json!({ "ttl": 2_147_483_647, "values": ["192.0.2.9"] })).await;
    assert_eq!(most.status, 200);
    let more =
        bench.send(Method::PUT, "/new/A", &[], json!({ "ttl": 2_147_483_648_u64, "values": ["192.0.2.9"] })).await;
    assert_eq!((more.status, &more.body["faults"][0]["field"]), (422, &json!("/ttl")));
}

#[tokio::test]
async fn single_values_come_and_go() {
    let bench = Bench::with_zone().await;
    let add = bench.send(Method::POST, "/www/A", &[], set(&["192.0.2.3", "192.0.2.1"])).await;
    assert_eq!((add.status, &add.body["added"]), (200, &json!(1)));
    assert_eq!(bench.values("/www/A").await, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(bench.send(Method::POST, "/b%C3%BCcher/TXT", &[], set(&["\"a b\""])).await.status, 201);
    assert_eq!(bench.values("/xn--bcher-kva/TXT").await, ["\"a b\""]);
    let gone = bench.send(Method::DELETE, "/xn--bcher-kva/TXT?value=%22a+b%22", &[], Value::Null).await;
    assert_eq!(
        (gone.status, bench.values("/xn--bcher-kva/TXT").await.len()),
        (200, 0),
        "the set goes with its last value"
    );
    let two = bench.send(Method::DELETE, "/www/A?value=192.0.2.1&value=192.0.2.3", &[], Value::Null).await;
    assert_eq!((two.status, bench.values("/www/A").await), (200, vec!["192.0.2.2".to_owned()]));
    let none = bench.send(Method::DELETE, "/www/A?value=192.0.2.1", &[], Value::Null).await;
    let expected = "there is no record www.home.example. A 192.0.2.1";
    assert_eq!((none.status, &none.body["detail"]), (404, &json!(expected)));
}

#[tokio::test]
async fn the_soa_is_a_set_like_others_and_its_serial_only_moves_on() {
    let bench = Bench::with_zone().await;
    let put = async |serial: u32| {
        let value = format!("ns h {serial} 7200 3600 86400 300");
        bench.send(Method::PUT, "/@/SOA", &[], set(&[&value])).await.body["serial_after"].clone()
    };
    assert_eq!((put(3).await, put(100).await, put(100).await), (json!(6), json!(100), json!(100)));
}

#[tokio::test]
async fn adding_at_the_same_time_loses_nothing() {
    let bench = Bench::with_zone().await;
    let values: Vec<String> = (0..40).map(|number| format!("198.51.100.{number}")).collect();
    let adds = values.iter().map(|value| {
        let (here, value) = (bench.here.clone(), value.clone());
        tokio::spawn(async move {
            let question = hyper::Request::post(format!("{RECORDS}/many/A")).header("content-type", "application/json");
            here.answer(question.body(Full::from(set(&[&value]).to_string())).unwrap()).await.status().as_u16()
        })
    });
    let adds: Vec<_> = adds.collect();
    let mut created = 0;
    for add in adds {
        let status = add.await.unwrap();
        assert!([200, 201].contains(&status), "{status}");
        created += usize::from(status == 201);
    }
    assert_eq!((created, bench.values("/many/A").await.len()), (1, 40));
    assert_eq!(bench.store.snapshot().revision, 41, "each is a change of its own");
}

#[tokio::test]
async fn only_one_of_two_with_the_same_tag_gets_through() {
    let bench = Bench::with_zone().await;
    let tag = bench.send(Method::GET, "/www/A", &[], Value::Null).await.tag.unwrap();
    bench.send(Method::PUT, "/other/A", &[], set(&["192.0.2.9"])).await;
    let matching = [("if-match", tag.as_str())];
    let (first, second) = tokio::join!(
        bench.send(Method::PUT, "/www/A", &matching, set(&["192.0.2.8"])),
        bench.send(Method::PUT, "/www/A", &matching, set(&["192.0.2.9"])),
    );
    let (won, lost) = if first.status == 200 { (first, second) } else { (second, first) };
    assert_eq!((won.status, lost.status), (200, 412));
    assert!(won.tag.is_some() && won.tag == lost.tag, "the loser learns the tag of what is there");
    assert_eq!(lost.body["current"], json!(won.tag));
    let read = bench.send(Method::GET, "/www/A", &[("if-none-match", won.tag.as_deref().unwrap())], Value::Null).await;
    assert_eq!((read.status, read.tag), (304, won.tag));
}

#[tokio::test]
async fn conditions_hold_for_what_is_and_what_is_not_there() {
    let bench = Bench::with_zone().await;
    for (method, below, header, value, status) in [
        (Method::PUT, "/www/A", "if-none-match", "*", 412),
        (Method::PUT, "/new/A", "if-match", "*", 412),
        (Method::PUT, "/new/A", "if-none-match", "*", 201),
        (Method::DELETE, "/new/A", "if-match", "\"other\"", 412),
        (Method::DELETE, "/new/A", "if-match", "*", 200),
        (Method::DELETE, "/new/A", "if-match", "*", 412),
        (Method::PUT, "/new/A", "if-match", "no quotes", 400),
    ] {
        let body = if method == Method::PUT { set(&["192.0.2.9"]) } else { Value::Null };
        let reply = bench.send(method, below, &[(header, value)], body).await;
        assert_eq!(reply.status, status, "{below} {header}: {value}: {}", reply.body);
    }
}

#[tokio::test]
async fn many_changes_are_one_or_none() {
    let bench = Bench::with_zone().await;
    let changes = json!({ "changes": [
        { "action": "delete", "name": "www", "type": "A" },
        { "action": "put", "name": "www", "type": "CNAME", "values": ["ns"] },
        { "action": "add", "name": "@", "type": "TXT", "ttl": 30, "values": ["one"] },
        { "action": "add", "name": "home.example.", "type": "TXT", "values": ["two"] },
        { "action": "remove", "name": "@", "type": "TXT", "values": ["one"] },
    ]});
    let dry = bench.send(Method::PATCH, "?dry_run=1", &[], changes.clone()).await;
    assert_eq!((dry.status, bench.store.snapshot().revision), (200, 1));
    let made = bench.send(Method::PATCH, "", &[("if-match", "\"5\"")], changes.clone()).await;
    assert_eq!((made.status, made.tag.as_deref()), (200, Some("\"6\"")), "{}", made.body);
    assert_eq!(made.body["differences"], dry.body["differences"]);
    assert_eq!((&made.body["added"], &made.body["removed"]), (&json!(2), &json!(2)));
    assert_eq!(bench.values("/@/TXT").await, ["\"two\""]);
    let stale = bench.send(Method::PATCH, "", &[("if-match", "\"5\"")], changes).await;
    assert_eq!((stale.status, stale.tag.as_deref()), (412, Some("\"6\"")));

    let spoilt = json!({ "changes": [
        { "action": "put", "name": "a", "type": "A", "values": ["192.0.2.1"] },
        { "action": "put", "name": "a..b", "type": "NONE", "values": [] },
        { "action": "put", "name": "c", "type": "MX", "ttl": 4_294_967_296_u64, "values": ["10 mail", "70000 mail"] },
        { "action": "delete", "name": "www", "type": "CNAME", "values": ["ns"] },
    ]});
    let refused = bench.send(Method::PATCH, "", &[], spoilt).await;
    let fields: Vec<_> = refused.body["faults"].as_array().unwrap().iter().map(|fault| &fault["field"]).collect();
    assert_eq!(refused.status, 422);
    assert_eq!(
        fields,
        ["/changes/1/name", "/changes/1/type", "/changes/2/ttl", "/changes/2/values/1", "/changes/3/values"]
    );
    let late = json!({ "changes": [
        { "action": "put", "name": "a", "type": "A", "values": ["192.0.2.1"] },
        { "action": "delete", "name": "b", "type": "A" },
    ]});
    assert_eq!(bench.send(Method::PATCH, "", &[], late).await.status, 404);
    assert_eq!(bench.send(Method::PATCH, "", &[], json!({ "changes": [] })).await.status, 400);
    assert_eq!(bench.store.snapshot().revision, 2, "nothing came of any of these");
}

#[tokio::test]
async fn a_rule_of_the_zone_is_told_with_its_cure() {
    let bench = Bench::with_zone().await;
    for (method, below, value, detail) in [
        (Method::PUT, "/www/CNAME", "ns", "CNAME"),
        (Method::POST, "/blog/A", "192.0.2.1", "CNAME"),
        (Method::POST, "/blog/CNAME", "ns", "CNAME"),
        (Method::PUT, "/blog/CNAME", "blog", "alias"),
        (Method::DELETE, "/@/SOA", "", "has no SOA record"),
        (Method::DELETE, "/@/NS", "", "has no NS record"),
        (Method::PUT, "/www/SOA", "ns h 1 2 3 4 5", "SOA"),
    ] {
        let body = if method == Method::DELETE { Value::Null } else { set(&[value]) };
        let reply = bench.send(method, below, &[], body).await;
        assert_eq!(
            (reply.status, &reply.body["type"]),
            (409, &json!("/problems/zone-rule")),
            "{below}: {}",
            reply.body
        );
        assert!(reply.body["detail"].as_str().unwrap().contains(detail), "{below}: {}", reply.body);
        assert!(!reply.body["hint"].as_str().unwrap().is_empty());
    }
    assert_eq!(bench.store.snapshot().revision, 1);
}

#[tokio::test]
async fn a_wrong_value_is_told_by_field_and_word() {
    let bench = Bench::with_zone().await;
    let reply = bench.send(Method::PUT, "/@/MX", &[], set(&["10 mail", "70000 mail"])).await;
    let expected = json!({
        "severity": "error", "field": "/values/1", "column": 1,
        "message": "MX preference must be a number from 0 to 65535",
        "cure": "write a number from 0 to 65535 instead of \"70000\"",
    });
    assert_eq!((reply.status, &reply.body["faults"][0]), (422, &expected));
    assert_eq!((&reply.body["detail"], &reply.body["hint"]), (&expected["message"], &expected["cure"]));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_told_why() {
    let bench = Bench::with_zone().await;
    let good = r#"{"values": ["192.0.2.1"]}"#;
    let json = "application/json";
    let large = format!(r#"{{"values": ["{}"]}}"#, "a".repeat(crate::api::BODY_SIZE_MAX));
    let deep = format!(r#"{{"values": {}1{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    for (method, below, kind, body, expected) in [
        (Method::GET, "/none/A", "", "", (404, "no-such-record")),
        (Method::GET, "/www/AAAA", "", "", (404, "no-such-record")),
        (Method::GET, "/www/ANY", "", "", (400, "bad-request")),
        (Method::GET, "/www/NONE", "", "", (400, "bad-request")),
        (Method::GET, "/a..b/A", "", "", (400, "bad-request")),
        (Method::GET, "/www.other.example./A", "", "", (400, "bad-request")),
        (Method::GET, "/www.home.example/A", "", "", (400, "bad-request")),
        (Method::GET, "/www", "", "", (404, "not-found")),
        (Method::PUT, "/www/A", "", good, (415, "content-type")),
        (Method::PUT, "/www/A", "text/plain", good, (415, "content-type")),
        (Method::PUT, "/www/A", json, "", (400, "bad-request")),
        (Method::PUT, "/www/A", json, "{}", (400, "bad-request")),
        (Method::PUT, "/www/A", json, r#"{"values": ["192.0.2.1"], "tll": 1}"#, (400, "bad-request")),
        (Method::PUT, "/www/A", json, r#"{"values": ["192.0.2.1"], "ttl": -1}"#, (400, "bad-request")),
        (Method::PUT, "/www/A", json, r#"{"values": []}"#, (422, "bad-values")),
        (Method::PUT, "/www/A", json, &large, (413, "too-large")),
        (Method::PUT, "/www/A", json, &deep, (400, "bad-request")),
        (Method::PUT, "/www/A?dryrun=1", json, good, (400, "bad-request")),
        (Method::PUT, "/www/A?dry_run=yes", json, good, (400, "bad-request")),
        (Method::POST, "/www/A?value=1", json, good, (400, "bad-request")),
        (Method::DELETE, "/www/A?value=1", "", "", (422, "bad-values")),
        (Method::PATCH, "/www/A", json, good, (405, "method")),
        (Method::POST, "", json, good, (405, "method")),
        (Method::PATCH, "", json, r#"{"changes": [{"action": "burn"}]}"#, (400, "bad-request")),
    ] {
        let (status, kind) = bench.problem(method.clone(), &format!("{RECORDS}{below}"), kind, body).await;
        assert_eq!((status, kind.as_str()), expected, "{method} {below} {}", &body[..body.len().min(80)]);
    }
    let other = "/v1/zones/other.example/records";
    for (method, below) in
        [(Method::GET, ""), (Method::GET, "/www/A"), (Method::DELETE, "/www/A"), (Method::PUT, "/www/A")]
    {
        let (status, kind) = bench.problem(method, &format!("{other}{below}"), json, good).await;
        assert_eq!((status, kind.as_str()), (404, "no-such-zone"));
    }
    assert_eq!(bench.store.snapshot().revision, 1);
}

#[tokio::test]
async fn a_list_goes_page_by_page_in_canonical_order() {
    let bench = Bench::new();
    let names = (0..250).map(|number| format!("n{number:03}.sub 60 A 192.0.2.1\nn{number:03}.sub 60 TXT a\n"));
    bench.put(FILE, &format!("{ZONE}{}zz 60 A 192.0.2.1\n", names.collect::<String>())).await;
    let page = async |query: &str| -> RecordList {
        let reply = bench.send(Method::GET, query, &[], Value::Null).await;
        assert_eq!((reply.status, reply.tag.as_deref()), (200, Some("\"5\"")));
        serde_json::from_value(reply.body).unwrap()
    };
    for (filter, count) in
        [("", 504), ("&below=sub", 500), ("&type=TXT", 250), ("&name=n007.sub", 2), ("&below=none", 0)]
    {
        for limit in [1, 7, 1_000] {
            let (mut sets, mut cursor) = (Vec::new(), String::new());
            loop {
                let list = page(&format!("?limit={limit}{filter}{cursor}")).await;
                assert!(list.records.len() <= limit);
                sets.extend(list.records);
                let Some(next) = list.next else { break };
                cursor = format!("&cursor={next}");
            }
            let shown: Vec<_> = sets.iter().map(|set| (&set.name, &set.kind)).collect();
            let mut once = shown.clone();
            once.dedup();
            assert_eq!((shown.len(), once.len()), (count, count), "{filter} {limit}");
        }
    }
    let first = page("").await;
    let shown: Vec<_> = first.records.iter().take(4).map(|set| format!("{} {}", set.name, set.kind)).collect();
    assert_eq!(first.records.len(), 100);
    assert_eq!(shown, ["home.example. NS", "home.example. SOA", "ns.home.example. A", "n000.sub.home.example. A"]);
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=a",
        "cursor=zz",
        "cursor=000103",
        "cursor=0001026162",
        "prefix=a",
        "name=a&name=b",
    ] {
        let (status, kind) = bench.problem(Method::GET, &format!("{RECORDS}?{wrong}"), "", "").await;
        assert_eq!((status, kind.as_str()), (400, "bad-request"), "{wrong}");
    }
}
