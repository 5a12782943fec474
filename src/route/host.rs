//! The host of a route: a name, or a wildcard for all names one label below another.
//!
//! A wildcard covers exactly one label, because that is what its certificate covers (RFC 6125, section 6.4.3): a route that
//! no browser can reach would only puzzle. Names are kept in the form of the wire: lower case, Unicode converted to
//! `xn--` by the rules browsers follow (UTS 46), no final dot.

use std::fmt;
use std::net::IpAddr;

use super::Fault;

/// Characters of a host name (RFC 1035, section 2.3.4, written without the final dot).
const NAME_SIZE_MAX: usize = 253;
/// Characters of one label.
const LABEL_SIZE_MAX: usize = 63;

/// A host name, or a wildcard such as `*.example.com`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(Box<str>);

impl Host {
    /// Reads a name as people write it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let (wildcard, name) = trimmed.strip_prefix("*.").map_or((false, trimmed), |name| (true, name));
        let name =
            name_of_host(name).map_err(|fault| Fault { message: format!("{text:?} {}", fault.message), ..fault })?;
        let whole = if wildcard { format!("*.{name}") } else { name };
        if whole.len() > NAME_SIZE_MAX {
            let message = format!("{text:?} has {} characters", whole.len());
            return Err(Fault::new(message, format!("a host name has at most {NAME_SIZE_MAX}")));
        }
        Ok(Self(whole.into()))
    }

    /// As it is written in settings and on the wire: `app.example.com`, `*.example.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name itself, or what stands behind the asterisk of a wildcard.
    pub fn base(&self) -> &str {
        self.0.strip_prefix("*.").unwrap_or(&self.0)
    }

    /// Whether a request for this name (lower case, no final dot) is meant.
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_prefix("*.") {
            Some(base) => name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == base),
            None => name == &*self.0,
        }
    }

    /// As people read it: `xn--` converted to Unicode where that is safe.
    pub fn to_unicode(&self) -> String {
        let (name, result) = idna::domain_to_unicode(self.base());
        let name = if result.is_ok() { name } else { self.base().to_owned() };
        if self.is_wildcard() { format!("*.{name}") } else { name }
    }
}

/// A name that is no address, in the form of the wire. The fault's message goes on after the name.
pub(super) fn name_of_host(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::new("is no host name", "write a name such as \"app.example.com\""));
    }
    if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err(Fault::new("is an address, not a name", "a route is for a name, such as \"app.example.com\""));
    }
    if let Some(culprit) = text.chars().find(|c| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.'))
    {
        return Err(Fault::new(format!("is no host name: it has the character {culprit:?}"), cure_of(culprit)));
    }
    let name = idna::domain_to_ascii_strict(text).map_err(|_| explain(text))?;
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Fault::new("is no host name: it ends in a number", "the last part of a name is not a number"));
    }
    Ok(name)
}

fn cure_of(culprit: char) -> &'static str {
    match culprit {
        '/' => "give the path on its own, as in --path /api",
        ':' => "leave out the port and the scheme: a route is for all that comes to the name",
        '*' => "an asterisk stands alone in front, as in \"*.example.com\"",
        '_' => "no certificate can be had for a name with an underscore",
        _ => "letters, digits, hyphens and dots make a name",
    }
}

fn explain(text: &str) -> Fault {
    let cure = "letters, digits, hyphens and dots make a name";
    let mut labels = text.split('.');
    if labels.clone().any(str::is_empty) {
        return Fault::new("is no host name: it has an empty part", "one dot stands between two parts of a name");
    }
    if let Some(label) = labels.clone().find(|label| label.starts_with('-') || label.ends_with('-')) {
        return Fault::new(format!("is no host name: {label:?} begins or ends with a hyphen"), cure);
    }
    if let Some(label) = labels.find(|label| label.is_ascii() && label.len() > LABEL_SIZE_MAX) {
        let message = format!("is no host name: a part of it has {} characters", label.len());
        return Fault::new(message, format!("a part has at most {LABEL_SIZE_MAX}"));
    }
    Fault::new("is no host name", cure)
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_into_the_form_of_the_wire() {
        for (text, host) in [
            ("app.example.com", "app.example.com"),
            ("APP.Example.COM.", "app.example.com"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("localhost", "localhost"),
            ("1.2.3.4.example", "1.2.3.4.example"),
        ] {
            assert_eq!(Host::parse(text).unwrap().as_str(), host, "{text}");
        }
        assert_eq!(Host::parse("*.xn--bcher-kva.example").unwrap().to_unicode(), "*.bücher.example");
    }

    #[test]
    fn what_is_no_name_is_told_with_its_cure() {
        let long = format!("{}.example", "a".repeat(64));
        let longer = format!("{}com", "abcdefg.".repeat(40));
        for (text, told) in [
            ("", "\"\" is no host name; write a name"),
            ("192.0.2.1", "is an address, not a name"),
            ("[2001:db8::1]", "is an address"),
            ("2001:db8::1", "is an address"),
            ("app.example.com:3000", "leave out the port"),
            ("https://app.example.com", "leave out the port and the scheme"),
            ("app.example.com/api", "--path"),
            ("a.*.example.com", "an asterisk stands alone in front"),
            ("*", "an asterisk stands alone in front"),
            ("my_app.example.com", "underscore"),
            ("app example.com", "the character ' '"),
            ("app..example.com", "an empty part"),
            (".example.com", "an empty part"),
            ("-app.example.com", "begins or ends with a hyphen"),
            ("127.1", "ends in a number"),
            (&long, "has 64 characters; a part has at most 63"),
            (&longer, "is no host name"),
        ] {
            let fault = Host::parse(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let wildcard = Host::parse("*.example.com").unwrap();
        assert!(wildcard.covers("a.example.com"));
        for name in ["example.com", "a.b.example.com", ".example.com", "a.example.org", "aexample.com"] {
            assert!(!wildcard.covers(name), "{name}");
        }
        assert!(Host::parse("example.com").unwrap().covers("example.com"));
    }
}
