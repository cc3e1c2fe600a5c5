//! `sealgate inspect` as people and pipelines run it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::binary;

/// Runs the verb with this standard input: exit code and lines of output.
pub fn inspect(arguments: &[&str], input: &str) -> (i32, Vec<Value>) {
    let mut child = Command::new(binary())
        .arg("inspect")
        .args(arguments)
        .env_remove("SEALGATE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A verb that reads only files closes its standard input early.
    let _ = writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

#[test]
fn spans_are_byte_offsets_of_the_text_or_of_the_string_at_a_path() {
    let text = "für ana.lima@example.com";
    let input = line(&json!({"id": "t", "text": text}))
        + &line(&json!({"id": 7, "json": {"a/b": format!("\"\n{text}"), "n": 4_111_111_111_111_111_u64}}))
        + &line(&json!({"id": "k", "json": {"ana@example.com": true}}))
        + &line(&json!({"id": "none", "text": "nothing here"}));
    let (code, lines) = inspect(&[], &input);
    assert_eq!(code, 1);
    let span = |line: usize, at: usize| lines[line]["spans"][at].clone();
    let place = |span: &Value| (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap());
    assert_eq!(place(&span(0, 0)), (5, 25));
    assert_eq!((&span(0, 0)["type"], &lines[0]["id"]), (&json!("EMAIL"), &json!("t")));
    assert_eq!((place(&span(1, 0)), &span(1, 0)["path"]), ((7, 27), &json!("/a~1b")));
    assert_eq!((place(&span(1, 1)), &span(1, 1)["path"]), ((0, 16), &json!("/n")));
    assert_eq!((&span(2, 0)["path"], &span(2, 0)["key"]), (&json!("/ana@example.com"), &json!(true)));
    assert_eq!(lines[3], json!({"id": "none", "spans": []}));
}

#[test]
fn a_text_that_is_json_is_walked_as_json_and_its_spans_lie_in_the_text() {
    let text = r#"{"note": "\u0061na.lima@example.com"}"#;
    let (_, lines) = inspect(&[], &line(&json!({"id": 1, "text": text})));
    let span = &lines[0]["spans"][0];
    let start = usize::try_from(span["start"].as_u64().unwrap()).unwrap();
    let end = usize::try_from(span["end"].as_u64().unwrap()).unwrap();
    assert_eq!(&text[start..end], r"\u0061na.lima@example.com");
}

#[test]
fn redacted_output_keeps_everything_else() {
    let input = line(&json!({"id": 1, "text": "to ana@example.com, 3 pm"}))
        + "{\"id\":2,\"json\":{\"b\":1.50,\"a\":\"ana@example.com\"}}\n";
    let (code, lines) = inspect(&["--redact"], &input);
    assert_eq!(code, 0);
    assert_eq!(lines[0], json!({"id": 1, "output": "to [EMAIL], 3 pm"}));
    assert_eq!(lines[1].to_string(), r#"{"id":2,"output":{"b":1.5,"a":"[EMAIL]"}}"#);
}

#[test]
fn a_bad_line_is_reported_and_the_rest_goes_on() {
    let input = "{\"id\":1,\"text\":\"a@example.com\"}\nnot json\n{\"id\":2}\n\n{\"id\":3,\"json\":[]}\n";
    let (code, lines) = inspect(&[], input);
    assert_eq!(code, 2);
    assert_eq!(lines.len(), 4);
    assert!(lines[1]["error"].as_str().unwrap().contains("line 2"));
    assert!(lines[2]["error"].as_str().unwrap().contains("`text`"));
    assert_eq!(lines[3], json!({"id": 3, "spans": []}));
}

#[test]
fn folders_are_read_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    std::fs::write(folder.path().join("in/a.txt"), "write to ana@example.com").unwrap();
    std::fs::write(folder.path().join("b.bin"), [0xFF, 0xFE, 0]).unwrap();
    std::fs::write(folder.path().join("c.jsonl"), "{\"id\":\"c\",\"text\":\"fine\"}\n").unwrap();
    let (code, lines) = inspect(&[folder.path().to_str().unwrap()], "");
    assert_eq!(code, 2);
    let ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert!(ids[0].ends_with("b.bin") && ids[1] == "c" && ids[2].ends_with("a.txt"), "{ids:?}");
    assert!(lines[0]["error"].as_str().unwrap().contains("UTF-8"));
    assert_eq!(lines[2]["spans"].as_array().unwrap().len(), 1);
}

#[test]
fn explain_says_what_speaks_for_a_finding_and_against_what_looks_like_one() {
    let input =
        line(&json!({"id": 1, "text": "card 4111111111111111, not 4111111111111112; 06 12 34 56 78"}));
    let (_, lines) = inspect(&["--explain"], &input);
    assert_eq!(lines[0]["spans"][0]["type"], "CREDIT_CARD");
    assert!(lines[0]["spans"][0]["because"].as_str().unwrap().contains("check"));
    let passed = lines[0]["passed"].as_array().unwrap();
    let because = |kind: &str, text: &str| {
        let one = passed.iter().find(|one| one["type"] == kind && one["text"] == text);
        one.unwrap_or_else(|| panic!("{kind} {text}: {passed:?}"))["because"].as_str().unwrap().to_owned()
    };
    assert!(because("CREDIT_CARD", "4111111111111112").contains("check digits"));
    assert!(because("PHONE", "06 12 34 56 78").contains("nothing around it"));
    let plain = inspect(&[], &input).1;
    assert!(plain[0].get("passed").is_none() && plain[0]["spans"][0].get("because").is_none());
}
