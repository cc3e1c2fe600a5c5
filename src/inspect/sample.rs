//! Made-up values from the samples in the rule files: `ghp_{b62:36}` is filled with letters of the class, always
//! the same ones, so that no file holds what looks like a secret.

/// A text to plant, and the part of it that must not come out.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub text: String,
    pub secret: String,
}

const CLASSES: &[(&str, &str)] = &[
    ("digits", "1234567890"),
    ("hex", "0123456789abcdef"),
    ("lower", "abcdefghijklmnopqrstuvwyz"),
    ("upper", "ABCDEFGHJKLMNPQRSTUVWYZ0123456789"),
    ("b32", "ABCDEFGHJKLMNPQRSTUVWYZ234567"),
    ("b62", "ABCDEFGHJKLMNPQRSTUVWYZabcdefghijkmnopqrstuvwyz0123456789"),
    ("b64", "ABCDEFGHJKLMNPQRSTUVWYZabcdefghijkmnopqrstuvwyz0123456789+/"),
];

/// Fills a template and reads its `<<…>>` marks.
pub(super) fn expand(template: &str) -> Sample {
    let mut text = String::new();
    let mut rest = template;
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    while let Some((head, tail)) = rest.split_once('{') {
        text.push_str(head);
        let (class, after) = tail.split_once('}').unwrap_or((tail, ""));
        fill(&mut text, class, &mut state);
        rest = after;
    }
    text.push_str(rest);
    let secret = text
        .split_once("<<")
        .and_then(|(_, tail)| tail.split_once(">>"))
        .map_or_else(|| text.clone(), |(secret, _)| secret.to_owned());
    Sample { text: text.replace("<<", "").replace(">>", ""), secret }
}

fn fill(text: &mut String, class: &str, state: &mut u64) {
    match class {
        "jwt" => {
            text.push_str(concat!(
                "eyJhbGciOiJIUzI1NiIs",
                "InR5cCI6IkpXVCJ9.",
                "eyJzdWIiOiIxMjM0NTY3ODkwIn0."
            ));
            fill(text, "b62:43", state);
        }
        "pem" | "pem_one_line" => {
            let line = if class == "pem" { "\n" } else { "\\n" };
            text.push_str(concat!("-----BEGIN RSA PRI", "VATE KEY-----"));
            for _ in 0..3 {
                text.push_str(line);
                fill(text, "b64:64", state);
            }
            text.push_str(line);
            text.push_str(concat!("-----END RSA PRI", "VATE KEY-----"));
        }
        _ => {
            let (name, count) = class.split_once(':').unwrap_or((class, "1"));
            let letters = CLASSES.iter().find(|known| known.0 == name).map_or("", |known| known.1).as_bytes();
            for _ in 0..count.parse::<usize>().unwrap_or(0) {
                text.push(letter(letters, state));
            }
        }
    }
}

fn letter(letters: &[u8], state: &mut u64) -> char {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let pick = usize::try_from(*state >> 40).unwrap_or(0);
    letters.get(pick.checked_rem(letters.len()).unwrap_or(0)).map_or('?', |&byte| char::from(byte))
}
