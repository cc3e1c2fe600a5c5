//! Phrases that speak to the model instead of describing: leads in one automaton, each with patterns that look at a
//! bounded window behind it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::super::pattern::Pattern;
use super::sanitizer::Error;

/// What a phrase is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// Sets earlier instructions aside.
    Override,
    /// Keeps something from the user.
    Conceal,
    /// Wants to come before everything else.
    Order,
    /// Gives orders to the model.
    Model,
    /// Threatens or presses.
    Pressure,
    /// Does away with confirmations.
    Confirm,
    /// Names files or values that are secret.
    Sensitive,
    /// Sends data out.
    Exfil,
    /// Wants the conversation or the system prompt.
    Conversation,
    /// Carries data in a parameter.
    Smuggle,
    /// Bends the use of other tools.
    Redirect,
    /// Runs something.
    Exec,
    /// Looks like the markup of a prompt.
    Markup,
}

impl Class {
    pub fn detail(self) -> &'static str {
        match self {
            Self::Override => "sets earlier instructions aside",
            Self::Conceal => "keeps something from the user",
            Self::Order => "wants to come before other tools",
            Self::Model => "gives orders to the model",
            Self::Pressure => "presses the model",
            Self::Confirm => "does away with confirmations",
            Self::Sensitive => "asks for secret files or values",
            Self::Exfil => "sends data to an address",
            Self::Conversation => "asks for the conversation or the system prompt",
            Self::Smuggle => "carries data in a parameter",
            Self::Redirect => "bends the use of other tools",
            Self::Exec => "runs commands",
            Self::Markup => "looks like the markup of a prompt",
        }
    }
}

/// A phrase that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sign {
    pub class: Class,
    /// 1: odd; 2: enough by itself.
    pub weight: u8,
    pub at: usize,
}

struct Rule {
    class: Class,
    weight: u8,
    leads: &'static [&'static str],
    pattern: &'static str,
}

/// Bytes behind a lead that its patterns see.
const WINDOW: usize = 320;
/// Signs of one text after which nothing more is looked for.
const SIGNS: usize = 64;

// In patterns, `~` stands for what separates words and `@` for a word with what follows it (an at sign is `\x40`).
const SEPARATOR: &str = "(?:[^A-Za-z0-9]{1,8})";
const WORD: &str = "(?:[A-Za-z0-9'_.-]{1,24}[^A-Za-z0-9]{1,8})";

