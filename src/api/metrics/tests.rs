//! The page as its readers meet it; tests/metrics has the real server and a parser of somebody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;

use axum::http::Method;

use super::super::tests::{Bench, FILE, ZONE};
use super::super::{Hindrance, Live, TEXT_DNS};
use super::*;
use crate::cert::{Attempt, Authority, Story};
use crate::dns::{self, Settings, Sockets};
use crate::store::{Actor, Change, Item, Store};

const MANUAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
/// What stands around the table in the manual.
const MARKS: [&str; 2] = ["<!-- table of metrics -->\n", "<!-- end of the table -->\n"];

/// One family of a page.
#[derive(Debug, Default)]
struct Block {
    name: String,
    kind: String,
    unit: Option<String>,
    help: String,
    /// What stands before the value, and the value.
    samples: Vec<(String, f64)>,
}

impl Block {
    /// As it is asked for.
    fn asked(&self) -> String {
        match self.kind.as_str() {
            "counter" => format!("{}_total", self.name),
            "info" => format!("{}_info", self.name),
            _ => self.name.clone(),
        }
    }

    fn labels(&self) -> BTreeSet<&str> {
        let inside =
            self.samples.iter().filter_map(|(name, _)| Some(name.split_once('{')?.1.strip_suffix('}').unwrap()));
        let keys = inside.flat_map(|labels| labels.split(',').map(|label| label.split_once('=').unwrap().0));
        keys.filter(|key| *key != "le").collect()
    }
}

/// The page of a server that has done a little of everything.
async fn page() -> String {
    let bench = Bench::live(Vec::new());
    bench.put(FILE, ZONE).await;
    let app = r#"{"apps": ["http://127.0.0.1:3000", {"url": "http://127.0.0.1:3001", "drained": true}]}"#;
    bench.ask(Method::PUT, "/v1/routes/app.home.example%2Fa%22b", "application/json", app).await;
    let authority = Authority::new(unix_seconds()).unwrap();
    let names = ["app.home.example".parse().unwrap()];
    let local = authority.issue(&names, unix_seconds(), std::time::Duration::from_secs(86_400)).unwrap();
    let mut story = Story::new(names.to_vec());
    let mut attempt = Attempt::new("https://ca.example/", 1);
    attempt.fail("no", "ask another");
    story.push(attempt);
    story.failures = 1;
    for item in [Item::Certificate(Arc::new(local)), Item::Story(Arc::new(story))] {
        bench.store.commit(Change::PutItem(item), Actor::new("test", "")).await.unwrap();
    }
    bench.ask(Method::GET, "/v1/zones/no.example", "", "").await;
    bench.ask(Method::GET, "/v1/backup", "", "").await;
    bench.ask(Method::from_bytes(b"FROBNICATE").unwrap(), "/v1/zones", TEXT_DNS, "").await;
    let (status, kind, body) = bench.ask(Method::GET, "/metrics", "", "").await;
    assert_eq!((status, kind.as_str()), (200, OPEN_METRICS));
    String::from_utf8(body).unwrap()
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let lines = page.strip_suffix("# EOF\n").expect("it ends with its mark").lines();
    for line in lines {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            blocks.push(Block { name: name.into(), help: help.into(), ..Block::default() });
            continue;
        }
        let block = blocks.last_mut().unwrap();
        let told = |what: &str| line.strip_prefix(&format!("# {what} {} ", block.name)).map(str::to_owned);
        if let Some(kind) = told("TYPE") {
            block.kind = kind;
        } else if let Some(unit) = told("UNIT") {
            block.unit = Some(unit);
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(&block.name), "{line} stands under {}", block.name);
            block.samples.push((name.to_owned(), value.parse().unwrap()));
        }
    }
    blocks
}

