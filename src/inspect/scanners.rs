//! Types that are found by code of their own: e-mail addresses, IBANs, credentials in headers, JWTs, private keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::checks::{entropy, iban_length, mod_97};
use super::digits::{before, is_word};

/// Endings of file names, which only look like a domain's last label.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "bmp", "js", "mjs", "cjs", "jsx", "ts", "tsx", "css",
    "scss", "json", "git", "html", "htm", "xml", "yaml", "yml", "toml", "lock", "txt", "pdf", "exe", "dll",
    "map", "csv", "log", "tar", "tgz", "bz2", "rpm", "deb", "service", "socket", "timer", "slice", "scope",
    "mount", "gz", "whl", "jar", "php", "java", "cpp",
];

/// The address around the lead at `at..after`: an `@`, or what people write for it: `[at]`, ` at `.
pub(super) fn email(bytes: &[u8], at: usize, after: usize) -> Option<(usize, usize)> {
    if bytes.get(at) == Some(&b'@') { mailbox(bytes, at) } else { spelled_out(bytes, at, after) }
}

/// `ana.lima [at] example [dot] org`: letters are as in an address, and at least one dot is spelled too.
fn spelled_out(bytes: &[u8], at: usize, after: usize) -> Option<(usize, usize)> {
    let spaces = bytes.get(..at)?.iter().rev().take(2).take_while(|byte| **byte == b' ').count();
    let end_of_local = at - spaces;
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-');
    let start = end_of_local
        - bytes.get(..end_of_local)?.iter().rev().take(64).take_while(|byte| local(byte)).count();
    let mut end = after + bytes.get(after..)?.iter().take(2).take_while(|byte| **byte == b' ').count();
    let plain = bytes.get(at) == Some(&b' ');
    let (mut spelled, mut labels) = (!plain, 0);
    let mut last;
    loop {
        let rest = bytes.get(end..)?;
        last = rest.iter().take(63).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
        if last == 0 {
            return None;
        }
        (end, labels) = (end + last, labels + 1);
        let rest = bytes.get(end..bytes.len().min(end + 8))?.to_ascii_lowercase();
        let dots: [&[u8]; 9] =
            [b" [dot] ", b" (dot) ", b" {dot} ", b" dot ", b"[dot]", b"(dot)", b"{dot}", b"[.]", b"."];
        let Some(dot) = dots
            .iter()
            .find(|dot| rest.starts_with(dot))
            .filter(|dot| bytes.get(end + dot.len()).is_some_and(u8::is_ascii_alphanumeric))
        else {
            break;
        };
        spelled |= dot.len() > 1;
        end += dot.len();
    }
    let top = bytes.get(end - last..end)?;
    let fits = start < end_of_local
        && labels >= 2
        && spelled
        && (2..=24).contains(&last)
        && top.iter().all(u8::is_ascii_alphabetic);
    (fits && !is_word(before(bytes, start))).then_some((start, end))
}

/// The address around the `@` at `at` (RFC 5321 dot-string, Latin letters of other languages too).
fn mailbox(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = local_start(bytes, at)?;
    let local = bytes.get(start..at)?;
    let end = domain_end(bytes, at + 1)?;
    let domain = std::str::from_utf8(bytes.get(at + 1..end)?).ok()?;
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.last()?;
    let numeric = |label: Option<&&str>| {
        label.is_some_and(|label| label.starts_with(|first: char| first.is_ascii_digit()))
    };
    let version = labels.len() > 2 && numeric(labels.first()) && numeric(labels.get(1));
    let wrong = labels.len() < 2
        || !(2..=24).contains(&last.len())
        || !last.chars().all(char::is_alphabetic)
        || FILES.contains(&last.to_ascii_lowercase().as_str())
        // Never a mailbox (RFC 2606): what masks are made of.
        || *last == "invalid"
        || version
        // A remote of a version control system and the user of an address are no mailboxes.
        || matches!(local, b"git" | b"hg" | b"svn")
        || bytes.get(start.saturating_sub(2)..start) == Some(b"//")
        || user_of_url(bytes, start)
        || message_id(bytes, start);
    (!wrong).then_some((start, end))
}

