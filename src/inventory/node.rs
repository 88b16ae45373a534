//! The YAML file as a tree in which every key and value knows where it stands.
//!
//! The tree takes anything, so that all mistakes of a file can be collected: only broken YAML
//! stops the reading. What the file should hold is said by [`super::language`].

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_yaml::{Location, Spanned};

/// Maps and lists may be nested as deep. A host's config needs six levels.
pub(super) const DEEPEST: usize = 24;

/// A place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Which of the inventory's files, from 0.
    pub file: usize,
    /// Line, from 1; 0 when the place is not known.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Bytes from the start of the source.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
}

impl From<Location> for Span {
    fn from(location: Location) -> Self {
        let bytes = |count: Option<u64>| usize::try_from(count.unwrap_or(0)).unwrap_or(0);
        Self {
            file: 0,
            line: location.line(),
            column: location.column(),
            offset: bytes(location.span().byte_offset()),
            length: bytes(location.span().byte_len()),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct YamlNode {
    /// The value.
    pub tree: YamlValue,
    /// Its place; for a value that stands behind an alias, the place of the anchor.
    pub span: Span,
    /// Whether variables have filled its text.
    pub(super) filled: Filled,
}

/// Whether variables have filled a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Filled {
    /// It is as it was written.
    #[default]
    No,
    /// It stands without quotes, so it may be what its filling looks like.
    Plain,
    /// It stands in quotes.
    Quoted,
}

/// What a value can be.
#[derive(Debug, Clone)]
pub enum YamlValue {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i128),
    /// Any other number.
    Fraction(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<YamlNode>),
    /// A map in the order of the file, without duplicate keys after [`super::yaml::parse`].
    Map(Vec<YamlEntry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct YamlEntry {
    /// The key as it is written.
    pub key: String,
    /// The key's place.
    pub at: Span,
    /// The value.
    pub value: YamlNode,
}

impl YamlNode {
    /// The entry of a map.
    pub fn entry(&self, key: &str) -> Option<&YamlEntry> {
        #[cfg(test)]
        asked::note(key);
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of a map's entry, unless nothing stands there.
    pub fn get(&self, key: &str) -> Option<&YamlNode> {
        self.entry(key)
            .map(|entry| &entry.value)
            .filter(|node| !matches!(node.tree, YamlValue::Null))
    }

    /// All entries, when this is a map.
    pub fn entries(&self) -> &[YamlEntry] {
        match &self.tree {
            YamlValue::Map(entries) => entries,
            _ => &[],
        }
    }

    /// All items, when this is a list.
    pub fn items(&self) -> &[YamlNode] {
        match &self.tree {
            YamlValue::List(items) => items,
            _ => &[],
        }
    }

    /// The text, when this is text.
    pub fn text(&self) -> Option<&str> {
        match &self.tree {
            YamlValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list, or the one text that stands in its place.
    pub fn texts(&self) -> Vec<(&str, Span)> {
        self.text().map_or_else(
            || {
                self.items()
                    .iter()
                    .filter_map(|item| Some((item.text()?, item.span)))
                    .collect()
            },
            |text| vec![(text, self.span)],
        )
    }

    /// The number, when this is a whole number in the range of `T`; also in quotes, when a variable
    /// gave it: within braces YAML wants them around one.
    pub fn whole<T: TryFrom<i128>>(&self) -> Option<T> {
        match &self.tree {
            YamlValue::Whole(number) => T::try_from(*number).ok(),
            YamlValue::Text(text) if self.filled != Filled::No => text
                .trim()
                .parse()
                .ok()
                .and_then(|number| T::try_from(number).ok()),
            _ => None,
        }
    }

    /// Whether this is `true` or `false`; also as text, when a variable gave it.
    pub fn flag(&self) -> Option<bool> {
        match &self.tree {
            YamlValue::Flag(flag) => Some(*flag),
            YamlValue::Text(text) if self.filled != Filled::No => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Value {
        match &self.tree {
            YamlValue::Null => Value::Null,
            YamlValue::Flag(flag) => Value::Bool(*flag),
            YamlValue::Whole(number) => i64::try_from(*number)
                .map(Number::from)
                .or_else(|_| u64::try_from(*number).map(Number::from))
                .map_or(Value::Null, Value::Number),
            YamlValue::Fraction(number) => Value::from(*number),
            YamlValue::Text(text) if self.filled == Filled::Plain => plain(text),
            YamlValue::Text(text) => Value::from(&**text),
            YamlValue::List(items) => items.iter().map(Self::json).collect(),
            YamlValue::Map(entries) => {
                let entries = entries.iter();
                entries
                    .map(|entry| (entry.key.clone(), entry.value.json()))
                    .collect()
            }
        }
    }

    /// What kind of value this is, for a sentence.
    pub const fn kind(&self) -> &'static str {
        match self.tree {
            YamlValue::Null => "nothing",
            YamlValue::Flag(_) => "true or false",
            YamlValue::Whole(_) | YamlValue::Fraction(_) => "a number",
            YamlValue::Text(_) => "text",
            YamlValue::List(_) => "a list",
            YamlValue::Map(_) => "a map of keys and values",
        }
    }
}

/// What a text without quotes is, where it can be read in one way only.
fn plain(text: &str) -> Value {
    match (text, text.parse::<i64>()) {
        ("true", _) => Value::Bool(true),
        ("false", _) => Value::Bool(false),
        (_, Ok(number)) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    }
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<YamlValue>::deserialize(deserializer)?;
        Ok(Self {
            tree: spanned.value,
            span: spanned.defined.into(),
            filled: Filled::No,
        })
    }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The library's own limit does not count what aliases put into each other.
        let _level = Nesting::enter().map_err(D::Error::custom)?;
        deserializer.deserialize_any(TreeVisitor)
    }
}

thread_local! {
    /// How deep the value stands that is read just now.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One more level, as long as it lives.
struct Nesting;

impl Nesting {
    fn enter() -> Result<Self, &'static str> {
        let depth = DEPTH.get();
        if depth > DEEPEST {
            return Err("maps and lists are nested too deep");
        }
        DEPTH.set(depth + 1);
        Ok(Self)
    }
}

impl Drop for Nesting {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Takes whatever the YAML holds.
struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = YamlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_none<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<YamlValue, E> {
        Ok(YamlValue::Whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<YamlValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(YamlValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<YamlValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<YamlNode>()? {
            entries.push(YamlEntry {
                // A key that is no text gets its name from the source later.
                key: key.text().unwrap_or_default().to_owned(),
                at: key.span,
                value: access.next_value()?,
            });
        }
        Ok(YamlValue::Map(entries))
    }
}

/// Notes which keys are read, for the test that compares them with the language's.
#[cfg(test)]
pub(super) mod asked {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local! {
        static ASKED: RefCell<Option<BTreeSet<String>>> = const { RefCell::new(None) };
    }

    pub fn start() {
        ASKED.with_borrow_mut(|asked| *asked = Some(BTreeSet::new()));
    }

    pub fn stop() -> BTreeSet<String> {
        ASKED.take().unwrap_or_default()
    }

    pub fn note(key: &str) {
        ASKED.with_borrow_mut(|asked| {
            if let Some(asked) = asked {
                asked.insert(key.to_owned());
            }
        });
    }
}
