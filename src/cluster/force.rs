//! What k3s is told on a host, wherever it is told: by the environment of its unit, config.yaml,
//! config.yaml.d, and the flags of its unit, of which the later win.

use serde_json::{Map, Value};

use super::config::Config;
use super::tokens::{own_config, read_config};
use crate::distribution::k3s::arguments::{Settings, ShortFlags, is_list, settings, words};
use crate::distribution::k3s::settings::MUST_BE_EQUAL;
use crate::facts::{Facts, Foreign};
use crate::inventory::DataDir;

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

/// All that k3s is told on a host.
///
/// # Errors
/// Where it stands and why it cannot be read, without any of its content.
pub(super) fn effective_config(facts: &Facts) -> Result<Map<String, Value>, String> {
    let mut variables = Settings::new();
    if let Some(foreign) = &facts.node.foreign {
        variables = unit_variables(foreign)?;
        variables.extend(environment(foreign)?);
    }
    layers(facts, variables, config_yaml(facts)?, unit_flags(facts)?)
}

/// All that k3s would be told on a host with this config.yaml and towline's own unit, which reads the
/// same variables and has no flags.
///
/// # Errors
/// As [`effective_config`].
pub(super) fn told(facts: &Facts, config: &Config) -> Result<Map<String, Value>, String> {
    let config = config.clone().into_iter().collect();
    let foreign = facts.node.foreign.as_ref();
    let variables = foreign.map_or(Ok(Settings::new()), environment)?;
    layers(facts, variables, config, Settings::new())
}

/// What of it is gone when towline writes config.yaml and its own unit.
///
/// # Errors
/// As [`effective_config`].
pub(super) fn replaced(facts: &Facts) -> Result<Map<String, Value>, String> {
    let foreign = facts.node.foreign.as_ref();
    let mut own: Map<_, _> = foreign
        .map_or(Ok(Settings::new()), unit_variables)?
        .into_iter()
        .collect();
    for (key, value) in config_yaml(facts)? {
        add(&mut own, key, value);
    }
    for (key, value) in unit_flags(facts)? {
        add_flag(&mut own, key, value);
    }
    Ok(own)
}

fn config_yaml(facts: &Facts) -> Result<Map<String, Value>, String> {
    own_config(facts).map_err(|why| format!("/etc/rancher/k3s/config.yaml {why}"))
}

fn unit_flags(facts: &Facts) -> Result<Settings, String> {
    let Some(foreign) = &facts.node.foreign else {
        return Ok(Settings::new());
    };
    flags(foreign).map_err(|why| format!("the unit {}: {why}", foreign.unit))
}

fn layers(
    facts: &Facts,
    variables: Settings,
    config: Map<String, Value>,
    flags: Settings,
) -> Result<Map<String, Value>, String> {
    let mut all: Map<_, _> = variables.into_iter().collect();
    for (key, value) in config {
        add(&mut all, key, value);
    }
    for drop_in in &facts.node.drop_ins {
        let read = read_config(drop_in.text.expose());
        let keys = read.map_err(|why| format!("config.yaml.d/{} {why}", drop_in.name))?;
        for (key, value) in keys {
            add(&mut all, key, value);
        }
    }
    for (key, value) in flags {
        add_flag(&mut all, key, value);
    }
    for key in ["node-ip", "node-external-ip"] {
        if let Some(Value::Array(addresses)) = all.get(key) {
            let words: Vec<_> = addresses.iter().filter_map(Value::as_str).collect();
            let joined = Value::String(words.join(","));
            all.insert(key.to_owned(), joined);
        }
    }
    Ok(all)
}

/// Of a file: a key takes the place of an earlier one, `key+` adds to it.
fn add(all: &mut Map<String, Value>, key: String, value: Value) {
    match key.strip_suffix('+') {
        Some(key) => append(all, key, value),
        None => drop(all.insert(key, value)),
    }
}

/// Of a unit: k3s puts what its files say before the flags, so a list becomes longer and anything else
/// has its last value (k3s: pkg/configfilearg/parser.go).
fn add_flag(all: &mut Map<String, Value>, key: String, value: Value) {
    if is_list(&key) {
        append(all, &key, value);
    } else {
        all.insert(key, value);
    }
}

/// The folder of k3s's data as k3s is told on a host; nothing is known of it when no file there
/// tells k3s anything.
///
/// # Errors
/// A sentence, when it is no folder that towline works with.
pub fn configured_data_dir(facts: &Facts) -> Result<Option<DataDir>, String> {
    if facts.node.config.is_none() && facts.node.foreign.is_none() {
        return Ok(None);
    }
    // What cannot be read is said where everything that k3s is told is looked at.
    let Ok(all) = effective_config(facts) else {
        return Ok(None);
    };
    let Some(told) = all.get("data-dir").and_then(Value::as_str) else {
        return Ok(Some(DataDir::default()));
    };
    let read = told.parse().map(Some);
    read.map_err(|why| format!("k3s is told to keep its data in `{told}`, and {why}"))
}

pub(super) fn append(all: &mut Map<String, Value>, key: &str, value: Value) {
    let list = |value: Value| match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut items = all.remove(key).map(list).unwrap_or_default();
    items.extend(list(value));
    all.insert(key.to_owned(), Value::Array(items));
}

/// The variables in the files of a unit, which towline's unit reads, too.
fn environment(foreign: &Foreign) -> Result<Settings, String> {
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
fn unit_variables(foreign: &Foreign) -> Result<Settings, String> {
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
fn variables(foreign: &Foreign) -> Result<Vec<(String, String)>, String> {
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
/// As [`effective_config`].
pub(super) fn besides(foreign: &Foreign) -> Result<Vec<String>, String> {
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
fn directives(foreign: &Foreign, name: &str) -> Vec<String> {
    // The last line of the installer's units goes on into an empty one.
    let text = format!("{}\n", foreign.text.expose()).replace("\\\n", " ");
    let values = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    values.map(|value| value.trim().to_owned()).collect()
}

/// The flags in the unit's `ExecStart=`.
fn flags(foreign: &Foreign) -> Result<Settings, String> {
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

/// The settings of a server that all servers of its cluster must share, for one that joins it.
///
/// # Errors
/// Where it stands and why it cannot be read.
pub fn shared_settings(facts: &Facts) -> Result<Settings, String> {
    let all = effective_config(facts)?.into_iter();
    Ok(all
        .filter(|(key, value)| MUST_BE_EQUAL.contains(&key.as_str()) && *value != false)
        .collect())
}

/// The names in the certificate of a server that are not its own addresses: those of its cluster.
pub fn certificate_names(facts: &Facts) -> Vec<String> {
    let all = effective_config(facts).unwrap_or_default();
    let names = match all.get("tls-san") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(name)) => vec![name.as_str()],
        _ => Vec::new(),
    };
    let is_own = |name: &str| name.parse().is_ok_and(|ip| facts.has_address(ip));
    names
        .into_iter()
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !is_own(name))
        .collect()
}
