//! Chains and keys as people bring them: whole, in the wrong order, of somebody else, damaged, too many.

use std::process::Command;
use std::time::Duration;

use super::*;

const NOW: u64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(86_400);

fn subjects(names: &[&str]) -> Vec<Subject> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn issued() -> (Authority, Certificate) {
    let authority = Authority::new(NOW).unwrap();
    let certificate = authority.issue(&subjects(&["app.example.org", "192.0.2.1"]), NOW, 90 * DAY).unwrap();
    (authority, certificate)
}

fn fault(chain: &str, key: &str) -> String {
    Certificate::parse(chain, key, Origin::Imported).unwrap_err().to_string()
}

#[test]
fn an_issued_certificate_says_what_was_asked_for() {
    let (authority, certificate) = issued();
    assert_eq!(certificate.subjects(), subjects(&["app.example.org", "192.0.2.1"]));
    assert_eq!(certificate.not_after(), NOW + 90 * 86_400);
    assert!(certificate.not_before() < NOW && certificate.is_valid(NOW));
    assert!(certificate.issuer().starts_with("Freehold local CA "));
    assert!(certificate.covers(&"app.example.org".parse().unwrap()));
    let past_the_root = authority.issue(&subjects(&["a.example"]), NOW, 10_000 * DAY).unwrap();
    assert_eq!(past_the_root.not_after(), authority.not_after(), "never longer than its root");
    assert!(authority.issue(&[], NOW, DAY).is_err());
    assert!(authority.issue(&vec!["a.example".parse().unwrap(); 101], NOW, DAY).is_err());
}

/// An independent judge: a client that trusts the root and nothing else takes it.
#[test]
fn openssl_takes_what_the_authority_issues() {
    let (authority, certificate) = issued();
    let folder = tempfile::tempdir().unwrap();
    let (root, leaf) = (folder.path().join("root.pem"), folder.path().join("leaf.pem"));
    std::fs::write(&root, authority.root_pem()).unwrap();
    std::fs::write(&leaf, certificate.chain_pem()).unwrap();
    let verify = |name: &str| {
        let mut command = Command::new("openssl");
        command.args(["verify", "-x509_strict", "-purpose", "sslserver", "-attime", &NOW.to_string(), "-CAfile"]);
        command.arg(&root).args(["-verify_hostname", name]).arg(&leaf).output().unwrap()
    };
    let taken = verify("app.example.org");
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    assert!(!verify("other.example.org").status.success());
}

