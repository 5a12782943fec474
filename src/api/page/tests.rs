use std::collections::BTreeSet;

use hyper::Method;

use super::*;
use crate::api::tests::Bench;

async fn fetch(path: &str) -> (u16, Vec<(String, String)>, String) {
    use http_body_util::{BodyExt, Full};
    let question = hyper::Request::builder().method(Method::GET).uri(path).body(Full::default()).unwrap();
    let answer = Bench::new().here.answer(question).await;
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let status = answer.status().as_u16();
    (status, headers, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

/// What stands between `before` and the next quote, each time.
fn all<'p>(page: &'p str, before: &str) -> Vec<&'p str> {
    page.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_page_tells_every_operation_problem_and_type() {
    let (status, _, page) = fetch("/v1/").await;
    assert_eq!(status, 200);
    let document = serde_json::to_value(crate::api::described()).unwrap();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        let (id, summary) = (operation["operationId"].as_str().unwrap(), operation["summary"].as_str().unwrap());
        assert!(page.contains(&format!("<article id=\"{id}\">")) && page.contains(&escape(summary)), "{id}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<article id=\"type-{name}\">")), "{name}");
    }
    for row in ROWS {
        assert!(page.contains(&format!("id=\"problem-{}\"", row.name)), "{}", row.name);
    }
}

#[tokio::test]
async fn every_link_of_the_page_leads_somewhere() {
    let (_, _, page) = fetch("/v1/").await;
    let places = all(&page, " id=\"");
    let known: BTreeSet<&str> = places.iter().copied().chain(page.split(" id=").skip(1).filter_map(plain_id)).collect();
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), places.len(), "an id is there twice");
    for link in all(&page, "<a href=\"").into_iter().filter(|link| *link != "#") {
        match link.strip_prefix('#') {
            Some(place) => assert!(known.contains(place), "nothing is called {link}"),
            None => assert_eq!(fetch(link).await.0, 200, "{link}"),
        }
    }
}

/// The value of an attribute without quotes.
fn plain_id(rest: &str) -> Option<&str> {
    rest.split(['>', ' ']).next().filter(|id| !id.starts_with('"'))
}

/// The browser is told to take nothing but this text, so whatever got into it could not run or call out.
#[tokio::test]
async fn the_page_brings_all_it_needs_and_runs_nothing() {
    let (_, headers, page) = fetch("/v1/").await;
    assert_eq!(header(&headers, "content-type"), "text/html; charset=utf-8");
    let policy = header(&headers, "content-security-policy");
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&format!("'sha256-{hash}'")), "{policy}");
    for never in ["<script", "javascript:", "style=", "src=", "@import", "url(", " onclick"] {
        assert!(!page.contains(never), "{never}");
    }
}

#[tokio::test]
async fn people_are_led_to_the_page() {
    for (path, expected) in [("/", "/v1/"), ("/v1", "/v1/"), ("/problems/no-such-zone", "/v1/#problem-no-such-zone")] {
        let (status, headers, _) = fetch(path).await;
        assert_eq!((status, header(&headers, "location")), (303, expected), "{path}");
    }
    assert_eq!(fetch("/problems/none").await.0, 404);
}

#[test]
fn calls_are_commands_that_a_shell_takes() {
    let text = PAGE.as_ref().unwrap().text.clone();
    let page = String::from_utf8(text.to_vec()).unwrap();
    let put = page.split_once("<article id=\"putRecordSet\">").unwrap().1;
    let call = put.split_once("<pre><code>").unwrap().1.split_once("</code>").unwrap().0;
    let words: String = call.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let expected = r#"curl -X PUT \
  -H "Authorization: Bearer $TOKEN" \
  -H 'Content-Type: application/json' \
  -d '{&quot;ttl&quot;: 300, &quot;values&quot;: [&quot;192.0.2.10&quot;]}' \
  $URL/v1/zones/home.example/records/www/A"#;
    assert_eq!(words.replace("&quot;", "\""), expected.replace("&quot;", "\""));
}
