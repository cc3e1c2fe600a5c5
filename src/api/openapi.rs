//! The documents of the APIs: what all of them have in common.

use serde_json::Value;
use utoipa::Modify;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

/// The credential that every operation needs.
pub(super) struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of this gateway (`sealgate token create`)."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// A document as it is served and checked in.
pub(super) fn written(document: OpenApi) -> serde_json::Result<String> {
    let mut document = serde_json::to_value(document)?;
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, operations) in paths {
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            for (status, response) in responses.into_iter().flatten() {
                // OpenAPI wants a description of each; the schemas say all that there is to say.
                let text =
                    if status == "default" { "Refused; problem details say why." } else { "The answer." };
                if let Some(response) = response.as_object_mut() {
                    response.entry("description").or_insert(text.into());
                }
            }
        }
    }
    let mut text = serde_json::to_string_pretty(&document)?;
    // The router's sign for "and all that follows" has no counterpart in OpenAPI.
    text = text.replace("{*tile}", "{tile}");
    text.push('\n');
    Ok(text)
}
