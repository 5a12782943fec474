//! What the edge says to a CA that looks at a name itself: answers to HTTP-01 (RFC 8555, section 8.3) and TLS-ALPN-01
//! (RFC 8737). A job puts them here, the edge asks; nothing stays behind when the job is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cert::{Certified, Subject};

/// Characters of a token that are looked up; CAs use 43.
const TOKEN_LENGTH_MAX: usize = 256;

/// The answers that are due.
#[derive(Default)]
pub struct Answers(Mutex<Due>);

#[derive(Default)]
struct Due {
    /// By token: the name, and what to say.
    http: HashMap<String, (Subject, String)>,
    tls: HashMap<Subject, Arc<Certified>>,
}

impl Answers {
    /// The body for `http://HOST/.well-known/acme-challenge/TOKEN`, sent as `application/octet-stream`.
    pub fn http(&self, host: &str, token: &str) -> Option<String> {
        if token.len() > TOKEN_LENGTH_MAX {
            return None;
        }
        let due = self.due();
        let (subject, answer) = due.http.get(token)?;
        (host.parse::<Subject>().ok()? == *subject).then(|| answer.clone())
    }

    /// The certificate for a client that offers `acme-tls/1`, and nothing else, for this name.
    pub fn tls(&self, server_name: &str) -> Option<Arc<Certified>> {
        let due = self.due();
        due.tls.get(&server_name.parse().ok()?).cloned()
    }

    /// Whether nothing is due.
    pub fn is_empty(&self) -> bool {
        let due = self.due();
        due.http.is_empty() && due.tls.is_empty()
    }

    pub(super) fn put_http(&self, subject: &Subject, token: &str, answer: &str) {
        self.due().http.insert(token.to_owned(), (subject.clone(), answer.to_owned()));
    }

    pub(super) fn put_tls(&self, subject: &Subject, certified: Arc<Certified>) {
        self.due().tls.insert(subject.clone(), certified);
    }

    /// Takes away everything for these names.
    pub(super) fn clear(&self, subjects: &[Subject]) {
        let mut due = self.due();
        due.http.retain(|_, (subject, _)| !subjects.contains(subject));
        due.tls.retain(|subject, _| !subjects.contains(subject));
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_for_its_own_name_only_and_goes() {
        let answers = Answers::default();
        let subject: Subject = "a.example.org".parse().unwrap();
        assert!(answers.is_empty());
        answers.put_http(&subject, "token", "token.thumb");
        assert_eq!(answers.http("A.example.org", "token").as_deref(), Some("token.thumb"));
        assert_eq!(answers.http("b.example.org", "token"), None);
        assert_eq!(answers.http("a.example.org", "other"), None);
        let made = crate::cert::challenge_certificate(&subject, &[1; 32], 1_800_000_000).unwrap();
        answers.put_tls(&subject, made);
        assert!(answers.tls("a.example.org").is_some() && answers.tls("b.example.org").is_none());
        answers.clear(&["b.example.org".parse().unwrap()]);
        assert!(!answers.is_empty());
        answers.clear(&[subject]);
        assert!(answers.is_empty());
    }
}
