//! Against DNS rebinding: which `Host` and `Origin` are ours (MCP, Streamable HTTP, "Security").

use super::Rejection;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};
use std::collections::HashSet;
use std::net::IpAddr;

/// The hosts and origins that are let in.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    hosts: HashSet<String>,
    origins: HashSet<String>,
}

impl Origins {
    /// Beside loopback names and IP literals: `hosts` with any port, `origins` as `scheme://host[:port]`.
    pub fn new(hosts: impl IntoIterator<Item = String>, origins: impl IntoIterator<Item = String>) -> Self {
        let lower = |s: String| s.trim_end_matches('/').to_ascii_lowercase();
        Self {
            hosts: hosts.into_iter().map(lower).map(|host| host_name(&host).to_owned()).collect(),
            origins: origins.into_iter().map(lower).collect(),
        }
    }

    /// Checks both headers.
    ///
    /// # Errors
    /// Rejects a host name or origin that is not ours.
    pub fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Rejection> {
        // HTTP/2 carries the host in `:authority`; an absolute target beats the header (RFC 9112 §3.2.2).
        let target = uri.authority().map(http::uri::Authority::as_str);
        let mut hosts = headers.get_all(HOST).iter();
        let header = match (hosts.next(), hosts.next()) {
            (Some(value), None) => Some(value.to_str().map_err(|_| Rejection::Host)?),
            (None, _) => None,
            // Which of them counts differs from program to program (RFC 9112 §3.2).
            (Some(_), Some(_)) => return Err(Rejection::Host),
        };
        let mut named = target.into_iter().chain(header).peekable();
        if named.peek().is_none() || named.any(|host| !self.host_is_ours(host)) {
            return Err(Rejection::Host);
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) => {
                let origin = origin.to_str().map_err(|_| Rejection::Origin)?;
                if self.origin_is_ours(origin) { Ok(()) } else { Err(Rejection::Origin) }
            }
            (Some(_), Some(_)) => Err(Rejection::Origin),
        }
    }

    fn host_is_ours(&self, host: &str) -> bool {
        let name = host_name(host).to_ascii_lowercase();
        // Rebinding needs a name that the attacker controls: an IP literal is not one.
        name == "localhost" || name.parse::<IpAddr>().is_ok() || self.hosts.contains(&name)
    }

    fn origin_is_ours(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let name = host_name(rest);
        let loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        matches!(scheme, "http" | "https") && loopback
    }
}

/// The host without its port and brackets.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<(), Rejection> {
        let origins = Origins::new(
            ["gate.example".into(), "Other.example:8443".into()],
            ["https://app.example".into()],
        );
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        origins.check(&headers, &Uri::from_static("/mcp"))
    }

    #[test]
    fn only_our_hosts_and_origins_are_let_in() {
        for (host, origin) in [
            ("127.0.0.1:80", None),
            ("localhost", Some("http://localhost:3000")),
            ("[::1]:9", Some("http://[::1]:1")),
            ("gate.example:443", Some("https://app.example")),
            ("other.example:8443", None),
            ("other.example", None),
        ] {
            assert_eq!(check(host, origin), Ok(()), "{host}");
        }
        assert_eq!(check("evil.example", None), Err(Rejection::Host));
        assert_eq!(check("localhost.evil.example", None), Err(Rejection::Host));
        let origins = Origins::default();
        let mut headers = HeaderMap::new();
        assert_eq!(origins.check(&headers, &Uri::from_static("/mcp")), Err(Rejection::Host));
        assert_eq!(origins.check(&headers, &Uri::from_static("http://localhost/mcp")), Ok(()));
        headers.insert(HOST, "localhost".parse().unwrap());
        let absolute = Uri::from_static("http://evil.example/mcp");
        assert_eq!(origins.check(&headers, &absolute), Err(Rejection::Host));
        headers.append(HOST, "localhost".parse().unwrap());
        assert_eq!(origins.check(&headers, &Uri::from_static("/mcp")), Err(Rejection::Host));
        for origin in ["http://evil.example", "null", "https://app.example.evil.example", "file://localhost"]
        {
            assert_eq!(check("localhost", Some(origin)), Err(Rejection::Origin), "{origin}");
        }
    }
}