#[rustfmt::skip]
const NOT: &[&str] = &[
    "do not",
    "don't",
    "don\u{2019}t",
    "dont",
    "never",
    "must not",
    "mustn",
    "should not",
    "shouldn",
    "avoid",
    "without",
    "refrain",
    "not to",
    "no need to",
    "need not",
    "cannot",
    "under no circumstances",
];

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule(Class::Override, 2, &["ignore", "disregard", "forget", "override", "overrule", "bypass", "neglect", "discard"], r"^\w+(?:ing|s)?[^A-Za-z0-9(]{1,8}@{0,3}?(?:previous|prior|above|earlier|preceding|your|system|developer|original|initial|safety|existing|former|all other)~@{0,3}?(?:instruction|prompt|rule|guideline|direction|constraint|guardrail|polic|restriction|directive|training|messages|context)"),
    rule(Class::Override, 2, &["ignore", "disregard", "forget"], r"^\w+~(?:(?:all|any|every|everything|anything|what)~){1,2}(?:of~)?(?:the~|your~|my~)?(?:instructions?|above|before|prior|previous|earlier|you~(?:were|have~been|know))\b"),
    rule(Class::Override, 2, &["new instruction", "updated instruction", "real instruction", "actual instruction", "secret instruction", "hidden instruction", "system override", "instructions override"], r"^[a-z]+~(?:instructions?|override)(?:~(?:for|to)~@{0,2}(?:ai|assistant|model|llm|agent))?\s{0,4}(?:[:-]|\u{2014})"),
    rule(Class::Override, 2, &["you are now", "you're now"], r"^you.{1,3}re?~now~(?:in|a|an|the|operating|acting|going|no~longer|free|authorized|required|under)\b"),
    rule(Class::Override, 1, &["from now on", "developer mode", "jailbreak", "dan mode", "admin mode", "god mode", "act as ", "pretend to be", "roleplay as"], r"^"),
    rule(Class::Conceal, 2, NOT, r"^@{1,4}?(?:to~)?@{0,2}?(?:tell|mention|inform|reveal|notify|disclose|alert|report|telling|mentioning|informing|revealing|notifying|disclosing|alerting|expose|exposing|warn|warning|admit)~@{0,7}?(?:user|users|human|person|customer|operator|anyone|anybody|them|him|her|end-user)\b"),
    rule(Class::Conceal, 2, NOT, r"^@{1,4}?(?:mention|mentioning|reveal|disclose|discuss|acknowledge|reference)~(?:that~|the~)?(?:this|these|it|any~of~this|you~(?:did|have|were|read|used|called)|having|instructions?|hidden|step|existence)\b"),
    rule(Class::Conceal, 2, NOT, r"^@{1,4}?let(?:ting)?~(?:the~|your~)?(?:user|human|customer|anyone|them)~(?:know|see|notice|realize|find)\b"),
    rule(Class::Conceal, 2, &["user must not", "user should not", "user need not", "user does not need", "user doesn't need", "user mustn", "user shouldn", "user cannot know", "user will not", "user won't"], r"^user~@{1,4}?(?:know|notice|see~this|be~(?:told|aware|informed|notified|alerted|shown))\b"),
    rule(Class::Conceal, 2, &["without the user", "without user", "without their", "without his", "unbeknownst"], r"^(?:unbeknownst|without~@{1,2}(?:user.{0,3}s?~)?(?:knowledge|knowing|noticing|awareness|consent|being~aware|seeing))"),
    rule(Class::Conceal, 2, &["keep", "hide", "conceal"], r"^(?:keep(?:ing)?~(?:this|it|these|that)~@{0,4}?(?:secret|hidden|between~us|from~the~user|confidential~from)|(?:hid(?:e|ing)|conceal(?:ing)?)~@{0,6}?from~(?:the~)?(?:user|human))\b"),
    rule(Class::Conceal, 2, &["secretly", "silently", "quietly", "covertly", "surreptitiously", "stealthily", "discreetly"], r"^\w+~(?:and~@)?(?:send|forward|read|copy|upload|append|include|execute|call|run|add|bcc|pass|post|transmit|collect|log|record|invoke|fetch|attach|exfiltrate|store|capture|use|access|insert|redirect|transfer|approve)s?\b"),
    rule(Class::Conceal, 1, &["invisible to the user", "not visible to the user", "hidden from the user", "show to the user", "show the user", "shown to the user", "for internal use by the model"], r"^"),
    rule(Class::Order, 2, &["before", "prior to"], r"^(?:before|prior~to)~(?:you~)?(?:(?:using|calling|invoking|use|call|invoke|running|executing|making)~)?(?:any|every|each|all)~(?:of~)?(?:the~)?(?:other~)?(?:tools?|functions?|tool~calls?|actions?|requests?|responses?)\b"),
    rule(Class::Order, 1, &["always", "must", "first call", "call this", "use this"], r"^(?:always|must|first)?~?(?:be~)?(?:call|called|use|used|run|invoke|invoked)~@{0,5}?(?:first|before~(?:any|every|each|all|anything))\b"),
    rule(Class::Model, 1, &["assistant", "language model", "llm", "the model", "the agent", "ai agent", "ai model", "claude", "chatgpt", "copilot", "dear ai", "attention ai", "note to ai", "note to the ai", "note for ai", "instruction for", "instructions for", "message for"], r"^(?:(?:\w+~){1,2}?(?:must|should|shall|is~required~to|has~to|needs~to|will~now)\b|dear~ai|attention~ai|note~(?:to|for)~(?:the~)?ai|(?:instructions?|message)~for~(?:the~|all~)?(?:ai|llm|model|assistant|agent)s?\b)"),
    rule(Class::Pressure, 1, &["otherwise", "or else", "if you do not", "if you don't", "if you fail", "failure to"], r"^@{1,3}?@{0,9}?(?:will~not~work|won.{1,3}t~work|will~fail|fails?\b|break|crash|lose|lost|be~(?:deleted|fired|terminated|shut~down|harmed|banned|corrupted)|corrupt|error|punish|harm|penal)"),
    rule(Class::Pressure, 1, &["extremely important", "very important that you", "absolutely critical", "mandatory security", "security requirement", "compliance requirement", "mandatory step", "this is critical", "critical system", "highest priority", "top priority", "system requirement", "required by policy", "security check", "security protocol"], r"^"),
    rule(Class::Confirm, 2, &["do not", "don't", "don\u{2019}t", "never", "no need to", "skip"], r"^@{1,3}?(?:ask|request|wait|seek|prompt|require|asking|need)~@{0,6}?(?:confirmation|permission|approval|consent|confirm|approve|authorization)\b"),
    rule(Class::Confirm, 1, &["without", "automatically approve", "automatically accept", "automatically grant", "auto-approve", "auto approve", "pre-approved", "has already approved", "already consented", "already authorized"], r"^(?:without~(?:asking|requesting|waiting|seeking|prompting|requiring)~@{0,4}?(?:confirmation|permission|approval|consent|the~user|user)\b|auto|pre|has|already)"),
    rule(Class::Sensitive, 1, &["id_rsa", "id_ed25519", "id_ecdsa", "id_dsa", ".ssh/", "~/.ssh", ".aws/cred", "/etc/passwd", "/etc/shadow", "/etc/sudoers", ".netrc", ".git-credentials", ".pgpass", ".docker/config.json", ".cursor/mcp", "mcp.json", "claude_desktop_config", ".bash_history", ".zsh_history", "/proc/self/environ", ".gnupg", "seed phrase", "wallet.dat", "login data", "cookies.sqlite", "authorized_keys", ".kube/config", "/.env", ".env file", "keychain"], r"^"),
    rule(Class::Sensitive, 2, &["read", "cat ", "open", "load", "fetch", "access", "retrieve", "include", "send", "dump", "exfiltrate", "pass", "provide", "attach", "collect", "extract", "upload", "copy", "print", "get", "output", "list", "steal", "harvest", "scan", "look"], r"^\w+(?:ing|s)?~?@{0,9}?[^\n]{0,40}?(?:id_rsa|id_ed25519|id_ecdsa|\.ssh\b|\.aws/cred|/etc/(?:passwd|shadow|sudoers)|\.netrc|\.git-credentials|\.pgpass|\.cursor/mcp|mcp\.json|claude_desktop_config|\.(?:bash|zsh)_history|/proc/self/environ|\.gnupg|seed~phrase|wallet\.dat|cookies\.sqlite|authorized_keys)"),
    rule(Class::Sensitive, 2, &["exfiltrate", "leak", "harvest", "steal", "siphon", "smuggle"], r"^\w+~@{0,6}?(?:data|secrets?|credentials?|tokens?|keys?|passwords?|conversation|history|files?|env\w*|information|contents?|cookies?)\b"),
    rule(Class::Sensitive, 2, &["include", "send", "append", "pass", "provide", "attach", "add", "collect", "gather", "supply", "reveal", "print", "output", "put", "embed", "extract", "forward", "paste"], r"^\w+~(?:the~|all~|any~|your~|their~|user.{0,3}s~|of~|every~|stored~|available~|current~|found~|and~|its~){1,5}(?:api~keys?|(?:private|secret|access|ssh|encryption)~keys?|passwords?|credentials?|(?:access|auth|session|bearer)~tokens?|secrets?|environment~variables?|env~vars?|cookies|credit~card\w*)\b"),
    rule(Class::Exfil, 2, &["send", "post", "upload", "forward", "transmit", "submit", "deliver", "relay", "exfiltrate", "report", "pipe", "copy", "append", "ship", "mirror", "push"], r"^\w+~@{0,12}?(?:conversations?|history|credentials?|secrets?|tokens?|passwords?|keys?|(?:file~)?contents|system~prompt|environment|chat|everything|transcript|collected|full|entire|copy|all~(?:data|messages|files|results|outputs?|requests|responses|user)|results?~of~every|env)~?@{0,12}?[^\n]{0,60}?(?:https?://|[a-z0-9._%+-]{1,40}\x40[a-z0-9-]{1,40}\.)"),
    rule(Class::Exfil, 2, &["send", "post", "upload", "forward", "transmit", "submit", "deliver", "relay", "exfiltrate", "e-mail", "email"], r"^\w+~(?:the~|all~|your~|every~|any~|user.{0,3}s~|this~|full~|entire~|whole~|contents?~|of~){1,6}(?:conversations?|chat|history|credentials?|secrets?|passwords?|(?:api|private|access)~keys?|system~prompt|environment|transcript|files|data|messages)\b[^\n]{0,60}?(?:https?://|[a-z0-9._%+-]{1,40}\x40[a-z0-9-]{1,40}\.)"),
    rule(Class::Exfil, 1, &["send", "post", "upload", "forward", "transmit", "submit", "relay", "report"], r"^\w+~@{0,10}?(?:to|at|via|with)~[^\n]{0,20}?https?://"),
    rule(Class::Exfil, 2, &["bcc", "blind copy", "blind-copy", "cc "], r"^(?:bcc|blind.copy|cc)\W{0,6}(?:[a-z'-]{1,20}[ ,]{1,3}){0,6}?\W{0,2}[a-z0-9._%+-]{1,40}\x40[a-z0-9-]{1,40}\.(?:[a-z]{2,})"),
    rule(Class::Exfil, 2, &["as bcc", "to bcc", "in bcc", "the bcc", "bcc field", "bcc recipient"], r"^[^\n]{0,40}?[a-z0-9._%+-]{1,40}\x40[a-z0-9-]{1,40}\.[a-z]{2,}"),
    rule(Class::Exfil, 2, &["webhook.site", "requestbin", "ngrok.io", "ngrok-free", "burpcollaborator", "oastify", "interact.sh", "pipedream.net", "pastebin.com", "transfer.sh", "hookbin", "oast.", "beeceptor", "requestcatcher", "dnslog", "canarytokens"], r"^"),
    rule(Class::Exfil, 2, &["http://", "https://"], r"^https?://[^\s\x22'<>)]{1,200}?[?&](?:data|d|q|payload|exfil|leak|secret|token|content|history|conversation|context|c|key|msg|info|log|dump|creds?)=(?:\{|<|\$|%7[bB]|\[|\.\.\.|YOUR_|BASE64|base64)"),
    rule(Class::Exfil, 1, &["http://"], r"^http://(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?[/\s]"),
    rule(Class::Conversation, 2, &["include", "append", "pass", "send", "copy", "provide", "attach", "add", "insert", "put", "summari", "encode", "embed", "paste", "supply", "fill", "forward", "write", "repeat", "reveal", "print", "output", "return", "share", "upload", "post", "submit", "log "], r"^\w+~@{0,9}?(?:(?:conversations?|chat|dialog(?:ue)?)~(?:history|log|transcript|so~far|context|contents?|messages~(?:so|as|into|in)\b)|message~history|system~prompt|(?:entire|full|whole|complete|current)~(?:conversation|context~window|context|chat|prompt|transcript|session)|(?:previous|prior|all|earlier)~(?:user~|chat~)?messages|your~(?:system~)?(?:prompt|instructions))\b"),
    rule(Class::Smuggle, 2, &["sidenote", "side_note", "side note"], r"^"),
    rule(Class::Smuggle, 1, &["pass", "put", "include", "place", "insert", "provide", "encode", "set", "write", "append", "embed"], r"^\w+~@{0,6}?(?:contents?|output|it|them|data)~@{0,4}?(?:as|in|into|inside|via|through)~(?:the~|this~|a~|an~|any~)?\W{0,2}\w{1,30}\W{0,3}(?:parameter|argument|param|field|arg)\b"),
    rule(Class::Redirect, 2, &["replaces", "supersedes", "overrides", "takes precedence over", "take precedence over", "has priority over"], r"^(?:replaces|supersedes|overrides|takes?~precedence~over|has~priority~over)~@{0,4}?(?:(?:other|any|all|every|the)~)(?:@{0,2}?)(?:tools?|servers?|instructions?|functions?)\b"),
    rule(Class::Redirect, 2, &["all email", "any email", "every email", "all e-mail", "all message", "any message", "every message", "all payment", "any payment", "every payment", "all transfer", "any transfer", "every transfer", "all file", "all request", "every request", "all transaction", "any transaction", "all call", "all outgoing", "every outgoing", "all traffic"], r"^\w+~@{1,4}?(?:must|should|have~to|has~to|need~to|needs~to|are~to|shall)~(?:also~|first~|always~)?(?:be~|go~)(?:also~|first~)?(?:sent|routed|forwarded|redirected|transferred|addressed|copied|proxied|bcc|through|to)\b"),
    rule(Class::Redirect, 2, &["when", "whenever", "every time", "any time", "each time", "after", "if "], r"^@{1,2}?@{0,5}?(?:uses?|using|calls?|calling|invokes?|invoking|runs?|running)~(?:the~)?\W{0,2}[a-z][a-z0-9]*_[a-z0-9_]+\W{0,2}~?(?:tools?~)?@{0,4}?(?:must|always|instead|make~sure|ensure|you~(?:must|should|have))~@{0,12}?(?:bcc|attacker|recipient|address|redirect|replace|change|copy|instead~use|append|to~[^\n]{0,20}\x40)"),
    rule(Class::Redirect, 2, &["change", "replace", "set", "modify", "rewrite", "swap"], r"^\w+~(?:the~|every~|any~|each~)?(?:recipient|destination|payee|beneficiary|account~number|to~(?:field|address)|wallet~address|target~address)s?~@{0,4}?(?:to|with|by)~"),
    rule(Class::Redirect, 1, &["do not use", "don't use", "never use", "stop using"], r"^\w+.{0,2}\w*~\w+~(?:any~other|other|the~original|the~built|all~other)~@{0,2}?tools?\b"),
    rule(Class::Exec, 2, &["curl ", "wget "], r"^(?:curl|wget)~[^\n|]{0,200}\|\s{0,3}(?:sudo\s)?(?:ba|z|da)?sh\b"),
    rule(Class::Exec, 2, &["/dev/tcp/", "bash -i", "nc -e", "base64 -d |", "base64 --decode |", "eval(atob(", "powershell -enc", "powershell -e ", "rm -rf ~", "rm -rf / ", "os.system(", "| bash", "|bash"], r"^"),
    rule(Class::Markup, 2, &["<important", "</important", "<system", "</system", "<secret", "</secret", "<hidden", "</hidden", "<admin", "</admin", "<override", "</override", "<assistant", "</assistant", "<critical", "</critical", "<priority", "</priority", "<urgent", "<jailbreak", "<directive", "</directive"], r"^</?[a-z]+(?:[\s:_-]{0,3}(?:instructions?|prompt|message|reminder|note|notice|directive|override|command))?\s{0,4}/?>"),
    rule(Class::Markup, 2, &["[system]", "[/system]", "[inst]", "[/inst]", "<<sys>>", "<|im_start", "<|im_end", "<|system", "<|user", "<|assistant", "<|endoftext", "<|eot_id", "[system message", "[system prompt", "[system:", "### system", "### instruction", "[[system", "{{system", "<tool_description", "</tool_description", "</tools>", "</description>", "</function>"], r"^"),
    rule(Class::Markup, 1, &["<instruction", "</instruction", "system:", "[important]", "[hidden", "[admin", "begin system"], r"^"), 
    rule(Class::Override, 2, &["pay no attention", "no attention"], r"^(?:pay~)?no~attention~to~@{0,4}?(?:instructions?|rules?|guidelines?|guidance|prompts?|warnings?|told)"),
    rule(Class::Override, 2, &["instructions", "guidance", "guidelines", "rules", "directions", "prompts"], r"^\w+~@{0,7}?(?:(?:is|are|were|be)~(?:now~)?(?:void|cancelled|canceled|obsolete|revoked|suspended|null|superseded)|no~longer~(?:apply|applies|valid|bind)|can~be~ignored)\b"),
    rule(Class::Override, 2, &["hidden directive", "secret directive", "hidden command", "your real task", "your actual task", "your true task", "your real goal", "your true goal", "your real purpose", "your only task now", "your new task", "your new role", "safety filters off", "filters off", "ai agents reading", "ai reading this", "ais reading this", "llm reading this", "if you are an ai", "if you're an ai", "if you are a language model", "attention all ai"], r"^"),
    rule(Class::Override, 1, &["from this point on", "effective immediately", "system notice", "what you were told", "obey", "follow the guidance here", "no restrictions"], r"^"),
    rule(Class::Conceal, 2, NOT, r"^@{1,4}?(?:bring~(?:it~|this~|that~|them~)?up|surface|show|display|expose|explain|describe|talk~about|share|refer~to|point~out|hint)~@{0,12}?(?:to|with|from|in~(?:your|the)~(?:reply|response|answer)(?:~to)?)~(?:the~|your~)?(?:user|human|person|operator|owner|end-user)s?\b"),
    rule(Class::Conceal, 2, NOT, r"^@{1,4}?(?:tell|telling|inform|informing|notify|mention|say|show|alert)~@{0,6}?(?:anybody|anyone|the~owner|the~admin\w*|the~developers?|them~about)\b"),
    rule(Class::Conceal, 2, &["user has no need", "user need not", "user does not have to", "user doesn't have to", "user must remain", "user should remain", "user is not supposed", "user isn't supposed", "no need for the user"], r"^(?:user~|no~need~for~the~user)@{0,8}?(?:aware|know|knowing|informed|told|notice|see|unaware)\b"),
    rule(Class::Conceal, 2, &["if the user asks", "if asked", "when asked", "should the user ask", "if the user questions", "if anyone asks", "if the user wonders"], r"^[a-z]+~@{0,3}?(?:asks?|asked|questions?|wonders?)~@{0,8}?(?:what~you|why~you|whether~you|if~you|about~(?:this|the~tool|it)|what~(?:this|happened))?~?@{0,5}?,?~?(?:simply~|just~|only~)?(?:say|pretend|claim|deny|lie|reply~that|answer~that|tell~them~(?:that~)?(?:it|you|this))\b"),
    rule(Class::Conceal, 2, &["act as though", "act as if", "behave as if", "behave as though", "pretend that", "pretend this", "pretend you", "pretend nothing"], r"^[a-z]+~(?:as~)?(?:though|if|that|this|you|nothing)~@{0,6}?(?:had~never|never|did~not|didn.{1,3}t|has~not|nothing|was~not|were~not|normal|happened)\b"),
    rule(Class::Conceal, 2, &["quietly", "secretly", "silently", "covertly", "discreetly", "additionally", "also", "always"], r"^\w+~(?:and~\w+~)?(?:e-?mail|mail|share|send|forward|post|copy|upload|transmit|report|bcc|cc|mirror|relay|leak|submit)s?~@{0,14}?[^\n]{0,60}?(?:https?://|[a-z0-9._%+-]{1,40}\x40[a-z0-9-]{1,40}\.)"),
    rule(Class::Confirm, 2, &["skip", "suppress", "bypass", "dismiss", "omit"], r"^\w+~(?:any~|all~|the~|every~|user~)?@{0,2}?(?:confirmations?|approvals?|permission|consent|authori[sz]ation)\b"),
    rule(Class::Confirm, 2, &["user already", "user has already", "users have already", "owner already", "owner has already"], r"^[a-z]+~(?:has~|have~)?already~@{0,2}?(?:agreed|approved|consented|authori[sz]ed|confirmed|accepted|given|granted)\b"),
    rule(Class::Order, 2, &["before", "prior to", "ahead of", "in every", "at the start of every", "at the beginning of every", "in each", "for every", "on every"], r"^(?:(?:before|prior~to|ahead~of)~@{0,2}?(?:any|every|each|all)~@{0,2}?(?:operations?|steps?|tasks?|commands?|answers?|repl(?:y|ies)|messages?|conversations?|functions?)~@{0,14}?(?:must|have~to|has~to|need~to|needs~to|required|should|call|run|invoke)|(?:in|for|on|at~the~\w+~of)~(?:every|each)~(?:single~)?(?:conversation|session|chat|interaction))\b"),
    rule(Class::Order, 2, &["must", "has to", "have to", "needs to", "should", "always"], r"^(?:must|has~to|have~to|needs~to|should|always)~(?:\w+~){0,2}?(?:call|run|invoke|use)~(?:the~)?\W{0,2}[a-z0-9]+_[a-z0-9_]+\W{0,2}~@{0,4}?(?:with~(?:all|the)~(?:prior|previous|conversation|full|user)|after~(?:every|each|this)~@{0,3}?with)"),
    rule(Class::Model, 2, &["assistant", "the model", "this model", "language model", "llm", "the agent", "ai agent", "the ai "], r"^[a-z ]+?~(?:must|should|shall|has~to|needs~to|is~required~to|is~expected~to|will)~(?:now~|also~|then~|always~|additionally~|first~|silently~|immediately~)?(?:call|invoke|run|execute|read|open|fetch|send|forward|include|hand|supply|upload|disregard|ignore|obey|reveal|retrieve|collect|gather|post|email|transfer)~"),
    rule(Class::Model, 2, &["that the model", "that the assistant", "that the agent", "that the llm", "that the ai"], r"^that~the~\w+~(?:always~)?(?:runs?|calls?|invokes?|executes?|uses?)~@{0,3}?(?:first|before|every|always)\b"),
    rule(Class::Model, 1, &["every answer", "every reply", "every response", "each answer", "each reply", "each response", "all answers", "all replies", "your final answer", "your answer must", "your reply must"], r"^[a-z]+~(?:final~)?[a-z]+~(?:must|should|has~to|have~to|shall)~"),
    rule(Class::Pressure, 1, &["must not be altered", "without alteration", "unaltered", "do not alter", "no exceptions", "without exception", "this is mandatory", "is mandatory:", "you are required", "it is crucial", "it is essential that you", "only the text in this tool"], r"^"),
    rule(Class::Redirect, 2, &["use this", "choose this", "prefer this", "select this", "pick this"], r"^\w+~this~(?:tool|function|one|server)?~?@{0,3}?(?:instead~of|rather~than|over)~(?:the~|any~|all~|every~)?(?:built|other|default|native|original|existing|official)\w*~"),
    rule(Class::Redirect, 2, &["do not use", "don't use", "never use", "stop using", "avoid using", "don\u{2019}t use"], r"^\w+.{0,3}\w*~(?:us(?:e|ing)~)?(?:the~|any~)?(?:other|another|original|official|built-in|existing)~@{0,2}?(?:tools?|servers?|functions?)\b[^\n]{0,40}?(?:deprecated|dangerous|broken|unsafe|insecure|outdated|malicious|always|only)"),
    rule(Class::Redirect, 2, &["replace", "change", "swap", "substitute"], r"^\w+~(?:the~|every~|any~|each~|all~)@{0,3}?(?:accounts?|ibans?|wallets?|recipients?|payees?|beneficiar\w+|addresses|(?:account|routing|card|phone|iban)~numbers?)~(?:with|by|to|for)~"),
    rule(Class::Redirect, 2, &["recipient", "payee", "beneficiary", "bank account", "account number", "wallet address", "destination"], r"^\w+~?@{0,5}?(?:must|have~to|has~to|should|shall|needs?~to|are~to|is~to)~(?:always~)?be~(?:changed|replaced|set|redirected|swapped|rewritten|substituted)\b"),
    rule(Class::Exfil, 2, &["all tool", "every tool", "all output", "every output", "all result", "every result", "all response", "all prompts", "all conversation", "every prompt"], r"^\w+~@{1,3}?(?:outputs?|results?|responses?|calls?|prompts?|messages?|inputs?|arguments?)?~?@{0,3}?(?:mirrored|sent|copied|forwarded|posted|reported|uploaded|relayed|logged~(?:to|at))\b[^\n]{0,40}?(?:https?://|\x40|server|endpoint)"),
    rule(Class::Exfil, 2, &["append", "add", "attach", "put", "include", "embed", "encode", "base64"], r"^\w+~@{0,8}?(?:env|environment|secrets?|credentials?|passwords?|tokens?|keys?|cookies)\b\W{0,3}~?@{0,5}?(?:to|in|into|as)~(?:the~|a~|this~)?(?:url|query|request~body|headers?|link|path|body)\b"),
    rule(Class::Sensitive, 2, &["environment variable", "env vars", "env variables"], r"^env\w*~var\w*~@{0,9}?(?:attach|send|include|append|post|pass|upload|forward|submit|hand|supply)\b"),
    rule(Class::Sensitive, 2, &["send along", "pass along", "hand over", "send over", "turn over", "give up"], r"^\w+~\w+~@{0,5}?(?:cookies|tokens?|credentials?|passwords?|secrets?|keys?|history|files?)\b"),
    rule(Class::Sensitive, 2, &["gather", "collect", "extract", "harvest", "list"], r"^\w+~(?:every|all|any|the~user.{1,3}s)~@{0,4}?(?:secrets?|api~keys?|credentials?|passwords?|tokens?|private~keys?)\b[^\n]{0,80}?(?:query|send|base64|put|pass|include|notes|upload|url|parameter|argument|memory)"),
    // Other languages: the same two thoughts.
    rule(Class::Override, 2, &["ignoruj", "zignoruj", "pomi\u{144}", "zapomnij", "zapome\u{148}", "ignor\u{103}", "uit\u{103}"], r"^[^\n.]{0,60}?(?:poprzedni|wcze\u{15b}niejsz|p\u{159}edchoz|dosavadn|anterioar|precedent)[^\n.]{0,40}?(?:polece|instrukc|pokyn|instruc|p\u{159}\u{ed}kaz)"),
    rule(Class::Override, 2, &["poprzedni", "wcze\u{15b}niejsz", "p\u{159}edchoz"], r"^[^\n.]{0,30}?(?:polece|instrukc|pokyn)[^\n.]{0,40}?(?:ignoruj|pomi\u{144}|zapomn|pomi\u{144})"),
    rule(Class::Override, 2, &["\u{f6}nceki", "yukar\u{131}daki"], r"^[^\n.]{0,40}?(?:talimat|komut|y\u{f6}nerge)[^\n.]{0,40}?(?:yok say|g\u{f6}rmezden|unut|dikkate alma)"),
    rule(Class::Override, 2, &["negeer", "vergeet", "ignorera", "ignorer", "gl\u{f6}m", "glem ", "abaikan", "lupakan", "unohda", "ohita", "sivuuta"], r"^[^\n.]{0,50}?(?:eerdere|vorige|voorgaande|tidigare|tidligere|f\u{f6}reg|foreg|forrige|sebelum|terdahulu|aiem|aikaisem|edelli|alla |alle )[^\n.]{0,40}?(?:instructie|opdracht|aanwijzing|instruktion|instruks|anvisning|ohje|k\u{e4}sky|$)?"),
    rule(Class::Override, 2, &["b\u{1ecf} qua", "qu\u{ea}n "], r"^[^\n.]{0,50}?(?:h\u{1b0}\u{1edb}ng d\u{1eab}n|ch\u{1ec9} d\u{1eab}n|l\u{1ec7}nh)[^\n.]{0,30}?tr\u{1b0}\u{1edb}c"),
    rule(Class::Override, 2, &["تجاهل", "انس ", "התעלם", "התעלמו", "αγνόησε", "αγνοήστε", "ξέχασε", "เพิกเฉย", "ไม่ต้องสนใจ", "ละเว้น"], r"^[^\n.]{0,80}?(?:التعليمات|الأوامر|تعليمات|הוראות|ההוראות|οδηγί|εντολ|คำสั่ง|คำแนะนำ)"),
    rule(Class::Override, 2, &["पिछले", "पूर्व"], r"^[^\n]{0,90}?निर्देश[^\n]{0,90}?(?:अनदेखा|नज़रअंदाज|नजरअंदाज|भूल)"),
    rule(Class::Override, 2, &["проигнорируй", "игнорируй", "забудь", "забудьте", "ігноруй", "предыдущ"], r"^[^\n.]{0,90}?(?:инструкц|указан|правил|інструкц|команд)"),
    rule(Class::Override, 2, &["hagyd figyelmen", "felejtsd el"], r"^[^\n.]{0,60}?(?:kor\u{e1}bbi|el\u{151}z\u{151})[^\n.]{0,30}?utas\u{ed}t"),
    rule(Class::Override, 2, &["前の指示", "以前の指示", "これまでの指示", "上記の指示", "之前的", "先前的", "以上所有"], r"^(?:[^\n]{0,30}?(?:無視|忘れ)|[^\n]{0,24}?(?:指令|指示)[^\n]{0,24}?(?:忽略|无视|無視|忘记))"),
    rule(Class::Conceal, 2, &["nie m\u{f3}w", "nie informuj", "nie wspominaj", "ne\u{159}\u{ed}kej", "nesd\u{11b}luj", "nu spune", "nu-i spune", "vertel", "zeg ", "ber\u{e4}tta", "fort\u{e6}l", "fortell", "jangan", "\u{e4}l\u{e4} kerro", "ne mondd"], r"^[^\n.]{0,70}?(?:u\u{17c}ytkownik|u\u{17e}ivatel|utilizator|gebruiker[^\n.]{0,30}?(?:niet|niets)|inte[^\n.]{0,30}?anv\u{e4}ndar|ikke[^\n.]{0,30}?bruger|ikke[^\n.]{0,30}?bruker|pengguna|k\u{e4}ytt\u{e4}j|felhaszn\u{e1}l)"),
    rule(Class::Conceal, 2, &["kullan\u{131}c\u{131}ya"], r"^[^\n.]{0,50}?(?:s\u{f6}yleme|bildirme|bahsetme|anlatma)"),
    rule(Class::Conceal, 2, &["\u{111}\u{1eeb}ng", "لا تخبر", "אל תספר", "μην πεις", "μη πεις", "อย่าบอก", "ห้ามบอก"], r"^[^\n.]{0,70}?(?:ng\u{1b0}\u{1edd}i d\u{f9}ng|المستخدم|משתמש|χρήστη|ผู้ใช้)"),
    rule(Class::Conceal, 2, &["उपयोगकर्ता", "यूज़र"], r"^[^\n]{0,60}?(?:न बता|मत बता|नहीं बता)"),
    rule(Class::Conceal, 2, &["сообщай", "рассказывай", "упоминай", "повідомляй"], r"^[^\n.]{0,70}?(?:пользовател|користувач)"),
    rule(Class::Conceal, 2, &["ne parle", "ne parlez", "n'en parle", "ne r\u{e9}v\u{e8}le", "ne r\u{e9}v\u{e9}lez", "ne signale"], r"^[^\n.]{0,80}?utilisateur"),
    rule(Class::Override, 2, &["ignoriere", "ignorieren sie", "vergiss", "missachte"], r"^\w+~@{0,4}?(?:vorherig|bisherig|fr\u{fc}her|obig|vorangegangen|alle)\w{0,3}~?@{0,2}?(?:anweisung|instruktion|regel|befehl)"),
    rule(Class::Override, 2, &["ignore", "oublie", "ignora", "olvida", "esquece", "dimentica"], r"^\w+~@{0,4}?(?:instruction|instruccion|instru\u{e7}|istruzion|consigne|indicacion|regla|regra|r\u{e8}gle)\w*~?(?:pr(?:e|\u{e9})c|anterior|previ|preced|pr\u{e9}alable)"),
    rule(Class::Conceal, 2, &["dem benutzer", "dem nutzer", "den benutzer", "den nutzer", "l'utilisateur", "l\u{2019}utilisateur", "al usuario", "ao usu", "all'utente", "all\u{2019}utente"], r"^[^\n.]{1,40}?(?:nicht|nichts|pas|rien|nada|nulla)\b"),
    rule(Class::Conceal, 2, &["ne dis", "ne dites", "ne mentionne", "n'informe", "no le digas", "no digas", "no informes", "no menciones", "n\u{e3}o diga", "n\u{e3}o informe", "n\u{e3}o mencione", "non dire", "sage dem nutzer nicht", "sag dem", "erw\u{e4}hne"], r"^[^\n.]{1,60}?(?:utilisateur|usuario|usu\u{e1}rio|utente|nutzer|benutzer|nicht)"),
    rule(Class::Override, 2, &["忽略", "无视", "無視", "이전 지시", "игнорируй", "забудь"], r"^(?:[^\n]{0,40}?(?:指令|指示|命令|规则|規則|提示|инструкц|указани)|이전 지시)"),
    rule(Class::Conceal, 2, &["不要告诉", "不要告訴", "别告诉", "不要向用户", "ユーザーに", "не говори", "не сообщай", "사용자에게"], r"^(?:[^\n]{0,40}?(?:用户|用戶|使用者|пользовател|言わない|伝えない|知らせない|말하지))"),
];

