//! Arguments that are addresses: read as the web reads them (WHATWG URL), then judged by their host.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::config::allows;
use super::hosts;

/// Schemes that reach files and other protocols.
const DANGEROUS: [&str; 22] = [
    "file",
    "gopher",
    "dict",
    "ldap",
    "ldaps",
    "tftp",
    "jar",
    "netdoc",
    "phar",
    "php",
    "expect",
    "ftp",
    "sftp",
    "data",
    "zip",
    "ogg",
    "ssh2",
    "rar",
    "glob",
    "compress.zlib",
    "view-source",
    "javascript",
];

/// How sure it is that a text is an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    /// It is declared as one.
    Declared,
    /// The whole text is one.
    Whole,
}

/// Why a text must not be followed, or `None`.
pub(super) fn judge(text: &str, sure: Sure, allowed: &[String]) -> Option<&'static str> {
    let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control());
    let url = match parse(text, sure) {
        Ok(url) => url?,
        Err(why) => return Some(why),
    };
    let scheme = url.scheme();
    let web = matches!(scheme, "http" | "https" | "ws" | "wss");
    if !web && (DANGEROUS.contains(&scheme) || sure == Sure::Declared) {
        return Some("a scheme other than http and https");
    }
    host(&url, allowed).or_else(|| nested(&url, allowed))
}

/// Every http address inside of prose.
pub(super) fn in_prose(text: &str, allowed: &[String]) -> Option<&'static str> {
    let mut rest = text;
    for _ in 0..64 {
        let at = rest.find("://")?;
        let before = rest.get(..at).unwrap_or_default();
        let start = before
            .rfind(|letter: char| !letter.is_ascii_alphabetic())
            .map_or(0, |at| at + before.get(at..).and_then(|b| b.chars().next()).map_or(1, char::len_utf8));
        let word = rest.get(start..).unwrap_or_default();
        let end = word
            .find(|letter: char| {
                letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '`' | ')')
            })
            .unwrap_or(word.len());
        let word = word.get(..end).unwrap_or_default();
        if let Ok(url) = Url::parse(word)
            && matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "gopher" | "dict" | "ftp")
            && let Some(why) = host(&url, allowed)
        {
            return Some(why);
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    None
}

/// The address, `None` if the text is none, or why it is none that can be followed.
fn parse(text: &str, sure: Sure) -> Result<Option<Url>, &'static str> {
    let slashes = text.starts_with("//")
        || text.starts_with("\\\\")
        || text.starts_with("/\\")
        || text.starts_with("\\/");
    let written: Cow<'_, str> = if slashes { format!("http:{text}").into() } else { text.into() };
    let clean: String = written.chars().filter(|letter| !matches!(letter, '\t' | '\n' | '\r')).collect();
    let web = ["http:", "https:", "ws:", "wss:"]
        .iter()
        .any(|scheme| clean.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    match (Url::parse(&written), sure) {
        (Ok(url), _) if url.has_host() || url.scheme() == "file" => Ok(Some(url)),
        (Ok(url), Sure::Declared) if !looks_like_port(&clean) => Ok(Some(url)),
        (Ok(url), Sure::Whole) if DANGEROUS.contains(&url.scheme()) && clean.contains(":/") => Ok(Some(url)),
        (_, Sure::Whole) if web && clean.contains('[') => Err("an address that cannot be read"),
        (_, Sure::Whole) => Ok(None),
        (_, Sure::Declared) if web => Err("an address that cannot be read"),
        // `169.254.169.254/latest`: many programs put `http://` before it.
        (_, Sure::Declared) if text.is_empty() || text.starts_with(['/', '?', '#', '.']) => Ok(None),
        (_, Sure::Declared) => Ok(Url::parse(&format!("http://{text}")).ok().filter(dotted)),
    }
}

/// `localhost:8080` reads as scheme `localhost`.
fn looks_like_port(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(_, rest)| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
}

/// Bare words are hosts only if they look like some.
fn dotted(url: &Url) -> bool {
    !matches!(url.host(), Some(url::Host::Domain(name)) if !name.contains('.') && url.port().is_none() && name != "localhost" && name != "metadata")
}

fn host(url: &Url, allowed: &[String]) -> Option<&'static str> {
    let name = url.host_str()?;
    let with_port = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    if allows(allowed, name) || allows(allowed, &with_port) {
        return None;
    }
    // Schemes that the standard does not know keep their host as it is written.
    let host = match url.host()? {
        url::Host::Domain(name) if !matches!(url.scheme(), "http" | "https" | "ws" | "wss" | "ftp") => {
            let decoded = percent_decode_str(name).decode_utf8_lossy().into_owned();
            return match url::Host::parse(&decoded) {
                Ok(url::Host::Domain(name)) if names_a_thing(url, &name) => None,
                Ok(host) => hosts::inside(&host),
                Err(_) => Some("an address that cannot be read"),
            };
        }
        host => host,
    };
    hosts::inside(&host)
}

