//! What people want of certificates, against Pebble.

use std::process::Command;

use freehold::cert::{Origin, Outcome, Proof};
use freehold::store::Change;
use freehold::wire::{Kind, Name};
use freehold::zone::{Edit, SetData, SetEdit};

use crate::network::World;
use crate::pebble::Pebble;
use crate::server::{Ours, has_text, subjects, tell};

pub(crate) type Theme = (&'static str, fn(&World, &Ours));

pub(crate) const THEMES: &[Theme] = &[
    ("a single name", single_name),
    ("a route is all it takes", route),
    ("a name of somebody else's zone, by TLS and by HTTP", outside),
    ("several names on one certificate", several_names),
    ("a wildcard and the name above it", wildcard),
    ("an alias leads the challenge into another zone", alias),
    ("a renewal has a new key", renewal),
    ("a revoked account", revoked_account),
    ("a CA that rejects nonces and is slow", stubborn_ca),
    ("a CA that is down", ca_down),
    ("a delegation that leads elsewhere", wrong_delegation),
    ("a wildcard of somebody else's zone", foreign_wildcard),
    ("what a crash has left is taken away", crash),
    ("certificates of 20 seconds", short_lifetimes),
    ("an external account", external_account),
];

fn single_name(world: &World, ours: &Ours) {
    let pebble = Pebble::start(ours.folder(), &[], "");
    let before = world.ours.stats().queries();
    ours.kept(&Pebble::settings(ours.folder(), ""), &["www.home.example"], async |kept| {
        let local = kept.until(10, "the stop-gap", |now| now.certificates.get("www.home.example").cloned()).await;
        assert_eq!(*local.origin(), Origin::Local, "served from the first moment");
        let held = kept.issued(&["www.home.example"]).await;
        assert!(held.issuer().contains("Pebble"), "{held:?}");
        assert!(held.chain().count() >= 2 && held.certified().unwrap().keys_match().is_ok());
        judge(&held.chain_pem(), ours, "www.home.example");
        kept.cleaned().await;
        let story = kept.story(&["www.home.example"]);
        let last = story.attempts.last().unwrap();
        assert_eq!((last.outcome.clone(), story.failures), (Outcome::Done, 0));
        let told = tell(&story);
        for words in [
            "_acme-challenge.www.home.example",
            "every name server of the zone is this one",
            "example delegates home.example",
            "the CA is convinced",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert_eq!(kept.handle.lookout().stats().issued_count(), 1);
    });
    assert!(world.ours.stats().queries() > before, "the CA's resolver came to us");
    assert!(!pebble.log().is_empty());
}

/// OpenSSL takes the chain for the name, with the root that Pebble names.
fn judge(chain: &str, ours: &Ours, name: &str) {
    let curl = Command::new("curl").args(["-sk", "https://127.0.0.1:15000/roots/0"]).output().unwrap();
    let at = |file: &str| ours.folder().join(file);
    let intermediate = chain.split_inclusive("-----END CERTIFICATE-----\n").skip(1).collect::<String>();
    for (file, text) in
        [("root.pem", &curl.stdout[..]), ("chain.pem", chain.as_bytes()), ("between.pem", intermediate.as_bytes())]
    {
        std::fs::write(at(file), text).unwrap();
    }
    let run = Command::new("openssl")
        .args(["verify", "-purpose", "sslserver", "-verify_hostname", name, "-CAfile"])
        .arg(at("root.pem"))
        .arg("-untrusted")
        .arg(at("between.pem"))
        .arg(at("chain.pem"))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn route(_: &World, ours: &Ours) {
    use freehold::route::{Host, PathPrefix, Route, Target};
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let target = Target::parse("http://127.0.0.1:3000").unwrap();
    let route = Route::new(Host::parse("routed.home.example").unwrap(), PathPrefix::root(), target).unwrap();
    ours.kept(&Pebble::settings(ours.folder(), ""), &[], async |kept| {
        let item = freehold::store::Item::Route(std::sync::Arc::new(route));
        let actor = freehold::store::Actor::new("test", "");
        kept.store.commit(Change::PutItem(item.clone()), actor.clone()).await.unwrap();
        kept.issued(&["routed.home.example"]).await;
        kept.cleaned().await;
        kept.store.commit(Change::DeleteItem(item.key()), actor).await.unwrap();
    });
}

/// Its zone is not on this server, so the CA looks at the edge.
fn outside(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["outside.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        let edge = ours.edge(&kept);
        let first = kept.issued(&names).await;
        let told = tell(&kept.story(&names));
        assert!(told.contains("outside.example is answered on port 443"), "{told}");
        // After a failure the other way is tried.
        kept.wish(&names, |story| {
            let mut failed = freehold::cert::Attempt::new("https://127.0.0.1/", 1);
            failed.fail("no", "no");
            story.push(failed);
            story.renew_since = Some(1);
        })
        .await;
        kept.other_than(&names, first.serial()).await;
        let told = tell(&kept.story(&names));
        assert!(told.contains("outside.example is answered on port 80"), "{told}");
        assert!(kept.handle.answers().is_empty(), "nothing stays behind");
        tokio::task::spawn_blocking(move || edge.stop(std::time::Duration::ZERO)).await.unwrap();
    });
}

fn several_names(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["mail.home.example", "blog.home.example", "www.other.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &[], async |kept| {
        kept.wish(&names, |story| story.asked_for = true).await;
        let held = kept.issued(&names).await;
        assert_eq!(held.subjects(), subjects(&names));
        kept.cleaned().await;
        kept.wish(&names, |story| story.asked_for = false).await;
    });
}

fn wildcard(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["*.home.example", "home.example"];
    ours.kept(&Pebble::settings(ours.folder(), "key = \"p384\""), &names, async |kept| {
        let most = kept
            .until(60, "both values side by side", |now| {
                let name: Name = "_acme-challenge.home.example".parse().unwrap();
                let zone = now.zones.iter().find(|zone| zone.apex().to_string().starts_with("home"))?;
                let set = zone.node(name.borrow())?.set(Kind::TXT)?;
                (set.count() == 2).then(|| set.ttl())
            })
            .await;
        assert_eq!(most, 0, "the TTL of the settings");
        let held = kept.issued(&names).await;
        assert_eq!(held.subjects(), subjects(&names));
        kept.cleaned().await;
        let found =
            kept.store.snapshot().certificates.for_server_name("any.home.example", held.not_before() + 1).cloned();
        assert_eq!(found, Some(held));
    });
}

fn alias(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let owner: Name = "_acme-challenge.aliased.home.example".parse().unwrap();
    let target: Name = "challenges.other.example".parse().unwrap();
    let set = SetData::new(Kind::CNAME, 60, vec![target.as_bytes().into()]);
    let edit = Edit { sets: vec![SetEdit { name: owner, kind: Kind::CNAME, after: Some(set) }] };
    ours.commit(Change::EditZone { apex: "home.example".parse().unwrap(), edit });
    ours.kept(&Pebble::settings(ours.folder(), ""), &["aliased.home.example"], async |kept| {
        kept.issued(&["aliased.home.example"]).await;
        let told = tell(&kept.story(&["aliased.home.example"]));
        assert!(told.contains("challenges.other.example"), "{told}");
        assert!(!has_text(&kept.store.snapshot(), &target), "it is taken away there too");
    });
}

fn renewal(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["renewed.home.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        let first = kept.issued(&names).await;
        kept.wish(&names, |story| story.renew_since = Some(1)).await;
        let second = kept.other_than(&names, first.serial()).await;
        assert_ne!(*first.key_pem(), *second.key_pem(), "a new key");
        let story = kept.story(&names);
        assert_eq!((story.renew_since, story.attempts.last().unwrap().renewal), (None, true));
    });
}