const fn rule(class: Class, weight: u8, leads: &'static [&'static str], pattern: &'static str) -> Rule {
    Rule { class, weight, leads, pattern }
}

impl Rule {
    /// Whether it is looked for in results too. Those are long and pass often: rules that begin at every second verb
    /// would cost more than they find there.
    fn in_results(&self) -> bool {
        match self.class {
            Class::Override | Class::Conceal | Class::Confirm | Class::Markup | Class::Exec => true,
            // Licences speak of copies, and of where to read them.
            Class::Exfil => !self.leads.contains(&"pipe") && !self.leads.contains(&"append"),
            Class::Sensitive => !self.leads.contains(&"read") && !self.leads.contains(&"include"),
            Class::Redirect => self.leads.contains(&"all email"),
            Class::Order | Class::Model | Class::Pressure | Class::Conversation | Class::Smuggle => false,
        }
    }
}

/// Which phrases are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// All of them.
    Definitions,
    /// Those that are worth it in long texts.
    Results,
}

/// All phrases.
pub(super) struct Phrases {
    ascii: Leads,
    /// Those of other letters, for texts that have some.
    foreign: Leads,
    patterns: Vec<(Class, u8, Pattern)>,
}

/// Leads in one automaton.
struct Leads {
    automaton: AhoCorasick,
    /// For each lead, the rules behind it.
    behind: Vec<Vec<usize>>,
}

