//! What an inventory says, as values: a nearer layer wins, and a setting keeps the place that
//! decided it. A host's layers are the file, `cluster`, its groups in order, and the host itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::language::{Object, join};
use super::node::{Filled, Span, YamlNode, YamlValue};
use super::reader::Reader;
use crate::vars::{MASK, Origin, Secret, Sourced};

/// One place that says something, and the path to it.
pub(super) struct Layer<'a> {
    /// What it says.
    pub node: &'a YamlNode,
    /// Its path in the inventory.
    pub path: String,
    /// Which keys it takes.
    pub object: &'static Object,
}

/// A key in some layers.
pub(super) struct At<'a> {
    layers: &'a [Layer<'a>],
    object: &'static Object,
    key: &'static str,
}

impl<'a> At<'a> {
    /// A key of the nearest layer's object.
    pub fn nearest(layers: &'a [Layer<'a>], key: &'static str) -> Option<Self> {
        Some(Self::new(layers, layers.last()?.object, key))
    }

    /// A key of an object in its layers and in those that share the key.
    pub const fn new(layers: &'a [Layer<'a>], object: &'static Object, key: &'static str) -> Self {
        Self {
            layers,
            object,
            key,
        }
    }

    /// What each layer says, the nearest last, with its path.
    fn all(&self) -> impl DoubleEndedIterator<Item = (&'a YamlNode, String)> {
        let described = self.object.key(self.key);
        let takes = move |layer: &&Layer<'_>| {
            let levels = described.map_or(&[][..], |key| key.levels);
            layer.object.name == self.object.name || levels.contains(&layer.object.name)
        };
        let layers = self.layers.iter().filter(takes);
        layers.filter_map(|layer| Some((layer.node.get(self.key)?, join(&layer.path, self.key))))
    }

    /// The layers of a map that stands behind the key.
    pub fn inner(&self, object: &'static Object) -> Vec<Layer<'a>> {
        let layer = |(node, path)| Layer { node, path, object };
        self.all().map(layer).collect()
    }

    /// The default, as if it were written.
    fn default<T: FromNode>(&self, reader: &mut Reader<'_>) -> Option<T> {
        let node = YamlNode {
            tree: YamlValue::Text(self.object.key(self.key)?.default?.to_owned()),
            span: Span::default(),
            filled: Filled::Plain,
        };
        T::from_node(reader, &node)
    }
}

/// A value that one node holds; none where the node has another shape, which is a mistake by then.
pub(super) trait FromNode: Sized {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self>;
}

impl FromNode for String {
    fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        node.text().map(str::to_owned)
    }
}

impl FromNode for bool {
    fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        node.flag()
    }
}

impl FromNode for Secret {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        node.text().map(|text| reader.secret(text))
    }
}

impl FromNode for IpAddr {
    fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        node.text()?.parse().ok()
    }
}

impl FromNode for PathBuf {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        reader.path(node.text()?, node.span)
    }
}

impl FromNode for Value {
    fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        Some(node.json())
    }
}

impl FromNode for Vec<String> {
    fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        let texts = node.texts().into_iter();
        Some(texts.map(|(text, _)| text.to_owned()).collect())
    }
}

impl FromNode for Vec<PathBuf> {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        let texts = node.texts().into_iter();
        Some(
            texts
                .filter_map(|(text, span)| reader.path(text, span))
                .collect(),
        )
    }
}

impl<T: FromNode> FromNode for BTreeMap<String, T> {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        let entries = node.entries().iter();
        let mut read = |node| T::from_node(reader, node);
        Some(
            entries
                .filter_map(|entry| Some((entry.key.clone(), read(&entry.value)?)))
                .collect(),
        )
    }
}

/// Numbers are read alike.
macro_rules! whole {
    ($($number:ty),*) => {$(
        impl FromNode for $number {
            fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
                node.whole()
            }
        }
    )*};
}
whole!(u16, u64, usize);

/// Settings by their dotted keys, in the order of the language.
pub(super) type FlatSettings = Vec<(String, Sourced<Value>)>;

/// A setting by its dotted key.
fn flat<T: Serialize>(path: &str, setting: &Sourced<T>) -> (String, Sourced<Value>) {
    let (value, origin) = (json!(setting.value), setting.origin.clone());
    (path.to_owned(), Sourced { value, origin })
}

/// What all layers together say of a key.
pub(super) trait FromLayers: Sized {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self;

    /// Adds it to the settings that `inventory show` prints; what has no origin is no setting.
    fn show(&self, _path: &str, _settings: &mut FlatSettings) {}
}

impl<T: FromNode + Default> FromLayers for T {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let said: Option<T> = FromLayers::from_layers(reader, at);
        said.or_else(|| at.default(reader)).unwrap_or_default()
    }
}

impl<T: FromNode> FromLayers for Option<T> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let (node, _) = at.all().next_back()?;
        T::from_node(reader, node)
    }
}

impl<T: FromNode + Serialize> FromLayers for Option<Sourced<T>> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let (node, path) = at.all().next_back()?;
        let value = T::from_node(reader, node)?;
        Some(reader.setting(value, path, node.span))
    }

    fn show(&self, path: &str, settings: &mut FlatSettings) {
        settings.extend(self.as_ref().map(|setting| flat(path, setting)));
    }
}

impl FromLayers for Option<Sourced<Secret>> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let (node, path) = at.all().next_back()?;
        let value = Secret::from_node(reader, node)?;
        Some(reader.setting(value, path, node.span))
    }

    fn show(&self, path: &str, settings: &mut FlatSettings) {
        settings.extend(self.as_ref().map(|setting| {
            let origin = setting.origin.clone();
            let value = json!(MASK);
            (path.to_owned(), Sourced { value, origin })
        }));
    }
}

impl<T: FromNode + Default + Serialize> FromLayers for Sourced<T> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let said: Option<Sourced<T>> = FromLayers::from_layers(reader, at);
        said.unwrap_or_else(|| Sourced::default(at.default(reader).unwrap_or_default()))
    }

    fn show(&self, path: &str, settings: &mut FlatSettings) {
        let setting = flat(path, self);
        let is_nothing = self.origin == Origin::Default && setting.1.value == json!([]);
        settings.extend(Some(setting).filter(|_| !is_nothing));
    }
}

/// Joined key by key.
impl<T: FromNode + Serialize> FromLayers for BTreeMap<String, Sourced<T>> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let mut joined = BTreeMap::new();
        for (node, path) in at.all() {
            for entry in node.entries() {
                if let Some(value) = T::from_node(reader, &entry.value) {
                    let path = join(&path, &entry.key);
                    let setting = reader.setting(value, path, entry.value.span);
                    joined.insert(entry.key.clone(), setting);
                }
            }
        }
        joined
    }

    fn show(&self, path: &str, settings: &mut FlatSettings) {
        let all = self.iter();
        settings.extend(all.map(|(key, setting)| flat(&join(path, key), setting)));
    }
}

/// Added up, each once.
impl FromLayers for Vec<Sourced<String>> {
    fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
        let mut all: Self = Vec::new();
        for (node, path) in at.all() {
            for (text, span) in node.texts() {
                if !all.iter().any(|known| known.value == text) {
                    all.push(reader.setting(text.to_owned(), path.clone(), span));
                }
            }
        }
        all
    }

    fn show(&self, path: &str, settings: &mut FlatSettings) {
        settings.extend(self.iter().map(|setting| flat(path, setting)));
    }
}
