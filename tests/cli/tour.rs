//! README's tour, played as it stands there, so that whoever follows it sees what it says.

use std::fs;
use std::path::Path;

use crate::kit::Home;
use crate::session::{Step, matches};

/// What a reader of the README has before the tour.
fn home() -> Home {
    let home = Home::new();
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    for entry in fs::read_dir(zones).unwrap() {
        let path = entry.unwrap().path();
        home.write(&format!("zones/{}", path.file_name().unwrap().display()), &fs::read_to_string(&path).unwrap());
    }
    home
}

/// The commands of the README's `text` blocks with what they say; a command goes on behind `\\` and `|`. Who builds and
/// starts the server is played by the test.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut in_block, mut goes_on) = (false, false);
    for (at, line) in include_str!("../../README.md").lines().enumerate() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => in_block = line == "```text",
            _ if !in_block => (),
            Some(command) => {
                steps.push(Step::new(at + 1, command));
                goes_on = command.ends_with(['\\', '|']);
            }
            None => {
                let step = steps.last_mut().unwrap();
                if goes_on {
                    step.go_on(line)
                } else {
                    step.expect(line)
                }
                goes_on = goes_on && line.ends_with(['\\', '|']);
            }
        }
    }
    steps.retain(|step| !step.begins_with("cargo ") && !step.begins_with("alias "));
    steps
}

#[test]
fn the_tour_says_what_really_happens() {
    let home = home();
    let server = home.serve();
    let steps = steps();
    assert!(steps.len() > 12, "the tour is found");
    let mut wrong = Vec::new();
    let mut environment = String::new();
    for mut step in steps {
        step.replace("-p 5300", &format!("-p {}", server.address.port()));
        step.replace("http://localhost:8053", &server.admin);
        if step.begins_with("export ") || step.begins_with("unset ") {
            environment += &format!("{}\n", step.text());
            continue;
        }
        // A port that the kernel chose is told to nobody, so the demo app has no HTTPS record here: 172 are 171.
        step.differ(&[("anna", "<word>"), ("3f9a01c2de", "<word>"), ("172 records", "171 records")]);
        let mut said = step.run(&home, Some(&server), &environment);
        said.pop_if(|line| line.starts_with('[') && line.ends_with(']')); // exit codes are not printed by a shell
        if !matches(&step.said, &said) {
            let (expected, said) = (step.said.join("\n"), said.join("\n"));
            wrong.push(format!(
                "README.md, line {}: {}\n--- it says\n{expected}\n--- said\n{said}\n",
                step.line,
                step.text()
            ));
        }
    }
    server.stop();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