fn revoked_account(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["account.home.example"];
    let settings = Pebble::settings(ours.folder(), "");
    ours.kept(&settings, &names, async |kept| {
        let first = kept.issued(&names).await;
        let account = || kept.store.snapshot().accounts.iter().next().unwrap().credentials().to_owned();
        let before = account();
        let credentials = serde_json::from_str(&before).unwrap();
        let root = ours.folder().join("pebble/root.pem");
        let client = crate::scripted::client(&root);
        let known =
            instant_acme::Account::builder_with_http(Box::new(client)).from_credentials(credentials).await.unwrap();
        known.deactivate().await.unwrap();
        kept.wish(&names, |story| story.renew_since = Some(1)).await;
        kept.other_than(&names, first.serial()).await;
        assert_ne!(account(), before, "a new account");
        let told = tell(&kept.story(&names));
        assert!(told.contains("a new account is made"), "{told}");
    });
}

fn stubborn_ca(_: &World, ours: &Ours) {
    let whims = [("PEBBLE_WFE_NONCEREJECT", "30"), ("PEBBLE_VA_NOSLEEP", "0"), ("PEBBLE_VA_SLEEPTIME", "2")];
    let _pebble = Pebble::start(ours.folder(), &whims, "");
    let names = ["a.stubborn.home.example", "b.stubborn.home.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        kept.issued(&names[..1]).await;
        kept.issued(&names[1..]).await;
        kept.cleaned().await;
    });
}

fn ca_down(_: &World, ours: &Ours) {
    let pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["down.home.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        let first = kept.issued(&names).await;
        drop(pebble);
        kept.wish(&names, |story| story.renew_since = Some(1)).await;
        let story = kept.failed(&names, "cannot be reached: Connection refused").await;
        assert!(!story.attempts.last().unwrap().ordered);
        let held = kept.store.snapshot().certificates.get("down.home.example").cloned();
        assert_eq!(held.as_ref(), Some(&first), "what is held stays");
        let _pebble = Pebble::start(ours.folder(), &[], "");
        kept.other_than(&names, first.serial()).await;
        assert_eq!(kept.story(&names).failures, 0);
    });
}

