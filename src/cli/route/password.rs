//! `freehold route password`: the hash of a password, for `basic_auth`. The password itself is never an argument, which everybody on the
//! machine could read, and goes nowhere.

use std::io::{self, Read, Write};

use crate::cli::stop::{Exit, Stop};
use crate::cli::terminal::{ask_hidden, can_ask};
use crate::route::options::{Meaning, PasswordHash, UserName};

/// Octets of a password. bcrypt looks at no more than 72 of them, Argon2 at all.
const PASSWORD_SIZE_MAX: u64 = 512;

/// `freehold route password USER`
pub(in crate::cli) fn password(user: &str) -> Result<Exit, Stop> {
    UserName::read(user).map_err(|fault| Stop::new(Exit::Usage, fault.message, fault.cure))?;
    let password = if can_ask() { asked(user)? } else { piped()? };
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    let hash = PasswordHash::make(&password, &salt);
    let hash = hash.map_err(|fault| Stop::new(Exit::Failed, fault.message, fault.cure))?;
    writeln!(io::stdout(), "{hash}")?;
    Ok(Exit::Done)
}

fn asked(user: &str) -> Result<String, Stop> {
    let password = ask_hidden(&format!("Password of {user}:"))?;
    if password.is_empty() {
        return Err(none());
    }
    if ask_hidden("Once more:")? != password {
        return Err(Stop::new(Exit::Failed, "the two passwords are not the same", "try again"));
    }
    Ok(password)
}

/// The first line of standard input.
fn piped() -> Result<String, Stop> {
    let mut text = String::new();
    io::stdin().lock().take(PASSWORD_SIZE_MAX + 2).read_to_string(&mut text)?;
    let line = text.lines().next().unwrap_or_default();
    match line.len() as u64 {
        0 => Err(none()),
        1..=PASSWORD_SIZE_MAX => Ok(line.to_owned()),
        _ => Err(Stop::new(
            Exit::Failed,
            "the password is too long",
            format!("it has at most {PASSWORD_SIZE_MAX} octets"),
        )),
    }
}

fn none() -> Stop {
    Stop::new(Exit::Failed, "there is no password", "type one, or hand it over on standard input")
}
