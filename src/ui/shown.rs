//! What an inventory comes to, in columns.

use super::table;
use crate::run::event::{ShownHost, ShownSetting};

/// Columns are no wider than this; what is longer stands out of its own.
const WIDEST: usize = 44;

/// The text for all hosts, one line each; for a single one, a line for each of its values.
pub fn text(cluster: &str, hosts: &[ShownHost]) -> String {
    match hosts {
        [host] => long(host),
        _ => format!("cluster {cluster}\n{}", short(hosts)),
    }
}

fn long(host: &ShownHost) -> String {
    let groups = match &*host.groups {
        [] => String::new(),
        groups => format!("  (in {})", groups.join(", ")),
    };
    let lines = settings(&host.settings);
    let lines = lines.lines().map(|line| format!("\n  {line}"));
    format!("{}{groups}{}", host.name, lines.collect::<String>())
}

/// A line for each value: what it is and what decided it.
pub fn settings(settings: &[ShownSetting]) -> String {
    let rows = settings.iter().map(|setting| {
        vec![
            setting.key.clone(),
            value(setting),
            setting.layer.clone(),
            place(setting),
        ]
    });
    columns(&rows.collect::<Vec<_>>())
}

fn short(hosts: &[ShownHost]) -> String {
    let head = ["host", "role", "login", "private address", "groups"]
        .map(str::to_owned)
        .to_vec();
    let rows = hosts.iter().map(|host| {
        let of = |key: &str| {
            let found = host.settings.iter().find(|setting| setting.key == key);
            found.map(value).unwrap_or_default()
        };
        let address = of("address");
        let address = if address.contains(':') {
            format!("[{address}]")
        } else {
            address
        };
        vec![
            host.name.clone(),
            of("role"),
            format!("{}@{address}:{}", of("ssh.user"), of("ssh.port")),
            of("private_address"),
            host.groups.join(", "),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// A value as it is read best: text without quotes, unless it would not be seen as one.
fn value(setting: &ShownSetting) -> String {
    match setting.value.as_str() {
        Some(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.to_owned(),
        _ => setting.value.to_string(),
    }
}

fn place(setting: &ShownSetting) -> String {
    match (&setting.file, setting.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => String::new(),
    }
}

fn columns(rows: &[Vec<String>]) -> String {
    let lines = table::padded(rows, |_| false, WIDEST);
    let lines: Vec<_> = lines.iter().map(|cells| table::line(cells)).collect();
    lines.join("\n")
}
