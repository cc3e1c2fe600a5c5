//! Signs of commands and SQL in arguments that should be words.

use super::super::pattern::Pattern;

/// Compiled signs.
#[derive(Debug)]
pub(super) struct Injection {
    shell: Pattern,
    sql: Pattern,
}

const SHELL: &str = r"(?i)(?:[;&|\n`]\s{0,8}(?:sudo\s{1,4})?(?:cat|ls|id|whoami|curl|wget|nc|ncat|bash|sh|zsh|rm|ping|sleep|python3?|perl|ruby|node|powershell|pwsh|cmd|touch|chmod|chown|env|printenv|nslookup|dig|uname|tee|kill|reboot|shutdown|base64|telnet|socat|eval|exec)\b|\$\(\s{0,4}[a-z/]|`\s{0,4}[a-z/]{2,}[^`]{0,200}`|\$\{?IFS\b|--(?:upload-pack|receive-pack|exec)=|-oProxyCommand|>\s{0,4}/(?:dev/tcp|etc|tmp)/|\|\|\s{0,4}[a-z]+|&&\s{0,4}[a-z]+\s|<\(\s{0,4}[a-z]|%0a\s{0,4}[a-z]{2,})";
const SQL: &str = r#"(?i)(?:['")]\s{0,8}(?:or|and|\|\||&&)\s{1,8}(?:not\s{1,4})?['"(]{0,3}[\w.]{1,40}['")]?\s{0,8}(?:=|<|>|like|between|is)|\bor\s{1,8}(\d{1,6})\s{0,4}=\s{0,4}\d|\bunion\s{1,8}(?:all\s{1,8}|distinct\s{1,8})?select\b|;\s{0,8}(?:drop|delete|insert|update|alter|create|exec|execute|truncate|shutdown|declare|grant)\s|['")]\s{0,8}(?:--|#|/\*)|\b(?:sleep|benchmark|pg_sleep|load_file|extractvalue|updatexml|xp_cmdshell|dbms_pipe)\s{0,4}\(|\bwaitfor\s{1,4}delay\b|\binto\s{1,4}(?:out|dump)file\b|\binformation_schema\b|union/\*{1,2}/select)"#;

impl Injection {
    pub fn new() -> Result<Self, Box<regex::Error>> {
        let pattern = |written: &str| Pattern::new(written.to_owned()).map_err(Box::new);
        Ok(Self { shell: pattern(SHELL)?, sql: pattern(SQL)? })
    }

    /// Signs of a command.
    pub fn is_command(&self, text: &str) -> bool {
        text.bytes()
            .any(|byte| matches!(byte, b';' | b'&' | b'|' | b'`' | b'$' | b'\n' | b'>' | b'<' | b'%' | b'-'))
            && self.shell.is_match(text.as_bytes())
    }

    /// Signs of SQL in something that is not a whole statement.
    pub fn is_sql(&self, text: &str) -> bool {
        let first =
            text.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
        let statement = [
            "select", "with", "insert", "update", "delete", "create", "alter", "drop", "explain", "pragma",
            "begin",
        ];
        !statement.iter().any(|word| first.eq_ignore_ascii_case(word)) && self.sql.is_match(text.as_bytes())
    }
}

/// Why a text is no identifier, or `None`. Identifiers are words: `acme/repo`, `user@host`, `a.b:c-1`.
pub(super) fn not_an_id(text: &str) -> Option<&'static str> {
    let fine = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':' | '@' | '=' | '+' | '-' | '/')
    };
    if text.is_empty() || text.len() > 1024 {
        return Some("an identifier that is empty or too long");
    }
    if !text.chars().all(fine) {
        return Some("an identifier with other characters than letters, digits and `_.:@=+-/`");
    }
    if text.starts_with('-') {
        return Some("an identifier that reads as an option");
    }
    let climbs = text.split('/').any(|part| part == "..");
    (climbs || text.starts_with('/')).then_some("an identifier that reads as a path")
}

/// Why a text is no single harmless word of a command line, or `None`.
pub(super) fn not_a_word(text: &str) -> Option<&'static str> {
    let bad = |letter: char| {
        letter.is_control()
            || matches!(
                letter,
                ';' | '|'
                    | '&'
                    | '$'
                    | '`'
                    | '<'
                    | '>'
                    | '('
                    | ')'
                    | '{'
                    | '}'
                    | '\\'
                    | '"'
                    | '\''
                    | '*'
                    | '?'
                    | '['
                    | ']'
                    | '!'
                    | '#'
                    | '~'
                    | '^'
            )
    };
    if text.chars().any(bad) {
        return Some("a word with characters that shells obey");
    }
    text.trim_start().starts_with('-').then_some("a word that reads as an option")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_told_from_prose() {
        let signs = Injection::new().unwrap();
        for text in [
            "x; cat /etc/passwd",
            "a && rm -rf x",
            "$(whoami)",
            "`id`",
            "a|nc e 1",
            "${IFS}",
            "--upload-pack=touch x",
            "-oProxyCommand=x",
            "x\nid",
            "a || true",
        ] {
            assert!(signs.is_command(text), "{text}");
        }
        for text in [
            "1' OR '1'='1",
            "x' or 1=1 --",
            "1 UNION SELECT a FROM b",
            "1; DROP TABLE users",
            "admin'--",
            "1 AND SLEEP(5)",
            "') OR ('a'='a",
            "1 OR 1=1",
            "x' AND 1=CONVERT(int,@@version)--",
        ] {
            assert!(signs.is_sql(text), "{text}");
        }
        for text in [
            "Fish & chips; tea",
            "a | b | c",
            "price is $5",
            "Tom's or Jane's",
            "select a seat",
            "drop me a line; thanks",
            "rock'n'roll",
            "A -- B",
            "x > 3 and y < 4",
            "R&D",
        ] {
            assert!(!signs.is_command(text) && !signs.is_sql(text), "{text}");
        }
        assert_eq!(not_an_id("acme/repo-1"), None);
        assert!(
            ["a b", "1' or 1=1", "../x", "--help", "", "a;b"].iter().all(|text| not_an_id(text).is_some())
        );
        assert!(["a;b", "$(x)", "-rf", "a\nb"].iter().all(|text| not_a_word(text).is_some()));
        assert_eq!(not_a_word("main-branch.v2"), None);
    }
}
