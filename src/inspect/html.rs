//! Tables of HTML: the titles of their columns, and in which column something stands.

use std::ops::Range;

/// Bytes of a title, markup inside of it included.
const TITLE: usize = 512;

/// The rows below the titles of each table, and the titles.
pub(super) fn tables(text: &str) -> Vec<(Range<usize>, Vec<String>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    // A head and its cells begin alike.
    let head = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|name| name.eq_ignore_ascii_case(b"th"));
    if !memchr::memchr_iter(b'<', bytes).any(head) {
        return found;
    }
    let (mut titles, mut rows, mut in_head) = (Vec::new(), None, false);
    let mut close = |titles: &mut Vec<String>, rows: &mut Option<usize>, end: usize| {
        let titles = std::mem::take(titles);
        found.extend(rows.take().map(|start| (start..end, titles)));
    };
    for at in memchr::memchr_iter(b'<', bytes) {
        let is = |name| is_tag(bytes, at, name);
        if is("table") || is("/table") {
            close(&mut titles, &mut rows, at);
        } else if is("thead") || is("/thead") {
            in_head = is("thead");
        } else if is("th") || (in_head && is("td")) {
            if rows.is_none() {
                titles.push(title(text, at));
            }
        } else if is("td") && !titles.is_empty() {
            rows.get_or_insert(at);
        }
    }
    close(&mut titles, &mut rows, text.len());
    found
}

/// The number of the cell at the end of `rows`, if the row begins there.
pub(super) fn cell(rows: &[u8]) -> Option<usize> {
    let mut cells = 0usize;
    for at in memchr::memrchr_iter(b'<', rows) {
        if is_tag(rows, at, "tr") {
            return cells.checked_sub(1);
        }
        cells += usize::from(is_tag(rows, at, "td") || is_tag(rows, at, "th"));
    }
    None
}

/// Whether the tag at `at` has this name, in letters of either case.
fn is_tag(bytes: &[u8], at: usize, name: &str) -> bool {
    let end = at + 1 + name.len();
    bytes.get(at + 1..end).is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes()))
        && !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric)
}

/// The words between a cell's tag and its end.
fn title(text: &str, at: usize) -> String {
    let window = text.get(at..text.floor_char_boundary(at + TITLE)).unwrap_or_default();
    let mut title = String::new();
    // Each part is the rest of a tag and what stands behind it.
    for (index, part) in window.split('<').skip(1).enumerate() {
        let ends = ["/t", "/T", "t", "T"].iter().any(|end| part.starts_with(end));
        if index > 0 && ends {
            break;
        }
        title.push_str(part.split_once('>').map_or("", |(_, words)| words));
    }
    title.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_titles_above_them() {
        for text in [
            "<table><tr><th>id</th><th class=x><b>BSN</b></th></tr>\n<tr><td>1</td><td>VALUE</td></tr></table>",
            "<TABLE><THEAD><TR><TD>id</TD><TD>BSN</TD></TR></THEAD><TBODY><TR><TD>1<TD>VALUE",
            "<table><th>x</th></table><table><tr><th>a<th>BSN<tr><td>1</td>\n<td>\n  VALUE</td>",
        ] {
            let at = text.find("VALUE").unwrap();
            let tables = tables(text);
            let (rows, titles) = tables.last().unwrap();
            assert!(rows.contains(&at), "{text}");
            let index = cell(text.get(..at).unwrap().as_bytes()).unwrap();
            assert_eq!(titles.get(index).map(String::as_str), Some("BSN"), "{text}");
        }
        for text in ["", "<th", "<table><tr><td>1</td></tr></table>", "a < b <th> c", "<thead>"] {
            assert_eq!(tables(text), [], "{text}");
        }
        assert_eq!((cell(b"</td><td>"), cell(b"<tr>"), cell(b"<tr><td")), (None, None, Some(0)));
    }
}
