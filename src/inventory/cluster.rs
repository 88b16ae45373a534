//! Reads the key `cluster`.

use std::path::{Path, PathBuf};

use super::layers::{At, FromLayers, Layer};
use super::mistake::Complaint;
use super::node::{Filled, Span, YamlNode, YamlValue};
use super::reader::{Reader, looked_for};
use super::{BinarySource, Dialect, VersionChoice, release, syntax};
use crate::vars::Secret;

/// What stands in place of a block that nothing is said of.
pub(super) static NOTHING: YamlNode = YamlNode {
    tree: YamlValue::Null,
    span: Span {
        file: 0,
        line: 0,
        column: 0,
        offset: 0,
        length: 0,
    },
    filled: Filled::No,
};

/// The block `cluster`.
fn block<'a>(layers: &[Layer<'a>]) -> &'a YamlNode {
    layers.last().map_or(&NOTHING, |layer| layer.node)
}

pub(super) fn distribution(reader: &mut Reader<'_>, _: &[Layer<'_>]) -> &'static Dialect {
    reader.dialect
}

pub(super) fn server_url(_: &mut Reader<'_>, layers: &[Layer<'_>]) -> Option<String> {
    let url = block(layers).get("server_url")?.text()?;
    Some(url.trim_end_matches('/').to_owned())
}

pub(super) fn token(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> Option<Secret> {
    reader.token(block(layers), "cluster", "token")
}

pub(super) fn agent_token(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> Option<Secret> {
    reader.token(block(layers), "cluster", "agent_token")
}

/// The cluster's name. Of several files none is the one that all sites share or the one of this site.
pub(super) fn name(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> String {
    let node = block(layers);
    if let [_, .., last] = reader.files
        && node.entry("name").is_none()
    {
        let span = Span {
            file: reader.files.len() - 1,
            ..Span::default()
        };
        let help = format!(
            "add `cluster: {{name: {}}}` to this file",
            default_name(last)
        );
        let message = "an inventory of several files names its cluster";
        reader.mistakes.help(span, message, help);
    }
    let said = node.get("name").and_then(YamlNode::text);
    let file = reader.files.first().map_or(Path::new(""), PathBuf::as_path);
    said.map_or_else(|| default_name(file), str::to_owned)
}

/// The file's stem, made into a name.
fn default_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.', '_']);
    if syntax::group_name(name).is_ok() {
        name.to_owned()
    } else {
        "cluster".to_owned()
    }
}

pub(super) fn version(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> VersionChoice {
    let node = block(layers);
    reader.exclusive(node, "cluster", "version", "channel");
    if let Some(said) = node.get("version")
        && let Some(version) = said.text()
    {
        let checked = release::version(version, reader.dialect);
        reader.mistakes.check(said.span, checked);
        return VersionChoice::Exact(version.to_owned());
    }
    let channel = At::nearest(layers, "channel");
    VersionChoice::Channel(
        channel.map_or_else(String::new, |key| FromLayers::from_layers(reader, &key)),
    )
}

pub(super) fn binary(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> BinarySource {
    let download = BinarySource::Download {
        mirror: None,
        proxy: None,
    };
    let Some(node) = block(layers)
        .get("binary")
        .filter(|node| matches!(node.tree, YamlValue::Map(_)))
    else {
        return download;
    };
    let source = node
        .get("source")
        .and_then(YamlNode::text)
        .unwrap_or("download");
    for (key, sources) in [
        ("mirror", &["download", "push"][..]),
        ("proxy", &["download"]),
        ("path", &["path"]),
    ] {
        if let Some(entry) = node.entry(key).filter(|_| !sources.contains(&source)) {
            reader.mistakes.help(
                entry.at,
                format!("`{key}` is not used with `source: {source}`"),
                format!("remove it, or write `source: {}`", sources[0]),
            );
        }
    }
    if source != "path" {
        let address = |key| {
            let text = node.get(key).and_then(YamlNode::text);
            text.map(|text| text.trim_end_matches('/').to_owned())
        };
        let mirror = address("mirror");
        if let Some(mirror) = mirror
            .as_ref()
            .filter(|mirror| mirror.starts_with("http://"))
            && node.get("sha256").is_none()
        {
            reader.warnings.push(format!(
                "{mirror} is not encrypted: anyone on the network path can replace {} together with the list of its hashes; use https://, or pin the binary with  binary: {{sha256: {{amd64: …}}}}",
                reader.dialect.name
            ));
        }
        let proxy = address("proxy");
        return if source == "push" {
            BinarySource::Push { mirror }
        } else {
            BinarySource::Download { mirror, proxy }
        };
    }
    let Some(path) = node.entry("path") else {
        reader.mistakes.help(
            node.get("source").map_or(node.span, |source| source.span),
            "`source: path` needs a `path`",
            format!("add `path: ./{}`", reader.dialect.name),
        );
        return download;
    };
    let written = path.value.text().unwrap_or_default();
    let Some(file) = path
        .value
        .text()
        .and_then(|text| reader.path(text, path.value.span))
    else {
        return download;
    };
    if !file.is_file() {
        let message = format!("`{written}` is not a file on this machine");
        let help = looked_for(written, &file);
        let complaint = Complaint { message, help };
        reader.mistakes.check(path.value.span, Err(complaint));
    }
    BinarySource::Path(file)
}
