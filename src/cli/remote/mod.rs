//! A server somewhere else: where it is (`--server`), what lets one in (a token), whom to trust about who it is.
//!
//! What the command line says goes before the environment. A token never leaves the machine in the clear.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hyper::header::{AUTHORIZATION, HOST, HeaderValue};

use super::arguments::Options;
use super::stop::{Exit, Stop};
use crate::api::Question;

mod reach;
mod url;

pub(super) use reach::reach;
use url::Url;

const SERVER: &str = "FREEHOLD_SERVER";
const TOKEN: &str = "FREEHOLD_TOKEN";
const TOKEN_FILE: &str = "FREEHOLD_TOKEN_FILE";
const CA_FILE: &str = "FREEHOLD_CA_FILE";

/// Octets of a token, with room for what stands around it in its file.
const TOKEN_FILE_SIZE_MAX: u64 = 4_096;
/// What others than its owner may do with a file, among the bits of its mode.
const MODE_OTHERS: u32 = 0o077;

/// A server somewhere else.
#[derive(Clone, Debug)]
pub struct Remote {
    url: Url,
    token: Token,
    /// The token's file, if others than its owner may read it.
    exposed: Option<PathBuf>,
    /// Whom to trust; the system's own CAs if it is not said.
    ca_file: Option<PathBuf>,
}

impl Remote {
    /// The server that the command line or the environment names.
    pub(super) fn chosen(options: &Options) -> Result<Option<Self>, Stop> {
        // A command line that says where on this machine does not mean another one.
        let is_here = options.config.is_some() || options.data.is_some();
        let Some(server) = options.server.clone().or_else(|| variable(SERVER).filter(|_| !is_here)) else {
            return Ok(None);
        };
        let url = Url::parse(&server.to_string_lossy())?;
        let (token, exposed) = Token::chosen(options, &url)?;
        let ca_file = options.ca_file.clone().or_else(|| variable(CA_FILE).map(PathBuf::from));
        Ok(Some(Self { url, token, exposed, ca_file }))
    }

    /// Says on standard error what should not be as it is.
    pub(super) fn warn(&self) -> io::Result<()> {
        let Some(path) = &self.exposed else { return Ok(()) };
        let path = path.display();
        writeln!(io::stderr(), "warning: others than you may read the token in {path}\n = cure: chmod 600 {path}")
    }

    /// What answers there does not speak HTTP.
    pub(super) fn no_http(&self) -> Stop {
        let cure = match self.url.secure {
            true => "is it Freehold that listens there?".to_owned(),
            false => format!("was {} meant?", self.url.to_string().replacen("http", "https", 1)),
        };
        Stop::new(Exit::Unreachable, format!("cannot reach {self}: what answers there is not HTTP"), cure)
    }

    /// Addresses a question to this server.
    pub(super) fn sign(&self, question: &mut Question) {
        question.headers_mut().insert(HOST, self.url.host_header());
        question.headers_mut().insert(AUTHORIZATION, self.token.0.clone());
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// A variable of the environment; an empty one is as good as none.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What lets one in, as it is sent; marked as sensitive, so that it is never printed.
#[derive(Clone, Debug)]
struct Token(HeaderValue);

impl Token {
    /// The token, and the file it is in if that is open to others.
    fn chosen(options: &Options, url: &Url) -> Result<(Self, Option<PathBuf>), Stop> {
        if let Some(path) = &options.token_file {
            return Self::read(path);
        }
        if let Some(token) = variable(TOKEN) {
            return Self::parse(&token.to_string_lossy())
                .map(|token| (token, None))
                .ok_or_else(|| Stop::new(Exit::Usage, format!("{TOKEN} is no token"), NO_TOKEN_CURE));
        }
        match variable(TOKEN_FILE) {
            Some(path) => Self::read(Path::new(&path)),
            None => {
                let message = format!("{url} asks for a token");
                let cure = format!("say --token-file FILE, or set {TOKEN_FILE} or {TOKEN}");
                Err(Stop::new(Exit::Usage, message, cure))
            }
        }
    }

    fn read(path: &Path) -> Result<(Self, Option<PathBuf>), Stop> {
        let unreadable = |fault: io::Error| Stop::file("read the token file", path, &fault);
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let mut octets = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(TOKEN_FILE_SIZE_MAX).read_to_end(&mut octets).map_err(unreadable)?;
        let token = std::str::from_utf8(&octets).ok().and_then(Self::parse);
        let token =
            token.ok_or_else(|| Stop::new(Exit::Usage, format!("{} holds no token", path.display()), NO_TOKEN_CURE))?;
        let exposed = metadata.is_file() && metadata.permissions().mode() & MODE_OTHERS != 0;
        Ok((token, exposed.then(|| path.to_owned())))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_one_word = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic());
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok().filter(|_| is_one_word)?;
        header.set_sensitive(true);
        Some(Self(header))
    }
}

const NO_TOKEN_CURE: &str = "it should be one word, as `freehold token create` shows it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let token = Token::parse(" freehold_1_abc\n").unwrap();
        assert_eq!(token.0, "Bearer freehold_1_abc");
        assert!(!format!("{token:?}").contains("abc"));
        for text in ["", "\n", "two words", "a\nb", "é"] {
            assert!(Token::parse(text).is_none(), "{text:?}");
        }
    }
}
