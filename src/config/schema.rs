//! The JSON Schema of the file, for editors and for `schemas/sealgate.schema.json`.

use super::sections::File;

/// The schema (JSON Schema 2020-12). A number or a boolean may also be written `${VAR}`; editors will mark
/// that, Sealgate accepts it.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}
