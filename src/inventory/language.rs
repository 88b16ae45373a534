//! How the inventory's language is described: [`super::keys`] has one entry for each key.
//!
//! The struct that the rest of towline sees, its reader, the checks ([`super::shape`]), the JSON
//! schema ([`super::schema`]), `docs/inventory.md` ([`super::document`]), `inventory show`
//! ([`super::show`]) and what is masked ([`super::mask`]) come from that entry.

use super::mistake::{Complaint, Mistakes};
use super::node::YamlNode;

/// What is wrong with a text.
pub(super) type Check = fn(&str) -> Result<(), Complaint>;

/// Any text will do.
pub(super) const ANY: Check = |_| Ok(());

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text that passes this check.
    Text(Check),
    /// Text that may hold ranges; what they come to passes this check.
    Ranged(Check),
    /// A secret: text that is never shown, or where it is ([`super::secret`]).
    Secret(Check),
    /// A whole number in this range.
    Whole(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a distribution.
    Distribution,
    /// A distribution's word for what a host is.
    RoleName,
    /// `true` or `false`.
    Flag,
    /// A list of texts, each of which passes this check.
    Texts(Check),
    /// A text or a list of texts, each of which passes this check.
    TextOrTexts(Check),
    /// A list of texts, each of which passes this check, and of objects.
    TextsOrObjects(Check, &'static Object),
    /// Texts by key, and what notes those that are wrong.
    Labels(fn(&YamlNode, &mut Mistakes)),
    /// Texts, numbers, flags or secrets by key, and what notes those that are wrong.
    Values(fn(&YamlNode, &mut Mistakes)),
    /// Anything by key.
    Config,
    /// Keys of this object.
    Object(&'static Object),
    /// Keys of this object, or the name of a file that has them.
    ObjectOrFile(&'static Object),
    /// Anything by key, or the name of a file that has it.
    Document,
    /// Objects by name.
    Objects(&'static Object),
}

/// A map with known keys.
#[derive(Debug)]
pub(super) struct Object {
    /// Its name in the schema and its title in the documentation.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The keys that are described with it, in the order of the documentation.
    pub own: &'static [Key],
    /// A host, some of whose keys other objects take, too.
    pub host: &'static Object,
}

/// One key of a map.
#[derive(Debug)]
pub(super) struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// The default, as it would be written.
    pub default: Option<&'static str>,
    /// How it is written, as YAML.
    pub example: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Names under which people look for it.
    pub also: &'static [&'static str],
    /// Further objects that take it, for a key of a host: what is said there holds for the host.
    pub levels: &'static [&'static str],
}

impl Object {
    /// All its keys: those described with it, and those that it shares with a host.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        let is_own = |key: &Key| self.own.iter().any(|own| own.name == key.name);
        let shared = self.host.own.iter();
        let shared = shared.filter(move |key| key.levels.contains(&self.name) && !is_own(key));
        self.own.iter().chain(shared)
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }
}

impl Key {
    /// A key without default and without other names.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            default: None,
            example,
            about,
            also: &[],
            levels: &[],
        }
    }

    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    pub const fn also(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }

    pub const fn levels(mut self, levels: &'static [&'static str]) -> Self {
        self.levels = levels;
        self
    }
}

impl Kind {
    /// Of which kind the value of a key in a map of this kind is.
    pub fn within(self, name: &str) -> Kind {
        match self {
            Self::Object(object) | Self::ObjectOrFile(object) => {
                object.key(name).map_or(Self::Config, |key| key.kind)
            }
            Self::Objects(object) => Self::Object(object),
            Self::TextsOrObjects(_, object) => Self::Object(object).within(name),
            _ => Self::Config,
        }
    }
}

/// The dotted path of a key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Describes an object with its keys, and makes the struct that holds what an inventory says of them.
///
/// `NAME: TYPE, KIND, EXAMPLE, WORDS` is a key with a field of the struct, read as
/// [`super::layers::FromLayers`] says for its type, or by the function in `NAME: TYPE = FUNCTION`.
/// A key without a type is read by the function of another. Behind them may stand `default`, `also`
/// and `levels` of a [`Key`]. Fields behind `and` are filled in by the one who reads the struct.
macro_rules! keys {
    ($object:ident, $about:literal, struct $name:ident { $($keys:tt)* } $(and { $($more:tt)* })?) => {
        keys! { @table $object, $about, stringify!($name), $($keys)* }
        keys! { @struct $object, $about, $name, { $($($more)*)? } $($keys)* }
    };
    ($object:ident, $about:literal, $title:literal { $($keys:tt)* }) => {
        keys! { @table $object, $about, $title, $($keys)* }
    };
    (@table $object:ident, $about:literal, $title:expr, $(
        $key:ident $(: $type:ty $(= $read:expr)?)?, $kind:expr, $example:literal, $words:literal
        $(, $set:ident = $value:expr)*;
    )*) => {
        #[doc = $about]
        pub(super) static $object: Object = Object {
            name: $title,
            about: $about,
            own: &[$(Key::new(stringify!($key), $kind, $example, $words)$(.$set($value))*),*],
            host: &HOST,
        };
    };
    (@struct $object:ident, $about:literal, $name:ident,
        { $($(#[$doc:meta])* $more:ident: $more_type:ty,)* } $(
        $key:ident $(: $type:ty $(= $read:expr)?)?, $kind:expr, $example:literal, $words:literal
        $(, $set:ident = $value:expr)*;
    )*) => {
        #[doc = $about]
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[doc = $words] pub $key: $type,)?)*
            $($(#[$doc])* pub $more: $more_type,)*
        }

        impl $name {
            /// Reads it from these layers, the last of which is the nearest.
            pub(super) fn read(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> Self {
                Self {
                    $($($key: keys! { @read $type, reader, layers, $object, $key $(, $read)? },)?)*
                    $($more: Default::default(),)*
                }
            }
        }

        impl FromLayers for $name {
            fn from_layers(reader: &mut Reader<'_>, at: &At<'_>) -> Self {
                Self::read(reader, &at.inner(&$object))
            }

            fn show(&self, path: &str, settings: &mut FlatSettings) {
                $($(keys! { @show $type, self, path, settings, $key $(, $read)? })?)*
            }
        }
    };
    (@read $type:ty, $reader:ident, $layers:ident, $object:ident, $key:ident) => {
        <$type>::from_layers($reader, &At::new($layers, &$object, stringify!($key)))
    };
    (@read $type:ty, $reader:ident, $layers:ident, $object:ident, $key:ident, $read:expr) => {
        $read($reader, $layers)
    };
    (@show $type:ty, $self:tt, $path:ident, $settings:ident, $key:ident) => {
        $self.$key.show(&join($path, stringify!($key)), $settings);
    };
    (@show $type:ty, $self:tt, $path:ident, $settings:ident, $key:ident, $read:expr) => {};
}
pub(super) use keys;
