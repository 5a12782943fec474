//! Every endpoint with every kind of token, right and wrong.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::body::Body;
use axum::http::HeaderValue;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::api::described;
use crate::api::tests::{Bench, FILE, ZONE};
use crate::store::{Change, Item};

pub(super) const JSON: &str = "application/json";
const DNS: &str = "text/dns";

/// What came back.
#[derive(Debug)]
pub(in crate::api) struct Reply {
    pub(in crate::api) status: u16,
    pub(in crate::api) headers: HeaderMap,
    pub(in crate::api) body: Value,
}

impl Reply {
    /// The type of a problem, and the limit that it names.
    pub(super) fn problem(&self) -> (u16, &str, &str) {
        let text = |field: &str| self.body[field].as_str().unwrap_or_default();
        (self.status, text("type").trim_start_matches("/problems/"), text("limit"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request from the network.
pub(in crate::api) struct Ask<'a> {
    pub(in crate::api) method: Method,
    pub(in crate::api) path: &'a str,
    pub(in crate::api) headers: Vec<(&'a str, &'a str)>,
    pub(in crate::api) body: &'a str,
    pub(in crate::api) caller: Caller,
}

pub(in crate::api) fn network(address: &str) -> Caller {
    let (peer, local): (IpAddr, IpAddr) = (address.parse().unwrap(), [127, 0, 0, 1].into());
    Caller::Network { peer, local }
}

impl<'a> Ask<'a> {
    pub(in crate::api) fn new(method: Method, path: &'a str) -> Self {
        let headers = vec![("host", "localhost")];
        Self { method, path, headers, body: "", caller: network("192.0.2.7") }
    }

    pub(in crate::api) fn body(mut self, kind: &'a str, body: &'a str) -> Self {
        self.headers.push(("content-type", kind));
        Self { body, ..self }
    }

    pub(in crate::api) fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(in crate::api) fn from(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    pub(in crate::api) async fn send(self, bench: &Bench, token: &str) -> Reply {
        let mut request = hyper::Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from(self.body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.caller));
        let answer = bench.router().oneshot(request).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Reply { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }
}

impl Bench {
    /// Two zones, and two changes of the first.
    pub(super) async fn with_zones() -> Self {
        let bench = Self::new();
        let more = "_acme-challenge 60 TXT a\nwww 60 A 192.0.2.1\nwww 60 TXT b\nblog 60 CNAME www\n";
        bench.put(FILE, &format!("{ZONE}{more}")).await;
        bench.put("/v1/zones/other.example/file", ZONE).await;
        let set = "/v1/zones/home.example/records";
        for (path, value) in [("www/TXT", "c"), ("_acme-challenge/TXT", "d")] {
            let body = format!(r#"{{"values": ["{value}"]}}"#);
            let (status, ..) = bench.ask(Method::PUT, &format!("{set}/{path}"), JSON, &body).await;
            assert_eq!(status, 200);
        }
        bench
    }

    /// Makes a token; its secret.
    pub(in crate::api) async fn token(&self, name: &str, scope: &str) -> Secret {
        self.token_until(name, scope, None).await
    }

    async fn token_until(&self, name: &str, scope: &str, expires: Option<u64>) -> Secret {
        let secret = crate::api::first_token::new_secret().unwrap();
        let token = Token::new(&secret, name.into(), serde_json::from_str(scope).unwrap(), 0, expires);
        self.store.commit(Change::PutItem(Item::Token(Arc::new(token))), Actor::new("test", "")).await.unwrap();
        secret
    }
}

/// An operation, and who may do it: with a token that may read, write, write in another zone, at some names, some types.
struct Operation {
    method: Method,
    path: &'static str,
    example: &'static str,
    body: (&'static str, &'static str),
    needs: Rights,
    /// The limit that forbids it to a token of another zone, of `_acme-challenge.*`, of the type TXT.
    forbids: [&'static str; 3],
}

const NEW_ZONE: &str = r#"{"name_servers": ["ns.example.net"]}"#;
const ROUTE: &str = r#"{"apps": [{"url": "http://127.0.0.1:3000"}]}"#;
const NAMES: &str = r#"{"names": ["www.home.example"]}"#;
pub(super) const VALUES: &str = r#"{"values": ["x"]}"#;
const CHANGES: &str = r#"{"changes": [{"action": "put", "name": "_acme-challenge", "type": "TXT", "values": ["x"]},
    {"action": "put", "name": "www", "type": "A", "values": ["192.0.2.9"]}]}"#;

#[allow(clippy::too_many_lines, reason = "it is a table")]
fn operations() -> Vec<Operation> {
    let operation = |method: &str, path, example, body, needs, forbids| {
        let method = method.parse().unwrap();
        Operation { method, path, example, body, needs, forbids }
    };
    use Rights::{Admin, Read, Write};
    let none = ("", "");
    let (zone, names, whole) = (["zones", "", ""], ["zones", "names", ""], ["zones", "names", "types"]);
    let free = ["", "", ""];
    let set = "/v1/zones/{zone}/records/{name}/{type}";
    let acme = "/v1/zones/home.example/records/_acme-challenge/TXT?dry_run=1";
    let www = "/v1/zones/home.example/records/www/TXT?dry_run=1";
    let a = "/v1/zones/home.example/records/_acme-challenge/A?dry_run=1";
    vec![
        operation("GET", "/v1/zones", "/v1/zones", none, Read, ["", "", ""]),
        operation("GET", "/v1/zones/{zone}", "/v1/zones/HOME.example", none, Read, zone),
        operation("PUT", "/v1/zones/{zone}", "/v1/zones/new.example?dry_run=1", (JSON, NEW_ZONE), Write, whole),
        operation("DELETE", "/v1/zones/{zone}", "/v1/zones/home.example?dry_run=1", none, Write, whole),
        operation("GET", "/v1/zones/{zone}/file", FILE, none, Read, whole),
        operation("PUT", "/v1/zones/{zone}/file", "/v1/zones/home.example/file?dry_run=1", (DNS, ZONE), Write, whole),
        operation("GET", "/v1/zones/{zone}/records", "/v1/zones/home.example/records", none, Read, zone),
        operation(
            "PATCH",
            "/v1/zones/{zone}/records",
            "/v1/zones/home.example/records?dry_run=1",
            (JSON, CHANGES),
            Write,
            whole,
        ),
        operation("GET", set, "/v1/zones/home.example/records/_acme-challenge/TXT", none, Read, zone),
        operation("GET", set, "/v1/zones/home.example/records/www/TXT", none, Read, names),
        operation("GET", set, "/v1/zones/home.example/records/_acme-challenge/A", none, Read, ["zones", "", "types"]),
        operation("PUT", set, acme, (JSON, VALUES), Write, zone),
        operation("PUT", set, www, (JSON, VALUES), Write, names),
        operation("PUT", set, a, (JSON, VALUES), Write, ["zones", "", "types"]),
        operation("POST", set, acme, (JSON, VALUES), Write, zone),
        operation("POST", set, www, (JSON, VALUES), Write, names),
        operation("DELETE", set, acme, none, Write, zone),
        operation("DELETE", set, www, none, Write, names),
        operation("GET", "/v1/zones/{zone}/history", "/v1/zones/home.example/history", none, Read, whole),
        operation("GET", "/v1/zones/{zone}/history/{revision}", "/v1/zones/home.example/history/4", none, Read, zone),
        operation("GET", "/v1/zones/{zone}/history/{revision}", "/v1/zones/home.example/history/3", none, Read, names),
        operation("GET", "/v1/zones/{zone}/history/{revision}", "/v1/zones/home.example/history/1", none, Read, whole),
        operation(
            "GET",
            "/v1/zones/{zone}/history/{revision}/diff",
            "/v1/zones/home.example/history/3/diff",
            none,
            Read,
            names,
        ),
        operation(
            "POST",
            "/v1/zones/{zone}/undo",
            "/v1/zones/home.example/undo?dry_run=1",
            (JSON, r#"{"revision": 4}"#),
            Write,
            zone,
        ),
        operation(
            "POST",
            "/v1/zones/{zone}/undo",
            "/v1/zones/home.example/undo?dry_run=1",
            (JSON, r#"{"revision": 3}"#),
            Write,
            names,
        ),
        operation(
            "POST",
            "/v1/zones/{zone}/undo",
            "/v1/zones/home.example/undo?dry_run=1",
            (JSON, r#"{"revision": 1}"#),
            Write,
            whole,
        ),
        operation("GET", "/v1/history", "/v1/history", none, Read, whole),
        operation("GET", "/v1/status", "/v1/status", none, Read, ["", "", ""]),
        operation("GET", "/metrics", "/metrics", none, Read, ["", "", ""]),
        operation("GET", "/v1/backup", "/v1/backup", none, Admin, ["rights"; 3]),
        operation("GET", "/v1/routes", "/v1/routes", none, Read, free),
        operation("POST", "/v1/routes/{id}/test", "/v1/routes/app.home.example/test", none, Write, whole),
        operation("GET", "/v1/routes/{id}", "/v1/routes/app.home.example", none, Read, whole),
        operation("PUT", "/v1/routes/{id}", "/v1/routes/app.home.example?dry_run=1", (JSON, ROUTE), Write, whole),
        operation("PUT", "/v1/routes/{id}", "/v1/routes/app.none.example?dry_run=1", (JSON, ROUTE), Write, whole),
        operation("DELETE", "/v1/routes/{id}", "/v1/routes/app.home.example%2Fapi?dry_run=1", none, Write, whole),
        operation("DELETE", "/v1/routes/{id}/cache", "/v1/routes/app.home.example/cache", none, Write, whole),
        operation("GET", "/v1/certificates", "/v1/certificates", none, Read, free),
        operation("POST", "/v1/certificates", "/v1/certificates", (JSON, NAMES), Write, whole),
        operation("GET", "/v1/certificates/{name}", "/v1/certificates/www.home.example", none, Read, whole),
        operation("GET", "/v1/certificates/{name}/chain", "/v1/certificates/none.example/chain", none, Read, free),
        operation(
            "GET",
            "/v1/certificates/{name}/key",
            "/v1/certificates/none.example/key",
            none,
            Admin,
            ["rights"; 3],
        ),
        operation("DELETE", "/v1/certificates/{name}", "/v1/certificates/none.example", none, Write, free),
        operation(
            "POST",
            "/v1/certificates/{name}/renewal",
            "/v1/certificates/www.home.example/renewal",
            none,
            Write,
            whole,
        ),
        operation(
            "POST",
            "/v1/certificate-imports",
            "/v1/certificate-imports",
            (JSON, r#"{"chain": "", "key": ""}"#),
            Write,
            free, // for which names, only the certificate says
        ),
        operation("GET", "/v1/authority", "/v1/authority", none, Read, free),
        operation("GET", "/v1/tokens", "/v1/tokens", none, Admin, ["rights"; 3]),
        operation(
            "POST",
            "/v1/tokens",
            "/v1/tokens",
            (JSON, r#"{"name": "", "rights": "read"}"#),
            Admin,
            ["rights"; 3],
        ),
        operation("GET", "/v1/tokens/{id}", "/v1/tokens/0", none, Admin, ["rights"; 3]),
        operation("DELETE", "/v1/tokens/{id}", "/v1/tokens/0", none, Admin, ["rights"; 3]),
    ]
}

impl Operation {
    async fn ask(&self, bench: &Bench, token: &str, from: &str) -> Reply {
        let (kind, body) = self.body;
        let ask = Ask::new(self.method.clone(), self.example).from(network(from));
        let ask = if kind.is_empty() { ask } else { ask.body(kind, body) };
        ask.send(bench, token).await
    }
}

/// The tokens of the matrix, and for each: the limit that forbids an operation, nothing, or no token at all.
#[tokio::test]
async fn every_endpoint_with_every_token() {
    let bench = Bench::with_zones().await;
    let all = async |rights: &str| bench.token(rights, &format!(r#"{{"rights":"{rights}"}}"#)).await.reveal();
    let (read, write, admin) = (all("read").await, all("write").await, all("admin").await);
    let narrow =
        async |name: &str, limit: &str| bench.token(name, &format!(r#"{{"rights":"write",{limit}}}"#)).await.reveal();
    let zone = narrow("zone", r#""zones":["other.example"]"#).await;
    let names = narrow("names", r#""names":["_acme-challenge.*"]"#).await;
    let types = narrow("types", r#""types":["TXT"]"#).await;
    let away = bench.token("away", r#"{"rights":"admin","networks":["198.51.100.0/24"]}"#).await.reveal();
    let expired = bench.token_until("expired", r#"{"rights":"admin"}"#, Some(1)).await.reveal();
    let unheard_of = crate::api::first_token::new_secret().unwrap().reveal();
    let wrong = format!("{}{}", &admin[..admin.len() - 43], &unheard_of[unheard_of.len() - 43..]);
    for (number, operation) in operations().iter().enumerate() {
        let about = format!("{} {}", operation.method, operation.example);
        let from = format!("192.0.2.{number}"); // wrong tokens are counted by where they come from
        let reply = async |token: &str| operation.ask(&bench, token, &from).await;
        assert_eq!(reply("").await.problem(), (401, "no-token", ""), "{about}");
        for bad in ["x", &unheard_of, &wrong, &expired] {
            let reply = reply(bad).await;
            assert_eq!(reply.problem(), (401, "bad-token", ""), "{about} {bad}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"freehold\", error=\"invalid_token\"");
        }
        assert_eq!(reply(&away).await.problem(), (403, "forbidden", "networks"), "{about}");
        let [by_zone, by_name, by_type] = operation.forbids;
        let rights = |held| if held < operation.needs { "rights" } else { "" };
        for (token, limit) in [
            (&read, rights(Rights::Read)),
            (&write, rights(Rights::Write)),
            (&admin, ""),
            (&zone, by_zone),
            (&names, by_name),
            (&types, by_type),
        ] {
            let reply = reply(token).await;
            match limit {
                "" => assert!(![401, 403, 429, 500].contains(&reply.status), "{about}: {reply:?}"),
                limit => assert_eq!(reply.problem(), (403, "forbidden", limit), "{about}: {reply:?}"),
            }
        }
    }
    assert_eq!(bench.store.snapshot().zones.len(), 2, "all of it was tried only");
}

/// An endpoint that nobody has thought of here is a fault.
#[test]
fn the_matrix_has_every_operation_that_needs_a_token() {
    let described = serde_json::to_value(described()).unwrap();
    let mut expected = BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            match operation.get("security") {
                None => drop(expected.insert((method.to_uppercase(), path.clone()))),
                Some(security) => assert_eq!(security, &json!([{}]), "{path}"),
            }
        }
    }
    let known =
        operations().iter().map(|operation| (operation.method.to_string(), operation.path.to_owned())).collect();
    assert_eq!(expected, known);
}

#[tokio::test]
async fn what_needs_no_token_is_open() {
    let bench = Bench::new();
    for (path, status) in [("/v1/openapi.json", 200), ("/v1/", 200), ("/livez", 200), ("/readyz", 503)] {
        assert_eq!(Ask::new(Method::GET, path).send(&bench, "").await.status, status, "{path}");
    }
    assert_eq!(Ask::new(Method::GET, "/v1/nothing").send(&bench, "").await.status, 404);
    assert_eq!(Ask::new(Method::POST, "/v1/status").send(&bench, "").await.status, 405);
}

#[tokio::test]
async fn a_revoked_token_is_worth_nothing_at_once() {
    let bench = Bench::new();
    let secret = bench.token("ci", r#"{"rights":"admin"}"#).await;
    let status = async || Ask::new(Method::GET, "/v1/status").send(&bench, &secret.reveal()).await.status;
    assert_eq!(status().await, 200);
    let path = format!("/v1/tokens/{}", secret.id());
    let revoked = Ask::new(Method::DELETE, &path).send(&bench, &secret.reveal()).await;
    assert_eq!((revoked.status, &revoked.body["name"]), (200, &json!("ci")));
    assert_eq!(status().await, 401);
}

/// Root may do everything; with a token no more than it.
#[tokio::test]
async fn over_the_socket_a_token_only_takes_away() {
    let bench = Bench::with_zones().await;
    let socket = || Caller::socket(0);
    let read = bench.token("reader", r#"{"rights":"read"}"#).await.reveal();
    let delete = async |token: &str| {
        let ask = Ask::new(Method::DELETE, "/v1/zones/home.example?dry_run=1").from(socket());
        ask.send(&bench, token).await.status
    };
    assert_eq!((delete("").await, delete(&read).await, delete("x").await), (200, 403, 401));
    let basic = Ask::new(Method::GET, "/v1/status").from(socket()).header("authorization", "Basic cm9vdDo=");
    assert_eq!(basic.send(&bench, "").await.status, 401);
}

#[tokio::test]
async fn the_history_names_the_token_and_where_it_was_used() {
    let bench = Bench::with_zones().await;
    let token = bench.token("ci-deploy", r#"{"rights":"write"}"#).await.reveal();
    let put = Ask::new(Method::PUT, "/v1/zones/home.example/records/new/TXT").body(JSON, VALUES);
    assert_eq!(put.from(network("::ffff:192.0.2.7")).send(&bench, &token).await.status, 201);
    let history = Ask::new(Method::GET, "/v1/zones/home.example/history?limit=1").send(&bench, &token).await.body;
    let change = &history["changes"][0];
    assert_eq!((&change["actor"], &change["from"]), (&json!("token ci-deploy"), &json!("192.0.2.7")));
}

// ----- What a narrow token sees ---------------------------------------------------------------------------

#[tokio::test]
async fn wrong_tokens_are_slowed_and_right_ones_are_not() {
    let bench = Bench::new();
    let valid = bench.token("ci", r#"{"rights":"read"}"#).await.reveal();
    let ask = async |token: &str, from: &str| {
        Ask::new(Method::GET, "/v1/status").from(network(from)).send(&bench, token).await
    };
    let other = bench.token("gone", r#"{"rights":"read"}"#).await;
    let key = crate::store::ItemKey::new(crate::store::Shelf::Token, other.id());
    bench.store.commit(Change::DeleteItem(key), Actor::new("test", "")).await.unwrap();
    let revoked = other.reveal();
    for _ in 0..10 {
        assert_eq!(ask(&revoked, "2001:db8::1").await.status, 401);
    }
    let slowed = ask(&revoked, "2001:db8::ffff:1").await;
    assert_eq!(slowed.problem(), (429, "too-many-guesses", ""));
    let seconds: u64 = slowed.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&seconds) && slowed.body["retry_after_seconds"] == json!(seconds), "{slowed:?}");
    assert_eq!(ask("x", "2001:db8::2").await.status, 429, "whatever it is");
    assert_eq!(ask(&valid, "2001:db8::1").await.status, 200, "a token that is there is no guess");
    assert_eq!(ask(&revoked, "2001:db8:0:1::1").await.status, 401, "another network");
    assert_eq!(ask("", "2001:db8::1").await.status, 401, "none at all is no guess");

    // The secret of a token that is there is guessed as slowly, and nobody else is slowed by it.
    let guess = format!("{}{}", &valid[..valid.len() - 43], &revoked[revoked.len() - 43..]);
    for _ in 0..10 {
        assert_eq!(ask(&guess, "192.0.2.1").await.status, 401);
    }
    assert_eq!((ask(&guess, "192.0.2.1").await.status, ask(&valid, "192.0.2.1").await.status), (429, 429));
    assert_eq!(ask(&valid, "192.0.2.2").await.status, 200);
    let mut socket = Vec::new();
    for _ in 0..12 {
        socket.push(Ask::new(Method::GET, "/v1/status").from(Caller::socket(0)).send(&bench, "x").await.status);
    }
    assert_eq!(socket, [401; 12], "whoever has the socket needs no guess");
}

#[test]
fn the_header_is_read_as_rfc_6750_says() {
    let read = |texts: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(text));
        }
        bearer(&headers).map_err(|problem| problem.status)
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&["Bearer x"]), Ok(Some("x".into())));
    assert_eq!(read(&["bEARER  x "]), Ok(Some("x".into())));
    for wrong in [&["Bearer"][..], &["Basic x"], &["x"], &[""], &["Bearer x", "Bearer x"], &["Bearer x", "Basic y"]] {
        assert_eq!(read(wrong), Err(401), "{wrong:?}");
    }
}