#[tokio::test]
async fn every_family_follows_the_conventions() {
    let blocks = blocks(&page().await);
    let mut names = BTreeSet::new();
    for block in &blocks {
        assert!(names.insert(block.name.clone()), "{} is there twice", block.name);
        let rest = block.name.strip_prefix("freehold_").or(block.name.strip_prefix("process_")).expect(&block.name);
        assert!(rest.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'), "{}", block.name);
        assert!(!rest.ends_with("_total") && !rest.ends_with("_info"), "{}", block.name);
        let measures = ["_seconds", "_bytes"].iter().find(|unit| rest.ends_with(**unit));
        assert_eq!(measures.map(|unit| unit[1..].to_owned()), block.unit, "{}", block.name);
        assert!(block.help.ends_with('.') && !block.help.contains(['\\', '|']), "{}", block.help);
        for (sample, value) in &block.samples {
            let name = sample.split('{').next().unwrap();
            let endings: &[&str] = match block.kind.as_str() {
                "counter" => &["_total"],
                "info" => &["_info"],
                "gauge" => &[""],
                "histogram" => &["_sum", "_count", "_bucket"],
                other => panic!("{other}"),
            };
            assert!(endings.contains(&&name[block.name.len()..]), "{sample}");
            assert!(*value >= 0.0, "{sample} {value}");
        }
    }
    assert!(blocks.len() > 50, "{}", blocks.len());
}

#[tokio::test]
async fn buckets_add_up() {
    for block in blocks(&page().await).iter().filter(|block| block.kind == "histogram") {
        let mut buckets: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (sample, value) in block.samples.iter().filter(|(sample, _)| sample.contains("_bucket")) {
            let series = sample.split_once("le=\"").unwrap().1.split_once('"').unwrap().1;
            buckets.entry(series.trim_start_matches(',').trim_end_matches('}').to_owned()).or_default().push(*value);
        }
        let counts = block.samples.iter().filter(|(sample, _)| sample.contains("_count"));
        let counts: Vec<f64> = counts.map(|(_, value)| *value).collect();
        assert_eq!(buckets.len(), counts.len());
        assert!(buckets.values().all(|buckets| buckets.is_sorted() && counts.contains(buckets.last().unwrap())));
    }
}

#[tokio::test]
async fn requests_are_told_by_pattern_and_never_by_what_the_client_wrote() {
    let page = page().await;
    for told in [
        r#"freehold_api_requests_total{route="/v1/zones/{zone}",method="GET",status="4xx"} 1"#,
        r#"freehold_api_requests_total{route="/v1/zones/{zone}/file",method="PUT",status="2xx"} 1"#,
        r#"freehold_api_requests_total{route="/v1/zones",method="other",status="4xx"} 1"#,
        "freehold_api_requests_in_flight 1",
        "freehold_api_backups_total 1",
        "freehold_store_commits_total 4",
        r#"freehold_route_requests_total{route="app.home.example/a\"b",status="2xx"} 0"#,
        r#"freehold_route_state{route="app.home.example/a\"b",answer="none",delegation="right",certificate="local"} 1"#,
        r#"freehold_route_app_up{route="app.home.example/a\"b",app="http://127.0.0.1:3000"} 1"#,
        r#"freehold_route_app_ejections_total{route="app.home.example/a\"b",app="http://127.0.0.1:3000"} 0"#,
        r#"freehold_route_error{route="app.home.example/a\"b"} 1"#,
        r#"freehold_delegation_right{zone="home.example"} 1"#,
        r#"freehold_certificate_warning{certificate="app.home.example"} 0"#,
        r#"freehold_certificate_failures{certificate="app.home.example"} 1"#,
        r#"freehold_edge_requests_total{protocol="http2",status="5xx"} 0"#,
        r#"freehold_edge_requests_total{protocol="http3",status="5xx"} 0"#,
        "freehold_store_records 3",
    ] {
        assert!(page.lines().any(|line| line == told), "{told} is not in {page}");
    }
    assert!(!page.contains("no.example") && !page.contains("FROBNICATE"), "{page}");
}

/// The manual's table is made of the page itself; `UPDATE=1` writes it anew.
#[tokio::test]
async fn the_manual_tells_of_every_metric() {
    let mut table = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for block in blocks(&page().await) {
        let labels: Vec<String> = block.labels().iter().map(|label| format!("`{label}`")).collect();
        table += &format!("| `{}` | {} | {} | {} |\n", block.asked(), block.kind, labels.join(", "), block.help);
    }
    let manual = std::fs::read_to_string(MANUAL).unwrap();
    let (head, rest) = manual.split_once(MARKS[0]).unwrap();
    let (found, tail) = rest.split_once(MARKS[1]).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(MANUAL, [head, MARKS[0], &table, MARKS[1], tail].concat()).unwrap();
    } else {
        assert_eq!(found, table, "UPDATE=1 cargo test --lib api::metrics writes docs/metrics.md anew");
    }
    for asked in tail.split(|c: char| !c.is_ascii_lowercase() && c != '_') {
        let known = |end: &str| table.contains(&format!("`{}`", asked.strip_suffix(end).unwrap_or(asked)));
        let is_metric = asked.starts_with("freehold_") || asked.starts_with("process_");
        assert!(
            !is_metric || known("") || known("_bucket") || known("_sum") || known("_count"),
            "{asked} is not there"
        );
    }
}

