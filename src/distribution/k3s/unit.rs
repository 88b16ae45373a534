//! What a unit that towline did not write tells k3s: by flags, variables and files of variables.

use serde_json::Value;

use super::arguments::{ShortFlags, settings, words};
use crate::distribution::Settings;
use crate::facts::ForeignUnit;

/// Variables that stand for flags of k3s.
const VARIABLES: [(&str, &str); 14] = [
    ("K3S_AGENT_TOKEN", "agent-token"),
    ("K3S_AGENT_TOKEN_FILE", "agent-token-file"),
    ("K3S_CLUSTER_INIT", "cluster-init"),
    ("K3S_CONFIG_FILE", "config"),
    ("K3S_DATASTORE_ENDPOINT", "datastore-endpoint"),
    ("K3S_DATA_DIR", "data-dir"),
    ("K3S_KUBECONFIG_MODE", "write-kubeconfig-mode"),
    ("K3S_KUBECONFIG_OUTPUT", "write-kubeconfig"),
    ("K3S_NODE_NAME", "node-name"),
    ("K3S_RESOLV_CONF", "resolv-conf"),
    ("K3S_SELINUX", "selinux"),
    ("K3S_TOKEN", "token"),
    ("K3S_TOKEN_FILE", "token-file"),
    ("K3S_URL", "server"),
];

/// The variables in the files of a unit, which towline's unit reads, too.
pub(super) fn environment(foreign: &ForeignUnit) -> Result<Settings, String> {
    let mut settings = Settings::new();
    for line in foreign.environment.expose().lines() {
        let Some((name, value)) = line.trim().split_once('=') else {
            continue;
        };
        let value = words(value)
            .map_err(|why| format!("the environment of the unit {}: {why}", foreign.unit))?
            .concat();
        settings.extend(setting(name.trim(), &value));
    }
    Ok(settings)
}

/// The variables in a unit itself that stand for flags of k3s.
pub(super) fn unit_variables(foreign: &ForeignUnit) -> Result<Settings, String> {
    let variables = variables(foreign)?;
    let settings = variables
        .iter()
        .filter_map(|(name, value)| setting(name, value));
    Ok(settings.collect())
}

/// What a variable stands for.
fn setting(name: &str, value: &str) -> Option<(String, Value)> {
    let (_, key) = VARIABLES.iter().find(|(own, _)| *own == name)?;
    let value = match (*key, value) {
        (_, "") => return None,
        ("cluster-init" | "selinux", value) => Value::Bool(value == "true" || value == "1"),
        (_, value) => Value::String(value.to_owned()),
    };
    Some(((*key).to_owned(), value))
}

/// The variables in a unit itself.
fn variables(foreign: &ForeignUnit) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for line in directives(foreign, "Environment") {
        if line.is_empty() {
            variables.clear();
        }
        let words = words(&line)
            .map_err(|why| format!("the unit {}: its Environment: {why}", foreign.unit))?;
        let pairs = words.iter().filter_map(|word| word.split_once('='));
        variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    Ok(variables)
}

/// What a unit has for k3s's process besides flags, and towline's has not: variables that stand for
/// no flag, and files of variables.
///
/// # Errors
/// Where it stands and why it cannot be read, without any of its content.
pub(super) fn besides(foreign: &ForeignUnit) -> Result<Vec<String>, String> {
    let unit = &foreign.unit;
    let in_a_file = |name: &str| {
        let mut lines = foreign.environment.expose().lines();
        lines.any(|line| {
            line.split_once('=')
                .is_some_and(|(own, _)| own.trim() == name)
        })
    };
    let variables = variables(foreign)?.into_iter().map(|(name, _)| name);
    let mut besides: Vec<_> = variables
        .filter(|name| !VARIABLES.iter().any(|(own, _)| own == name) && !in_a_file(name))
        .collect();
    let known = [
        "/etc/default/%N",
        "/etc/sysconfig/%N",
        "/etc/systemd/system/%N.service.env",
    ];
    besides.extend(
        directives(foreign, "EnvironmentFile")
            .into_iter()
            .filter_map(|file| {
                let path = file
                    .trim_start_matches('-')
                    .replace("%N", unit)
                    .replace("%n", &format!("{unit}.service"));
                let is_read = known.iter().any(|known| known.replace("%N", unit) == path);
                (!path.is_empty() && !is_read).then_some(path)
            }),
    );
    Ok(besides)
}

/// The values that a unit gives a directive, in order.
fn directives(foreign: &ForeignUnit, name: &str) -> Vec<String> {
    // The last line of the installer's units goes on into an empty one.
    let text = format!("{}\n", foreign.text.expose()).replace("\\\n", " ");
    let values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    values.map(|value| value.trim().to_owned()).collect()
}

/// The flags in the unit's `ExecStart=`.
pub(super) fn flags(foreign: &ForeignUnit) -> Result<Settings, String> {
    let commands = directives(foreign, "ExecStart");
    let command = commands
        .iter()
        .rfind(|command| !command.is_empty())
        .ok_or("it has no ExecStart")?;
    let command = command.trim_start_matches(['@', '-', ':', '+', '!']);
    let words = words(command).map_err(|why| format!("its ExecStart: {why}"))?;
    let mut words = words
        .into_iter()
        .skip(1)
        .map(|word| word.replace("%%", "%"));
    match words.next().as_deref() {
        Some("server" | "agent") => {}
        _ => return Err("its ExecStart runs neither `k3s server` nor `k3s agent`".into()),
    }
    let words: Vec<_> = words.collect();
    if words.iter().any(|word| word.contains('$')) {
        return Err("its ExecStart uses variables".into());
    }
    settings(&words, ShortFlags::Understood).map_err(|why| format!("its ExecStart: {why}"))
}
