//! Bad settings: one clear fault each, with its place and its cure, and the exit code.

use crate::kit::{Home, Said};

fn refused(code: i32, err: &str) -> Said {
    Said { code, out: String::new(), err: err.into() }
}

fn with(settings: &str) -> Said {
    let home = Home::new();
    home.write("freehold.toml", settings);
    home.run(&["serve"])
}

#[test]
fn an_unknown_key_is_shown_with_the_one_that_was_meant() {
    let expected = "\
error: there is no setting `lisen` here
 --> freehold.toml:2:1
  |
2 | lisen = [\"127.0.0.1:0\"]
  | ^^^^^
  = cure: did you mean `listen`?

";
    assert_eq!(with("[dns]\nlisen = [\"127.0.0.1:0\"]\n"), refused(2, expected));
}

#[test]
fn a_wrong_type_is_shown_with_what_to_write() {
    let expected = "\
error: invalid type: string \"yes\", expected a boolean
 --> freehold.toml:2:11
  |
2 | cookies = \"yes\"
  |           ^^^^^
  = cure: write true or false, without quotes

";
    assert_eq!(with("[dns]\ncookies = \"yes\"\n"), refused(2, expected));
}

#[test]
fn a_bad_address_is_shown_where_it_stands() {
    let expected = "\
error: \"localhost\" is not an address
 --> freehold.toml:2:11
  |
2 | listen = [\"localhost\"]
  |           ^^^^^^^^^^^
  = cure: write \"192.0.2.1\", \"192.0.2.1:5300\" or \"[2001:db8::1]:5300\"

";
    assert_eq!(with("[dns]\nlisten = [\"localhost\"]\n"), refused(2, expected));
}

#[test]
fn every_command_minds_the_settings() {
    let home = Home::new();
    home.write("other.toml", "[store]\ndirectroy = \"d\"\n");
    let said = home.run(&["zone", "list", "--config", "other.toml"]);
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("--> other.toml:2:1\n") && said.err.contains("did you mean `directory`?"),
        "{}",
        said.err
    );
}

#[test]
fn a_settings_file_that_is_not_there_is_not_passed_over() {
    let home = Home::new();
    let expected = "\
error: cannot read the settings file nowhere.toml: no such file or directory
 = cure: check the path, or leave --config out
";
    assert_eq!(home.run(&["serve", "--config", "nowhere.toml"]), refused(2, expected));
}

#[test]
fn an_unknown_command_is_a_usage_fault() {
    assert_eq!(Home::new().run(&["zone", "frobnicate"]).code, 2);
}