#[test]
fn a_request_names_what_it_asks_for_and_nobody() {
    for kind in [KeyKind::P256, KeyKind::P384] {
        let key = Key::generate(kind).unwrap();
        let request = request(&subjects(&["*.example.org", "example.org"]), &key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("request.der");
        std::fs::write(&path, request).unwrap();
        let told = Command::new("openssl")
            .args(["req", "-inform", "DER", "-noout", "-text", "-verify", "-in"])
            .arg(&path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        assert!(text.contains("DNS:*.example.org, DNS:example.org"), "{text}");
        assert!(text.lines().any(|line| line.trim() == "Subject:"), "{text}");
    }
}

#[test]
fn what_the_store_keeps_comes_back_whole_and_wrong_versions_are_refused() {
    let (authority, certificate) = issued();
    let kept = serde_json::to_string(&certificate).unwrap();
    let read: Certificate = serde_json::from_str(&kept).unwrap();
    assert_eq!(read, certificate);
    assert_eq!(*read.key_pem(), *certificate.key_pem());
    assert!(read.certified().unwrap().keys_match().is_ok());
    let newer = kept.replace("\"version\":1", "\"version\":2");
    assert!(serde_json::from_str::<Certificate>(&newer).unwrap_err().to_string().contains("format 2"));

    let kept = serde_json::to_string(&authority).unwrap();
    let read: Authority = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.root_pem(), authority.root_pem());
    let again = read.issue(&subjects(&["b.example"]), NOW, DAY).unwrap();
    assert_eq!(again.issuer(), certificate.issuer());
    assert!(serde_json::from_str::<Authority>(&kept.replace("\"version\":1", "\"version\":9")).is_err());
    let leaf_as_root =
        serde_json::json!({"version": 1, "root": certificate.chain_pem(), "key": *certificate.key_pem()});
    assert!(serde_json::from_value::<Authority>(leaf_as_root).is_err());
}

/// Thousands lie in memory, few of which are shown at a time.
#[test]
fn what_certificates_have_in_common_is_held_once_and_what_rustls_wants_is_made_late() {
    let authority = Authority::new(NOW).unwrap();
    let kept = |name: &str| {
        let issued = authority.issue(&subjects(&[name]), NOW, 90 * DAY).unwrap();
        let chain = format!("{}{}", issued.chain_pem(), authority.root_pem());
        let brought = Certificate::parse(&chain, &issued.key_pem(), Origin::Imported).unwrap();
        (serde_json::to_string(&brought).unwrap(), brought)
    };
    let ((one, brought), (other, _)) = (kept("a.example"), kept("b.example"));
    let read = |kept: &str| serde_json::from_str::<Certificate>(kept).unwrap();
    let (one, other) = (read(&one), read(&other));
    let root = |certificate: &Certificate| std::ptr::from_ref(certificate.chain().nth(1).unwrap());
    assert_eq!((root(&one), root(&one)), (root(&other), root(&brought)), "however it came");
    assert_eq!(one.chain().count(), 2);
    assert_ne!(one.own(), other.own());

    let text = serde_json::to_string(&one).unwrap();
    let mut held = None;
    let cost = allocation_counter::measure(|| held = Some(read(&text))).bytes_current;
    let own = one.own().len() as i64;
    assert!(cost < own + 400, "{cost} octets for a certificate of {own}, its key and what is said of it");
    let shown = allocation_counter::measure(|| assert!(held.as_ref().unwrap().certified().is_some())).bytes_current;
    assert!(shown > own, "not before somebody asks: {shown}");
}

#[test]
fn a_key_is_never_printed() {
    let (authority, certificate) = issued();
    let key = Key::from_pem(&certificate.key_pem()).unwrap();
    let printed = format!("{authority:?} {certificate:?} {key:?}");
    assert!(printed.contains("Key(secret)") && printed.contains("app.example.org"));
    let pem = certificate.key_pem();
    assert!(!pem.lines().filter(|line| !line.starts_with('-')).any(|line| printed.contains(line)));
}

#[test]
fn what_does_not_fit_together_is_refused_in_plain_words() {
    let (authority, certificate) = issued();
    let (chain, key, root) = (certificate.chain_pem(), certificate.key_pem(), authority.root_pem());
    let other = issued().1;
    let with_root = format!("some words\n{chain}{root}");
    assert!(Certificate::parse(&with_root, &key, Origin::Imported).is_ok());

    assert!(fault("", &key).contains("no certificate in the text"));
    assert!(fault(&key, &key).contains("no certificate in the text"));
    assert!(fault(&chain, &chain).contains("no private key"));
    assert!(
        fault(&chain, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n")
            .contains("passphrase")
    );
    assert!(fault(&chain, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n").contains("damaged"));
    assert!(fault(&chain, &other.key_pem()).contains("does not belong"));
    assert!(fault(&format!("{root}{chain}"), &key).contains("stands at place 2"));
    assert!(fault(&format!("{chain}{}", issued().0.root_pem()), &key).contains("did not issue the one before it"));
    assert!(fault(&chain.repeat(17), &key).contains("more than 16"));
    assert!(fault(&"x".repeat(300_000), &key).contains("octets"));
    let cut = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", "MIIB");
    assert!(fault(&cut, &key).contains("certificate 1 of the chain is damaged"));
    assert!(fault(&chain.replace("END", "ENT"), &key).contains("cannot be read"));
    let root_key = serde_json::to_value(&authority).unwrap()["key"].as_str().unwrap().to_owned();
    assert!(fault(&root, &root_key).contains("of a CA"));
}

#[test]
fn dates_are_told_in_words() {
    let certificate = issued().1;
    assert_eq!(certificate.check_dates(NOW), Ok(()));
    assert_eq!(certificate.check_dates(certificate.not_after()), Ok(()));
    let ended = certificate.check_dates(certificate.not_after() + 1).unwrap_err();
    assert!(ended.message.contains(&date(certificate.not_after())), "{ended}");
    assert!(certificate.check_dates(certificate.not_before() - 1).unwrap_err().message.contains("only from"));
}

#[test]
fn the_place_of_a_certificate_follows_from_its_names() {
    let id = |names: &[&str]| Certificate::id_of(&subjects(names));
    assert_eq!(id(&["app.example.org"]), "app.example.org");
    assert_eq!(id(&["*.example.org"]), "*.example.org");
    let several = id(&["*.example.org", "example.org"]);
    assert!(several.starts_with("example.org+1-") && several.len() == "example.org+1-".len() + 12, "{several}");
    assert_ne!(several, id(&["a.example.org", "example.org"]));
}

/// Keys as other programs make them.
#[test]
fn keys_and_certificates_of_openssl_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    for algorithm in [&["rsa:2048"][..], &["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"], &["ed25519"]] {
        let run = Command::new("openssl")
            .current_dir(folder.path())
            .args([
                "req",
                "-x509",
                "-nodes",
                "-keyout",
                "key.pem",
                "-out",
                "chain.pem",
                "-days",
                "30",
                "-subj",
                "/CN=x",
            ])
            .args(["-addext", "subjectAltName=DNS:app.example.org", "-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-newkey")
            .args(algorithm)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let certificate = Certificate::parse(&read("chain.pem"), &read("key.pem"), Origin::Imported).unwrap();
        assert_eq!(certificate.subjects(), subjects(&["app.example.org"]));
        assert!(certificate.certified().is_some());
    }
}

#[test]
fn a_challenge_certificate_is_made() {
    let made = challenge_certificate(&"app.example.org".parse().unwrap(), &[7; 32], NOW).unwrap();
    let key = made.key.public_key().unwrap();
    assert!(made.cert[0].windows(key.len()).any(|window| window == key.as_ref()), "its own key");
    // id-pe-acmeIdentifier (RFC 8737, section 6.1), critical, with the digest.
    let wanted = [&[0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 0x22, 4, 0x20][..], &[7; 32]].concat();
    assert!(made.cert[0].windows(wanted.len()).any(|window| window == wanted));
}
