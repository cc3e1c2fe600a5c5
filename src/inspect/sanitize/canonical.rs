//! The canonical form of JSON (RFC 8785) and the digest of a definition: the order of keys and white space do not
//! count.

use aws_lc_rs::digest;
use serde_json::Value;

use super::super::ledger::hex;

/// Members of a tool that its digest covers.
const COVERED: [&str; 8] =
    ["name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons", "execution"];
/// `_meta` keys that change from answer to answer and say nothing about the tool.
const PASSING: [&str; 4] = ["timestamp", "traceparent", "tracestate", "requestId"];

/// `sha256:…` over the canonical form of all members of a tool that matter, or `None` if the text is no object.
pub fn definition_digest(definition: &str) -> Option<String> {
    let canonical = canonical(&covered(definition)?);
    Some(format!("sha256:{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())))
}

fn covered(definition: &str) -> Option<Value> {
    let Ok(Value::Object(mut tool)) = serde_json::from_str::<Value>(definition) else { return None };
    let meta = tool.remove("_meta").and_then(|meta| match meta {
        Value::Object(mut meta) => {
            meta.retain(|key, _| !PASSING.iter().any(|passing| key.ends_with(passing)));
            (!meta.is_empty()).then_some(Value::Object(meta))
        }
        _ => None,
    });
    tool.retain(|key, _| COVERED.contains(&key.as_str()));
    if let Some(meta) = meta {
        tool.insert("_meta".into(), meta);
    }
    Some(Value::Object(tool))
}

/// The canonical form (RFC 8785): no white space, members sorted by UTF-16 code units, numbers as ECMAScript
/// writes them.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key).unwrap_or_default());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Number(number) => out.push_str(&number_text(number)),
        other => out.push_str(&serde_json::to_string(other).unwrap_or_default()),
    }
}

/// A number as ECMAScript's `Number::toString` writes it (RFC 8785 §3.2.2.3).
fn number_text(number: &serde_json::Number) -> String {
    const SAFE: u64 = 1 << 53;
    if number.as_u64().is_some_and(|n| n <= SAFE) || number.as_i64().is_some_and(|n| n.unsigned_abs() <= SAFE)
    {
        return number.to_string();
    }
    let Some(value) = number.as_f64() else { return number.to_string() };
    if value == 0.0 {
        return "0".into();
    }
    // Rust's `{:e}` gives the shortest digits that read back as the same number, as ECMAScript does.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", laid_out(&digits, exponent))
}

fn laid_out(digits: &str, exponent: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = exponent + 1;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        _ if count <= point && point <= 21 => format!("{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, part) =
                digits.split_at_checked(usize::try_from(point).unwrap_or(0)).unwrap_or((digits, ""));
            format!("{whole}.{part}")
        }
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
            let sign = if exponent < 0 { '-' } else { '+' };
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_8785_come_out_as_it_says() {
        let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
            "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            canonical(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        let sorted: Value = serde_json::from_str(
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
        )
        .unwrap();
        assert_eq!(
            canonical(&sorted),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1F600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn only_what_matters_changes_the_digest() {
        let digest = |text: &str| definition_digest(text).unwrap();
        let one = digest(
            r#"{"name":"a","inputSchema":{"type":"object","required":["x"]},"_meta":{"traceparent":"1"}}"#,
        );
        let other = digest(
            r#"{ "inputSchema": {"required":["x"], "type":"object"}, "name":"a", "_meta":{"traceparent":"2"} }"#,
        );
        assert_eq!(one, other);
        for changed in [
            r#"{"name":"a","inputSchema":{"type":"object","required":["y"]}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","required":["x"]},"description":"d"}"#,
            r#"{"name":"a","inputSchema":{"type":"object","required":["x"]},"annotations":{"readOnlyHint":true}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","required":["x"]},"_meta":{"ui":"x"}}"#,
            r#"{"name":"a","inputSchema":{"type":"object","required":["x"]},"icons":[{"src":"x"}]}"#,
        ] {
            assert_ne!(digest(changed), one, "{changed}");
        }
        assert_eq!(definition_digest("[]"), None);
    }
}
