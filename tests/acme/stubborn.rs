//! What a CA may do that Pebble does not: wishes, waits, refusals, nonsense.

use freehold::cert::{Origin, Outcome};
use serde_json::{Value, json};

use crate::scripted::{Asked, Ca, Told, now, problem};
use crate::server::{Kept, Ours, tell};

const NAME: &str = "app.example.org";
const QUIET: &str = "preflight = false";

/// With this CA, asked for one name.
fn with<F: Future>(
    lifetime: u64,
    script: impl Fn(&Asked) -> Option<Told> + Send + Sync + 'static,
    more: &str,
    of_ca: &str,
    work: impl FnOnce(Kept) -> F,
) -> (F::Output, Ca) {
    let ours = Ours::empty();
    let ca = Ca::start(ours.folder(), lifetime, script);
    let told = ours.kept(&ca.settings(more, of_ca), &[NAME], work);
    (told, ca)
}

fn first_order(asked: &Asked) -> bool {
    asked.what == "POST /order" && asked.before == 0
}

/// What the CA was told of the order.
fn orders(ca: &Ca) -> Vec<Asked> {
    let is_new = |asked: &Asked| asked.payload.get("identifiers").is_some();
    ca.asked("POST /order").into_iter().filter(is_new).collect()
}

#[test]
fn a_wish_of_the_ca_is_followed_and_what_is_replaced_is_named() {
    let script = |asked: &Asked| {
        let window = |start: &str, end: &str| {
            let window =
                json!({"suggestedWindow": {"start": start, "end": end}, "explanationURL": "https://ca.example/why"});
            Some((200, vec![("Retry-After", "1".to_owned())], window.to_string()))
        };
        match (asked.what.as_str(), asked.before) {
            ("GET /ari", 0) => window("2099-01-01T00:00:00Z", "2099-01-02T00:00:00Z"),
            ("GET /ari", _) => window("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"),
            _ => None,
        }
    };
    let ((), ca) = with(90 * 86_400, script, QUIET, "", async |kept| {
        let first = kept.issued(&[NAME]).await;
        kept.other_than(&[NAME], first.serial()).await;
        let story = kept.story(&[NAME]);
        assert!(story.attempts.iter().all(|attempt| attempt.outcome == Outcome::Done), "{}", tell(&story));
    });
    let orders = orders(&ca);
    assert_eq!(orders[0].payload.get("replaces"), None);
    assert!(orders[1].payload["replaces"].as_str().unwrap().contains('.'), "{:?}", orders[1]);
    assert!(ca.asked("GET /ari").len() >= 2);
}

#[test]
fn a_certificate_that_was_replaced_already_is_ordered_as_a_new_one() {
    let script = |asked: &Asked| match asked {
        Asked { what, payload, .. } if what == "POST /order" && payload.get("replaces").is_some() => {
            Some(problem(409, "alreadyReplaced", "it was replaced", vec![]))
        }
        _ => None,
    };
    let ((), ca) = with(90 * 86_400, script, QUIET, "", async |kept| {
        let first = kept.issued(&[NAME]).await;
        kept.wish(&[NAME], |story| story.renew_since = Some(1)).await;
        kept.other_than(&[NAME], first.serial()).await;
    });
    assert_eq!(orders(&ca).len(), 3);
}

#[test]
fn a_wait_in_seconds_and_one_until_a_date_are_kept() {
    for as_date in [false, true] {
        let script = move |asked: &Asked| {
            let at = std::time::SystemTime::now() + std::time::Duration::from_secs(4);
            let after = if as_date { httpdate::fmt_http_date(at) } else { "3".to_owned() };
            let limited = || problem(429, "rateLimited", "too many orders", vec![("Retry-After", after)]);
            first_order(asked).then(limited)
        };
        let ((), ca) = with(90 * 86_400, script, QUIET, "", async |kept| {
            kept.failed(&[NAME], "too many orders").await;
            kept.issued(&[NAME]).await;
        });
        let orders = orders(&ca);
        assert!(orders.len() == 2 && orders[1].at >= orders[0].at + 3, "{orders:?}");
    }
}

