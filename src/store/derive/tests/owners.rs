//! What yields to the owner: HTTPS and CAA records.

use super::*;

const HTTPS: &str = "app HTTPS 1 . alpn=\"h2,http/1.1\" ipv4hint=192.0.2.1 ipv6hint=2001:db8::1";

#[test]
fn a_route_brings_an_https_record_that_follows_the_edge() {
    let before = state([addresses_with_https(&[1], &[1], 443), put("home.example", &["www A 192.0.2.99"])]);
    let with = made(&before, route("app.home.example/"));
    let told = records(&with, "home.example");
    assert!(told.contains(&HTTPS.to_owned()), "{told:?}");
    let moved = made(&with, addresses_with_https(&[2], &[], 8443));
    let port = "app HTTPS 1 . alpn=\"h2,http/1.1\" port=8443 ipv4hint=192.0.2.2";
    assert!(records(&moved, "home.example").contains(&port.to_owned()), "{:?}", records(&moved, "home.example"));
    assert_eq!(records(&made(&with, addresses(&[1], &[])), "home.example"), ["app A 192.0.2.1", "www A 192.0.2.99"]);
    let without = made(&moved, unroute("app.home.example/"));
    assert_eq!(export(&without, "home.example"), export(&before, "home.example"));
}

#[test]
fn http3_is_named_where_it_is_served_and_no_certificate_is_asked_for() {
    let Change::PutItem(Item::Addresses(known)) = addresses_with_https(&[1], &[1], 443) else { unreachable!() };
    let served = |on| Change::PutItem(Item::Addresses(Arc::new(EdgeAddresses::clone(&known).with_http3(on))));
    let off = state([served(false), put("home.example", &[]), route("app.home.example/")]);
    let (on, named) = (made(&off, served(true)), HTTPS.replace("h2,", "h3,h2,"));
    assert!(records(&on, "home.example").contains(&named), "{:?}", records(&on, "home.example"));
    assert_eq!(records(&made(&on, served(false)), "home.example"), records(&off, "home.example"));
    // An old one of ours is brought up to date.
    assert_eq!(records(&made(&off, put("home.example", &[&named])), "home.example"), records(&off, "home.example"));
    let Change::PutItem(Item::Route(plain)) = route("app.home.example/") else { unreachable!() };
    let ca = crate::cert::Authority::new(0).unwrap().root_pem();
    let options = serde_json::from_value(serde_json::json!({"client_certificate": {"ca": ca}})).unwrap();
    let asks = Change::PutItem(Item::Route(Arc::new(Route::clone(&plain).with_options(options))));
    assert!(records(&made(&on, asks), "home.example").contains(&HTTPS.to_owned()));
}

#[test]
fn what_is_derived_is_not_edited_but_may_be_replaced_by_the_owners_own() {
    let with = state([addresses_with_https(&[1], &[1], 443), put("home.example", &[]), route("app.home.example/")]);
    let own = "app HTTPS 1 . alpn=\"h3,h2\"";
    for (wrong, kind) in [("app HTTPS", "HTTPS"), (&HTTPS.replace("192.0.2.1", "192.0.2.7"), "HTTPS")] {
        let told = refused(&with, edit("home.example", &[wrong]));
        assert!(told.contains("app.home.example/") && told.contains(kind), "{wrong}: {told}");
    }
    let theirs = made(&with, edit("home.example", &[own]));
    let kept = made(&theirs, addresses_with_https(&[2], &[], 443));
    assert!(records(&kept, "home.example").contains(&own.to_owned()), "{:?}", records(&kept, "home.example"));
    let back = made(&theirs, edit("home.example", &["app HTTPS"]));
    assert_eq!(records(&back, "home.example"), records(&with, "home.example"), "once theirs goes ours is back");
    let gone = made(&theirs, unroute("app.home.example/"));
    assert_eq!(records(&gone, "home.example"), [own], "what the owner has put stays the owner's");
    let before = state([addresses_with_https(&[1], &[], 443), put("home.example", &[own])]);
    assert!(records(&made(&before, route("app.home.example/")), "home.example").contains(&own.to_owned()));
}

#[test]
fn a_zone_file_may_have_its_own_and_an_old_one_of_ours_is_brought_up_to_date() {
    let with = state([addresses_with_https(&[1], &[1], 443), put("home.example", &[]), route("app.home.example/")]);
    let old = HTTPS.replace("192.0.2.1", "192.0.2.200");
    for file in [&[][..], &[&*old], &[HTTPS]] {
        let after = made(&with, put("home.example", file));
        assert_eq!(records(&after, "home.example"), records(&with, "home.example"), "{file:?}");
    }
    let own = "app HTTPS 0 www.another.";
    assert!(records(&made(&with, put("home.example", &[own])), "home.example").contains(&own.to_owned()));
}

#[test]
fn our_own_account_alone_may_certify_a_host_unless_the_owner_says_who() {
    let (ca, url) = ("https://ca.example/directory", "https://ca.example/account/1");
    let caa = |owner: &str, number: u8| {
        let methods = "validationmethods=dns-01,http-01,tls-alpn-01";
        format!("{owner} CAA 0 issue \"ca{number}.example; accounturi={}{number}; {methods}\"", &url[..url.len() - 1])
    };
    let of = |state: &Snapshot| -> Vec<String> {
        records(state, "home.example").into_iter().filter(|record| record.contains(" CAA ")).collect()
    };
    let before = state([addresses(&[1], &[]), put("home.example", &[]), route("app.home.example/")]);
    assert!(of(&before).is_empty(), "no CA has told its name");
    let with = made(&before, account(ca, url, "ca1.example"));
    assert_eq!(of(&with), [caa("app", 1)]);
    let second = made(&with, account("https://two.example/", "https://ca.example/account/2", "ca2.example"));
    assert_eq!(of(&second), [caa("app", 1), caa("app", 2)]);
    assert!(refused(&with, edit("home.example", &["app CAA"])).contains("app.home.example/"));
    // The owner's own, at the host or above it.
    let own = "app CAA 0 issue \"other.example\"";
    assert_eq!(of(&made(&with, edit("home.example", &[own]))), [own]);
    let above = "@ CAA 0 issue \"other.example\"";
    let theirs = made(&with, edit("home.example", &[above]));
    assert_eq!(of(&theirs), [above]);
    assert_eq!(of(&made(&theirs, edit("home.example", &["@ CAA"]))), [caa("app", 1)]);
    // A host above that has a route as well says nothing against it.
    let both = made(&with, route("home.example/"));
    assert_eq!(of(&both), [caa("@", 1), caa("app", 1)]);
    let gone = made(&both, Change::DeleteItem(ItemKey::new(Shelf::Account, ca)));
    assert!(of(&gone).is_empty());
    let strange = made(&before, account(ca, url, "a; b"));
    assert!(of(&strange).is_empty(), "what could not stand in a record is left out");
}
