//! What an inventory puts on hosts beside their cluster's own files: files, packages, modules, sysctls.

use serde::Serialize;

use super::Inventory;
use super::layers::FromNode;
use super::mistake::{Complaint, Mistakes, Remark};
use super::node::{YamlNode, YamlValue};
use super::reader::Reader;
use super::syntax::Checked;
use super::variable;
use crate::vars::Sourced;

/// What towline writes itself on any host, and where it is said instead.
const OWN: [(&str, &str); 2] = [
    (
        "/etc/modules-load.d/towline.conf",
        "say it with `kernel_modules`",
    ),
    ("/etc/sysctl.d/99-towline.conf", "say it with `sysctls`"),
];

/// What Kubernetes needs, in any cluster.
const NEEDED: [&str; 3] = [
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv6.conf.all.forwarding",
];

/// A file that is put onto a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HostFile {
    /// The file of this machine, as it is written; none for a text that the inventory has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its text, or the template of it.
    #[serde(skip)]
    pub content: String,
    /// Whether the text is a template.
    pub template: bool,
    /// Its permission bits, as octal digits.
    pub mode: String,
    /// Its user and group.
    pub owner: String,
    /// The distribution that is restarted when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<String>,
}

impl FromNode for HostFile {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        if !matches!(node.tree, YamlValue::Map(_)) {
            return None;
        }
        let text = |key| node.get(key).and_then(YamlNode::text).map(str::to_owned);
        let flag = |key| node.get(key).is_some_and(|node| node.flag() == Some(true));
        let content = match (node.get("source"), node.get("content")) {
            (Some(source), None) => reader.text_file(source)?,
            (None, Some(content)) => content.text()?.to_owned(),
            _ => {
                let message = "a file has either a `source` or a `content`";
                let help = "`source` is a file of this machine, `content` the text itself";
                reader.mistakes.help(node.span, message, help);
                return None;
            }
        };
        let restarts = node.get("restarts");
        if let Some(restarts) = restarts
            && let Some(word) = restarts.text()
            && word != reader.dialect.name
        {
            let message = format!("this cluster has no {word} that could be restarted");
            let help = format!("write `restarts: {}`", reader.dialect.name);
            reader.mistakes.help(restarts.span, message, help);
        }
        Some(Self {
            source: text("source"),
            content,
            template: flag("template"),
            mode: text("mode").unwrap_or_else(|| "0644".into()),
            owner: text("owner").unwrap_or_else(|| "root:root".into()),
            restarts: restarts.and_then(YamlNode::text).map(str::to_owned),
        })
    }
}

/// The path of a file on a host.
pub(super) fn path(text: &str) -> Checked {
    let parts = || text.split('/').skip(1);
    let is_path = text.starts_with('/')
        && !text.chars().any(char::is_control)
        && parts().all(|part| !matches!(part, "" | "." | ".."));
    if !is_path {
        return Err(Complaint::with(
            format!("`{text}` is not the path of a file"),
            "write the whole path on the host, such as /etc/docker/daemon.json",
        ));
    }
    match OWN.iter().find(|(own, _)| *own == text) {
        Some((_, instead)) => Err(Complaint::with(own_file(text), *instead)),
        None => Ok(()),
    }
}

/// That a file is towline's.
fn own_file(path: &str) -> String {
    format!("towline writes `{path}` itself")
}

/// What a distribution says of files that it writes itself, each with where it is said instead.
pub fn own_files(inventory: &Inventory, own: &[(&str, &str)]) -> Vec<Remark> {
    let hosts = inventory.hosts.iter();
    let files = hosts.flat_map(|host| &host.files);
    let remark = |(path, file): (&String, &Sourced<HostFile>)| {
        let (_, instead) = own.iter().find(|(own, _)| own == path)?;
        Some(Remark {
            section: "files",
            key: path.clone(),
            origin: Some(file.origin.clone()),
            message: own_file(path),
            help: Some((*instead).to_owned()),
        })
    };
    files.filter_map(remark).collect()
}

/// Permission bits.
pub(super) fn mode(text: &str) -> Checked {
    let is_octal =
        (3..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..b'8').contains(&byte));
    is_octal.then_some(()).ok_or_else(|| {
        Complaint::with(
            format!("`{text}` is not a mode"),
            "write octal digits in quotes, such as \"0644\"",
        )
    })
}

/// A user and a group.
pub(super) fn owner(text: &str) -> Checked {
    let is_word = |word: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        !word.is_empty() && !word.starts_with('-') && word.bytes().all(is_plain)
    };
    match text.split_once(':') {
        Some((user, group)) if is_word(user) && is_word(group) => Ok(()),
        _ => Err(Complaint::with(
            format!("`{text}` is not a user and a group"),
            "write USER:GROUP, such as root:root",
        )),
    }
}

/// A package of the operating system.
pub(super) fn package(text: &str) -> Checked {
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.:".contains(&byte);
    let starts =
        text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    (starts && text.bytes().all(is_plain))
        .then_some(())
        .ok_or_else(|| Complaint::new(format!("`{text}` cannot be the name of a package")))
}

/// A module of the kernel.
pub(super) fn module(text: &str) -> Checked {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_name = !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain);
    is_name
        .then_some(())
        .ok_or_else(|| Complaint::new(format!("`{text}` cannot be the name of a kernel module")))
}

/// Notes what is wrong with sysctls.
pub(super) fn sysctls(node: &YamlNode, mistakes: &mut Mistakes) {
    for entry in node.entries() {
        let name = &entry.key;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !name.contains('.') || name.contains("..") || !name.bytes().all(is_plain) {
            let message = format!("`{name}` cannot be the name of a sysctl");
            mistakes.help(
                entry.at,
                message,
                "it is written as in `sysctl -a`, such as vm.max_map_count",
            );
        }
        if NEEDED.contains(&&**name) {
            let message = format!("towline sets `{name}` itself: Kubernetes needs it");
            mistakes.help(entry.at, message, "remove it");
        }
        one_line(&entry.value, name, mistakes);
    }
}

/// Notes what is wrong with variables of the distribution's process.
pub(super) fn variables(node: &YamlNode, mistakes: &mut Mistakes) {
    for entry in node.entries() {
        let name = &entry.key;
        if !variable::is_name(name) {
            let message = format!("`{name}` cannot be the name of a variable");
            mistakes.help(
                entry.at,
                message,
                "a name has letters, digits and `_`, and starts with no digit",
            );
        }
        one_line(&entry.value, name, mistakes);
    }
}

/// Notes a value of several lines.
fn one_line(node: &YamlNode, name: &str, mistakes: &mut Mistakes) {
    let text = node.text().unwrap_or_default();
    if text.chars().any(char::is_control) {
        let message = format!("the value of `{name}` has more than one line");
        mistakes.add(node.span, message);
    }
}
