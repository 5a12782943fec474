//! The little Markdown that descriptions use, as HTML: paragraphs, lists, headings, code, bold, links.
//!
//! Rejected: a Markdown package. Our own texts are the only input, and what this does not know shows as it is written.

use std::fmt::Write;

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A description as HTML.
pub(super) fn html(text: &str) -> String {
    let mut html = String::new();
    let mut blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    while let Some(block) = blocks.next() {
        let block = block.trim_matches('\n');
        if let Some(first) = block.strip_prefix("```") {
            let mut code = first.split_once('\n').map_or("", |(_, code)| code).to_owned();
            while !code.ends_with("```") {
                let Some(more) = blocks.next() else { break };
                let _ = write!(code, "\n\n{}", more.trim_matches('\n'));
            }
            let _ = write!(html, "<pre><code>{}</code></pre>", escape(code.trim_end_matches("```").trim_end()));
        } else if let Some(title) = block.strip_prefix("## ") {
            let _ = write!(html, "<h2 id=\"{}\">{}</h2>", anchor(title), inline(title));
        } else if block.starts_with("- ") {
            let items = block.split("\n- ").map(|item| format!("<li>{}</li>", inline(item.trim_start_matches("- "))));
            let _ = write!(html, "<ul>{}</ul>", items.collect::<String>());
        } else {
            let _ = write!(html, "<p>{}</p>", inline(block));
        }
    }
    html
}

/// What a heading is called in addresses.
pub(super) fn anchor(title: &str) -> String {
    title.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).collect::<Vec<_>>().join("-")
}

/// One line of Markdown as HTML: code, bold, links.
pub(super) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        let _ = match number % 2 {
            1 => write!(html, "<code>{}</code>", escape(part)),
            _ => write!(html, "{}", links(&bold(&escape(part)))),
        };
    }
    html
}

fn bold(text: &str) -> String {
    let parts = text.split("**").enumerate();
    parts.map(|(number, part)| if number % 2 == 1 { format!("<b>{part}</b>") } else { part.to_owned() }).collect()
}

/// Turns `[words](address)` into links.
fn links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut html = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match (html.rfind('['), part.split_once(')')) {
            (Some(open), Some((address, rest))) => {
                let words = html.split_off(open);
                let _ = write!(html, "<a href=\"{address}\">{}</a>{rest}", &words[1..]);
            }
            (None, _) | (_, None) => {
                let _ = write!(html, "]({part}");
            }
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_descriptions_use_is_known() {
        for (text, expected) in [
            ("one\nline", "<p>one\nline</p>"),
            ("a\n\nb", "<p>a</p><p>b</p>"),
            ("- `a`: b\n- c\n  d", "<ul><li><code>a</code>: b</li><li>c\n  d</li></ul>"),
            ("## If-Match, and so on", "<h2 id=\"if-match--and-so-on\">If-Match, and so on</h2>"),
            ("```sh\na\n\n<b>\n```\n\nz", "<pre><code>a\n\n&lt;b&gt;</code></pre><p>z</p>"),
            ("**be** [see](#x) and [y](/z).", "<p><b>be</b> <a href=\"#x\">see</a> and <a href=\"/z\">y</a>.</p>"),
            ("a ](b", "<p>a ](b</p>"),
        ] {
            assert_eq!(html(text), expected);
        }
    }

    #[test]
    fn nothing_becomes_markup_by_itself() {
        assert_eq!(html("<i>\"&'`<u>`"), "<p>&lt;i&gt;&quot;&amp;&#39;<code>&lt;u&gt;</code></p>");
    }
}
