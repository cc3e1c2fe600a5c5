//! Why a rule set cannot be built, and why a value is refused instead of passed on.

/// The inspector cannot be built. Nothing is served without one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A detector named in the configuration does not exist.
    #[error("unknown detector `{name}`, use `{suggestion}` or another one that `Inspector::detectors` lists")]
    UnknownDetector {
        /// The name as it was written.
        name: String,
        /// The existing name that looks most like it.
        suggestion: String,
    },
    /// The configuration leaves no detector on.
    #[error("no detector is on in either direction, remove entries from `disable` or from `only`")]
    NothingEnabled,
    /// A limit is zero, so that every value would be refused.
    #[error("limit `{limit}` is 0, set at least 1")]
    ZeroLimit {
        /// The name of the limit.
        limit: &'static str,
    },
    /// The key for commitments is too short to hide values behind it.
    #[error("the commitment key has {bytes} bytes, give at least 16 random bytes")]
    ShortKey {
        /// Length of the key that was given.
        bytes: usize,
    },
    /// A rule file cannot be read.
    #[error("rule file `{file}` is not valid, correct the place that it names")]
    RuleFile {
        /// Name of the file.
        file: &'static str,
        /// What the parser says.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A file of the customer's rules cannot be read.
    #[error("the rules in `{file}` cannot be read, correct `inspect.rules` or the file")]
    OwnRulesUnreadable {
        /// The file as it is configured.
        file: String,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file of the customer's rules is not valid.
    #[error("the rules in `{file}` are not valid: {source}")]
    OwnRules {
        /// The file as it is configured.
        file: String,
        /// What is wrong.
        #[source]
        source: Box<Error>,
    },
    /// More rules of the customer's than are allowed.
    #[error("`inspect.rules` has {count} rules, the limit is {limit}")]
    TooManyRules {
        /// Rules of all files.
        count: usize,
        /// Most that may be.
        limit: usize,
    },
    /// A rule says two things at once, or nothing.
    #[error("rule `{rule}` is not complete: {problem}")]
    Rule {
        /// The rule's type.
        rule: String,
        /// What is missing or too much.
        problem: &'static str,
    },
    /// A rule's pattern is not a valid expression.
    #[error("rule `{rule}` has a pattern that is not valid")]
    Pattern {
        /// The rule's type.
        rule: String,
        /// What the expression engine says.
        #[source]
        source: Box<regex::Error>,
    },
    /// The table over all shapes would be too large.
    #[error("the shapes of all rules make too large a table, use fewer or shorter ones")]
    Shapes,
    /// The automaton over all names and prefixes cannot be built.
    #[error("the automaton over all rules cannot be built, use fewer or shorter prefixes")]
    Automaton {
        /// What the automaton's builder says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An operator that cannot be honoured for a type that it is named for.
    #[error(
        "`{kind}` cannot be treated by `{operator}`, use `pseudonymise`, `mask`, `drop` or `block` for it"
    )]
    Unfit {
        /// The type.
        kind: String,
        /// The operator.
        operator: &'static str,
    },
    /// Tokens without a vault.
    #[error("`tokenise` needs `inspect.vault`, where the values are kept")]
    NoVault,
    /// A number of the vault's settings is out of bounds.
    #[error("`inspect.vault.{name}` must be from {least} to {most}")]
    Vault {
        /// The setting.
        name: &'static str,
        /// Least.
        least: u64,
        /// Most.
        most: u64,
    },
    /// A setting of the recogniser cannot be meant.
    #[error("`inspect.recognizer.{name}` {problem}")]
    Recognizer {
        /// The setting.
        name: &'static str,
        /// What it must be.
        problem: String,
    },
    /// A planted value came out of the pipeline.
    #[error(
        "self-test failed: a value of rule `{rule}`, planted {form}, came out in direction `{direction}`: the rule, another one that goes first, or a setting under `inspect` is to blame"
    )]
    SelfTest {
        /// The rule whose sample was not held back.
        rule: &'static str,
        /// How the value was planted.
        form: &'static str,
        /// `request` or `response`.
        direction: &'static str,
    },
}

/// A value is refused: it cannot be inspected within the limits, so it does not pass (fail closed).
///
/// No variant carries any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Blocked {
    /// Not one valid JSON value (RFC 8259), or a lone surrogate.
    #[error("not a valid JSON value at byte {at}")]
    InvalidJson {
        /// Offset of the first byte that does not fit.
        at: usize,
    },
    /// More bytes than the limit.
    #[error("the value has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Size of the value.
        bytes: usize,
        /// `limits.bytes`.
        limit: usize,
    },
    /// Objects and arrays nested deeper than the limit.
    #[error("the value is nested deeper than {limit} levels")]
    TooDeep {
        /// `limits.depth`.
        limit: usize,
    },
    /// More object members than the limit.
    #[error("the value has more than {limit} object keys")]
    TooManyKeys {
        /// `limits.keys`.
        limit: usize,
    },
    /// A string longer than the limit.
    #[error("a string is longer than {limit} bytes")]
    StringTooLong {
        /// `limits.string_bytes`.
        limit: usize,
    },
    /// A number literal longer than the limit.
    #[error("a number is longer than {limit} characters")]
    NumberTooLong {
        /// `limits.number_bytes`.
        limit: usize,
    },
    /// More findings than the limit.
    #[error("the value holds more than {limit} findings")]
    TooManyFindings {
        /// `limits.findings`.
        limit: usize,
    },
    /// JSON in strings in strings beyond the limit.
    #[error("JSON inside strings is nested deeper than {limit} levels")]
    NestedTooDeep {
        /// `limits.nesting`.
        limit: usize,
    },
    /// The value is made so that inspecting it costs too much.
    #[error("inspecting the value costs more than its size allows")]
    TooCostly,
    /// The configuration refuses values of this type.
    #[error("the value holds `{kind}`, which is refused by configuration")]
    Forbidden {
        /// The type that was found.
        kind: String,
    },
    /// The external recogniser could not say what is in the value.
    #[error("the external recogniser {why}")]
    Unrecognized {
        /// What it did.
        why: &'static str,
    },
    /// Masking did not come to rest: each round brought new findings.
    #[error("the value still yields findings after {rounds} rounds of masking")]
    NotSettled {
        /// Rounds that were made.
        rounds: usize,
    },
}
