//! What both profiles offer, and the choice between them.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::card::Answer;
use super::crm::Crm;
use super::ops::Ops;
use super::protocol::Fault;
use super::{Error, Profile, tools};

/// What a tool call needs next.
pub(super) enum Outcome {
    /// Nothing: here is the answer.
    Done(Answer),
    /// Time: `steps` steps, each after `delay`, then a text.
    Report { steps: u32, delay: Duration },
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self::Done(answer)
    }
}

/// The records and what can be done with them.
pub(super) enum Service {
    Crm(Crm),
    Ops(Ops),
}

impl Service {
    pub(super) fn new(profile: Profile) -> Result<Self, Error> {
        match profile {
            Profile::Crm => Crm::new().map(Self::Crm).map_err(Error::Records),
            Profile::Ops => Ok(Self::Ops(Ops::new())),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Crm(_) => "crm",
            Self::Ops(_) => "ops",
        }
    }

    pub(super) fn info(&self) -> Value {
        let title = match self {
            Self::Crm(_) => "Customer records (demo)",
            Self::Ops(_) => "Operations desk (demo)",
        };
        let name = format!("sealgate-demo-{}", self.name());
        json!({"name": name, "title": title, "version": env!("CARGO_PKG_VERSION")})
    }

    pub(super) fn instructions(&self) -> &'static str {
        match self {
            Self::Crm(_) => "Search for a customer first, then use the id. All people in it are made up.",
            Self::Ops(_) => "Read the runbook before you restart anything. All systems in it are made up.",
        }
    }

    pub(super) fn tools(&self) -> Vec<Value> {
        match self {
            Self::Crm(_) => tools::crm(),
            Self::Ops(_) => tools::ops(),
        }
    }

    pub(super) fn prompts(&self) -> Vec<Value> {
        match self {
            Self::Crm(_) => Crm::prompts(),
            Self::Ops(_) => Ops::prompts(),
        }
    }

    pub(super) fn resources(&self) -> Vec<Value> {
        match self {
            Self::Crm(crm) => crm.resources(),
            Self::Ops(_) => Ops::resources(),
        }
    }

    pub(super) fn templates(&self) -> Vec<Value> {
        match self {
            Self::Crm(_) => Crm::templates(),
            Self::Ops(_) => Ops::templates(),
        }
    }

    /// Whether `name` is a tool of this profile.
    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.tools().iter().any(|tool| tool.get("name").and_then(Value::as_str) == Some(name))
    }

    /// Runs a tool. Arguments that do not fit are a tool error that the model can read.
    pub(super) fn call(&mut self, name: &str, arguments: Value) -> Outcome {
        let outcome = match self {
            Self::Crm(crm) => crm.call(name, arguments).map(Outcome::from),
            Self::Ops(ops) => ops.call(name, arguments),
        };
        outcome.unwrap_or_else(|cause| Answer::failed(format!("invalid arguments: {cause}")).into())
    }

    pub(super) fn prompt(&self, name: &str, arguments: Value) -> Result<Value, Fault> {
        match self {
            Self::Crm(crm) => crm.prompt(name, arguments),
            Self::Ops(ops) => ops.prompt(name, arguments),
        }
    }

    pub(super) fn read(&self, uri: &str) -> Result<Value, Fault> {
        let (mime, text) = match self {
            Self::Crm(crm) => crm.read(uri),
            Self::Ops(ops) => ops.read(uri),
        }
        .ok_or_else(|| Fault::resource_not_found(uri))?;
        Ok(json!({"contents": [{"uri": uri, "mimeType": mime, "text": text}]}))
    }

    /// The values that complete `typed` for one argument of a prompt or of a resource template.
    pub(super) fn complete(&self, target: Target<'_>, typed: &str) -> Result<Vec<String>, Fault> {
        let all = match self {
            Self::Crm(crm) => crm.candidates(target),
            Self::Ops(ops) => ops.candidates(target),
        };
        let all = all
            .ok_or_else(|| Fault::invalid_params("nothing to complete under this reference and argument"))?;
        Ok(all.into_iter().filter(|candidate| candidate.starts_with(typed)).collect())
    }
}

/// What a completion is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// An argument of a prompt: its name, the argument's name.
    Prompt(&'a str, &'a str),
    /// A variable of a resource template: its URI template, the variable's name.
    Template(&'a str, &'a str),
}

/// The arguments of a tool as the type it takes.
pub(super) fn arguments<T: DeserializeOwned>(arguments: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(arguments)
}

/// The arguments of a prompt as the type it takes.
pub(super) fn prompt_arguments<T: DeserializeOwned>(arguments: Value) -> Result<T, Fault> {
    serde_json::from_value(arguments)
        .map_err(|cause| Fault::invalid_params(format!("invalid arguments: {cause}")))
}

/// A prompt message of the user's side.
pub(super) fn user_says(content: Value) -> Value {
    json!({"role": "user", "content": content})
}
