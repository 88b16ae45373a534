//! Changes of an inventory's text, line by line: comments, order and what else stands there stay.

use serde_json::Value;

use super::mistake::Mistakes;
use super::node::{YamlNode, YamlValue};
use super::{InputErrors, Inventory, yaml};
use crate::problem::Code;

/// The text with the value at `path` in it: in place of the one that is there, or as a line of its own in the
/// deepest map of the path that is there. `None` where that map, or the value, is not written in a form
/// that can be changed by itself; the result has to be read again, since YAML has more forms than these.
pub fn set(text: &str, path: &[&str], value: &Value) -> Option<String> {
    let root = read(text)?;
    let mut node = &root;
    for (depth, key) in path.iter().enumerate() {
        let Some(entry) = node.entry(key) else {
            let value = path[depth + 1..]
                .iter()
                .rev()
                .fold(flow(value), |value, key| {
                    format!("{{{}: {value}}}", flow_text(key))
                });
            return inserted(text, node, &format!("{}: {value}", flow_text(key)));
        };
        node = &entry.value;
    }
    let start = node.span.offset;
    let end = end(text, node)?;
    let (before, after) = (text.get(..start)?, text.get(end..)?);
    Some(format!("{before}{}{after}", flow(value)))
}

/// A text whose two servers are meant: with the key that allows them, where the reader asks for it.
pub fn allowing_two_servers(
    text: String,
    read: impl Fn(&str) -> Result<Inventory, InputErrors>,
) -> String {
    let is_asked = |errors: InputErrors| {
        let mut mistakes = errors.mistakes.iter();
        mistakes.any(|mistake| mistake.code == Code::SERVER_COUNT)
    };
    if !read(&text).is_err_and(is_asked) {
        return text;
    }
    set(&text, &["cluster", "allow_two_servers"], &true.into()).unwrap_or(text)
}

/// Where a value ends, of those that are one value or a list of such.
fn end(text: &str, node: &YamlNode) -> Option<usize> {
    match &node.tree {
        YamlValue::Null | YamlValue::Map(_) => None,
        YamlValue::List(items) => {
            let last = end(text, items.last()?)?;
            if text.get(node.span.offset..)?.starts_with('[') {
                return Some(last + text.get(last..)?.find(']')? + 1);
            }
            Some(last)
        }
        _ => (node.span.length > 0).then_some(node.span.offset + node.span.length),
    }
}

/// The text without a host and the lines that are its own. `None` where it does not begin a line.
pub fn without_host(text: &str, name: &str) -> Option<String> {
    let root = read(text)?;
    let line = usize::try_from(root.get("hosts")?.entry(name)?.at.line).ok()?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = lines.get(line.checked_sub(1)?)?;
    let indentation = indentation(first);
    if !first
        .trim_start()
        .trim_start_matches(['"', '\''])
        .starts_with(name)
    {
        return None;
    }
    let is_empty = |text: &str| text.trim().is_empty() || text.trim_start().starts_with('#');
    let mut end = line;
    for (at, text) in lines.iter().enumerate().skip(line) {
        if self::indentation(text) > indentation && !text.trim().is_empty() {
            end = at + 1;
        } else if !is_empty(text) {
            break;
        }
    }
    Some([&lines[..line - 1], &lines[end..]].concat().concat())
}

fn read(text: &str) -> Option<YamlNode> {
    yaml::parse(text, 0, &mut Mistakes::default())
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The text with another entry in a map: behind the brace of one that has braces, else as the line behind the
/// first one that is a single line.
fn inserted(text: &str, map: &YamlNode, entry: &str) -> Option<String> {
    let entries = map.entries();
    if text.get(map.span.offset..)?.starts_with('{') {
        let (before, after) = text.split_at(map.span.offset + 1);
        let comma = if entries.is_empty() { "" } else { ", " };
        return Some(format!("{before}{entry}{comma}{after}"));
    }
    let first = entries.first()?;
    let start = text[..first.at.offset].rfind('\n').map_or(0, |at| at + 1);
    let indentation = &text[start..first.at.offset];
    if !indentation.trim_start_matches(' ').is_empty() {
        return None;
    }
    let is_line = |entry: &&super::node::YamlEntry| {
        !matches!(entry.value.tree, YamlValue::Map(_) | YamlValue::List(_))
            && entry.value.span.line == entry.at.line
    };
    let at = entries.iter().find(is_line).map_or(start, |entry| {
        let end = text[entry.at.offset..].find('\n');
        end.map_or(text.len(), |end| entry.at.offset + end + 1)
    });
    let (before, after) = text.split_at(at);
    let newline = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Some(format!("{before}{newline}{indentation}{entry}\n{after}"))
}

/// A value in YAML's flow style.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => flow_text(text),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(flow).collect::<Vec<_>>().join(", ")
        ),
        other => other.to_string(),
    }
}

