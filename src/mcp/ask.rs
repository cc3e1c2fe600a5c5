//! What a server asks its client, and which clients can answer.

use super::{Edition, Era, Object};
use std::fmt::Write as _;

/// A question that a server may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// `elicitation/create` (from 2025-06-18)
    Elicit,
    /// `sampling/createMessage`
    Sample,
    /// `roots/list`
    ListRoots,
}

impl Ask {
    /// All questions.
    pub const ALL: [Self; 3] = [Self::Elicit, Self::Sample, Self::ListRoots];

    /// The method's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elicit => "elicitation/create",
            Self::Sample => "sampling/createMessage",
            Self::ListRoots => "roots/list",
        }
    }

    /// The question of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ask| ask.as_str() == name)
    }
}

/// What a client can be asked (MCP, "Client capabilities"), and the extensions that it has a part in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Abilities {
    /// Shows forms.
    pub form: bool,
    /// Opens URLs (from 2025-11-25).
    pub url: bool,
    /// Samples from a model.
    pub sampling: bool,
    /// Samples with tools (from 2025-11-25).
    pub sampling_tools: bool,
    /// Adds context of other servers to a sample.
    pub sampling_context: bool,
    /// Has roots.
    pub roots: bool,
    /// Follows tasks (extension `io.modelcontextprotocol/tasks`, 2026-07-28).
    pub tasks: bool,
    /// Shows MCP Apps: the raw settings of the extension `io.modelcontextprotocol/ui`.
    pub ui: Option<String>,
}

const TASKS: &str = "io.modelcontextprotocol/tasks";
const UI: &str = "io.modelcontextprotocol/ui";

impl Abilities {
    /// Every question that the gateway can carry: what a session that many callers share declares.
    pub fn carried() -> Self {
        Self { form: true, url: true, sampling: true, sampling_tools: true, roots: true, ..Self::default() }
    }

    /// Reads a raw `ClientCapabilities` object of that revision.
    pub fn read(capabilities: &Object<'_>, edition: Edition) -> Self {
        let elicitation = capabilities.object("elicitation").filter(|_| edition >= Edition::V2025_06_18);
        let sampling = capabilities.object("sampling");
        let has =
            |object: &Option<Object<'_>>, key: &str| object.as_ref().is_some_and(|o| o.get(key).is_some());
        let rich = edition >= Edition::V2025_11_25;
        let extensions = capabilities.object("extensions").filter(|_| edition.era() == Era::Modern);
        Self {
            // An empty object means forms.
            form: elicitation.as_ref().is_some_and(|e| e.get("form").is_some() || e.get("url").is_none()),
            url: rich && has(&elicitation, "url"),
            sampling_tools: rich && has(&sampling, "tools"),
            sampling_context: has(&sampling, "context"),
            sampling: sampling.is_some(),
            roots: capabilities.object("roots").is_some(),
            tasks: has(&extensions, TASKS),
            ui: extensions.and_then(|e| e.get(UI)).map(str::to_owned),
        }
    }

    /// The raw `ClientCapabilities` object towards a server of that revision.
    pub fn raw(&self, edition: Edition) -> String {
        let mut members = Vec::new();
        let rich = edition >= Edition::V2025_11_25;
        if (self.form || self.url) && edition >= Edition::V2025_06_18 {
            let mut modes = Vec::new();
            if self.form {
                modes.push("\"form\":{}");
            }
            if self.url {
                modes.push("\"url\":{}");
            }
            // Before 2025-11-25 there were only forms, and no modes to name.
            match (rich, self.form) {
                (true, _) => members.push(format!("\"elicitation\":{{{}}}", modes.join(","))),
                (false, true) => members.push("\"elicitation\":{}".to_owned()),
                (false, false) => {}
            }
        }
        if self.sampling {
            let mut parts = Vec::new();
            if self.sampling_tools && rich {
                parts.push("\"tools\":{}");
            }
            if self.sampling_context && rich {
                parts.push("\"context\":{}");
            }
            members.push(format!("\"sampling\":{{{}}}", parts.join(",")));
        }
        if self.roots {
            members.push("\"roots\":{}".to_owned());
        }
        if edition.era() == Era::Modern && (self.tasks || self.ui.is_some()) {
            let mut extensions = String::new();
            if self.tasks {
                let _ = write!(extensions, "\"{TASKS}\":{{}}");
            }
            if let Some(ui) = &self.ui {
                let comma = if extensions.is_empty() { "" } else { "," };
                let _ = write!(extensions, "{comma}\"{UI}\":{ui}");
            }
            members.push(format!("\"extensions\":{{{extensions}}}"));
        }
        format!("{{{}}}", members.join(","))
    }

    /// Whether a client can answer a question with these raw parameters.
    pub fn can_answer(&self, ask: Ask, params: &str) -> bool {
        let params = Object::parse(params);
        let member = |key: &str| params.as_ref().and_then(|p| p.get(key));
        match ask {
            Ask::Elicit if member("mode") == Some("\"url\"") => self.url,
            Ask::Elicit => self.form,
            Ask::Sample => self.sampling && (self.sampling_tools || member("tools").is_none()),
            Ask::ListRoots => self.roots,
        }
    }

    /// Only what a client can be asked, without extensions: all that a session is opened with.
    #[must_use]
    pub fn questions(&self) -> Self {
        Self { tasks: false, ui: None, ..self.clone() }
    }

    /// The same without any question; extensions stay.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { tasks: self.tasks, ui: self.ui, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, edition: Edition) -> Abilities {
        Abilities::read(&Object::parse(text).unwrap(), edition)
    }

    #[test]
    fn an_empty_elicitation_means_forms_and_old_revisions_know_no_urls() {
        let forms = read(r#"{"elicitation":{}}"#, Edition::V2025_06_18);
        assert!(forms.form && !forms.url);
        assert_eq!(forms.raw(Edition::V2025_06_18), r#"{"elicitation":{}}"#);
        assert_eq!(forms.raw(Edition::V2026_07_28), r#"{"elicitation":{"form":{}}}"#);
        assert_eq!(read(r#"{"elicitation":{}}"#, Edition::V2025_03_26), Abilities::default());
        let both = read(r#"{"elicitation":{"form":{},"url":{}}}"#, Edition::V2025_11_25);
        assert!(both.form && both.url);
        let url = read(r#"{"elicitation":{"url":{}}}"#, Edition::V2025_11_25);
        assert!(!url.form && url.url);
        assert_eq!(url.raw(Edition::V2025_06_18), "{}");
    }

    #[test]
    fn a_question_goes_only_to_clients_that_said_they_can_answer() {
        let client = read(r#"{"sampling":{},"roots":{}}"#, Edition::V2025_11_25);
        assert!(client.can_answer(Ask::Sample, r#"{"messages":[]}"#));
        assert!(!client.can_answer(Ask::Sample, r#"{"messages":[],"tools":[]}"#));
        assert!(client.can_answer(Ask::ListRoots, "{}"));
        assert!(!client.can_answer(Ask::Elicit, r#"{"mode":"url"}"#));
    }

    #[test]
    fn extensions_belong_to_the_modern_era() {
        let text = r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"mimeTypes":["a"]},"x/y":{}}}"#;
        let client = read(text, Edition::V2026_07_28);
        assert!(client.tasks);
        assert_eq!(
            client.raw(Edition::V2026_07_28),
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.modelcontextprotocol/ui":{"mimeTypes":["a"]}}}"#
        );
        assert_eq!(client.raw(Edition::V2025_11_25), "{}");
    }
}
