//! What k0s is told on a host: by k0s.yaml on controllers, and by the flags of its unit.

use serde_json::Value;

use super::{flags, unit};
use crate::distribution::Settings;
use crate::facts::Facts;

/// A file of those that tell k0s something.
pub(super) fn file<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    let mut files = facts.node.drop_ins.iter();
    let found = files.find(|file| file.name == name)?;
    Some(found.text.expose())
}

/// The words of the command that its unit runs.
pub(super) fn own_command(facts: &Facts) -> Vec<String> {
    let units = ["k0scontroller.service", "k0sworker.service"];
    let text = units.into_iter().find_map(|unit| file(facts, unit));
    text.map(unit::command).unwrap_or_default()
}

/// The flags of its unit.
pub(super) fn own_flags(facts: &Facts) -> Settings {
    flags::settings(&own_command(facts))
}

/// What its k0s.yaml says.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence.
pub(super) fn own_yaml(facts: &Facts) -> Result<Value, String> {
    let Some(text) = &facts.node.config else {
        return Ok(Value::Null);
    };
    serde_yaml::from_str(text.expose()).map_err(|_error| "cannot be read as YAML".to_owned())
}

/// The `spec` that a k0s which something else set up was started with, with all defaults; none where it
/// does not run.
pub(super) fn running(facts: &Facts) -> Option<Value> {
    let whole: Value = serde_yaml::from_str(file(facts, "running")?).ok()?;
    whole.pointer("/spec/nodeConfig/spec").cloned()
}

/// The `spec` that such a k0s would have by an empty file.
pub(super) fn defaults(facts: &Facts) -> Value {
    let text = file(facts, "defaults").unwrap_or_default();
    let whole: Value = serde_yaml::from_str(text).unwrap_or_default();
    whole.get("spec").cloned().unwrap_or_default()
}

/// An argument that its kubelet is given: `node-ip`.
pub(super) fn kubelet_argument(flags: &Settings, name: &str) -> Option<String> {
    let all = flags::words(flags.get("kubelet-extra-args")?).join(" ");
    let words = all.split_whitespace().rev();
    let mut value = words.filter_map(|word| {
        word.strip_prefix("--")?
            .strip_prefix(name)?
            .strip_prefix('=')
    });
    value.next().map(str::to_owned)
}

/// Where its kubelet finds the API.
pub(super) fn server(facts: &Facts) -> Option<String> {
    let text = file(facts, "kubelet.conf")?;
    let url = text.trim().strip_prefix("server: ")?;
    Some(url.to_owned())
}
