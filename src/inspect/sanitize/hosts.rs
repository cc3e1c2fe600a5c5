//! Which hosts are inside: addresses that no server should be sent to by an agent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

/// Names of metadata services and of the machine itself.
const NAMES: [&str; 14] = [
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
    "broadcasthost",
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.com",
    "instance-data",
    "instance-data.ec2.internal",
    "kubernetes.default",
    "host.docker.internal",
    "gateway.docker.internal",
];
/// Endings of names that are not of the public DNS (RFC 6761, RFC 6762, RFC 8375, ICANN `.internal`).
const ENDINGS: [&str; 12] = [
    ".localhost",
    ".local",
    ".internal",
    ".localdomain",
    ".home.arpa",
    ".lan",
    ".intranet",
    ".corp",
    ".private",
    ".cluster.local",
    ".svc",
    ".consul",
];
/// Services that answer with the address that their name holds.
const ECHOES: [&str; 9] = [
    "nip.io",
    "sslip.io",
    "xip.io",
    "localtest.me",
    "lvh.me",
    "vcap.me",
    "lacolhost.com",
    "traefik.me",
    "fbi.com.localtest.me",
];

/// Why a host is inside, or `None`.
pub(super) fn inside<S: AsRef<str>>(host: &Host<S>) -> Option<&'static str> {
    match host {
        Host::Ipv4(address) => v4(*address),
        Host::Ipv6(address) => v6(*address),
        Host::Domain(name) => domain(name.as_ref()),
    }
}

/// Whether a name is one that machines use for themselves or for what is near them.
pub(super) fn is_internal_name(name: &str) -> bool {
    NAMES.contains(&name) || ENDINGS.iter().any(|end| name.ends_with(end))
}

fn domain(name: &str) -> Option<&'static str> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(address) => v4(address),
            IpAddr::V6(address) => v6(address),
        };
    }
    if is_internal_name(&name) {
        return Some("a name of an internal host");
    }
    if ECHOES
        .iter()
        .any(|echo| name == *echo || name.strip_suffix(echo).is_some_and(|rest| rest.ends_with('.')))
    {
        return Some("a name that leads to an address of its choice");
    }
    // One label is looked up in the search domains of the network.
    (!name.is_empty() && !name.contains('.')).then_some("a name without a domain")
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (127, ..) => Some("a loopback address"),
        (0, ..) => Some("an address of this host"),
        (169, 254, ..) => Some("a link-local address, as of metadata services"),
        (10, ..) | (192, 168, ..) => Some("a private address"),
        (172, 16..=31, ..) => Some("a private address"),
        (100, 64..=127, ..) => Some("a shared address, as of metadata services"),
        (168, 63, 129, 16) | (192, 0, 0, _) => Some("an address of a metadata service"),
        (198, 18..=19, ..) => Some("an address of test networks"),
        (224..=239, ..) => Some("a multicast address"),
        (240..=255, ..) => Some("a reserved address"),
        _ => None,
    }
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let embedded = |at: usize, turn: u16| {
        let part = |at: usize| (segments.get(at).copied().unwrap_or(0) ^ turn).to_be_bytes();
        let ([one, two], [three, four]) = (part(at), part(at + 1));
        v4(Ipv4Addr::new(one, two, three, four))
    };
    match segments {
        _ if address.is_loopback() => Some("a loopback address"),
        _ if address.is_unspecified() => Some("an address of this host"),
        // Mapped, compatible, and translated addresses (RFC 4291 §2.5.5, RFC 2765).
        [0, 0, 0, 0, 0 | 0xFFFF, 0 | 0xFFFF, _, _] => {
            embedded(6, 0).or(Some("an IPv4 address written as IPv6"))
        }
        [0x64, 0xFF9B, 1, ..] => Some("a translated address"),
        [0x64, 0xFF9B, ..] => embedded(6, 0),
        [0x2002, ..] => embedded(1, 0),
        // Teredo writes the address with its bits turned round (RFC 4380).
        [0x2001, 0, ..] => embedded(6, 0xFFFF).or(Some("a tunnelled address")),
        [0xFE80..=0xFEBF, ..] => Some("a link-local address"),
        [0xFEC0..=0xFEFF, ..] => Some("a site-local address"),
        [0xFC00..=0xFDFF, ..] => Some("a private address"),
        [0xFF00..=0xFFFF, ..] => Some("a multicast address"),
        _ => None,
    }
}
