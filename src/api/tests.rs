//! Each endpoint as a client meets it: what goes in, what comes out, and each way to get it wrong.

use serde_json::Value;

use super::*;
use crate::store;

pub(super) const ZONE: &str = "@ 300 SOA ns h 5 3600 600 86400 300\n@ 300 NS ns\nns 300 A 192.0.2.53\n";
pub(super) const FILE: &str = "/v1/zones/home.example/file";

/// The API over a store in a directory that goes with it.
pub(super) struct Bench {
    pub(super) here: Here,
    pub(super) store: Arc<Store>,
    _directory: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        Self::over(settings, |_| None)
    }

    /// With a server around it.
    pub(super) fn with_live(live: impl FnOnce(&Arc<Store>) -> Live) -> Self {
        Self::over(Settings::default(), |store| Some(live(store)))
    }

    fn over(settings: Settings, live: impl FnOnce(&Arc<Store>) -> Option<Live>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = store::Settings { directory: directory.path().join("data"), ..store::Settings::default() };
        let store = Arc::new(Store::open(&place).unwrap());
        let live = live(&store);
        Self {
            here: Here(router(Gate::new(Admin::new(Arc::clone(&store), settings, live)))),
            store,
            _directory: directory,
        }
    }

    /// What stands behind both doors.
    pub(super) fn router(&self) -> Router {
        self.here.0.clone()
    }

    pub(super) async fn ask(&self, method: Method, path: &str, kind: &str, body: &str) -> (u16, String, Vec<u8>) {
        let question = hyper::Request::builder().method(method).uri(path).header("content-type", kind);
        let answer = self.here.answer(question.body(Full::from(body.to_owned())).unwrap()).await;
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    pub(super) async fn put(&self, path: &str, text: &str) -> (u16, Value) {
        let (status, _, body) = self.ask(Method::PUT, path, TEXT_DNS, text).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// A problem document: its status and the last word of its type.
    pub(super) async fn problem(&self, method: Method, path: &str, kind: &str, body: &str) -> (u16, String) {
        let (status, kind, body) = self.ask(method, path, kind, body).await;
        assert_eq!(kind, "application/problem+json");
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem.status, status);
        assert!(!problem.title.is_empty() && !problem.detail.is_empty() && !problem.hint.is_empty(), "{problem:?}");
        (status, problem.kind.trim_start_matches("/problems/").to_owned())
    }
}

