//! The page on which people approve calls: who may, what they see, and what a reference alone opens.

use crate::approval_wait::Scene;
use crate::harness::{Answer, Gate, Site, Token, demo_servers};
use serde_json::{Value, json};

const ASKS: &str = "approval: { url: \"https://ops.example/gate\", waitMs: 600000 }";

fn policies() -> &'static str {
    "@id(\"all\")\npermit(principal, action in Action::\"Mcp\", resource);\n\
     @id(\"leads\")\npermit(principal in Role::\"lead\", action == Action::\"ApproveCall\", resource);\n\
     @id(\"dpo\")\npermit(principal in Role::\"dpo\", action == Action::\"ApproveCall\", resource);\n\
     @id(\"both\") @oblige @require_approval(\"Role::lead,Role::dpo\")\n\
     permit(principal, action == Action::\"ops_echo\", resource);"
}

async fn post(gate: &Gate, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut request = gate.http.post(format!("{}{path}", gate.admin)).body(body);
    request = request.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

struct Open {
    gate: Gate,
    alice: Token,
    path: String,
}

/// A call of alice's that waits, with what could do harm in its arguments.
async fn open(policies: &str) -> Open {
    let site = Site::new(&demo_servers(), ASKS, policies);
    let alice = site.token("alice", "lead");
    let gate = site.start();
    let text = "</pre><script>alert(1)</script> jane@example.com \u{202e}drawkcab";
    let params = json!({"name": "ops_echo", "arguments": {"text": text},
        "_meta": {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}});
    let first = gate.modern(&alice, "tools/call", params).await.message();
    let url =
        first["result"]["inputRequests"]["approval"]["params"]["url"].as_str().expect("a URL").to_owned();
    let path = url.strip_prefix("https://ops.example/gate").expect("the address that is set").to_owned();
    Open { gate, alice, path }
}

fn last(records: &[Value], kind: &str) -> Value {
    let found = records.iter().rev().find(|record| record["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}")).clone()
}

#[tokio::test]
async fn a_reference_alone_opens_nothing_and_nothing_in_the_page_runs() {
    let Open { gate, path, .. } = open(policies()).await;
    let page = gate.page(&path).await;
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("ops_echo") && !page.body.contains("alice"), "{}", page.body);
    let other = gate.page("/approvals/019a0000-0000-7000-8000-000000000000").await;
    assert!(other.body == page.body, "a reference that nobody knows looks the same");
    assert_eq!(gate.page("/approvals/none").await.status, 404);
    let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    for rule in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(
        (header("cache-control").as_str(), header("x-content-type-options").as_str()),
        ("no-store", "nosniff")
    );
    assert_eq!(header("referrer-policy"), "same-origin");
    let style = gate.page("/approvals/style.css").await;
    assert_eq!(
        (style.status, style.headers["content-type"].to_str().unwrap()),
        (200, "text/css; charset=utf-8")
    );
    // No token, a bad one, a form of another site, a foreign name.
    let show = |token: &'static str| vec![("token", token), ("do", "show")];
    for (fields, headers, status, says) in [
        (show(""), vec![], 401, "not accepted"),
        (show("sg_none"), vec![], 401, "not accepted"),
        (show("sg_none"), vec![("origin", "https://evil.example")], 403, "Origin"),
        (show("sg_none"), vec![("host", "evil.example")], 403, "Host"),
        (vec![("token", "x")], vec![], 400, "`do` is missing"),
        (vec![("token", "x"), ("token", "y"), ("do", "show")], vec![], 400, "twice"),
        (vec![("token", "x"), ("do", "delete")], vec![], 400, "`show`, `approve` or `reject`"),
        (vec![("more", "x"), ("do", "show")], vec![], 400, "unknown"),
    ] {
        let answer = post(&gate, &path, &fields, &headers).await;
        assert_eq!(answer.status, status, "{fields:?}: {}", answer.body);
        assert!(answer.body.contains(says), "{fields:?}: {}", answer.body);
        assert!(!answer.body.contains("ops_echo") && !answer.body.contains("sg_none"), "{}", answer.body);
        assert!(answer.headers.contains_key("content-security-policy"));
    }
    let large = "x".repeat(40_000);
    assert_eq!(post(&gate, &path, &[("token", &large), ("do", "show")], &[]).await.status, 413);
}

