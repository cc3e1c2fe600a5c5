//! The real servers that stand behind one gateway, and what a client finds there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::script::{node_server, python_program};

/// The `mcpServers` of a configuration, and the profile that goes with them.
pub struct Backends {
    pub servers: Value,
    pub expect: PathBuf,
}

/// Prepares a folder with a file, a repository and the profile.
pub fn prepare(folder: &Path, legacy: &str, modern: &str) -> Backends {
    let shared = folder.join("shared");
    let repository = folder.join("repository");
    fs::create_dir(&shared).unwrap();
    fs::create_dir(&repository).unwrap();
    // The file system server refuses paths that lead through links, as temporary folders do on some systems.
    let shared = shared.canonicalize().unwrap();
    let repository = repository.canonicalize().unwrap();
    let note = shared.join("note.txt");
    fs::write(&note, "the tide turns at noon\n").unwrap();
    commit(&repository);
    let servers = json!({
        "everything": {"command": "node", "args": [node_server("server-everything"), "stdio"]},
        "files": {"command": "node", "args": [node_server("server-filesystem"), shared]},
        "time": {"command": python_program("mcp-server-time"), "args": ["--local-timezone", "UTC"]},
        "git": {"command": python_program("mcp-server-git"), "args": ["--repository", repository]},
        "rig-legacy": {"url": legacy, "era": "auto"},
        "rig-modern": {"url": modern, "era": "auto"},
    });
    let expect = folder.join("expect.json");
    fs::write(&expect, profile(&note, &repository).to_string()).unwrap();
    Backends { servers, expect }
}

fn commit(repository: &Path) {
    let git = |arguments: &[&str]| {
        let status = Command::new("git").args(arguments).current_dir(repository).status();
        assert!(status.expect("git is installed").success(), "git {}", arguments.join(" "));
    };
    fs::write(repository.join("README.md"), "# A repository\n").unwrap();
    git(&["init", "--quiet"]);
    git(&["add", "README.md"]);
    let person = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
    git(&[&person[..], &["commit", "--quiet", "--message", "First light"]].concat());
}

fn profile(note: &Path, repository: &Path) -> Value {
    let tools = [
        "everything_echo",
        "everything_get-sum",
        "everything_trigger-long-running-operation",
        "files_read_text_file",
        "files_list_directory",
        "time_get_current_time",
        "time_convert_time",
        "git_git_status",
        "git_git_log",
        "rig-legacy_add",
        "rig-legacy_count",
        "rig-modern_add",
        "rig-modern_count",
    ];
    let call = |name: &str, arguments: Value, contains: &str| json!({"name": name, "arguments": arguments, "contains": contains});
    let department = json!({"name": "department", "value": "E"});
    json!({
        "tools": tools,
        "prompts": ["everything_simple-prompt", "everything_args-prompt"],
        "resources": ["everything+demo://resource/static/document/features.md"],
        "templates": ["everything+demo://resource/dynamic/text/{resourceId}"],
        "calls": [
            call("everything_echo", json!({"message": "hello over there"}), "hello over there"),
            call("everything_get-structured-content", json!({"location": "Chicago"}), "temperature"),
            call("files_read_text_file", json!({"path": note}), "the tide turns at noon"),
            call("time_get_current_time", json!({"timezone": "Europe/Lisbon"}), "Europe/Lisbon"),
            call("git_git_log", json!({"repo_path": repository}), "First light"),
            call("rig-legacy_add", json!({"a": 19, "b": 23}), "42"),
            call("rig-modern_add", json!({"a": 19, "b": 23}), "42"),
        ],
        "progress": {"name": "rig-modern_count", "arguments": {"steps": 4}, "steps": 4},
        "cancel": {
            "name": "everything_trigger-long-running-operation",
            "arguments": {"duration": 50, "steps": 500},
        },
        "denied": {"name": "everything_no_such_tool", "arguments": {}},
        "reads": [{"uri": "everything+demo://resource/dynamic/text/7", "contains": "7"}],
        "prompt": {"name": "everything_args-prompt", "arguments": {"city": "Oslo"}, "contains": "Oslo"},
        "completions": [{
            "ref": {"type": "ref/prompt", "name": "everything_completable-prompt"},
            "argument": department,
            "includes": "Engineering",
        }],
    })
}
