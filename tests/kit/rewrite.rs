//! Writes expectations into a case file, leaving everything else as it stands.

use super::case::Case;
use super::expect::Expect;
use super::message::Reply;

/// Puts what came back in place of the expectations of these steps (by their index).
pub(crate) fn rewrite(case: &Case, replies: &[(usize, Option<Reply>)]) {
    let text = std::fs::read_to_string(&case.path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut written = String::new();
    let mut next = 0;
    for (index, step) in case.steps.iter().enumerate() {
        let Some((_, reply)) = replies.iter().find(|(of, _)| *of == index) else { continue };
        lines[next..step.lines.start].iter().for_each(|line| written.extend([line, "\n"]));
        let head = lines[step.lines.start].split("->").next().unwrap_or_default();
        written.push_str(head.trim_end());
        written.push_str(&Expect::print(reply.as_ref(), step.is_send()));
        next = step.lines.end;
    }
    lines[next..].iter().for_each(|line| written.extend([line, "\n"]));
    std::fs::write(&case.path, written).unwrap();
}