/// `postgres://app:secret@host`: what stands before the `@` is a password.
fn user_of_url(bytes: &[u8], start: usize) -> bool {
    let head = bytes.get(start.saturating_sub(80)..start).unwrap_or_default();
    let word = head
        .iter()
        .rposition(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<'))
        .map_or(0, |at| at + 1);
    let word = head.get(word..).unwrap_or_default();
    word.last() == Some(&b':') && word.windows(3).any(|part| part == b"://")
}

fn local_start(bytes: &[u8], at: usize) -> Option<usize> {
    let mut start = at;
    while let Some(byte) = before(bytes, start) {
        let latin = !byte.is_ascii() && is_latin(bytes, start);
        let fits = byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'&' | b'=');
        match (latin, fits) {
            (true, _) => start -= 2,
            (false, true) => start -= 1,
            (false, false) => break,
        }
        if at - start >= 64 {
            break;
        }
    }
    // Names of form fields, quotes and dots in front are not part of it: `to=bob@…`, `'bob@…`.
    let local = bytes.get(start..at)?;
    let name = local
        .iter()
        .rposition(|byte| matches!(byte, b'=' | b'&' | b'\''))
        .filter(|_| local.contains(&b'=') || local.first() == Some(&b'\''));
    let start = start + name.map_or(0, |name| name + 1);
    let dots = bytes.get(start..at)?.iter().take_while(|byte| matches!(byte, b'.' | b'-' | b'%')).count();
    let start = start + dots;
    (start < at && before(bytes, at) != Some(&b'.')).then_some(start)
}

/// Whether the two bytes before `end` are one letter between U+00C0 and U+024F.
fn is_latin(bytes: &[u8], end: usize) -> bool {
    matches!(bytes.get(end.saturating_sub(2)..end), Some([0xC3..=0xC9, _]))
}

fn domain_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut end = from;
    while end - from < 253 {
        match bytes.get(end) {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') => end += 1,
            Some(0xC3..=0xC9) => end += 2,
            _ => break,
        }
    }
    // A full stop or hyphen after the address belongs to the sentence; `a..b` is no domain.
    while end > from && matches!(before(bytes, end), Some(b'.' | b'-')) {
        end -= 1;
    }
    let domain = bytes.get(from..end)?;
    let empty_label = domain.windows(2).any(|pair| pair == b"..") || domain.first() == Some(&b'.');
    (!empty_label && !domain.is_empty() && bytes.get(end) != Some(&b'_')).then_some(end)
}

fn message_id(bytes: &[u8], start: usize) -> bool {
    let header = bytes.get(start.saturating_sub(16)..start).unwrap_or_default().to_ascii_lowercase();
    [&b"message-id"[..], b"references", b"in-reply-to"]
        .iter()
        .any(|name| header.windows(name.len()).any(|part| part == *name))
}

/// The IBAN whose check digits begin at `at`, with single spaces or hyphens inside or none (ISO 13616).
pub(super) fn iban(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at.checked_sub(2)?;
    let length = iban_length(bytes.get(start..at)?)?;
    if is_word(before(bytes, start)) {
        return None;
    }
    let mut letters = String::with_capacity(length);
    let mut end = start;
    let (mut small, mut large, mut fours, mut odd) = (false, false, true, false);
    while letters.len() < length {
        match bytes.get(end)? {
            byte if byte.is_ascii_alphanumeric() => {
                small |= byte.is_ascii_lowercase();
                large |= byte.is_ascii_uppercase();
                letters.push(char::from(byte.to_ascii_uppercase()));
            }
            sign @ (b' ' | b'-' | b'.' | b'_' | b'/' | b'*') if is_word(before(bytes, end)) => {
                fours &= letters.len().is_multiple_of(4);
                odd |= matches!(sign, b'_' | b'/' | b'*');
            }
            _ => return None,
        }
        end += 1;
    }
    // Words that follow are none of it: `LU313965648VG left the`, `ba83-cb12f507f458 took`.
    let apart = end - start > letters.len();
    let glued = apart && small && (large || !fours || bytes.get(start + 4).is_some_and(|sign| *sign == b'-'));
    // Names of code: `PK11URI_PATTR_MANUFACTURER`.
    let named = odd && !fours;
    (!glued && !named && !is_word(bytes.get(end)) && mod_97(&letters)).then_some((start, end))
}

/// The JSON Web Token that begins at `at`, if its header decodes and names an algorithm (RFC 7515, RFC 7516).
/// The second part tells how far the bytes were looked at.
pub(super) fn jwt(bytes: &[u8], at: usize) -> (Option<(usize, usize)>, usize) {
    let fits = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = bytes.get(at..).unwrap_or_default().iter().take(16 << 10).take_while(fits).count();
    let run = bytes.get(at..at + length).unwrap_or_default();
    let mut parts = run.split(|byte| *byte == b'.');
    let header = parts.next().unwrap_or_default();
    let (payload, rest) = (parts.next().unwrap_or_default(), parts.next());
    let named = header.len() <= 4_096
        && URL_SAFE_NO_PAD
            .decode(header)
            .is_ok_and(|header| header.windows(5).any(|part| part == b"\"alg\""));
    let trimmed = run.iter().rposition(|byte| *byte != b'.').map_or(0, |last| last + 1);
    let token = (named && payload.len() >= 4 && rest.is_some()).then_some((at, at + trimmed));
    (token, at + length)
}

