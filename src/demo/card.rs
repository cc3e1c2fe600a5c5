//! How a tool shows itself, and what it answers.

use serde_json::{Map, Value, json};

/// What a call does to the world; it becomes the tool's annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Reads only.
    Reads,
    /// Changes a record; the same call again changes nothing more.
    Changes,
    /// Destroys a record for good.
    Destroys,
    /// Acts on systems outside of this server, differently each time.
    Operates,
}

/// A tool as `tools/list` shows it.
pub(super) struct Card {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) effect: Effect,
    /// The properties of the input schema, as an object.
    pub(super) properties: Value,
    pub(super) required: &'static [&'static str],
    pub(super) output: Option<Value>,
}

impl Card {
    pub(super) fn into_json(self) -> Value {
        let mut properties = match self.properties {
            Value::Object(properties) => properties,
            _ => Map::new(),
        };
        properties.insert(
            "marker".to_owned(),
            json!({"type": "string", "description": "Ignored; copied to the server's journal"}),
        );
        let mut tool = json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": self.required,
                "additionalProperties": false,
            },
            "annotations": {
                "title": self.title,
                "readOnlyHint": self.effect == Effect::Reads,
                "destructiveHint": matches!(self.effect, Effect::Destroys | Effect::Operates),
                "idempotentHint": self.effect != Effect::Operates,
                "openWorldHint": self.effect == Effect::Operates,
            },
        });
        if let (Some(output), Value::Object(tool)) = (self.output, &mut tool) {
            tool.insert("outputSchema".to_owned(), output);
        }
        tool
    }
}

/// What a tool call came to: a tool result, also where it failed.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    content: Vec<Value>,
    structured: Option<Value>,
    is_error: bool,
}

impl Answer {
    pub(super) fn text(text: impl Into<String>) -> Self {
        let block = json!({"type": "text", "text": text.into()});
        Self { content: vec![block], structured: None, is_error: false }
    }

    /// A structured result, and the same as text for clients that do not know structured results.
    pub(super) fn structured(value: Value) -> Self {
        let mut answer = Self::text(value.to_string());
        answer.structured = Some(value);
        answer
    }

    /// A failure that the model may read and act on.
    pub(super) fn failed(text: impl Into<String>) -> Self {
        let mut answer = Self::text(text);
        answer.is_error = true;
        answer
    }

    pub(super) fn with_block(mut self, block: Value) -> Self {
        self.content.push(block);
        self
    }

    pub(super) fn into_result(self) -> Value {
        let mut result = json!({"content": self.content, "isError": self.is_error});
        if let (Some(structured), Value::Object(result)) = (self.structured, &mut result) {
            result.insert("structuredContent".to_owned(), structured);
        }
        result
    }
}
