//! Addresses of networks: IP (RFC 791, RFC 4291) and MAC (IEEE 802).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{self, HEX, HYPHEN, POINT};
use super::digits::{before, is_word};

/// The longest text of an address.
const LONGEST: usize = 45;

/// An address, and whether its text could as well be a version or a section number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub start: usize,
    pub end: usize,
    pub doubtful: bool,
}

/// The address that the digit at `at` belongs to, unless it names no one: private, loopback, unspecified, multicast.
/// Without one, the byte before which no digit belongs to one.
pub(super) fn ip(bytes: &[u8], at: usize) -> Result<Address, usize> {
    let mut start = at - bytes::run_back(bytes, at, LONGEST, HEX | POINT);
    let mut end = start + bytes::run(bytes, start, LONGEST + 1, HEX | POINT);
    let whole = end;
    while end > start && bytes.get(end - 1) == Some(&b'.') {
        end -= 1;
    }
    if end - start > LONGEST {
        return Err(at + 1);
    }
    let (mut colons, mut dots) = (0, 0);
    for byte in bytes.get(start..end).unwrap_or_default() {
        colons += usize::from(*byte == b':');
        dots += usize::from(*byte == b'.');
    }
    // Times and numbers with a fraction have fewer.
    if colons < 2 && dots < 3 {
        return Err(whole);
    }
    let text = bytes.get(start..end).unwrap_or_default();
    if colons < 2 {
        // A port behind, or the colon of a label in front.
        if let Some(colon) = memchr::memchr(b':', text).map(|colon| start + colon) {
            if at > colon {
                start = colon + 1;
            } else {
                end = colon;
            }
            return v4(bytes, start, end).ok_or(at + 1);
        }
        return v4(bytes, start, end).ok_or(whole);
    }
    // Only one colon on either side is not the address's: `ip:2001:db8::1`.
    let trimmed = text.strip_suffix(b":").filter(|text| !text.ends_with(b":")).unwrap_or(text);
    if text.first() == Some(&b':') && text.get(1) != Some(&b':') {
        start += 1;
    }
    v6(
        bytes,
        start,
        start + trimmed.len() - usize::from(trimmed.first() == Some(&b':') && trimmed.get(1) != Some(&b':')),
    )
    .ok_or(whole)
}

fn v4(bytes: &[u8], start: usize, end: usize) -> Option<Address> {
    let text = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    let address: Ipv4Addr = text.parse().ok()?;
    let octets = address.octets();
    let outside = is_word(before(bytes, start))
        || is_word(bytes.get(end))
        || matches!(before(bytes, start), Some(b'-' | b'.' | b'~' | b'^' | b'='))
            && start.checked_sub(2).and_then(|at| bytes.get(at)).is_some_and(|byte| matches!(byte, b'.' | b'=' | b'~' | b'^' | b'<' | b'>' | b'!'))
        || (matches!(bytes.get(end), Some(b'-' | b'+')) && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric))
        // A product and its version: `Chrome/120.0.6099.71`.
        || (before(bytes, start) == Some(&b'/') && start.checked_sub(2).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric));
    let nobody = address.is_private()
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_link_local()
        || octets.first() == Some(&0)
        || octets.first().is_some_and(|first| *first >= 240)
        || address.octets().starts_with(&[255]);
    // Object identifiers of X.500 and of ISO, and numbers of a drawing.
    let identifier = octets.starts_with(&[2, 5, 4])
        || octets.starts_with(&[2, 5, 29])
        || octets.starts_with(&[1, 3])
        || octets.starts_with(&[1, 2]);
    let doubtful = identifier
        || flanked(bytes, start, end)
        || octets.iter().all(|octet| *octet < 32)
        || (octets.ends_with(&[0, 0])
            || octets.ends_with(&[0]) && octets.iter().skip(1).rev().skip(1).any(|octet| *octet == 0));
    (!outside && !nobody).then_some(Address { start, end, doubtful })
}

/// Whether numbers with a fraction stand on both sides: `2.83-2.12 3.51.98.32 2.03.5`.
fn flanked(bytes: &[u8], start: usize, end: usize) -> bool {
    let part = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let left = bytes.get(..start).unwrap_or_default().iter().rev().skip(1).take(16).take_while(part);
    let right = bytes.get(end..).unwrap_or_default().iter().skip(1).take(16).take_while(part);
    let fraction = |token: Vec<&u8>| {
        let dots = token.iter().copied().filter(|byte| *byte == &b'.');
        token.len() > 1 && matches!(dots.take(3).map(|_| 1).sum(), 1..=2)
    };
    fraction(left.collect()) && fraction(right.collect())
}