/// User and password as HTTP sends them (RFC 7617), after the scheme that ends at `at`: Base64 that holds a colon.
pub(super) fn basic_credentials(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let spaces = bytes.get(at..)?.iter().take(4).take_while(|byte| **byte == b' ').count();
    let start = at + spaces;
    let fits = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let length = bytes.get(start..)?.iter().take(1_025).take_while(fits).count();
    let padding = bytes.get(start + length..)?.iter().take(2).take_while(|byte| **byte == b'=').count();
    let decoded = STANDARD_NO_PAD.decode(bytes.get(start..start + length)?).ok()?;
    let pair = (8..=1_024).contains(&length)
        && decoded.contains(&b':')
        && decoded.iter().all(|byte| !byte.is_ascii_control());
    pair.then_some((start, start + length + padding))
}

/// A bot's token of Discord that begins at `start`: an encoded id, a time and a signature with dots between.
pub(super) fn discord_token(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let word = |from: usize| {
        let fits = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        bytes.get(from..).unwrap_or_default().iter().take(48).take_while(fits).count()
    };
    if !matches!(bytes.get(start), Some(b'M' | b'N' | b'O')) || is_word(before(bytes, start)) {
        return None;
    }
    let first = start + word(start);
    let second = first + 1 + word(first + 1);
    let end = second + 1 + word(second + 1);
    let fits =
        (24..=28).contains(&(first - start)) && second - first == 7 && (28..=39).contains(&(end - second));
    (fits && bytes.get(first) == Some(&b'.') && bytes.get(second) == Some(&b'.')).then_some((start, end))
}

/// A token of older versions of Vault whose random part begins at `start`: `s.` and 24 letters and digits.
pub(super) fn vault_token(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let head = bytes.get(start.checked_sub(2)?..start)?;
    if !matches!(head, b"s." | b"b." | b"r.") {
        return None;
    }
    let length = bytes.get(start..)?.iter().take(26).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let value = std::str::from_utf8(bytes.get(start..start + length)?).ok()?;
    let fits = length == 24
        && !is_word(before(bytes, start - 2))
        && value.bytes().filter(u8::is_ascii_digit).count() >= 2
        && entropy(value) >= 4.05;
    (fits && !is_word(bytes.get(start + length))).then_some((start - 2, start + length))
}

const END: &[u8] = b"-----END ";
/// The longest block that is taken as one key.
const BLOCK: usize = 16 << 10;

/// Where the next end marker stands. It is kept between hits, so that each byte is searched once.
#[derive(Debug, Default)]
pub(super) struct Ends {
    next: Option<usize>,
    none_left: bool,
}

impl Ends {
    fn after(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.none_left || self.next.is_some_and(|next| next >= at) {
            return self.next.filter(|next| *next >= at);
        }
        self.next = memchr::memmem::find(bytes.get(at..).unwrap_or_default(), END).map(|found| at + found);
        self.none_left = self.next.is_none();
        self.next
    }
}

/// The private key block (RFC 7468) that begins at `at`: to its end marker, or as far as it looks like one.
pub(super) fn private_key(bytes: &[u8], at: usize, ends: &mut Ends) -> Option<(usize, usize)> {
    let head = bytes.get(at..bytes.len().min(at + 80))?;
    let label = head.strip_prefix(b"-----BEGIN ")?;
    let label_length = label.windows(5).position(|part| part == b"-----")?;
    let label = label.get(..label_length)?;
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    if !private
        || !label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ')
    {
        return None;
    }
    let body = at + 11 + label_length + 5;
    if let Some(end) = ends.after(bytes, body).filter(|end| end - body <= BLOCK) {
        let tail = bytes.get(end + END.len()..bytes.len().min(end + 80))?;
        let close = tail.windows(5).position(|part| part == b"-----").map_or(0, |close| close + 5);
        let filled = body_length(bytes.get(body..end)?) >= 32;
        return filled.then_some((at, end + END.len() + close));
    }
    let fits = |byte: &&u8| {
        byte.is_ascii_alphanumeric()
            || byte.is_ascii_whitespace()
            || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'-')
    };
    let length = bytes.get(body..)?.iter().take(BLOCK).take_while(fits).count();
    (body_length(bytes.get(body..body + length)?) >= 64).then_some((at, body + length))
}

/// Bytes of Base64 in a body.
fn body_length(body: &[u8]) -> usize {
    body.iter().filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')).count()
}
