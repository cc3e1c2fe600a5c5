//! A report as a page: one file, nothing to fetch, nothing that runs.

use super::Report;
use std::fmt::Write as _;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
    h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
    td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right}\
    code,pre{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}.bad{color:#a00;font-weight:600}";

/// The page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = escaped(&report.title);
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n<p>Log <code>{}</code>, period <code>{}</code>, made {}.</p>\n<p>{}</p>\n",
        escaped(&report.log),
        escaped(&report.period),
        escaped(&report.made),
        escaped(&report.claim)
    );
    integrity(report, &mut out);
    for control in &report.controls {
        let _ = write!(
            out,
            "<h2>{}: {}</h2>\n<table><tr><th>what</th><th>records</th><th>query</th><th>newest</th></tr>\n",
            escaped(&control.id),
            escaped(&control.asks)
        );
        for evidence in &control.evidence {
            let newest: Vec<String> = evidence.newest.iter().map(|(seq, _)| seq.to_string()).collect();
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}</td><td><code>{}</code></td><td>{}</td></tr>",
                escaped(&evidence.name),
                evidence.records,
                escaped(&evidence.query),
                newest.join(", ")
            );
        }
        out.push_str("</table>\n");
    }
    if let Some(checkpoint) = &report.checkpoint {
        let _ = write!(out, "<h2>Newest checkpoint</h2>\n<pre>{}</pre>\n", escaped(checkpoint));
    }
    out.push_str("</body></html>\n");
    out
}

fn integrity(report: &Report, out: &mut String) {
    let (integrity, coverage) = (&report.integrity, &report.coverage);
    let number = |n: Option<u64>| n.map_or("none".to_owned(), |n| n.to_string());
    let verdict = if integrity.ok { "whole" } else { "<span class=\"bad\">NOT WHOLE</span>" };
    let _ = write!(
        out,
        "<h2>Integrity and coverage</h2>\n<table>\n<tr><td>the whole log</td><td>{verdict}: {} records hashed again, {} gaps, \
         {} checkpoints compared, the newest over {} records</td></tr>\n<tr><td>the period</td><td>{} calls in {} records, \
         {} to {}; {} calls whose end is not known; the log could not be written {} times</td></tr>\n",
        integrity.records,
        integrity.gaps,
        integrity.checkpoints,
        number(integrity.under_checkpoint),
        coverage.calls,
        coverage.records,
        number(coverage.first),
        number(coverage.last),
        coverage.unknown_ends,
        coverage.outages
    );
    if integrity.archived > 0 {
        let _ = writeln!(
            out,
            "<tr><td>archived</td><td>{} records, of which only the hashes were checked: no number here counts them</td></tr>",
            integrity.archived
        );
    }
    for broken in &integrity.breaks {
        let _ = writeln!(out, "<tr><td class=\"bad\">wrong</td><td>{}</td></tr>", escaped(broken));
    }
    out.push_str("</table>\n");
}

/// Text that is text wherever it stands.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