fn v6(bytes: &[u8], start: usize, end: usize) -> Option<Address> {
    let text = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    let address: Ipv6Addr = text.parse().ok()?;
    if is_word(before(bytes, start))
        || is_word(bytes.get(end))
        || before(bytes, start) == Some(&b':')
        || bytes.get(end) == Some(&b':')
    {
        return None;
    }
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let nobody = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.segments().first().is_some_and(|first| first & 0xFE00 == 0xFC00)
        || address
            .to_ipv4_mapped()
            .is_some_and(|inner| IpAddr::V4(inner).is_loopback() || inner.is_private());
    let zone = (bytes.get(end) == Some(&b'%'))
        .then(|| {
            bytes
                .get(end + 1..)
                .map(|zone| zone.iter().take(16).take_while(|b| b.is_ascii_alphanumeric()).count())
        })
        .flatten()
        .map_or(0, |length| length + 1);
    (!nobody && (groups >= 3 || address.to_ipv4_mapped().is_some())).then_some(Address {
        start,
        end: end + zone,
        doubtful: false,
    })
}

/// Six pairs of hexadecimal digits with colons or hyphens, or three groups of four with dots, that hold the digit at
/// `at`. Without them, the byte before which no digit belongs to any.
pub(super) fn mac(bytes: &[u8], at: usize) -> Result<Address, usize> {
    let back = bytes::run_back(bytes, at, 18, HEX | POINT | HYPHEN);
    let mut start = at - back;
    while bytes::at(bytes, start, POINT | HYPHEN) {
        start += 1;
    }
    let length = bytes::run(bytes, start, 20, HEX | POINT | HYPHEN);
    let whole = if back < 18 && length < 20 { start + length } else { at + 1 };
    mac_at(bytes, start, length).ok_or(whole)
}

fn mac_at(bytes: &[u8], start: usize, length: usize) -> Option<Address> {
    let mut text = bytes.get(start..start + length)?;
    while let [rest @ .., b':' | b'-' | b'.'] = text {
        text = rest;
    }
    let (join, groups, width) = match text.len() {
        17 => (*text.get(2)?, 6, 2),
        14 => (*text.get(4)?, 3, 4),
        _ => return None,
    };
    let well_formed = (width == 4) == (join == b'.')
        && text.split(|byte| *byte == join).count() == groups
        && text
            .split(|byte| *byte == join)
            .all(|group| group.len() == width && group.iter().all(u8::is_ascii_hexdigit));
    let clear = !is_word(before(bytes, start)) && !is_word(bytes.get(start + text.len()));
    // A key of a collation: `[.1FEB.0021.0002]`.
    let dotted = join == b'.' && before(bytes, start) == Some(&b'.');
    // Three numbers with dots are more often a version: `0001.0002.0003`.
    let doubtful = join == b'.' && !text.iter().any(u8::is_ascii_alphabetic);
    let digits = text.iter().filter(|byte| byte.is_ascii_hexdigit() && **byte != b'0');
    let blank = digits.clone().count() == 0 || digits.clone().all(|byte| byte.eq_ignore_ascii_case(&b'f'));
    let end = start + text.len();
    (well_formed && clear && !dotted && !blank).then_some(Address { start, end, doubtful })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.bytes().position(|byte| byte.is_ascii_digit())?;
        ip(text.as_bytes(), at)
            .ok()
            .filter(|address| !address.doubtful)
            .map(|address| text.get(address.start..address.end).unwrap())
    }

    #[test]
    fn addresses_of_someone_are_told_from_versions_and_times() {
        for (text, address) in [
            ("from 203.0.113.7:443", "203.0.113.7"),
            ("client=198.51.100.23, ok", "198.51.100.23"),
            ("ip:81.2.69.142.", "81.2.69.142"),
            ("2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3::8a2e:370:7334"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("fe80::1ff:fe23:4567:890a%eth0", "fe80::1ff:fe23:4567:890a%eth0"),
            ("::ffff:203.0.113.9", "::ffff:203.0.113.9"),
        ] {
            assert_eq!(found(text), Some(address), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.2.3.4",
            "192.168.1.10",
            "Chrome/120.0.6099.71",
            "1.2.3.4.5",
            "3.2.1.4",
            "12:34:56",
            "00:1b:44:11:3a:b7",
            "256.1.1.1",
            "1.2.3",
            "::1",
            "v1.22.33.44",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn macs_are_whole() {
        let found = |text: &str| {
            let at = text.bytes().position(|byte| byte.is_ascii_digit()).unwrap();
            mac(text.as_bytes(), at).ok().map(|mac| text.get(mac.start..mac.end).unwrap().to_owned())
        };
        for text in ["aa:1b:44:11:3a:b7", "00-1B-44-11-3A-B7", "001b.4411.3ab7"] {
            assert_eq!(found(&format!("at {text}, ")).as_deref(), Some(text));
        }
        for text in ["00:00:00:00:00:00", "12:34:56", "aa:1b:44:11:3a:b7:00:11", "2001:db8::1"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
