//! One operation as it stands on the page: what it takes and gives in words, and a call to copy beside it.

use std::fmt::Write;

use serde_json::Value;

use super::markdown::{escape, html, inline};
use super::schema::{Schemas, coloured, name, plain, row, words};

/// Letters of JSON that stand on one line of a command.
const LINE_MAX: usize = 48;

/// An operation, with what it refers to.
pub(super) struct Operation<'d> {
    pub(super) method: &'d str,
    pub(super) path: &'d str,
    pub(super) told: &'d Value,
    pub(super) schemas: &'d Schemas<'d>,
}

impl<'d> Operation<'d> {
    /// What it is called in addresses.
    pub(super) fn id(&self) -> &'d str {
        self.told["operationId"].as_str().unwrap_or_default()
    }

    /// What it does, in a line.
    pub(super) fn summary(&self) -> &'d str {
        self.told["summary"].as_str().unwrap_or_default()
    }

    /// Its line in the list of all.
    pub(super) fn link(&self) -> String {
        let method = self.method;
        let word = if method == "delete" { "del" } else { method };
        format!("<li><a href=\"#{}\">{}<b class=\"m {method}\">{word}</b></a>", self.id(), escape(self.summary()))
    }

    /// All of it.
    pub(super) fn article(&self) -> String {
        let (id, method) = (self.id(), self.method);
        let mut text = format!("<article id=\"{id}\"><div class=words><h3>{}</h3>", self.title());
        let _ = write!(text, "<p class=path><b class=\"m {method}\">{method}</b> <code>{}</code></p>", self.parts());
        text += &html(self.told["description"].as_str().unwrap_or_default());
        text += &self.parameters();
        text += &self.body();
        text += &self.outcomes();
        let _ = write!(text, "</div><div class=sample>{}</div></article>", self.sample());
        text
    }

    fn title(&self) -> String {
        format!("<a href=\"#{}\">{}</a>", self.id(), escape(self.summary()))
    }

    /// The path, with what is to be filled in marked.
    fn parts(&self) -> String {
        let part = |part: &str| match part.starts_with('{') {
            true => format!("<var>{}</var>", escape(part)),
            false => escape(part),
        };
        self.path.split('/').map(part).collect::<Vec<_>>().join("/<wbr>")
    }

    fn parameters(&self) -> String {
        let mut rows = String::new();
        for parameter in self.told["parameters"].as_array().into_iter().flatten() {
            let place = plain(&parameter["in"]);
            let mark = format!("<span class=\"mark quiet\">{place}</span>");
            let description = parameter["description"].as_str().unwrap_or_default();
            rows += &row(&plain(&parameter["name"]), &words(&parameter["schema"]), &mark, description);
        }
        section("Takes", &rows)
    }

    fn body(&self) -> String {
        let body = &self.told["requestBody"];
        let Some((kind, content)) = first(&body["content"]) else { return String::new() };
        let fields = self.schemas.fields(&content["schema"]);
        let told = inline(body["description"].as_str().unwrap_or_default());
        let told = if fields.is_empty() { format!("<div class=row><dd>{told}</dd></div>") } else { fields };
        section(&format!("Body <code>{}</code>", escape(kind)), &told)
    }

    /// Every status it can answer with. What succeeds is told in full, problems by their names.
    fn outcomes(&self) -> String {
        let (mut rows, mut problems) = (String::new(), String::new());
        for (status, answer) in self.told["responses"].as_object().into_iter().flatten() {
            let family = status.chars().next().unwrap_or('0');
            let status = format!("<span class=\"status s{family}\">{status}</span>");
            match name(answer) {
                Some(names) => {
                    for name in names.split('.') {
                        let _ = write!(problems, "<a href=\"#problem-{name}\">{status} {name}</a> ");
                    }
                }
                None => {
                    let _ = write!(rows, "<div class=row><dt>{status}</dt><dd>{}</dd></div>", self.success(answer));
                }
            }
        }
        format!("<h4>Answers</h4><dl class=answers>{rows}</dl><p class=problems>{problems}</p>")
    }

    fn success(&self, answer: &Value) -> String {
        let mut told = inline(answer["description"].as_str().unwrap_or_default());
        if let Some((kind, content)) = first(&answer["content"]) {
            let what = if name(&content["schema"]).is_some() { words(&content["schema"]) } else { escape(kind) };
            let _ = write!(told, " <span class=kind>{what}</span>");
        }
        for header in answer["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let _ = write!(told, " <span class=\"mark quiet\">{}</span>", escape(header));
        }
        told
    }

    /// A call, and what comes back.
    fn sample(&self) -> String {
        let mut text = figure("Call", &self.call());
        if let Some(Value::String(file)) = first(&self.told["requestBody"]["content"]).map(|(_, body)| &body["example"])
        {
            text += &figure("home.example.zone", &escape(file.trim_end()));
        }
        let answers = self.told["responses"].as_object().into_iter().flatten();
        for (status, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
            let Some((_, content)) = first(&answer["content"]) else { continue };
            let example = match content.get("example") {
                Some(Value::String(lines)) => escape(lines.trim_end()),
                Some(example) => coloured(example),
                None if content.get("schema").is_none() => continue,
                None => coloured(&self.schemas.example(&content["schema"])),
            };
            if example == coloured(&Value::Null) {
                continue;
            }
            text += &figure(&format!("Answer {status}"), &example);
            break;
        }
        text
    }

    /// The call as a command for a shell.
    fn call(&self) -> String {
        let mut lines = vec![match self.method {
            "get" => "curl".to_owned(),
            method => format!("curl -X {}", method.to_uppercase()),
        }];
        if self.told["security"].get(0).is_none_or(|first| first.as_object().is_none_or(|first| !first.is_empty())) {
            lines.push("-H <i class=s>\"Authorization: Bearer $TOKEN\"</i>".to_owned());
        }
        if let Some((kind, content)) = first(&self.told["requestBody"]["content"]) {
            lines.push(format!("-H <i class=s>'Content-Type: {}'</i>", escape(kind)));
            lines.push(match content["example"].is_string() {
                true => "--data-binary <i class=s>@home.example.zone</i>".to_owned(),
                false => format!("-d '{}'", self.json_for_shell(&content["schema"])),
            });
        }
        let address = self.filled();
        lines.push(match address.contains(['&', '?']) {
            true => format!("\"$URL{}\"", escape(&address)),
            false => format!("$URL{}", escape(&address)),
        });
        lines.join(" \\\n  ")
    }

    /// An example between single quotes: on one line if that is short.
    fn json_for_shell(&self, schema: &'d Value) -> String {
        let example = self.schemas.example(schema);
        let lines = coloured(&example).replace("&#39;", "&#39;\\&#39;&#39;");
        if example.to_string().len() > LINE_MAX {
            return lines;
        }
        lines.split('\n').map(str::trim_start).collect::<Vec<_>>().join(" ").replace("{ ", "{").replace(" }", "}")
    }

    /// The path with the examples of its parameters.
    fn filled(&self) -> String {
        let mut path = self.path.to_owned();
        for parameter in self.told["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "path" {
                path = path.replace(&format!("{{{}}}", plain(&parameter["name"])), &plain(&parameter["example"]));
            }
        }
        path
    }
}

/// Code with its caption.
pub(super) fn figure(caption: &str, code: &str) -> String {
    format!("<figure><figcaption>{caption}</figcaption><pre><code>{code}</code></pre></figure>")
}

fn section(title: &str, rows: &str) -> String {
    match rows.is_empty() {
        true => String::new(),
        false => format!("<h4>{title}</h4><dl>{rows}</dl>"),
    }
}

/// The first kind of content.
fn first(content: &Value) -> Option<(&String, &Value)> {
    content.as_object()?.iter().next()
}
