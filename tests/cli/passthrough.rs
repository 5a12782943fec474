//! A host that is passed on unopened, from the route to the test of it: two servers, one before the other.

use std::net::TcpListener;

use crate::addresses::{edge, lines, until};

#[test]
fn a_route_that_is_passed_on_is_tested_through_to_the_app_and_gets_no_certificate() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (home, server) = edge(&format!("127.0.0.1:{port}"), "addresses = [\"127.0.0.1\"]\n");
    let (_behind, behind) = edge(&format!("127.0.0.2:{port}"), "");
    assert!(lines(&home).iter().any(|line| line.contains("HTTPS")));
    let cert = || home.run(&["cert", "list"]).out;
    until("vouched for", || cert().contains("app.home.example"));
    let target = format!("tls://127.0.0.2:{port}");
    let set = home.run(&["route", "set", "app.home.example", &target]);
    assert_eq!(set.code, 0, "{set:?}");
    assert_eq!(lines(&home), ["A 127.0.0.1"], "no HTTPS record, no CAA record");
    until("let go of", || !cert().contains("app.home.example"));
    let mut test = home.run(&["route", "test", "app.home.example"]);
    until("vouched for behind", || {
        test = home.run(&["route", "test", "app.home.example"]);
        test.code == 0
    });
    for told in [
        format!("{target} answers with a certificate of "),
        ", shown by the app itself".to_owned(),
        "the connection is passed on unopened".to_owned(),
    ] {
        assert!(test.out.contains(&told), "{told}: {}", test.out);
    }
    let listed = home.run(&["route", "list"]).out;
    assert!(listed.contains(&target) && listed.contains("the app's own"), "{listed}");
    behind.stop();
    let test = home.run(&["route", "test", "app.home.example"]);
    assert_eq!(test.code, 1);
    assert!(
        test.out.contains("takes no connections") && test.out.contains("the app shakes hands itself"),
        "{}",
        test.out
    );
    server.stop();
}
