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
fn a_route_may_be_served_at_some_of_the_addresses_only() {
    let at = |addresses: serde_json::Value| {
        let options = serde_json::json!({"addresses": addresses});
        let route = serde_json::json!({"host": "app.example.org", "apps": ["http://127.0.0.1:1"], "options": options});
        Change::PutItem(Item::Route(Arc::new(serde_json::from_value(route).unwrap())))
    };
    let told = |state: &Snapshot| records(state, "example.org.").join(" | ").replace("alpn=\"h2,http/1.1\" ", "");
    let start = [put("example.org.", &[]), addresses_with_https(&[1, 2, 3], &[], 443), route("app.example.org/")];
    let all = state(start);
    let two = made(&all, at(serde_json::json!(["192.0.2.3", "192.0.2.2"])));
    assert_eq!(told(&two), "app A 192.0.2.2 | app A 192.0.2.3 | app HTTPS 1 . ipv4hint=192.0.2.2,192.0.2.3");
    let one = made(&two, addresses_of_which(&[1, 2, 3], &[3]));
    assert_eq!(told(&one), "app A 192.0.2.2 | app HTTPS 1 . ipv4hint=192.0.2.2");
    let none = made(&two, addresses_of_which(&[1, 2, 3], &[2, 3]));
    assert_eq!(told(&none), told(&two), "not those of the others");
    let gone = apply(&all, &at(serde_json::json!(["192.0.2.9"]))).unwrap();
    assert_eq!(told(&gone.state), told(&all), "never an empty set");
    assert!(gone.warnings[0].message.contains("192.0.2.9, which app.example.org/ names"), "{:?}", gone.warnings);
    assert_eq!(told(&made(&two, route("app.example.org/"))), told(&all));
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
    // A zone that comes as a whole, known or new, is completed in the same way.
    assert_eq!(records(&made(&closed, put("example.org.", &[])), "example.org."), ["mail A 192.0.2.1"]);
    let without = made(&closed, delete("example.org."));
    assert_eq!(records(&made(&without, put("example.org.", &[])), "example.org."), ["mail A 192.0.2.1"]);
    let told = refused(&closed, route("mail.example.org/api"));
    assert!(told.contains("cannot be passed on unopened") && told.contains("route delete mail.example.org/"), "{told}");
    let two = made(&opened, route("mail.example.org/api"));
    let told = refused(&two, passed("mail.example.org"));
    assert!(told.contains("`freehold route delete mail.example.org/api`"), "{told}");
    // In one change what stands in the way may go first or last.
    let swap = Change::Many(vec![passed("mail.example.org"), unroute("mail.example.org/api")]);
    assert_eq!(records(&made(&two, swap), "example.org."), ["mail A 192.0.2.1"]);
}
