//! Texts without what cuts a value in two for a reader's eye only: ends of strings that code puts together, inline
//! markup between letters.

use super::cuts::Cuts;
use super::digits::before;
use super::shifts::Shifts;

/// Bytes of white space between two strings.
const BLANK: usize = 16;
/// Bytes on either side of a cut that are looked at again.
const NEAR: usize = 512;
/// Bytes of one tag or comment.
const TAG: usize = 256;
/// Elements that do not separate what stands on either side.
const INLINE: &[&[u8]] = &[
    b"a", b"abbr", b"b", b"bdi", b"bdo", b"big", b"code", b"em", b"font", b"i", b"ins", b"kbd", b"mark",
    b"s", b"samp", b"small", b"span", b"strike", b"strong", b"sub", b"sup", b"tt", b"u", b"var", b"wbr",
];

/// A text without the ends of strings that code puts together: `"4111" + "1111"`, `'4111' . '1111'`, `"4111" "1111"`.
pub(super) fn concatenated(text: &str) -> Option<(String, Shifts)> {
    let bytes = text.as_bytes();
    let mut cuts = Cuts::new(text, NEAR);
    for close in memchr::memchr3_iter(b'"', b'\'', b'`', bytes) {
        if close >= cuts.from
            && let Some(open) = next_string(bytes, close)
        {
            let escaped = bytes.get(close.wrapping_sub(1)) == Some(&b'\\');
            let end = close - usize::from(escaped);
            if goes_on(bytes, end, open + 1) {
                cuts.cut(end, open + 1, None)?;
            }
        }
    }
    cuts.finish()
}

/// Whether a value goes on from the byte before `end` to that at `start`: letters of a word, or digits with one space
/// between them. Sentences that code puts together have a space at the seam, too.
fn goes_on(bytes: &[u8], end: usize, start: usize) -> bool {
    let (left, right) = (before(bytes, end), bytes.get(start));
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let blank = |byte: Option<&u8>| byte == Some(&b' ');
    (value(left) && value(right))
        || (digit(left) && blank(right) && digit(bytes.get(start + 1)))
        || (blank(left)
            && digit(right)
            && end.checked_sub(1).is_some_and(|space| digit(before(bytes, space))))
}

fn value(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'_' | b'-' | b'+' | b'/' | b'=')
    })
}

/// Where the string opens that is put together with the one that closes at `close`.
fn next_string(bytes: &[u8], close: usize) -> Option<usize> {
    let blank = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        from + rest.iter().take(BLANK).take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let gap = blank(close + 1);
    let rest = bytes.get(gap..)?;
    let sign = [&b"+"[..], b"..", b".", b"&", b"||"].into_iter().find(|sign| rest.starts_with(sign));
    let mut open = match sign {
        Some(sign) => blank(gap + sign.len()),
        None if gap > close + 1 => gap,
        None => return None,
    };
    open += usize::from(bytes.get(open) == Some(&b'\\'));
    (bytes.get(open) == bytes.get(close)).then_some(open)
}

/// A text without inline markup between two letters: `<b>4111</b>1111`, `41<!-- -->11`, `**4111**1111`.
pub(super) fn untagged(text: &str) -> Option<(String, Shifts)> {
    let bytes = text.as_bytes();
    let mut cuts = Cuts::new(text, NEAR);
    // Markup in a row is read once.
    let mut read = 0;
    for at in memchr::memchr2_iter(b'<', b'*', bytes) {
        if at < read {
            continue;
        }
        let mut end = at;
        while let Some(length) = mark(bytes.get(end..).unwrap_or_default()) {
            end += length;
        }
        read = end;
        if end > at && goes_on(bytes, at, end) {
            cuts.cut(at, end, None)?;
        }
    }
    cuts.finish()
}

/// Length of the markup that begins here.
fn mark(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"**") {
        return Some(2);
    }
    let window = bytes.get(..bytes.len().min(TAG))?;
    if window.starts_with(b"<!--") {
        return memchr::memmem::find(window, b"-->").map(|end| end + 3);
    }
    let slash = usize::from(window.get(1) == Some(&b'/'));
    let body = window.strip_prefix(b"<")?.get(slash..)?;
    let name = body.iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let name = body.get(..name)?;
    if !INLINE.iter().any(|inline| inline.eq_ignore_ascii_case(name)) {
        return None;
    }
    let rest = body.get(name.len()..)?;
    let close = rest.iter().position(|byte| matches!(byte, b'>' | b'<'))?;
    (rest.get(close) == Some(&b'>')).then_some(1 + slash + name.len() + close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_read_together_and_maps_back() {
        for (text, plain) in [
            (r#""4111" + "1111""#, r#""41111111""#),
            ("'ab' . 'cd'", "'abcd'"),
            (r#""943 " + "476""#, r#""943 476""#),
            (r#""943" + " 476""#, r#""943 476""#),
            ("\"ab\"\n    \"cd\"", "\"abcd\""),
            (r#"\"ab\" + \"cd\""#, r#"\"abcd\""#),
        ] {
            let (view, shifts) = concatenated(text).expect(text);
            assert_eq!(view, plain);
            assert_eq!(shifts.source(view.len()), text.len());
        }
        for (text, plain) in [
            ("<b>41</b>11", "<b>4111"),
            ("41<!-- x -->11", "4111"),
            ("**41**11", "**4111"),
            ("<b>943</b> 476", "<b>943 476"),
            ("943 **476**", "943 476**"),
            ("a<span class=\"n\">b</span>c", "abc"),
        ] {
            let (view, shifts) = untagged(text).expect(text);
            assert_eq!(view, plain);
            assert_eq!(shifts.source(view.len()), text.len());
        }
        for text in ["a, b", r#"["a", "b"]"#, "it's 'fine'", r#""ab " + "cd""#] {
            assert!(concatenated(text).is_none(), "{text}");
        }
        let far = format!("{}\"4111\" + \"1111\"{}\"ab\" + \"cd\"", "x ".repeat(4_000), " y".repeat(4_000));
        let (view, shifts) = concatenated(&far).unwrap();
        assert!(view.len() < 3_000);
        for part in ["41111111", "abcd"] {
            let at = view.find(part).unwrap();
            assert!(far.get(shifts.source(at)..).unwrap().starts_with(part.get(..2).unwrap()));
        }
        for text in ["<td>1</td><td>2</td>", "a <b> b", "2 ** 3", "x < y > z", "**one** two"] {
            assert!(untagged(text).is_none(), "{text}");
        }
    }
}
