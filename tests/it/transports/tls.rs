//! TLS of the listeners and towards backends, and HTTP/2.

use crate::harness::{PERMIT_ALL, Site, demo_servers};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A private authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for `name`, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn install(&self, site: &Site, stem: &str, name: &str) {
        let (certificate, key) = self.issue(name);
        site.write(&format!("tls/{stem}.pem"), &certificate);
        site.write(&format!("tls/{stem}.key"), &key);
    }

    fn client(&self) -> reqwest::ClientBuilder {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(self.pem.as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().tls_certs_only([ca])
    }
}

const LISTENERS: &str = "tls: { cert: ./tls/agents.pem, key: ./tls/agents.key }";

/// Calls the demo server and says which version of HTTP carried it.
async fn echo(client: &reqwest::Client, endpoint: &str, token: &str) -> reqwest::Version {
    let (headers, body) = crate::harness::modern_request(
        "tools/call",
        json!({"name": "ops_echo", "arguments": {"text": "hi"}}),
    );
    let mut request = client.post(endpoint).bearer_auth(token).body(body.to_string());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    let version = response.version();
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    version
}

#[tokio::test]
async fn agents_connect_over_tls_with_http_2_or_1_as_agreed() {
    let authority = Authority::new();
    let site = Site::new(&demo_servers(), LISTENERS, PERMIT_ALL);
    authority.install(&site, "agents", "127.0.0.1");
    let token = site.token("alice", "employee");
    let gate = site.start();
    assert!(gate.endpoint.starts_with("https://127.0.0.1:") && gate.admin.starts_with("http://"));
    let any = authority.client().build().unwrap();
    assert_eq!(echo(&any, &gate.endpoint, &token.value).await, reqwest::Version::HTTP_2);
    let old = authority.client().http1_only().build().unwrap();
    assert_eq!(echo(&old, &gate.endpoint, &token.value).await, reqwest::Version::HTTP_11);
    let plain = gate.http.get(gate.endpoint.replace("https", "http")).send().await;
    assert!(plain.is_err(), "a listener with TLS speaks no plain HTTP");
    let stranger = Authority::new().client().build().unwrap();
    assert!(stranger.get(&gate.endpoint).send().await.is_err());
}