/// Plain where YAML takes it for text in any place, else in JSON's quotes, which YAML has, too.
fn flow_text(text: &str) -> String {
    let is_plain = text
        .starts_with(|first: char| first.is_ascii_alphabetic() || "/.~".contains(first))
        && text.len() > 1
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "/._+-".contains(letter))
        && ![
            "true", "false", "null", "yes", "no", "on", "off", "nan", "inf",
        ]
        .contains(&text.trim_start_matches('.').to_ascii_lowercase().as_str());
    let is_address = text.parse::<std::net::Ipv4Addr>().is_ok();
    if is_plain || is_address {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BLOCK: &str = "# mine\nhosts:\n  a:\n    address: 10.0.0.1   # of a\n    role: server\n    ssh:\n      port: 2222\n      key:\n        - one\n        - two\n  # about b\n  b: {role: agent, address: \"10.0.0.2\"}\n\nssh: {user: u}\n";

    #[test]
    fn a_value_is_changed_where_it_stands() {
        for (path, value, before, after) in [
            (
                &["hosts", "a", "address"][..],
                json!("10.0.0.9"),
                "10.0.0.1   # of a",
                "10.0.0.9   # of a",
            ),
            (
                &["hosts", "b", "address"],
                json!("fd00::1"),
                "\"10.0.0.2\"",
                "\"fd00::1\"",
            ),
            (
                &["hosts", "a", "ssh", "port"],
                json!(22),
                "port: 2222",
                "port: 22",
            ),
            (
                &["ssh", "user"],
                json!("vagrant"),
                "user: u",
                "user: vagrant",
            ),
            (
                &["hosts", "a", "ssh", "key"],
                json!("a b"),
                "key:\n        - one\n        - two\n",
                "key:\n        \"a b\"\n",
            ),
            (
                &["hosts", "a", "ssh", "user"],
                json!("v2"),
                "      port: 2222\n",
                "      port: 2222\n      user: v2\n",
            ),
            (
                &["hosts", "a", "private_address"],
                json!("10.1.0.1"),
                "# of a\n",
                "# of a\n    private_address: 10.1.0.1\n",
            ),
            (
                &["hosts", "b", "ssh", "port"],
                json!(22),
                "b: {role",
                "b: {ssh: {port: 22}, role",
            ),
            (
                &["hosts", "b", "ssh", "key"],
                json!(["x/1", "y"]),
                "b: {role",
                "b: {ssh: {key: [x/1, \"y\"]}, role",
            ),
            (
                &["cluster", "version"],
                json!("v1.36.3+k3s1"),
                "# mine\nhosts:",
                "# mine\ncluster: {version: v1.36.3+k3s1}\nhosts:",
            ),
        ] {
            let changed = set(BLOCK, path, &value).expect("a form that is changed");
            assert_eq!(changed, BLOCK.replacen(before, after, 1), "{path:?}");
        }
        assert_eq!(set(BLOCK, &["hosts", "a", "ssh"], &json!(1)), None);
    }

    #[test]
    fn a_host_goes_with_its_own_lines_only() {
        assert_eq!(
            without_host(BLOCK, "a").as_deref(),
            Some(
                "# mine\nhosts:\n  # about b\n  b: {role: agent, address: \"10.0.0.2\"}\n\nssh: {user: u}\n"
            )
        );
        assert_eq!(
            without_host(BLOCK, "b").as_deref(),
            Some(&*BLOCK.replace("  b: {role: agent, address: \"10.0.0.2\"}\n", ""))
        );
        assert_eq!(without_host("hosts: {a: {role: server}}\n", "a"), None);
        assert_eq!(without_host(BLOCK, "c"), None);
    }
}
