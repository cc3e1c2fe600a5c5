//! "Did you mean": the nearest known name.

/// Names that other MCP clients and gateways use, and ours.
const SYNONYMS: [(&str, &str); 12] = [
    ("serverUrl", "url"),
    ("httpUrl", "url"),
    ("endpoint", "url"),
    ("transport", "type"),
    ("servers", "mcpServers"),
    ("timeout", "timeoutMs"),
    ("workingDirectory", "cwd"),
    ("environmentVariables", "env"),
    ("port", "listen"),
    ("bind", "listen"),
    ("dir", "folder"),
    ("path", "folder"),
];

/// Names whose meaning lives elsewhere here.
const ELSEWHERE: [(&str, &str); 6] = [
    ("autoApprove", "remove it: which calls are allowed is written in the policies folder"),
    ("alwaysAllow", "remove it: which calls are allowed is written in the policies folder"),
    ("includeTools", "remove it: which calls are allowed is written in the policies folder"),
    ("excludeTools", "remove it: which calls are allowed is written in the policies folder"),
    ("envFile", "remove it: set the variables in the environment and write `${NAME}` under `env`"),
    ("inputs", "remove it: set the values in the environment and write `${NAME}`"),
];

/// Says what to write instead of the unknown name `given`.
pub(super) fn advice(given: &str, known: &[&str]) -> String {
    if let Some((_, ours)) = SYNONYMS.iter().find(|(theirs, ours)| *theirs == given && known.contains(ours)) {
        return format!("did you mean `{ours}`?");
    }
    if let Some((_, help)) = ELSEWHERE.iter().find(|(theirs, _)| *theirs == given) {
        return (*help).to_owned();
    }
    match nearest(given, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", listed(known)),
    }
}

/// `a`, `b`, `c`
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The known name that is at most a third of its length away from `given`.
pub(super) fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let wanted = plain(given);
    known
        .iter()
        .map(|name| (distance(&wanted, &plain(name)), *name))
        .filter(|(away, name)| *away <= (name.len() / 3).max(1))
        .min_by_key(|(away, _)| *away)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace, swap of neighbours) between two names: optimal string alignment.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replaced = at(&above, j) + usize::from(a != b);
            let mut best = replaced.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    at(&above, right.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["listen", "dataDir", "mcpServers", "policies", "url"];
        for (given, meant) in [
            ("listne", "listen"),
            ("data_dir", "dataDir"),
            ("mcpservers", "mcpServers"),
            ("mcpServer", "mcpServers"),
            ("polices", "policies"),
        ] {
            assert_eq!(nearest(given, &known), Some(meant), "{given}");
        }
        assert_eq!(nearest("frobnicate", &known), None);
        assert_eq!(advice("serverUrl", &known), "did you mean `url`?");
        assert!(advice("autoApprove", &known).contains("policies folder"));
        assert!(advice("frobnicate", &["a", "b"]).contains("`a`, `b`"));
    }
}