#[tokio::test]
async fn only_those_whom_policy_lets_see_and_decide_and_never_the_requester() {
    let Open { gate, alice, path } = open(policies()).await;
    let bob = gate.site.token("bob", "employee");
    let (lena, dora) = (gate.site.token("lena", "lead"), gate.site.token("dora", "dpo"));
    let foreign = gate.site.token_of("other", "olga", "lead");
    let act = |token: &Token, verb: &'static str| {
        let (gate, path, token) = (&gate, path.clone(), token.value.clone());
        async move {
            let fields = [("token", token.as_str()), ("do", verb), ("note", "ticket 1 of joe@example.com")];
            post(gate, &path, &fields, &[("origin", "https://ops.example")]).await
        }
    };
    for verb in ["show", "approve", "reject"] {
        let own = act(&alice, verb).await;
        assert_eq!(own.status, 409, "{}", own.body);
        assert!(own.body.contains("Nobody approves a call of their own"), "{}", own.body);
        for nobody in [&bob, &foreign] {
            let answer = act(nobody, verb).await;
            assert_eq!(answer.status, 403, "{verb}: {}", answer.body);
            assert!(!answer.body.contains("ops_echo"), "{}", answer.body);
        }
    }
    let shown = act(&lena, "show").await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.body.contains("ops_echo")
            && shown.body.contains("alice")
            && shown.body.contains("<button disabled hidden></button>")
    );
    assert!(!shown.body.contains("jane@example.com"), "after redaction");
    assert!(!shown.body.contains("<script>") && shown.body.contains("&lt;script&gt;"), "{}", shown.body);
    assert!(!shown.body.contains('\u{202e}') && shown.body.contains("\\u{202e}"), "{}", shown.body);
    assert!(!shown.body.contains(&lena.value), "a token is never written into a page");

    let first = act(&lena, "approve").await;
    assert!(first.status == 200 && first.body.contains("Others must approve"), "{}", first.body);
    let second = act(&dora, "approve").await;
    assert!(second.status == 200 && second.body.contains("The call is approved"), "{}", second.body);
    let late = act(&lena, "reject").await;
    assert!(late.status == 409 && late.body.contains("already"), "{}", late.body);
    assert!(act(&lena, "show").await.body.contains("approved already"));

    // The same records as by the API: what was asked, before and after, and the vote.
    gate.site.until_recorded("approval.granted");
    let records = gate.site.records();
    let request = last(&records, "admin.request");
    assert_eq!(request["request"]["path"], "/approvals/{reference}");
    assert_eq!(request["request"]["params"]["do"], "show");
    assert_eq!(request["authz"]["action"], "ApproveCall");
    let of_approving: Vec<&Value> = records
        .iter()
        .filter(|record| record["kind"] == "admin.request" && record["actor"]["id"] == "dora")
        .collect();
    assert_eq!(of_approving.len(), 2, "one before the vote, one after");
    assert!(of_approving[0].get("answer").is_none() && of_approving[1]["answer"]["status"] == 200);
    assert!(records.iter().any(|record| record["kind"] == "admin.request" && record["actor"]["id"] == "bob"));
    assert!(!records.iter().any(|record| record.to_string().contains("joe@example.com")));
}

#[tokio::test]
async fn what_is_approved_on_the_page_runs() {
    let scene = Scene::new("approval: { url: \"http://localhost:1\" }", "10m");
    let params = json!({"name": "ops_echo", "arguments": {"text": "hi"},
        "_meta": {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}});
    let first = scene.gate.modern(&scene.alice, "tools/call", params.clone()).await.message();
    let url = first["result"]["inputRequests"]["approval"]["params"]["url"].as_str().unwrap();
    let path = url.strip_prefix("http://localhost:1").unwrap();
    let fields = [("token", scene.lena.value.as_str()), ("do", "approve")];
    assert_eq!(post(&scene.gate, path, &fields, &[]).await.status, 200);
    let mut retry = params;
    retry["requestState"] = first["result"]["requestState"].clone();
    retry["inputResponses"] = json!({"approval": {"action": "accept"}});
    let answer = scene.gate.modern(&scene.alice, "tools/call", retry).await;
    assert_eq!(answer.message()["result"]["resultType"], "complete", "{}", answer.body);
}