fn wrong_delegation(_: &World, ours: &Ours) {
    let pebble = Pebble::start(ours.folder(), &[], "");
    let zone = "@ 300 SOA ns1.home.example. h.example. 1 1 1 1 1\n@ 300 NS ns1.home.example.\n";
    ours.add_zone("unknown.example", zone);
    let names = ["www.unknown.example"];
    let orders = |pebble: &Pebble| pebble.log().matches("There are now").count();
    let before = orders(&pebble);
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        let story = kept.failed(&names, "the servers of example do not know unknown.example").await;
        let attempt = story.attempts.last().unwrap();
        let Outcome::Failed { cure, .. } = &attempt.outcome else { panic!("{attempt:?}") };
        assert!(cure.contains("ns1.home.example"), "{cure}");
        assert!(!attempt.ordered, "nothing was sent");
        let held = kept.store.snapshot().certificates.get("www.unknown.example").cloned();
        assert_eq!(*held.unwrap().origin(), Origin::Local);
    });
    assert_eq!(orders(&pebble), before);
}

fn foreign_wildcard(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], "");
    let names = ["*.nowhere.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        kept.failed(&names, "can only be proven in the zone of nowhere.example").await;
    });
}

fn crash(_: &World, ours: &Ours) {
    let owner: Name = "_acme-challenge.crashed.home.example".parse().unwrap();
    let texts = ["mine", "somebody's"].map(|text| [&[text.len() as u8], text.as_bytes()].concat().into());
    let set = SetData::new(Kind::TXT, 0, texts.into());
    let edit = Edit { sets: vec![SetEdit { name: owner.clone(), kind: Kind::TXT, after: Some(set) }] };
    ours.commit(Change::EditZone { apex: "home.example".parse().unwrap(), edit });
    let mut story = freehold::cert::Story::new(subjects(&["crashed.home.example"]));
    let proof = |value: &str| Proof { zone: "home.example.".into(), owner: format!("{owner}"), value: value.into() };
    story.proofs = vec![proof("mine"), proof("gone already")];
    story.push(freehold::cert::Attempt::new("https://127.0.0.1/", 1));
    ours.commit(Change::PutItem(freehold::store::Item::Story(story.into())));
    ours.kept("", &[], async |kept| {
        let left = kept
            .until(10, "one value", |now| {
                let zone = now.zones.iter().find(|zone| zone.apex().to_string().starts_with("home"))?;
                let set = zone.node(owner.borrow())?.set(Kind::TXT)?;
                (set.count() == 1).then(|| set.rdatas().next().unwrap().to_vec())
            })
            .await;
        assert_eq!(left, b"\x0asomebody's", "what others put there stays");
        kept.until(10, "an end of the attempt", |now| {
            let ended = |story: &freehold::cert::Story| !matches!(story.attempts[0].outcome, Outcome::Running);
            now.stories.get("crashed.home.example").is_none_or(|story| ended(story)).then_some(())
        })
        .await;
    });
    let edit = Edit { sets: vec![SetEdit { name: owner, kind: Kind::TXT, after: None }] };
    ours.commit(Change::EditZone { apex: "home.example".parse().unwrap(), edit });
}

/// Two renewals in a row, and no moment without a valid certificate.
fn short_lifetimes(_: &World, ours: &Ours) {
    let _pebble = Pebble::start(ours.folder(), &[], ", \"certificateValidityPeriod\": 20");
    let names = ["short.home.example"];
    ours.kept(&Pebble::settings(ours.folder(), ""), &names, async |kept| {
        let mut held = kept.issued(&names).await;
        for _ in 0..2 {
            let next = kept.other_than(&names, held.serial()).await;
            assert!(next.not_before() <= held.not_after(), "renewed before its end");
            held = next;
        }
        assert_eq!(kept.story(&names).failures, 0);
    });
}

fn external_account(_: &World, ours: &Ours) {
    let bound = ", \"externalAccountBindingRequired\": true, \"externalAccountMACKeys\": \
        {\"kid-1\": \"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\"}";
    let _pebble = Pebble::start(ours.folder(), &[], bound);
    let names = ["bound.home.example"];
    let file = ours.folder().join("eab");
    let with = |key: &str| {
        std::fs::write(&file, key).unwrap();
        Pebble::settings(ours.folder(), "") + &format!("eab_id = \"kid-1\"\neab_key_file = \"{}\"\n", file.display())
    };
    ours.kept(&with("d3Jvbmcga2V5LCB3cm9uZyBrZXksIHdyb25nIGtleSE"), &names, async |kept| {
        let story = kept.failed(&names, "the CA says").await;
        let Outcome::Failed { cure, .. } = &story.attempts.last().unwrap().outcome else { panic!("{story:?}") };
        assert!(cure.contains("acme.ca.eab_key_file"), "{cure}");
    });
    ours.kept(&with("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"), &names, async |kept| {
        kept.issued(&names).await;
    });
}