#[test]
fn a_paused_name_is_told_in_the_words_of_the_ca_and_not_asked_for_again_at_once() {
    let words = "app.example.org is paused; visit https://ca.example/unpause";
    let script = move |asked: &Asked| {
        (asked.what == "POST /order")
            .then(|| problem(429, "rateLimited", words, vec![("Retry-After", "86400".to_owned())]))
    };
    let (story, ca) = with(90 * 86_400, script, QUIET, "", async |kept| {
        let story = kept.failed(&[NAME], words).await;
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        story
    });
    let Outcome::Failed { cure, .. } = &story.attempts[0].outcome else { panic!("{story:?}") };
    assert!(cure.contains("page to unpause"), "{cure}");
    assert_eq!(orders(&ca).len(), 1);
    assert!(story.waits[0].until > now() + 86_000);
}

/// Each kind of nonsense fails the attempt with words, takes nothing away, and is over when it is over.
#[test]
fn nonsense_harms_nothing() {
    let text = |text: &str| Some((200, vec![], text.to_owned()));
    let big = "x".repeat(2 << 20);
    let cases: Vec<(&str, Option<Told>, &str)> = vec![
        ("GET /dir", text("<html>login</html>"), "no ACME directory"),
        ("GET /dir", text(""), "no ACME directory"),
        ("GET /dir", text(&big), "length limit exceeded"),
        ("GET /dir", Some((502, vec![], "Bad   Gateway\n".into())), "502 Bad Gateway and no problem document"),
        ("HEAD /nonce", Some((500, vec![], String::new())), "500 Internal Server Error"),
        ("POST /account", Some((201, vec![], "{}".into())), "account URL"),
        ("POST /account", Some(problem(500, "serverInternal", "we are down", vec![])), "we are down"),
        ("POST /order", text("[1, 2"), "makes no sense"),
        ("POST /order", Some((201, vec![], "{}".into())), "makes no sense"),
        ("POST /order", Some(problem(403, "rejectedIdentifier", "not this name", vec![])), "not this name"),
        ("POST /authz", text(r#"{"status": "odd"}"#), "makes no sense"),
        (
            "POST /authz",
            text(r#"{"status":"revoked","identifier":{"type":"dns","value":"x"},"challenges":[]}"#),
            "as revoked",
        ),
        (
            "POST /authz",
            text(r#"{"status":"pending","identifier":{"type":"dns","value":"other.org"},"challenges":[]}"#),
            "not asked for",
        ),
        ("POST /authz", text(&pending("quantum-01")), "does not offer tls-alpn-01"),
        ("POST /cert", text("no certificate"), "no certificate in the text"),
        ("POST /cert", text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "of no use"),
    ];
    for (what, told, words) in cases {
        let script = move |asked: &Asked| {
            let is_it = asked.what == what && asked.before == 0;
            if is_it { told.clone() } else { None }
        };
        with(90 * 86_400, script, QUIET, "", async |kept| {
            let local = kept.until(10, "the stop-gap", |now| now.certificates.get(NAME).cloned()).await;
            assert_eq!(*local.origin(), Origin::Local);
            kept.failed(&[NAME], words).await;
            kept.issued(&[NAME]).await;
        });
    }
}

fn pending(kind: &str) -> String {
    let challenge = json!({"type": kind, "url": "https://127.0.0.1/", "token": "t", "status": "pending"});
    let identifier = json!({"type": "dns", "value": NAME});
    json!({"status": "pending", "identifier": identifier, "challenges": [challenge]}).to_string()
}

#[test]
fn a_certificate_of_another_key_or_other_names_is_not_kept() {
    let other = freehold::cert::Authority::new(now()).unwrap();
    let made =
        other.issue(&[NAME.parse().unwrap()], now(), std::time::Duration::from_secs(86_400)).unwrap().chain_pem();
    let script =
        move |asked: &Asked| (asked.what == "POST /cert" && asked.before == 0).then(|| (200, vec![], made.clone()));
    with(90 * 86_400, script, QUIET, "", async |kept| {
        kept.failed(&[NAME], "private key does not belong").await;
        kept.issued(&[NAME]).await;
    });
}

#[test]
fn a_certificate_that_has_ended_when_it_comes_is_not_kept() {
    with(
        0,
        |_| None,
        QUIET,
        "",
        async |kept| {
            kept.failed(&[NAME], "not valid now").await;
            let held = kept.store.snapshot().certificates.get(NAME).cloned().unwrap();
            assert_eq!(*held.origin(), Origin::Local);
        },
    );
}

#[test]
fn the_next_ca_is_asked_when_one_refuses() {
    let ours = Ours::empty();
    let deaf = |asked: &Asked| (asked.what == "GET /dir").then(|| (503, vec![], "closed".to_owned()));
    let first = Ca::start(ours.folder(), 90 * 86_400, deaf);
    let (folder, settings) = (tempfile::tempdir().unwrap(), first.settings(QUIET, ""));
    let second = Ca::start(folder.path(), 90 * 86_400, |_| None);
    ours.kept(&(settings + &second.table()), &[NAME], async |kept| {
        let held = kept.issued(&[NAME]).await;
        assert!(matches!(held.origin(), Origin::Acme(directory) if second.table().contains(directory)));
        assert_eq!(kept.story(&[NAME]).attempts.len(), 2);
    });
    assert_eq!((orders(&first).len(), orders(&second).len()), (0, 1));
}

#[test]
fn a_profile_is_asked_for_and_checked_beforehand() {
    let ((), ca) = with(
        6 * 86_400,
        |_| None,
        QUIET,
        "profile = \"shortlived\"",
        async |kept| {
            kept.issued(&[NAME]).await;
        },
    );
    assert_eq!(orders(&ca)[0].payload["profile"], Value::from("shortlived"));
    let ((), ca) = with(
        6 * 86_400,
        |_| None,
        QUIET,
        "profile = \"eternal\"",
        async |kept| {
            kept.failed(&[NAME], "no profile \"eternal\"; it has shortlived").await;
        },
    );
    assert_eq!(orders(&ca).len(), 0);
}

#[test]
fn after_failures_it_is_rehearsed_with_the_staging_system() {
    let ours = Ours::empty();
    let mut story = freehold::cert::Story::new(vec![NAME.parse().unwrap()]);
    story.failures = 3;
    ours.commit(freehold::store::Change::PutItem(freehold::store::Item::Story(story.into())));
    let real = Ca::start(ours.folder(), 90 * 86_400, |_| None);
    let folder = tempfile::tempdir().unwrap();
    let staging = Ca::start(folder.path(), 90 * 86_400, |_| None);
    let url = staging.table().lines().nth(1).unwrap().split('"').nth(1).unwrap().to_owned();
    // Both are vouched for by one root file, as a CA and its staging system are by the world's.
    let both = std::fs::read_to_string(&real.root).unwrap() + &std::fs::read_to_string(&staging.root).unwrap();
    std::fs::write(&real.root, both).unwrap();
    let settings = real.settings(QUIET, &format!("staging = \"{url}\""));
    ours.kept(&settings, &[NAME], async |kept| {
        kept.issued(&[NAME]).await;
        let story = kept.story(&[NAME]);
        let rehearsed: Vec<bool> = story.attempts.iter().map(|attempt| attempt.rehearsal).collect();
        assert_eq!((rehearsed, story.failures), (vec![true, false], 0), "{}", tell(&story));
    });
    assert_eq!((orders(&staging).len(), orders(&real).len()), (1, 1));
}

/// The record of the owner's own zone forbids it, and nothing is sent.
#[test]
fn a_caa_record_that_forbids_the_ca_stops_the_order() {
    let ours = Ours::empty();
    ours.add_zone(
        "example.org",
        "@ 300 SOA ns h 1 1 1 1 1\n@ 300 NS ns\nns 300 A 127.0.0.1\n@ 300 CAA 0 issue \"other.example\"\n",
    );
    let ca = Ca::start(ours.folder(), 90 * 86_400, |_| None);
    ours.kept(&ca.settings("", ""), &[NAME], async |kept| {
        let story = kept
            .failed(
                &[NAME],
                "the CAA record of example.org does not let this CA certify app.example.org: it lets other.example",
            )
            .await;
        let Outcome::Failed { cure, .. } = &story.attempts[0].outcome else { panic!("{story:?}") };
        assert!(cure.contains("0 issue \"scripted.example\""), "{cure}");
        assert!(!story.attempts[0].ordered);
    });
    assert!(orders(&ca).is_empty());
    ours.add_zone(
        "example.org",
        "@ 300 SOA ns h 2 1 1 1 1\n@ 300 NS ns\nns 300 A 127.0.0.1\n@ 300 CAA 0 issue \"scripted.example\"\n",
    );
    ours.kept(&ca.settings("", ""), &[NAME], async |kept| {
        kept.issued(&[NAME]).await;
    });
}