/// Whether the one word where a host would stand is a name that the scheme's owner gives things, as in the resource URIs
/// of MCP servers (`note://inbox`), and not a machine to connect to.
fn names_a_thing(url: &Url, name: &str) -> bool {
    let bare = url.port().is_none() && url.username().is_empty() && url.password().is_none();
    bare && !name.contains('.') && !CONNECTS.contains(&url.scheme()) && !hosts::is_internal_name(name)
}

/// An address that is a parameter of another: what redirects is used to get inside.
fn nested(url: &Url, allowed: &[String]) -> Option<&'static str> {
    url.query_pairs().take(64).find_map(|(_, value)| {
        let inner = Url::parse(&value)
            .ok()
            .filter(|inner| matches!(inner.scheme(), "http" | "https" | "gopher" | "file"))?;
        if inner.scheme() == "file" || inner.scheme() == "gopher" {
            return Some("an address inside of an address");
        }
        host(&inner, allowed).map(|_| "an internal address inside of an address")
    })
}

/// Schemes whose one-word hosts are machines.
const CONNECTS: [&str; 42] = [
    "amqp",
    "amqps",
    "cassandra",
    "cifs",
    "clickhouse",
    "consul",
    "couchdb",
    "etcd",
    "git",
    "git+ssh",
    "imap",
    "imaps",
    "kafka",
    "memcached",
    "mongodb",
    "mongodb+srv",
    "mqtt",
    "mqtts",
    "mssql",
    "mysql",
    "nats",
    "nfs",
    "oracle",
    "pop3",
    "pop3s",
    "postgres",
    "postgresql",
    "rdp",
    "redis",
    "rediss",
    "rsync",
    "rtmp",
    "rtsp",
    "smb",
    "smtp",
    "smtps",
    "sqlserver",
    "ssh",
    "svn",
    "svn+ssh",
    "telnet",
    "vnc",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_internal_address_is_read() {
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://2130706433/",
            "http://017700000001/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.01/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[0:0:0:0:0:ffff:7f00:1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fd00:ec2::254]/latest",
            "http://[fe80::1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.170.2/v2/credentials",
            "http://100.100.100.200/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://METADATA.google.internal./",
            "http://localhost:8080/admin",
            "http://foo.localhost/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://%31%32%37.0.0.1/",
            "http://public.example@10.0.0.5/",
            "http://10.0.0.5#@public.example/",
            "http://10.0.0.5\\@public.example/",
            "http:\\\\192.168.0.1\\x",
            "//192.168.1.1/x",
            "\\\\192.168.1.1\\share",
            "ht\ntp://127.0.0.1/",
            " http://127.0.0.1",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://100.64.0.1/",
            "http://127.0.0.1.nip.io/",
            "http://redis:6379/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_INFO",
            "dict://127.0.0.1:11211/",
            "ftp://10.0.0.1/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://kubernetes.default.svc/api",
            "https://ok.example/?url=http://169.254.169.254/",
            "http://168.63.129.16/",
            "http://[::127.0.0.1]/",
            "ws://127.0.0.1/",
            "jar:http://127.0.0.1!/",
            "http://[fe80::1%25eth0]/",
        ] {
            assert!(judge(text, Sure::Declared, &[]).is_some(), "{text} declared");
            assert!(judge(text, Sure::Whole, &[]).is_some(), "{text} whole");
        }
        for text in ["127.0.0.1:8080/x", "localhost:3000", "169.254.169.254/latest", "localhost"] {
            assert!(judge(text, Sure::Declared, &[]).is_some(), "{text}");
        }
    }

    #[test]
    fn public_addresses_and_other_texts_pass() {
        for text in [
            "https://example.com/a?b=c",
            "http://8.8.8.8/",
            "http://172.15.0.1/",
            "http://172.32.0.1/",
            "http://[2606:4700::1111]/",
            "https://user.example:8443/path#frag",
            "https://ok.example/?next=https://also.example/",
            "http://100.63.0.1/",
            "https://münchen.example/",
            "http://169.253.1.1/",
        ] {
            assert_eq!(judge(text, Sure::Declared, &[]), None, "{text} declared");
            assert_eq!(judge(text, Sure::Whole, &[]), None, "{text} whole");
        }
        for text in [
            "hello world",
            "note: remember",
            "12:30",
            "C:\\temp",
            "urn:isbn:1",
            "memo://x.example/1",
            "a:b",
            "s3://bucket.example/key",
            "test://watched-resource",
            "note://inbox/17",
            "s3://bucket/key",
        ] {
            assert_eq!(judge(text, Sure::Whole, &[]), None, "{text}");
        }
        for text in [
            "note://localhost/",
            "note://10.0.0.1/",
            "redis://cache/0",
            "postgres://u:p@db/x",
            "a://db:5432/",
        ] {
            assert!(judge(text, Sure::Whole, &[]).is_some(), "{text}");
        }
        assert_eq!(judge("http://localhost:3000/", Sure::Whole, &["localhost:3000".into()]), None);
        assert!(in_prose("see http://127.0.0.1/x and", &[]).is_some());
        assert_eq!(in_prose("see https://example.com/x, then (http://b.example)", &[]), None);
    }
}