// ----- Health -----------------------------------------------------------------------------------------------

impl Bench {
    /// With a name server beside it, and whatever shall hinder it.
    fn live(hindrances: Vec<Hindrance>) -> Self {
        Self::with_live(|store| Self::live_of(store, hindrances))
    }

    /// A server that nothing hinders.
    pub(in crate::api) fn live_of_nothing(store: &Arc<Store>) -> Live {
        Self::live_of(store, Vec::new())
    }

    fn live_of(store: &Arc<Store>, hindrances: Vec<Hindrance>) -> Live {
        let settings = Settings { listen: vec!["127.0.0.1:0".parse().unwrap()], workers: 1, ..Settings::default() };
        let snapshots = std::sync::Arc::new(arc_swap::ArcSwap::default());
        let server = dns::start(Sockets::bind(&settings).unwrap(), &settings, &[0; 16], snapshots).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01", server.addresses()[0]).unwrap();
        client.recv(&mut [0; 512]).unwrap();
        let ready = move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
            Box::pin(std::future::ready(hindrances.clone()))
        };
        let addresses = server.addresses().iter().map(ToString::to_string).collect();
        let (dns, ready) = (server.meter().clone(), std::sync::Arc::new(ready));
        let acme = crate::acme::Lookout::idle(Arc::clone(store));
        let edge = Some(crate::api::LiveEdge {
            meter: Default::default(),
            cache: Default::default(),
            https: Vec::new(),
            board: Default::default(),
            addresses: Default::default(),
        });
        Live { addresses, ourselves: Default::default(), dns, ready, acme, edge }
    }
}

#[tokio::test]
async fn alive_is_whoever_answers_and_ready_whom_nothing_hinders() {
    let bench = Bench::live(Vec::new());
    for path in ["/livez", "/readyz"] {
        let (status, kind, body) = bench.ask(Method::GET, path, "", "").await;
        assert_eq!((status, kind.as_str(), &body[..]), (200, "text/plain; charset=utf-8", &b"ok\n"[..]), "{path}");
        let (status, _, body) = bench.ask(Method::HEAD, path, "", "").await;
        assert_eq!((status, &body[..]), (200, &b""[..]), "HEAD {path}");
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(bench.problem(method, path, "", "").await, (405, "method".into()), "{path}");
        }
        assert_eq!(bench.problem(Method::GET, &format!("{path}?a"), "", "").await, (400, "bad-request".into()));
    }
    let hindrance = |what: &str, cure: &str| Hindrance { what: what.into(), cure: cure.into() };
    let bench = Bench::live(vec![hindrance("no DNS", "mend it"), hindrance("no room", "make some")]);
    let (status, kind, body) = bench.ask(Method::GET, "/readyz", "", "").await;
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, kind.as_str()), (503, "application/problem+json"));
    assert_eq!((&problem["detail"], &problem["hint"]), (&"no DNS; no room".into(), &"mend it; make some".into()));
    assert_eq!(bench.ask(Method::GET, "/livez", "", "").await.0, 200);
    assert_eq!(Bench::new().problem(Method::GET, "/readyz", "", "").await, (503, "not-ready".into()), "no server");
}
