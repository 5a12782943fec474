use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

fn text() -> String {
    String::from_utf8(TEXT.as_ref().unwrap().to_vec()).unwrap()
}

#[test]
fn the_committed_description_is_current() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, text()).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    assert!(
        committed == text(),
        "docs/openapi.json is not current: UPDATE=1 cargo test --lib api::description writes it"
    );
}

#[test]
fn names_are_given_once() {
    let document: Value = serde_json::from_str(&text()).unwrap();
    let mut names = BTreeSet::new();
    for row in ROWS {
        assert!(names.insert(row.name), "two problems {}", row.name);
    }
    let mut names = BTreeSet::new();
    let methods = document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap());
    for (method, operation) in methods {
        let name = format!("{} {}", operation["operationId"], operation["tags"]);
        assert!(names.insert(name.clone()), "two operations {name} {method}");
    }
}
