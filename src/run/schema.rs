//! The events of `--output json` as a JSON schema, derived from their types.

use serde_json::Value;

use super::Event;

/// The JSON schema of a line of `--output json`: `towline schema events`.
pub fn schema() -> Value {
    schemars::schema_for!(Event).to_value()
}