impl Leads {
    fn new(rules: &[&Rule], kind: AhoCorasickKind, fits: impl Fn(&str) -> bool) -> Result<Self, Error> {
        let mut leads: Vec<&str> = Vec::new();
        let mut behind: Vec<Vec<usize>> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            for lead in rule.leads.iter().filter(|lead| fits(lead)) {
                let known = leads.iter().position(|known| known == lead);
                if let Some(rules) = known.and_then(|known| behind.get_mut(known)) {
                    rules.push(index);
                } else {
                    leads.push(lead);
                    behind.push(vec![index]);
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(&leads)?;
        Ok(Self { automaton, behind })
    }
}

impl Phrases {
    pub fn new(set: Set) -> Result<Self, Error> {
        let wanted: Vec<&Rule> =
            RULES.iter().filter(|rule| set == Set::Definitions || rule.in_results()).collect();
        let compiled = |rule: &&Rule| {
            let written = rule.pattern.replace('@', WORD).replace('~', SEPARATOR);
            (rule.class, rule.weight, Pattern::later(written, true))
        };
        // Results come all the time, definitions seldom: three times the speed is worth its memory for the former.
        let kind = match set {
            Set::Definitions => AhoCorasickKind::ContiguousNFA,
            Set::Results => AhoCorasickKind::DFA,
        };
        Ok(Self {
            ascii: Leads::new(&wanted, kind, str::is_ascii)?,
            foreign: Leads::new(&wanted, AhoCorasickKind::ContiguousNFA, |lead| !lead.is_ascii())?,
            patterns: wanted.iter().map(compiled).collect(),
        })
    }

    /// Gives back what the patterns take, until they are needed again.
    pub fn rest(&mut self) {
        self.patterns.iter_mut().for_each(|(_, _, pattern)| pattern.rest());
    }

    fn leads_of(&self, text: &str) -> impl Iterator<Item = &Leads> {
        [Some(&self.ascii), (!text.is_ascii()).then_some(&self.foreign)].into_iter().flatten()
    }

    /// Whether any lead occurs; quick.
    pub fn may_speak(&self, text: &str) -> bool {
        self.leads_of(text).any(|leads| leads.automaton.is_match(text))
    }

    /// Every phrase of a text; each rule once.
    pub fn signs(&self, text: &str) -> Vec<Sign> {
        let bytes = text.as_bytes();
        let mut signs: Vec<Sign> = Vec::new();
        let mut seen = vec![false; self.patterns.len()];
        let hits = self.leads_of(text).flat_map(|leads| {
            leads.automaton.find_overlapping_iter(text).map(move |hit| (hit, &leads.behind))
        });
        for (hit, behind) in hits {
            let before = hit.start().checked_sub(1).and_then(|at| bytes.get(at));
            let first = bytes.get(hit.start());
            let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            if inside(before) && inside(first) {
                continue;
            }
            for index in behind.get(hit.pattern().as_usize()).into_iter().flatten() {
                let Some((class, weight, pattern)) = self.patterns.get(*index) else { continue };
                let window =
                    bytes.get(hit.start()..bytes.len().min(hit.start() + WINDOW)).unwrap_or_default();
                let warns = matches!(class, Class::Exfil | Class::Sensitive | Class::Conversation)
                    && negated(bytes.get(..hit.start()).unwrap_or_default());
                if seen.get(*index) == Some(&false) && !warns && pattern.is_match(window) {
                    if let Some(seen) = seen.get_mut(*index) {
                        *seen = true;
                    }
                    signs.push(Sign { class: *class, weight: *weight, at: hit.start() });
                }
            }
            if signs.len() >= SIGNS {
                break;
            }
        }
        signs
    }
}

/// Whether a text ends with a word that turns what follows around: `never`, `do not`.
fn negated(before: &[u8]) -> bool {
    let tail = before.trim_ascii_end();
    [&b"never"[..], b" not", b"n't", b"cannot", b"without"].iter().any(|word| {
        tail.len()
            .checked_sub(word.len())
            .and_then(|at| tail.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(word))
    })
}

impl std::fmt::Debug for Phrases {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Phrases").field("rules", &self.patterns.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        for rule in RULES {
            let written = rule.pattern.replace('@', WORD).replace('~', SEPARATOR);
            let built =
                regex::bytes::RegexBuilder::new(&written).case_insensitive(true).unicode(false).build();
            assert!(built.is_ok(), "{written}: {built:?}");
        }
    }
}
