//! The list of a folder as a page.

use std::fmt::Write as _;
use std::path::Path;

use super::beneath::Entry;
use super::percent_encoded;
use crate::edge::pages::escaped;

/// The page of a folder at this path.
pub(super) fn page(path: &str, entries: &[Entry]) -> String {
    let title = escaped(path);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>body{{font:1rem/1.7 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1.5rem}}\
         td{{padding-right:2rem}}td+td{{text-align:right;color:#777}}</style>\n<h1>{title}</h1>\n<table>\n"
    );
    if path != "/" {
        page.push_str("<tr><td><a href=\"../\">../</a><td>\n");
    }
    for Entry { is_file, name, size } in entries {
        let slash = if *is_file { "" } else { "/" };
        // "./" in front: a name with a colon would be taken for a scheme.
        let link = percent_encoded(Path::new(name));
        let size = if *is_file { size.to_string() } else { String::new() };
        let _ = writeln!(page, "<tr><td><a href=\"./{link}{slash}\">{}{slash}</a><td>{size}", escaped(name));
    }
    page.push_str("</table>\n</html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_page() {
        let entries = [
            Entry { is_file: false, name: "sub".into(), size: 0 },
            Entry { is_file: true, name: "<script>\"x\".txt".into(), size: 7 },
        ];
        let page = page("/<b>/", &entries);
        assert!(page.contains("<h1>/&lt;b&gt;/</h1>") && page.contains("href=\"./sub/\">sub/</a><td>\n"), "{page}");
        assert!(page.contains("href=\"./%3Cscript%3E%22x%22.txt\">&lt;script&gt;&quot;x&quot;.txt</a><td>7"), "{page}");
        assert!(page.contains("../") && !page.contains("<script>"), "{page}");
    }
}
