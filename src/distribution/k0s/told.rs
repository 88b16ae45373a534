//! What k0s is told on a host: by k0s.yaml on controllers, and by the flags of its unit.

use serde_json::Value;

use super::flags;
use crate::distribution::Settings;
use crate::facts::Facts;

/// A file of those that tell k0s something.
fn file<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    let mut files = facts.node.drop_ins.iter();
    let found = files.find(|file| file.name == name)?;
    Some(found.text.expose())
}

/// The flags of its unit.
pub(super) fn own_flags(facts: &Facts) -> Settings {
    let units = ["k0scontroller.service", "k0sworker.service"];
    let unit = units.into_iter().find_map(|unit| file(facts, unit));
    let line = unit.and_then(|unit| {
        unit.lines()
            .find_map(|line| line.strip_prefix("ExecStart="))
    });
    let line = line.map(|line| {
        line.replace("%%", "%")
            .replace("$$", "$")
            .replace("\\x20", "\\ ")
    });
    flags::settings(
        &line
            .and_then(|line| shlex::split(&line))
            .unwrap_or_default(),
    )
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