#[tokio::test]
async fn http_2_is_spoken_without_tls_by_those_who_know_it() {
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let knowing = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let calls = (0..50).map(|_| echo(&knowing, &gate.endpoint, &token.value));
    let versions = futures_util::future::join_all(calls).await;
    assert!(versions.iter().all(|version| *version == reqwest::Version::HTTP_2));
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_bad_one_changes_nothing() {
    let (first, second) = (Authority::new(), Authority::new());
    let settings = "tls: { cert: ./tls/agents.pem, key: ./tls/agents.key }";
    let site = Site::new(&demo_servers(), settings, PERMIT_ALL);
    first.install(&site, "agents", "127.0.0.1");
    let token = site.token("alice", "employee");
    let gate = site.start();
    // Open before, and still used after.
    let open = first.client().build().unwrap();
    echo(&open, &gate.endpoint, &token.value).await;

    // A key of another certificate: told, and nothing changes.
    gate.site.write("tls/agents.key", &second.issue("127.0.0.1").1);
    let page = gate.until(|page| page["rejected_change"].is_string()).await;
    let told = page["rejected_change"].as_str().unwrap();
    assert!(told.contains("the private key does not belong to the certificate"), "{told}");
    let fresh = first.client().build().unwrap();
    echo(&fresh, &gate.endpoint, &token.value).await;

    second.install(&gate.site, "agents", "127.0.0.1");
    let renewed = second.client().pool_max_idle_per_host(0).build().unwrap();
    let mut seen = false;
    for _ in 0..200 {
        seen = renewed.get(&gate.endpoint).send().await.is_ok();
        if seen {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(seen, "the new certificate is not shown");
    echo(&renewed, &gate.endpoint, &token.value).await;
    echo(&open, &gate.endpoint, &token.value).await;
}

#[tokio::test]
async fn the_administrators_listener_has_a_certificate_of_its_own() {
    let authority = Authority::new();
    let site = Site::new(&demo_servers(), "", PERMIT_ALL);
    authority.install(&site, "admin", "127.0.0.1");
    let file = std::fs::read_to_string(site.path().join("sealgate.yaml")).unwrap();
    let with_tls = "admin: { listen: \"127.0.0.1:0\", tls: { cert: ./tls/admin.pem, key: ./tls/admin.key } }";
    site.write("sealgate.yaml", &file.replace("admin: { listen: \"127.0.0.1:0\" }", with_tls));
    let gate = site.start();
    let client = authority.client().build().unwrap();
    let ready = client.get(format!("{}/readyz", gate.admin)).send().await.unwrap();
    assert!(gate.admin.starts_with("https://") && ready.status().is_success());
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_before_the_start() {
    let authority = Authority::new();
    for (certificate, key, words) in [
        ("nothing here", "nothing here", "no certificate in PEM form"),
        (authority.issue("a").0.as_str(), "nothing here", "no private key in PEM form"),
        (
            authority.issue("a").0.as_str(),
            authority.issue("b").1.as_str(),
            "does not belong to the certificate",
        ),
    ] {
        let site = Site::new("  {}", LISTENERS, PERMIT_ALL);
        site.write("tls/agents.pem", certificate);
        site.write("tls/agents.key", key);
        let out = site.sealgate(&["check", "--config", "sealgate.yaml"]);
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.code() == Some(3) && told.contains(words), "{told}");
    }
    let site = Site::new(
        "  a: { command: x, tls: {} }\n  b: { url: \"http://b\", tls: {} }\n  c: { url: \"https://c\", tls: { cert: ./x } }",
        LISTENERS,
        PERMIT_ALL,
    );
    let told = String::from_utf8(site.sealgate(&["check", "--config", "sealgate.yaml"]).stderr).unwrap();
    for words in [
        "on a server with `command`",
        "on a URL without TLS",
        "`cert` without `key`",
        "cannot read `./tls/agents.pem`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

/// A TLS door in front of a plain address, which may ask for a client certificate.
struct Door {
    address: String,
    names: tokio::sync::mpsc::UnboundedReceiver<Option<String>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn door(authority: &Authority, name: &str, behind: String, ask: bool) -> Door {
    let (certificate, key) = authority.issue(name);
    let builder =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let builder =
        if ask { builder.with_client_cert_verifier(verifier) } else { builder.with_no_client_auth() };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let config =
        builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    let (told, names) = tokio::sync::mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind, told) = (acceptor.clone(), behind.clone(), told.clone());
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let _ = told.send(outer.get_ref().1.server_name().map(str::to_owned));
                let mut inner = tokio::net::TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    Door { address, names, serving }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_are_verified_and_shown_who_we_are() {
    use super::backend::{Backend, Fault};
    let (ours, theirs) = (Authority::new(), Authority::new());
    let backend = Backend::start(Fault::Nothing).await;
    let mut good = door(&ours, "localhost", backend.address.clone(), true).await;
    let forged = door(&theirs, "localhost", backend.address.clone(), false).await;
    let misnamed = door(&ours, "other.example", backend.address.clone(), false).await;
    let servers: Vec<String> = [
        (
            "sse",
            "sse, url: \"https",
            "/sse",
            &good,
            "ca: ./tls/ca.pem, cert: ./tls/us.pem, key: ./tls/us.key",
        ),
        ("ws", "ws, url: \"wss", "/ws", &good, "ca: ./tls/ca.pem, cert: ./tls/us.pem, key: ./tls/us.key"),
        ("nameless", "ws, url: \"wss", "/ws", &good, "ca: ./tls/ca.pem"),
        ("forged", "ws, url: \"wss", "/ws", &forged, "ca: ./tls/ca.pem"),
        ("forged-sse", "sse, url: \"https", "/sse", &forged, "ca: ./tls/ca.pem"),
        ("misnamed", "ws, url: \"wss", "/ws", &misnamed, "ca: ./tls/ca.pem"),
        ("unknown", "ws, url: \"wss", "/ws", &misnamed, ""),
    ]
    .iter()
    .map(|(id, kind, path, door, tls)| {
        format!(
            "  {id}: {{ type: {kind}://{}{path}\", startTimeoutMs: 4000, trust: 80, tls: {{ {tls} }} }}\n",
            door.address
        )
    })
    .collect();
    let site = Site::new(&servers.concat(), "", PERMIT_ALL);
    ours.install(&site, "us", "gateway.example");
    site.write("tls/ca.pem", &ours.pem);
    let token = site.token("alice", "employee");
    let gate = site.start();
    let state = |page: &Value, id: &str| {
        let backends = page["backends"].as_array().unwrap();
        backends.iter().find(|b| b["server"] == id).unwrap()["state"].clone()
    };
    gate.until(|page| {
        let down = ["nameless", "forged", "forged-sse", "misnamed", "unknown"];
        ["sse", "ws"].iter().all(|id| state(page, id) == "up")
            && down.iter().all(|id| state(page, id) == "down")
    })
    .await;
    for server in ["sse", "ws"] {
        let answer = gate.call(&token, &format!("{server}_echo"), json!({"text": "over TLS"})).await;
        assert!(answer.body.contains("over TLS"), "{}", answer.body);
    }
    assert_eq!(good.names.recv().await.unwrap().as_deref(), Some("localhost"), "SNI names the URL's host");
}

#[tokio::test]
async fn auditors_connect_over_tls_and_never_without() {
    let authority = Authority::new();
    let settings =
        "auditApi: { listen: \"127.0.0.1:0\", tls: { cert: ./tls/audit.pem, key: ./tls/audit.key } }";
    let policies = format!("{PERMIT_ALL}{}", include_str!("../../../policies/40-auditors.cedar"));
    let site = Site::new(&demo_servers(), settings, &policies);
    authority.install(&site, "audit", "127.0.0.1");
    let token = site.token("anna", "auditor");
    let gate = site.start();
    assert!(gate.auditors.starts_with("https://127.0.0.1:"), "{}", gate.auditors);
    let status = format!("{}/status", gate.auditors);
    let client = authority.client().build().unwrap();
    assert_eq!(client.get(&status).bearer_auth(&token.value).send().await.unwrap().status(), 200);
    assert!(gate.http.get(&status).bearer_auth(&token.value).send().await.is_err(), "an unknown authority");
    let plain = status.replacen("https", "http", 1);
    assert!(gate.http.get(plain).bearer_auth(&token.value).send().await.is_err());
}
