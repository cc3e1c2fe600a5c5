//! Tables (RFC 4180), with cells that no spreadsheet takes for a formula.

use crate::audit::hex;
use crate::search::field::Field;
use crate::search::source::Found;

/// The columns: a name, and what is in them.
const COLUMNS: [(&str, Column); 26] = [
    ("seq", Column::Number(Field::Seq)),
    ("time", Column::Time),
    ("kind", Column::Words(Field::Kind)),
    ("call", Column::Words(Field::Call)),
    ("tenant", Column::Words(Field::Tenant)),
    ("actor", Column::Words(Field::Actor)),
    ("agent", Column::Words(Field::Agent)),
    ("by", Column::Words(Field::By)),
    ("source", Column::Words(Field::Source)),
    ("client", Column::Words(Field::Client)),
    ("session", Column::Words(Field::Session)),
    ("method", Column::Words(Field::Method)),
    ("server", Column::Words(Field::Server)),
    ("tool", Column::Words(Field::Tool)),
    ("decision", Column::Words(Field::Decision)),
    ("reason", Column::Words(Field::Reason)),
    ("policies", Column::Words(Field::Policy)),
    ("approvers", Column::Words(Field::Approver)),
    ("status", Column::Words(Field::Status)),
    ("latency_us", Column::Number(Field::Latency)),
    ("bytes", Column::Number(Field::Bytes)),
    ("redacted", Column::Number(Field::Redacted)),
    ("findings", Column::Words(Field::Finding)),
    ("trace", Column::Words(Field::Trace)),
    ("hold", Column::Words(Field::Hold)),
    ("leaf", Column::Leaf),
];

#[derive(Clone, Copy)]
enum Column {
    Words(Field),
    Number(Field),
    Time,
    Leaf,
}

pub(super) fn header(out: &mut Vec<u8>) {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    out.extend_from_slice(names.join(",").as_bytes());
    out.push(b'\n');
}

pub(super) fn row(found: &Found, out: &mut Vec<u8>) {
    for (n, (_, column)) in COLUMNS.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        let number = |field| found.doc.value(field).map(|number| number.to_string()).unwrap_or_default();
        match column {
            Column::Words(field) => cell(&found.doc.values(*field).collect::<Vec<_>>().join("; "), out),
            Column::Number(field) => out.extend_from_slice(number(*field).as_bytes()),
            Column::Time => {
                let time = found.doc.value(Field::Created).unwrap_or_default();
                let time =
                    jiff::Timestamp::from_microsecond(time).map(|at| at.to_string()).unwrap_or_default();
                out.extend_from_slice(time.as_bytes());
            }
            Column::Leaf => out.extend_from_slice(hex(&found.leaf).as_bytes()),
        }
    }
}

/// A text. One that a spreadsheet would calculate gets an apostrophe before it (OWASP, CSV injection).
pub(super) fn cell(text: &str, out: &mut Vec<u8>) {
    let calculates = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || text.starts_with(['\t', '\r', '\n']);
    let quoted = calculates || text.contains([',', ';', '"', '\n', '\r', '\t']);
    if !quoted {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    if calculates {
        out.push(b'\'');
    }
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula() {
        let shown = |text: &str| {
            let mut out = Vec::new();
            cell(text, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown("crm"), "crm");
        assert_eq!(shown("=1+1"), "\"'=1+1\"");
        assert_eq!(shown("-2"), "\"'-2\"");
        assert_eq!(shown(" @SUM(A1)"), "\"' @SUM(A1)\"");
        assert_eq!(shown("\t=1"), "\"'\t=1\"");
        assert_eq!(shown("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
