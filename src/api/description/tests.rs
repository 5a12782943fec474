//! The description against the committed file, against its own examples, and against those rules of OpenAPI 3.1 that can be
//! told without the schema of the specification (`tests/api/schemathesis` takes that one too).

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

fn text() -> String {
    String::from_utf8(TEXT.as_ref().unwrap().to_vec()).unwrap()
}

fn document() -> Value {
    serde_json::from_str(&text()).unwrap()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, member)| (name.as_str(), member))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Calls `visit` with each object in a document, from the outside in.
fn each<'d>(value: &'d Value, visit: &mut dyn FnMut(&'d Value)) {
    visit(value);
    members(value).for_each(|(_, member)| each(member, visit));
    items(value).for_each(|item| each(item, visit));
}

#[test]
fn the_committed_description_is_current() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, text()).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    let cure = "docs/openapi.json is not current: UPDATE=1 cargo test --lib api::description writes it";
    assert!(committed == text(), "{cure}");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = 0;
    each(&document, &mut |object| {
        if let Some(reference) = object["$ref"].as_str() {
            references += 1;
            let place = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    });
    assert!(references > 100, "{references}");
}

#[test]
fn every_operation_is_told_in_full() {
    let document = document();
    let tags: Vec<&Value> = items(&document["tags"]).map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            let told = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{told}: another has this operationId");
            let summary = operation["summary"].as_str().unwrap();
            assert!(summary.len() <= 40 && !summary.ends_with('.'), "{told}: {summary}");
            assert!(items(&operation["tags"]).all(|tag| tags.contains(&tag)), "{told}: a tag that is not told of");
            let filled: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let in_path = items(&operation["parameters"]).filter(|parameter| parameter["in"] == "path");
            assert_eq!(
                in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect::<BTreeSet<_>>(),
                filled,
                "{told}"
            );
            for parameter in items(&operation["parameters"]) {
                let described = parameter["description"].as_str().is_some_and(|text| text.ends_with('.'));
                assert!(described && parameter["schema"].is_object(), "{told}: {parameter}");
            }
            for (status, answer) in members(&operation["responses"]) {
                let told_of = answer["$ref"].is_string()
                    || answer["description"].as_str().is_some_and(|text| text.ends_with('.'));
                assert!(told_of && status.len() == 3, "{told}: {status} {answer}");
            }
        }
    }
}

#[test]
fn only_these_need_no_token() {
    let document = document();
    let mut open = Vec::new();
    for (path, methods) in members(&document["paths"]) {
        open.extend(members(methods).filter(|(_, one)| one["security"].is_array()).map(|(method, _)| (method, path)));
    }
    assert_eq!(document["security"], serde_json::json!([{"token": []}]));
    assert_eq!(open, [("get", "/livez"), ("get", "/readyz"), ("get", "/v1/openapi.json")]);
}

#[test]
fn every_field_has_its_meaning() {
    let document = document();
    for (name, schema) in members(&document["components"]["schemas"]) {
        assert!(schema["description"].is_string(), "{name}");
        for (field, told) in members(&schema["properties"]) {
            let within = &told["oneOf"][0]["description"];
            let text = told["description"].as_str().or(within.as_str()).unwrap_or_default();
            assert!(text.ends_with('.'), "{name}.{field}: {text:?}");
            assert!(!text.contains("[`"), "{name}.{field} links into the code: {text}");
        }
    }
}

#[test]
fn every_example_fits_its_schema() {
    let document = document();
    let mut examples = 0;
    each(&document, &mut |object| {
        let schema = object.get("schema").unwrap_or(object);
        for example in items(&object["examples"]).chain(object.get("example")) {
            examples += 1;
            if let Some(misfit) = misfit(&document, schema, example) {
                panic!("{misfit}\n{example}\nin {object}");
            }
        }
    });
    assert!(examples > 80, "{examples}");
}

/// Why a value does not fit a schema, as far as our schemas go.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return misfit(document, document.pointer(&reference[1..]).unwrap(), value);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let fits = any.iter().any(|one| misfit(document, one, value).is_none());
        return (!fits).then(|| "it is none of these".to_owned());
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !(schema["type"] == kind || items(&schema["type"]).any(|one| one == kind) || schema["type"].is_null()) {
        return Some(format!("{kind} instead of {}", schema["type"]));
    }
    if schema["enum"].is_array() && !items(&schema["enum"]).any(|one| one == value) {
        return Some(format!("{value} is none of {}", schema["enum"]));
    }
    let beyond = |limit: &str, ordering| {
        let of = |value: &Value| value.as_f64();
        of(value).zip(of(&schema[limit])).is_some_and(|(value, limit)| value.partial_cmp(&limit) == Some(ordering))
    };
    if beyond("minimum", std::cmp::Ordering::Less) || beyond("maximum", std::cmp::Ordering::Greater) {
        return Some(format!("{value} is out of its range"));
    }
    let missing = items(&schema["required"]).find(|name| value.get(name.as_str().unwrap()).is_none());
    if let Some(name) = missing {
        return Some(format!("{name} is missing"));
    }
    let of_items = items(value).find_map(|item| misfit(document, &schema["items"], item));
    of_items.or_else(|| {
        members(value).find_map(|(name, member)| match schema["properties"].get(name) {
            Some(field) => misfit(document, field, member),
            None => Some(format!("there is no {name}")),
        })
    })
}

#[test]
fn every_problem_is_named_once_and_told() {
    let mut names = BTreeSet::new();
    for row in ROWS {
        assert!(names.insert(row.name), "two problems {}", row.name);
        assert!(row.status.is_client_error() || row.status.is_server_error(), "{}", row.name);
        assert!(row.when.ends_with('.') && !row.title.ends_with('.'), "{}", row.name);
    }
    let document = document();
    for (name, answer) in members(&document["components"]["responses"]) {
        let narrowed = &answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"];
        let types: Vec<_> =
            items(&narrowed["type"]["enum"]).map(|one| one.as_str().unwrap().replace("/problems/", "")).collect();
        assert_eq!(types.join("."), name);
    }
}
