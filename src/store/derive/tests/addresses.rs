//! What becomes of derived sets when addresses are looked at, and where a host is passed on unopened.

use super::*;

#[test]
fn an_address_that_is_down_leaves_the_sets_and_the_hints_until_it_is_back() {
    let told = |state: &Snapshot| records(state, "example.org.");
    let ttls = |state: &Snapshot| {
        let zone = state.zones.get(name("example.org.").borrow()).unwrap();
        let node = zone.node(name("app.example.org.").borrow()).unwrap();
        node.sets().map(|set| set.to_data().ttl).collect::<Vec<_>>()
    };
    let start = [put("example.org.", &[]), addresses_with_https(&[1, 2], &[], 443), route("app.example.org/")];
    let unwatched = state(start);
    let mut all_told = told(&unwatched);
    assert_eq!((all_told.len(), ttls(&unwatched)), (3, vec![300, 300]), "{all_told:?}");
    let watched = made(&unwatched, addresses_of_which(&[1, 2], &[]));
    assert_eq!((told(&watched), ttls(&watched)), (all_told.clone(), vec![60, 60]));
    let one = made(&watched, addresses_of_which(&[1, 2], &[2]));
    all_told.retain(|record| !record.ends_with(" 192.0.2.2"));
    let left: Vec<String> = all_told.iter().map(|record| record.replace(",192.0.2.2", "")).collect();
    assert_eq!((told(&one), ttls(&one)), (left, vec![60, 60]));
    let none = made(&one, addresses_of_which(&[1, 2], &[1, 2]));
    assert_eq!(told(&none), told(&watched), "never an empty set");
    assert_eq!(told(&made(&none, addresses_of_which(&[1, 2], &[]))), told(&watched));
    let off = made(&one, addresses_with_https(&[1, 2], &[], 443));
    assert_eq!((told(&off), ttls(&off)), (told(&unwatched), vec![300, 300]));
}

#[test]
fn a_host_that_is_passed_on_has_addresses_and_nothing_else_and_no_other_route() {
    let start = [
        put("example.org.", &[]),
        addresses_with_https(&[1], &[], 443),
        account("https://ca.example/", "https://ca.example/1", "ca.example"),
        route("mail.example.org/"),
    ];
    let opened = state(start);
    assert_eq!(records(&opened, "example.org.").len(), 3);
    let closed = made(&opened, passed("mail.example.org"));
    assert_eq!(records(&closed, "example.org."), ["mail A 192.0.2.1"]);
    assert_eq!(records(&made(&closed, route("mail.example.org/")), "example.org."), records(&opened, "example.org."));
    let told = refused(&closed, route("mail.example.org/api"));
    assert!(told.contains("cannot be passed on unopened") && told.contains("route delete mail.example.org/"), "{told}");
    let two = made(&opened, route("mail.example.org/api"));
    let told = refused(&two, passed("mail.example.org"));
    assert!(told.contains("`freehold route delete mail.example.org/api`"), "{told}");
    // In one change what stands in the way may go first or last.
    let swap = Change::Many(vec![passed("mail.example.org"), unroute("mail.example.org/api")]);
    assert_eq!(records(&made(&two, swap), "example.org."), ["mail A 192.0.2.1"]);
}