#[tokio::test]
async fn zones_are_listed_page_by_page() {
    let bench = Bench::new();
    for name in ["c.example", "a.example", "b.a.example", "d.example"] {
        assert_eq!(bench.put(&format!("/v1/zones/{name}/file"), ZONE).await.0, 200);
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let (.., body) = bench.ask(Method::GET, &format!("/v1/zones?{query}"), "application/json", "").await;
        let page: ZoneList = serde_json::from_slice(&body).unwrap();
        assert!(page.zones.len() <= 2);
        seen.extend(page.zones.into_iter().map(|zone| zone.name));
        let Some(next) = page.next else { break };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!(seen, ["a.example", "b.a.example", "c.example", "d.example"]);
    for wrong in ["limit=0", "limit=10001", "cursor=a..b", "page=2"] {
        assert_eq!(
            bench.problem(Method::GET, &format!("/v1/zones?{wrong}"), "application/json", "").await.0,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_zone_comes_is_read_and_goes() {
    let bench = Bench::new();
    let (status, change) = bench.put(FILE, ZONE).await;
    assert_eq!(
        (status, &change["changed"], &change["serial_after"], &change["revision"]),
        (200, &true.into(), &5.into(), &1.into())
    );
    assert!(change["serial_before"].is_null() && change.get("differences").is_none(), "{change}");
    let (_, _, list) = bench.ask(Method::GET, "/v1/zones", "", "").await;
    let list: ZoneList = serde_json::from_slice(&list).unwrap();
    let summary = ZoneSummary { name: "home.example".into(), serial: 5, names: 2, records: 3 };
    assert_eq!((list.revision, list.zones), (1, vec![summary.clone()]));
    let (_, _, one) = bench.ask(Method::GET, "/v1/zones/HOME.example.", "", "").await;
    assert_eq!(serde_json::from_slice::<ZoneSummary>(&one).unwrap(), summary);
    let (_, kind, file) = bench.ask(Method::GET, FILE, "", "").await;
    assert_eq!(kind, TEXT_DNS);
    let (_, change) = bench.put(FILE, std::str::from_utf8(&file).unwrap()).await;
    assert_eq!(change["changed"], false);
    let (status, ..) = bench.ask(Method::DELETE, "/v1/zones/home.example", "", "").await;
    assert_eq!((status, bench.store.snapshot().zones.len()), (200, 0));
}

#[tokio::test]
async fn a_dry_run_tells_each_record_and_changes_nothing() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    let (_, change) = bench.put(&format!("{FILE}?dry_run=1"), &ZONE.replace("192.0.2.53", "192.0.2.54")).await;
    let records: Vec<&str> =
        change["differences"].as_array().unwrap().iter().filter_map(|d| d["record"].as_str()).collect();
    assert_eq!(records.len(), 4, "{records:?}");
    assert_eq!(records[3], "ns.home.example. 300 IN A 192.0.2.54");
    assert_eq!(
        (&change["altered"], &change["serial_after"], bench.store.snapshot().revision),
        (&1.into(), &6.into(), 1)
    );
    bench.ask(Method::DELETE, "/v1/zones/home.example?dry_run=1", "", "").await;
    assert_eq!(bench.store.snapshot().zones.len(), 1);
}

#[tokio::test]
async fn a_bad_zone_file_gets_all_its_faults_and_changes_nothing() {
    let bench = Bench::new();
    let text = format!("{ZONE}a 300 A one\nb 300 A two\n");
    let (status, problem) = bench.put(FILE, &text).await;
    let lines: Vec<&Value> = problem["faults"].as_array().unwrap().iter().map(|fault| &fault["line"]).collect();
    assert_eq!((status, lines), (422, vec![&Value::from(4), &Value::from(5)]), "{problem}");
    assert_eq!(bench.store.snapshot().revision, 0);
}

/// Whoever may send a zone may not thereby read the server's files.
#[tokio::test]
async fn a_zone_file_that_is_sent_cannot_include_others() {
    let bench = Bench::new();
    let (status, problem) = bench.put(FILE, &format!("{ZONE}$INCLUDE /etc/passwd\n")).await;
    assert_eq!(status, 422);
    let text = problem.to_string();
    assert!(text.contains("cannot include others") && !text.contains("root:"), "{text}");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_told_why() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    for (method, path, kind, body, expected) in [
        (Method::GET, "/v1/nothing", "", "", (404, "not-found")),
        (Method::GET, "/v1/zones/other.example", "", "", (404, "no-such-zone")),
        (Method::GET, "/v1/zones/other.example/file", "", "", (404, "no-such-zone")),
        (Method::DELETE, "/v1/zones/other.example", "", "", (404, "no-such-zone")),
        (Method::GET, "/v1/zones/a..b", "", "", (400, "bad-request")),
        (Method::GET, "/v1/zones/%ff", "", "", (400, "bad-request")),
        (Method::POST, "/v1/zones", "", "", (405, "method")),
        (Method::POST, FILE, TEXT_DNS, ZONE, (405, "method")),
        (Method::PUT, FILE, "application/json", ZONE, (415, "content-type")),
        (Method::PUT, "/v1/zones/home.example/file?dryrun=1", TEXT_DNS, ZONE, (400, "bad-request")),
        (Method::DELETE, "/v1/zones/home.example?dry_run=yes", "", "", (400, "bad-request")),
    ] {
        let (status, kind) = bench.problem(method, path, kind, body).await;
        assert_eq!((status, kind.as_str()), expected, "{path}");
    }
    assert_eq!(bench.store.snapshot().revision, 1);
}

#[tokio::test]
async fn a_zone_is_replaced_or_deleted_only_as_it_was_read() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    let send = async |method: Method, path: &str, tag: &str| {
        let question = hyper::Request::builder().method(method).uri(path).header("content-type", TEXT_DNS);
        let body = Full::from(ZONE.replace("192.0.2.53", "192.0.2.54"));
        let answer = bench.here.answer(question.header("if-match", tag).body(body).unwrap()).await;
        (answer.status().as_u16(), answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()))
    };
    let zone = "/v1/zones/home.example";
    assert_eq!(send(Method::GET, zone, "*").await, (200, Some("\"5\"".into())));
    assert_eq!(send(Method::PUT, FILE, "\"4\"").await, (412, Some("\"5\"".into())));
    assert_eq!(send(Method::PUT, FILE, "\"5\"").await.0, 200);
    assert_eq!(send(Method::DELETE, zone, "\"5\"").await, (412, Some("\"6\"".into())));
    assert_eq!(send(Method::DELETE, zone, "\"6\"").await, (200, None));
    assert_eq!(send(Method::PUT, FILE, "*").await, (412, None), "there is none to replace");
}

#[tokio::test]
async fn a_zone_is_made_of_its_name_servers() {
    let bench = Bench::new();
    let path = "/v1/zones/b%C3%BCcher.example";
    let body = r#"{"name_servers": ["ns1.example.net", "ns2.example.net."], "email": "anna.b@example.org"}"#;
    let (status, _, dry) = bench.ask(Method::PUT, &format!("{path}?dry_run=1"), "application/json", body).await;
    assert_eq!((status, bench.store.snapshot().zones.len()), (200, 0), "{}", String::from_utf8_lossy(&dry));
    let (status, _, made) = bench.ask(Method::PUT, path, "application/json; charset=utf-8", body).await;
    let made: ZoneChange = serde_json::from_slice(&made).unwrap();
    assert_eq!((status, made.zone.as_str(), made.added, made.warnings), (201, "xn--bcher-kva.example", 3, vec![]));
    let (_, _, file) = bench.ask(Method::GET, &format!("{path}/file"), "", "").await;
    let file = String::from_utf8(file).unwrap();
    assert!(file.contains("anna\\.b.example.org.") && file.contains("14400      ; refresh"), "{file}");
    for (method, path, kind, body, expected) in [
        (Method::POST, path, "application/json", body, (405, "method")),
        (Method::PUT, path, "application/json", body, (409, "exists")),
        (Method::PUT, "/v1/zones/a.example", "text/plain", body, (415, "content-type")),
        (Method::PUT, "/v1/zones/a.example", "application/json", "{}", (400, "bad-request")),
        (Method::PUT, "/v1/zones/a.example", "application/json", r#"{"name_servers": []}"#, (422, "bad-values")),
        (Method::PUT, "/v1/zones/a.example", "application/json", r#"{"name_servers": ["a..b"]}"#, (422, "bad-values")),
    ] {
        let (status, kind) = bench.problem(method, path, kind, body).await;
        assert_eq!((status, kind.as_str()), expected, "{path} {body}");
    }
    assert_eq!(bench.store.snapshot().revision, 1);
}

#[tokio::test]
async fn the_limit_of_a_zone_file_is_kept_at_the_octet() {
    let size = ZONE.len() as u64;
    let status = async |zone_file_size_max| {
        Bench::with(Settings { zone_file_size_max, ..Settings::default() }).put(FILE, ZONE).await.0
    };
    assert_eq!((status(size).await, status(size - 1).await), (200, 413));
}

#[tokio::test]
async fn a_store_that_closes_says_so() {
    let bench = Bench::new();
    bench.store.close();
    assert_eq!(bench.problem(Method::PUT, FILE, TEXT_DNS, ZONE).await, (503, "closing".into()));
}

#[tokio::test]
async fn a_backup_holds_what_is_served() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    let (_, kind, backup) = bench.ask(Method::GET, "/v1/backup", "", "").await;
    assert_eq!(kind, "application/octet-stream");
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = (directory.path().join("all.backup"), directory.path().join("data"));
    std::fs::write(&file, backup).unwrap();
    let restored = store::backup::restore(&file, &data).unwrap();
    assert_eq!(restored.zones.iter().map(|zone| zone.record_count()).collect::<Vec<_>>(), [3]);
}

// ----- History ----------------------------------------------------------------------------------------------

impl Bench {
    async fn look(&self, path: &str) -> Value {
        let (status, kind, body) = self.ask(Method::GET, path, "", "").await;
        assert_eq!((status, kind.as_str()), (200, "application/json"), "{path}");
        serde_json::from_slice(&body).unwrap()
    }

    async fn undo(&self, query: &str, revision: u64) -> (u16, Value) {
        let (path, body) = (format!("/v1/zones/home.example/undo{query}"), format!("{{\"revision\": {revision}}}"));
        let (status, _, body) = self.ask(Method::POST, &path, "application/json", &body).await;
        (status, serde_json::from_slice(&body).unwrap())
    }
}

#[tokio::test]
async fn the_history_says_who_when_and_what() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    bench.put(FILE, &ZONE.replace("192.0.2.53", "192.0.2.54")).await;
    bench.put("/v1/zones/other.example/file", ZONE).await;
    let history = bench.look("/v1/zones/home.example/history?limit=1").await;
    let mut change = history["changes"][0].clone();
    let time = change["time"].take();
    let time = time.as_str().unwrap();
    assert!(time.len() == 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    let actor = change["actor"].take();
    assert!(actor.as_str().is_some_and(|actor| !actor.is_empty()), "{actor}");
    let a = |address: &str| serde_json::json!({"ttl": 300, "values": [address]});
    let soa = |serial: u32| {
        let soa = format!("ns.home.example. h.home.example. {serial} 3600 600 86400 300");
        serde_json::json!({"ttl": 300, "values": [soa]})
    };
    let expected = serde_json::json!({
        "revision": 2, "time": null, "actor": null, "from": "here", "items": [], "part_count": 1,
        "zones": [{
            "zone": "home.example", "deed": "changed",
            "serial_before": 5, "serial_after": 6, "added": 0, "altered": 1, "removed": 0, "set_count": 2,
            "sets": [
                {"name": "@", "type": "SOA", "before": soa(5), "after": soa(6)},
                {"name": "ns", "type": "A", "before": a("192.0.2.53"), "after": a("192.0.2.54")},
            ],
        }],
    });
    assert_eq!(change, expected);
    assert_eq!((&history["next"], &history["known_from"]), (&2.into(), &1.into()));
    let older = bench.look("/v1/zones/home.example/history?limit=9&before=2").await;
    assert_eq!((&older["changes"][0]["zones"][0]["deed"], &older["next"]), (&"created".into(), &Value::Null));
    let all: History = serde_json::from_value(bench.look("/v1/history").await).unwrap();
    assert_eq!(all.changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(bench.look("/v1/zones/home.example/history/2").await["zones"], expected["zones"]);
    let (_, kind, diff) = bench.ask(Method::GET, "/v1/zones/home.example/history/2/diff", "", "").await;
    let diff = String::from_utf8(diff).unwrap();
    assert_eq!(kind, "text/plain; charset=utf-8");
    assert!(diff.ends_with("-ns.home.example. 300 IN A 192.0.2.53\n+ns.home.example. 300 IN A 192.0.2.54\n"), "{diff}");
}

#[tokio::test]
async fn a_change_is_taken_back_over_the_api() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    bench.put(FILE, &ZONE.replace("192.0.2.53", "192.0.2.54")).await;
    let (status, tried) = bench.undo("?dry_run=1", 2).await;
    let records = tried["differences"].as_array().unwrap();
    assert_eq!((status, records.len(), &tried["dry_run"]), (200, 4, &true.into()), "{tried}");
    assert_eq!(records[3]["record"], "ns.home.example. 300 IN A 192.0.2.53");
    assert_eq!(bench.store.snapshot().revision, 2);
    let (status, change) = bench.undo("", 2).await;
    assert_eq!((status, &change["revision"], &change["serial_after"]), (200, &3.into(), &7.into()));
    let (status, problem) = bench.undo("", 2).await;
    assert_eq!((status, &problem["type"]), (409, &"/problems/cannot-undo".into()));
    assert_eq!(problem["detail"], "A ns.home.example was changed again since, by revision 3");
    assert_eq!(problem["hint"], "undo revision 3 first, or set the record as it shall be");
    bench.ask(Method::DELETE, "/v1/zones/home.example", "", "").await;
    assert_eq!(bench.look("/v1/zones/home.example/history").await["changes"][0]["zones"][0]["deed"], "deleted");
    let (status, back) = bench.undo("", 4).await;
    assert_eq!((status, &back["serial_before"], &back["serial_after"]), (200, &Value::Null, &8.into()));
}

#[tokio::test]
async fn questions_about_the_past_that_make_no_sense_are_told_why() {
    let bench = Bench::new();
    bench.put(FILE, ZONE).await;
    bench.put("/v1/zones/other.example/file", ZONE).await;
    let (undo, json) = ("/v1/zones/home.example/undo", "application/json");
    for (method, path, kind, body, expected) in [
        (Method::GET, "/v1/zones/none.example/history", "", "", (404, "no-such-zone")),
        (Method::GET, "/v1/zones/home.example/history?limit=0", "", "", (400, "bad-request")),
        (Method::GET, "/v1/zones/home.example/history?limit=501", "", "", (400, "bad-request")),
        (Method::GET, "/v1/history?before=x", "", "", (400, "bad-request")),
        (Method::GET, "/v1/history?after=1", "", "", (400, "bad-request")),
        (Method::GET, "/v1/zones/home.example/history/x", "", "", (400, "bad-request")),
        (Method::GET, "/v1/zones/%ff/history/1", "", "", (400, "bad-request")),
        (Method::GET, "/v1/zones/home.example/history/2", "", "", (404, "no-such-revision")),
        (Method::GET, "/v1/zones/home.example/history/9/diff", "", "", (404, "no-such-revision")),
        (Method::GET, undo, "", "", (405, "method")),
        (Method::POST, undo, "text/plain", "{\"revision\": 1}", (415, "content-type")),
        (Method::POST, undo, json, "", (400, "bad-request")),
        (Method::POST, undo, json, "{\"revision\": -1}", (400, "bad-request")),
        (Method::POST, undo, json, "{\"revision\": 1, \"zone\": 2}", (400, "bad-request")),
        (Method::POST, undo, json, &" ".repeat(BODY_SIZE_MAX + 1), (413, "too-large")),
        (Method::POST, undo, json, "{\"revision\": 0}", (404, "no-such-revision")),
        (Method::POST, undo, json, "{\"revision\": 2}", (404, "no-such-revision")),
        (Method::POST, undo, json, "{\"revision\": 18446744073709551615}", (404, "no-such-revision")),
    ] {
        let (status, kind) = bench.problem(method, path, kind, body).await;
        assert_eq!((status, kind.as_str()), expected, "{path} {}", &body[..body.len().min(40)]);
    }
    assert_eq!(bench.store.snapshot().revision, 2);
}
