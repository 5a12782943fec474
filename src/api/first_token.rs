//! The first token: made once, when a store has none, and written to `admin.token` in the data directory.
//!
//! It is written under another name and synced, then made, and only then gets its name: so the file is there whole or not at
//! all, and if the power goes at the worst moment the next start finishes what was begun. What is there is never written over.
//! An `admin.token` that is left of a token long revoked keeps a new one from being made, until somebody has moved it away:
//! whoever revokes the last token on purpose does not find a new one after the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::auth::unix_seconds;
use crate::access::{Scope, Secret, Token};
use crate::store::{Actor, Change, Decision, Item, Refused, Store, as_owner};

/// The file in the data directory.
pub const FILE: &str = "admin.token";
/// What the token is called.
const NAME: &str = "first";

/// What became of the first token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstToken {
    /// It is made, and lies here.
    Made(PathBuf),
    /// There are so many tokens already; nothing was done.
    Present(usize),
    /// There is no token, but this file is in the way; nothing was done.
    InTheWay(PathBuf),
}

/// Makes the first token, if there is none, on behalf of `actor`. Blocks.
pub fn first_token(store: &Store, actor: Actor) -> io::Result<FirstToken> {
    let directory = store.directory();
    let (file, part) = (directory.join(FILE), directory.join(format!("{FILE}.new")));
    let tokens = store.snapshot().tokens.clone();
    if let Some(begun) = read(&part) {
        let made = tokens.get(begun.id()).is_some_and(|token| token.is_proven_by(&begun));
        if made && !file.exists() {
            return finish(&part, file);
        }
        fs::remove_file(&part)?;
    }
    if !tokens.is_empty() {
        return Ok(FirstToken::Present(tokens.len()));
    }
    if file.exists() {
        return Ok(FirstToken::InTheWay(file));
    }
    let secret = new_secret()?;
    as_owner(directory, || write(&part, &secret)).flatten()?;
    let token = Arc::new(Token::new(&secret, NAME.to_owned(), Scope::everything(), unix_seconds(), None));
    let decision = Decision::new(1, move |now| match now.tokens.is_empty() {
        true => Ok(Change::PutItem(Item::Token(Arc::clone(&token)))),
        false => Err(Refused::Present("a token".to_owned())),
    });
    match store.commit_blocking(Change::Decide(decision), actor) {
        Ok(_) => finish(&part, file),
        Err(refused) => {
            fs::remove_file(&part)?;
            match matches!(refused, Refused::Present(_)) {
                true => Ok(FirstToken::Present(store.snapshot().tokens.len())),
                false => Err(io::Error::other(refused.to_string())),
            }
        }
    }
}

/// A secret that nobody knows.
pub(super) fn new_secret() -> io::Result<Secret> {
    let mut random = [0; Secret::RANDOM_SIZE];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(Secret::new(&random))
}

fn read(part: &Path) -> Option<Secret> {
    match fs::read_to_string(part) {
        Ok(text) => text.trim().parse().ok(),
        Err(_) => None,
    }
}

/// A file that is cut short, or that cannot be read, was never a token: it goes.
fn write(part: &Path, secret: &Secret) -> io::Result<()> {
    match fs::remove_file(part) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        Ok(()) | Err(_) => (),
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    writeln!(out, "{}", secret.reveal())?;
    out.sync_all()
}

fn finish(part: &Path, file: PathBuf) -> io::Result<FirstToken> {
    fs::rename(part, &file)?;
    if let Some(directory) = file.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(FirstToken::Made(file))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::{ItemKey, Settings, Shelf};

    struct Bench {
        store: Store,
        data: PathBuf,
        _directory: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let data = directory.path().join("data");
            let settings = Settings { directory: data.clone(), ..Settings::default() };
            Self { store: Store::open(&settings).unwrap(), data, _directory: directory }
        }

        fn make(&self) -> FirstToken {
            first_token(&self.store, Actor::new("server", "")).unwrap()
        }

        fn file(&self) -> PathBuf {
            self.data.join(FILE)
        }

        fn part(&self) -> PathBuf {
            self.data.join("admin.token.new")
        }

        /// The file holds the one token there is.
        fn assert_sound(&self) -> Secret {
            let secret: Secret = fs::read_to_string(self.file()).unwrap().trim().parse().unwrap();
            let tokens = self.store.snapshot().tokens.clone();
            assert!(tokens.get(secret.id()).unwrap().is_proven_by(&secret));
            assert_eq!((tokens.len(), tokens.get(secret.id()).unwrap().scope.clone()), (1, Scope::everything()));
            assert_eq!(fs::metadata(self.file()).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(!self.part().exists());
            secret
        }

        fn revoke(&self, secret: &Secret) {
            let key = ItemKey::new(Shelf::Token, secret.id());
            self.store.commit_blocking(Change::DeleteItem(key), Actor::new("anna", "socket")).unwrap();
        }
    }

    #[test]
    fn it_is_made_once() {
        let bench = Bench::new();
        assert_eq!(bench.make(), FirstToken::Made(bench.file()));
        let secret = bench.assert_sound().reveal();
        assert_eq!(bench.make(), FirstToken::Present(1));
        assert_eq!(bench.assert_sound().reveal(), secret);
    }

    #[test]
    fn what_was_revoked_does_not_come_back() {
        let bench = Bench::new();
        bench.make();
        let secret = bench.assert_sound();
        bench.revoke(&secret);
        assert_eq!(bench.make(), FirstToken::InTheWay(bench.file()));
        assert!(bench.store.snapshot().tokens.is_empty());
        fs::remove_file(bench.file()).unwrap();
        assert_eq!(bench.make(), FirstToken::Made(bench.file()));
        assert_ne!(bench.assert_sound().id(), secret.id());
    }

    /// The power went before the token was made: nobody has ever seen the secret, and another takes its place.
    #[test]
    fn a_beginning_that_came_to_nothing_goes() {
        for half in [new_secret().unwrap().reveal(), "freehold_".into(), String::new()] {
            let bench = Bench::new();
            fs::write(bench.part(), &half).unwrap();
            assert_eq!(bench.make(), FirstToken::Made(bench.file()));
            assert_ne!(bench.assert_sound().reveal(), half);
        }
    }

    /// The power went when the token was made and its file had not yet its name.
    #[test]
    fn a_token_without_its_file_gets_it() {
        let bench = Bench::new();
        bench.make();
        let secret = bench.assert_sound().reveal();
        fs::rename(bench.file(), bench.part()).unwrap();
        assert_eq!(bench.make(), FirstToken::Made(bench.file()));
        assert_eq!(bench.assert_sound().reveal(), secret);
        bench.revoke(&secret.parse().unwrap());
        fs::rename(bench.file(), bench.part()).unwrap();
        assert_eq!(bench.make(), FirstToken::Made(bench.file()));
        assert_ne!(bench.assert_sound().reveal(), secret, "a revoked one is not made valid again");
    }

    #[test]
    fn nothing_is_written_over() {
        let bench = Bench::new();
        fs::write(bench.file(), "mine").unwrap();
        assert_eq!(bench.make(), FirstToken::InTheWay(bench.file()));
        assert_eq!(fs::read_to_string(bench.file()).unwrap(), "mine");
        assert!(!bench.part().exists() && bench.store.snapshot().tokens.is_empty());
    }
}
