//! HTTP that no client library sends: each case has its answer, and afterwards the gateway still serves.

use crate::harness::{Gate, PERMIT_ALL, Site, Token, demo_servers, modern_request};
use serde_json::json;
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

/// Ends a read that would hang; the answers come at once.
const FOREVER: Duration = Duration::from_secs(30);

/// Sends bytes, and reads until the other side closes.
async fn exchange(gate: &Gate, bytes: &[u8]) -> String {
    let address = gate.endpoint.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(FOREVER, stream.read_to_end(&mut answer)).await.expect("the connection is closed");
    // A reset after the answer is a close too.
    let _ = read;
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<u16> {
    let lines = answer.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
}

/// A request head with these lines in place of the host and the length.
fn head(token: &Token, version: &str, lines: &str) -> Vec<u8> {
    let (headers, _) = body();
    let mut head = format!("POST /mcp HTTP/{version}\r\nAuthorization: Bearer {}\r\n{lines}", token.value);
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn body() -> (Vec<(&'static str, String)>, String) {
    let (headers, body) =
        modern_request("tools/call", json!({"name": "ops_echo", "arguments": {"text": "hi"}}));
    (headers, body.to_string())
}

#[tokio::test]
async fn odd_http_has_its_answer_and_changes_nothing() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let text = body().1;
    let length = format!("Content-Length: {}\r\n", text.len());
    let close = format!("Host: localhost\r\nConnection: close\r\n{length}");
    let chunked = "Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n";
    let whole = |version: &str, lines: &str, body: &str| {
        let mut all = head(&token, version, lines);
        all.extend_from_slice(body.as_bytes());
        all
    };
    let one_chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    for (name, bytes, wanted) in [
        ("as it should be", whole("1.1", &close, &text), vec![200]),
        ("HTTP/1.0", whole("1.0", &format!("Host: localhost\r\n{length}"), &text), vec![200]),
        ("HTTP/1.0 without a host", whole("1.0", &length, &text), vec![403]),
        ("no host", whole("1.1", &format!("Connection: close\r\n{length}"), &text), vec![403]),
        ("two hosts", whole("1.1", &format!("Host: localhost\r\n{close}"), &text), vec![403]),
        ("a chunked body", whole("1.1", chunked, &one_chunk), vec![200]),
        ("a chunk of no size", whole("1.1", chunked, "zz\r\n"), vec![408]),
        ("a length and chunks", whole("1.1", &format!("{chunked}{length}"), &one_chunk), vec![200]),
        ("two lengths", whole("1.1", &format!("{close}Content-Length: 5\r\n"), &text), vec![400]),
        ("a length below zero", whole("1.1", "Host: localhost\r\nContent-Length: -1\r\n", ""), vec![400]),
        ("a header without a name", whole("1.1", &format!("{close}: x\r\n"), &text), vec![400]),
        ("300 headers", whole("1.1", &format!("{close}{}", "x: y\r\n".repeat(300)), &text), vec![431]),
        (
            "a TLS greeting",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03rest of it, 24 bytes".to_vec(),
            vec![400],
        ),
        ("HTTP/0.9", b"GET /mcp\r\n\r\n                              ".to_vec(), vec![400]),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\nand more of it\r\n\r\n".to_vec(), vec![400]),
    ] {
        assert_eq!(statuses(&exchange(&gate, &bytes).await), wanted, "{name}");
    }
    let absolute = String::from_utf8(whole("1.1", &close, &text)).unwrap();
    let absolute = absolute.replacen("POST /mcp", "POST http://evil.example/mcp", 1);
    assert_eq!(statuses(&exchange(&gate, absolute.as_bytes()).await), [403], "another host as the target");
    let mut pipelined = Vec::new();
    for n in 0..4 {
        let lines = if n == 3 { close.clone() } else { format!("Host: localhost\r\n{length}") };
        pipelined.extend(whole("1.1", &lines, &text));
    }
    assert_eq!(statuses(&exchange(&gate, &pipelined).await), [200; 4], "pipelined");
    let answer = gate.call(&token, "ops_echo", json!({"text": "still here"})).await;
    assert!(answer.body.contains("still here"), "{}", answer.body);
}
