//! Schemas in words and by example.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::markdown::{escape, inline};

/// The schemas that others refer to, by name.
pub(super) struct Schemas<'d>(pub(super) &'d Map<String, Value>);

/// Types within types that an example follows; ours go three deep.
const DEPTH_MAX: usize = 8;

impl<'d> Schemas<'d> {
    /// What a schema refers to, or itself.
    pub(super) fn resolve(&self, schema: &'d Value) -> &'d Value {
        name(schema).and_then(|name| self.0.get(name)).unwrap_or(schema)
    }

    /// An example that fits the schema: its own, or one made of those of its parts.
    pub(super) fn example(&self, schema: &'d Value) -> Value {
        self.example_within(schema, DEPTH_MAX)
    }

    fn example_within(&self, schema: &'d Value, depth: usize) -> Value {
        let schema = self.resolve(schema);
        if let Some(own) = schema["examples"].get(0).or(schema["enum"].get(0)) {
            return own.clone();
        }
        if depth == 0 {
            return Value::Null;
        }
        if let Some(items) = schema.get("items") {
            return Value::Array(vec![self.example_within(items, depth - 1)]);
        }
        if let Some(first) = schema["oneOf"].get(0).or(schema["allOf"].get(0)) {
            return self.example_within(first, depth - 1);
        }
        match schema["properties"].as_object() {
            Some(fields) => {
                fields.iter().map(|(name, field)| (name.clone(), self.example_within(field, depth - 1))).collect()
            }
            None => Value::Null,
        }
    }

    /// The fields of an object, each with its type, range and meaning.
    pub(super) fn fields(&self, schema: &'d Value) -> String {
        let schema = self.resolve(schema);
        let is_required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let mut html = String::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let mark = if is_required(name) { "<span class=mark>required</span>" } else { "" };
            html += &row(name, &words(field), mark, self.description(field));
        }
        html
    }

    fn description(&self, field: &'d Value) -> &'d str {
        let within = field["oneOf"].get(0).unwrap_or(&Value::Null);
        field["description"].as_str().or(within["description"].as_str()).unwrap_or_default()
    }
}

/// One field or parameter.
pub(super) fn row(name: &str, kind: &str, mark: &str, description: &str) -> String {
    format!(
        "<div class=row><dt><code>{}</code> <span class=kind>{kind}</span>{mark}</dt><dd>{}</dd></div>",
        escape(name),
        inline(description)
    )
}

/// The name of the schema that this one refers to.
pub(super) fn name(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// A schema in words, as `integer, 1 to 1000`.
pub(super) fn words(schema: &Value) -> String {
    if let Some(name) = name(schema) {
        return format!("<a href=\"#type-{name}\">{name}</a>");
    }
    if let Some(any) = schema["oneOf"].as_array() {
        return any.iter().map(words).collect::<Vec<_>>().join(" or ");
    }
    if let Some(first) = schema["allOf"].get(0) {
        return words(first);
    }
    if let Some(items) = schema.get("items") {
        let least = if schema["minItems"] == 1 { ", at least one" } else { "" };
        let many = if name(items).is_some() { "" } else { "s" };
        return format!("list of {}{many}{least}", words(items));
    }
    if let Some(values) = schema["enum"].as_array() {
        let value = |value: &Value| format!("<code>{}</code>", escape(&plain(value)));
        return values.iter().map(value).collect::<Vec<_>>().join(" · ");
    }
    let mut words = match schema["type"].as_array() {
        Some(any) => any.iter().map(plain).collect::<Vec<_>>().join(" or "),
        None => plain(&schema["type"]),
    };
    let (least, most) = (&schema["minimum"], &schema["maximum"]);
    let _ = match (least.is_null(), most.is_null()) {
        (false, false) => write!(words, ", {} to {}", grouped(least), grouped(most)),
        (false, true) if *least != 0 => write!(words, ", from {}", grouped(least)),
        (true, false) => write!(words, ", up to {}", grouped(most)),
        (true, true) | (false, true) => Ok(()),
    };
    if let Some(format) = schema["format"].as_str().filter(|format| !format.starts_with("uint")) {
        let _ = write!(words, ", {}", escape(format));
    }
    if !schema["default"].is_null() {
        let _ = write!(words, ", default <code>{}</code>", escape(&plain(&schema["default"])));
    }
    words
}

/// A value without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number with its thousands apart: 2,147,483,647.
fn grouped(number: &Value) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// JSON as HTML, in lines, with its parts told apart by colour.
pub(super) fn coloured(value: &Value) -> String {
    let mut html = String::new();
    colour(value, 0, &mut html);
    html
}

fn colour(value: &Value, depth: usize, html: &mut String) {
    let indent = "  ".repeat(depth + 1);
    let close = "  ".repeat(depth);
    let _ = match value {
        Value::Object(fields) if !fields.is_empty() => {
            html.push('{');
            for (number, (name, field)) in fields.iter().enumerate() {
                let comma = if number == 0 { "" } else { "," };
                let name = escape(&Value::from(name.as_str()).to_string());
                let _ = write!(html, "{comma}\n{indent}<i class=n>{name}</i>: ");
                colour(field, depth + 1, html);
            }
            write!(html, "\n{close}}}")
        }
        Value::Array(items) if items.iter().any(|item| item.is_object()) => {
            html.push('[');
            for (number, item) in items.iter().enumerate() {
                let comma = if number == 0 { "" } else { "," };
                let _ = write!(html, "{comma}\n{indent}");
                colour(item, depth + 1, html);
            }
            write!(html, "\n{close}]")
        }
        Value::Array(items) => {
            html.push('[');
            for (number, item) in items.iter().enumerate() {
                html.push_str(if number == 0 { "" } else { ", " });
                colour(item, depth + 1, html);
            }
            html.write_char(']')
        }
        Value::String(_) => write!(html, "<i class=s>{}</i>", escape(&value.to_string())),
        Value::Number(_) | Value::Bool(_) | Value::Null => write!(html, "<i class=l>{value}</i>"),
        Value::Object(_) => write!(html, "{{}}"),
    };
}
