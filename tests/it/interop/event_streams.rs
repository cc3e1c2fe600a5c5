//! Real servers of the deprecated HTTP+SSE transport.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::script::{folder, node_server, python_program};

/// A running server; it ends with this value.
pub struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(port: u16, mut command: Command) -> Self {
        let process = command
            .current_dir(folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts; run `tests/interop/setup.sh`");
        let server = Self { process, port };
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not listen");
    }

    /// The URL of its stream.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sse", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A port that was free a moment ago: neither server can say which one the system has picked.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The reference server of the TypeScript SDK.
pub fn typescript() -> Server {
    let port = port();
    let mut command = Command::new("node");
    command.arg(node_server("server-everything")).arg("sse").env("PORT", port.to_string());
    Server::start(port, command)
}

/// A server of the Python SDK.
pub fn python() -> Server {
    let port = port();
    let mut command = Command::new(python_program("python"));
    command.arg("sse_server.py").arg(port.to_string());
    Server::start(port, command)
}

/// What a client finds behind the gateway.
pub fn profile() -> Value {
    json!({
        "tools": ["everything_echo", "everything_get-sum", "py_add", "py_count"],
        "prompts": ["everything_simple-prompt"],
        "resources": ["everything+demo://resource/static/document/features.md"],
        "calls": [
            {"name": "everything_echo", "arguments": {"message": "hello over there"}, "contains": "hello over there"},
            {"name": "py_add", "arguments": {"a": 19, "b": 23}, "contains": "42"},
        ],
        "progress": {"name": "py_count", "arguments": {"steps": 4}, "steps": 4},
        "cancel": {
            "name": "everything_trigger-long-running-operation",
            "arguments": {"duration": 50, "steps": 500},
        },
        "denied": {"name": "everything_no_such_tool", "arguments": {}},
        "reads": [{"uri": "everything+demo://resource/dynamic/text/7", "contains": "7"}],
    })
}
