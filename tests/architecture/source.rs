//! What a file of `src` names, read with its syntax: `use` in all its forms, paths in code, in types
//! and inside macros; without what only tests see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A file, and what it names.
pub struct Source {
    pub room: String,
    pub path: PathBuf,
    /// Its module: `["run", "step"]`.
    pub module: Vec<String>,
    /// What it names, from the root of its crate: `crate::run::Event`, `std::fs::read`; with the line.
    pub named: Vec<(usize, String)>,
    /// The names that its `use` lines bring, and what they stand for.
    pub brought: BTreeMap<String, String>,
}

/// Reads a file by its path inside `src` and its text.
pub fn read(room: &str, path: PathBuf, inner: &str, text: &str) -> Source {
    let mut module: Vec<_> = inner
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    let file = syn::parse_file(text).expect("Rust");
    let declared = |item: &Item| match item {
        Item::Mod(item) => Some(item.ident.to_string()),
        _ => None,
    };
    let mut reader = Reader {
        children: file.items.iter().filter_map(declared).collect(),
        here: module.clone(),
        ..Reader::default()
    };
    reader.visit_file(&file);
    // What is only passed on is not seen by this file.
    for (line, name, path) in reader.passed_on {
        if reader.idents.get(&name).is_some_and(|count| *count > 1) {
            reader.named.push((line, path));
        }
    }
    Source {
        room: room.to_owned(),
        path,
        module,
        named: reader.named,
        brought: reader.brought,
    }
}

#[derive(Default)]
struct Reader {
    here: Vec<String>,
    children: BTreeSet<String>,
    named: Vec<(usize, String)>,
    brought: BTreeMap<String, String>,
    passed_on: Vec<(usize, String, String)>,
    idents: BTreeMap<String, usize>,
}

pub fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl Reader {
    /// A path from the root of its crate.
    fn absolute(&self, path: &[String]) -> String {
        let mut here = self.here.clone();
        let mut rest = path;
        match &*path[0] {
            "crate" | "towline" => {
                here.clear();
                rest = &path[1..];
            }
            "self" | "super" => {
                while let Some(step @ ("self" | "super")) = rest.first().map(String::as_str) {
                    if step == "super" {
                        here.pop();
                    }
                    rest = &rest[1..];
                }
            }
            first if self.children.contains(first) => {}
            _ => return path.join("::"),
        }
        let whole = ["crate".to_owned()].into_iter().chain(here);
        let whole: Vec<_> = whole.chain(rest.iter().cloned()).collect();
        whole.join("::")
    }

    fn brings(&mut self, tree: &UseTree, before: &[String], is_passed_on: bool) {
        let mut path = before.to_vec();
        let (ident, name) = match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                return self.brings(&inner.tree, &path, is_passed_on);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.brings(tree, before, is_passed_on);
                }
                return;
            }
            UseTree::Name(leaf) => (Some(&leaf.ident), leaf.ident.to_string()),
            UseTree::Rename(leaf) => (Some(&leaf.ident), leaf.rename.to_string()),
            UseTree::Glob(_) => (None, "*".to_owned()),
        };
        let line = match tree {
            UseTree::Glob(star) => star.star_token.spans[0].start().line,
            _ => ident.map_or(0, |ident| ident.span().start().line),
        };
        // `a::{self}` brings `a`.
        match ident {
            Some(ident) if ident == "self" && !path.is_empty() => {}
            Some(ident) => path.push(ident.to_string()),
            None => {}
        }
        let name = match &*name {
            "self" => path.last().cloned().unwrap_or_default(),
            _ => name,
        };
        let path = self.absolute(&path);
        if is_passed_on {
            self.passed_on.push((line, name.clone(), path.clone()));
        } else {
            self.named.push((line, path.clone()));
        }
        *self.idents.entry(name.clone()).or_default() += 1;
        self.brought.insert(name, path);
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut line) = (Vec::new(), 0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    *self.idents.entry(ident.to_string()).or_default() += 1;
                    if colons != 2 {
                        self.ends(&mut path, line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.ends(&mut path, line);
            colons = 0;
        }
        self.ends(&mut path, line);
    }

    fn ends(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            let path = self.absolute(path);
            self.named.push((line, path));
        }
        path.clear();
    }
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        let attributes = match item {
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Mod(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        if item.content.is_some() {
            self.here.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.here.pop();
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        let is_passed_on = !matches!(item.vis, Visibility::Inherited);
        self.brings(&item.tree, &[], is_passed_on);
    }

    fn visit_ident(&mut self, ident: &Ident) {
        *self.idents.entry(ident.to_string()).or_default() += 1;
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let words: Vec<_> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if words.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            let path = self.absolute(&words);
            self.named.push((line, path));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &syn::Macro) {
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

/// Which file sees which, by the paths of their modules. A name that a file only passes on is
/// looked for where it is defined.
pub fn edges(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let of: BTreeMap<String, &Source> = sources
        .iter()
        .map(|source| (source.module.join("::"), source))
        .collect();
    let defined = |path: &str| {
        let mut path = path.to_owned();
        for _ in 0..8 {
            let inner: Vec<&str> = path.strip_prefix("crate::")?.split("::").collect();
            let length = (1..=inner.len())
                .rev()
                .find(|length| of.contains_key(&inner[..*length].join("::")))?;
            let module = inner[..length].join("::");
            let further = inner
                .get(length)
                .and_then(|name| of[&module].brought.get(*name));
            match further.filter(|further| further.starts_with("crate::")) {
                Some(further) => {
                    let rest = inner[length + 1..].iter().map(|word| format!("::{word}"));
                    path = further.clone() + &rest.collect::<String>();
                }
                None => return Some(module),
            }
        }
        None
    };
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, source) in &of {
        let seen = source.named.iter().filter_map(|(_, path)| defined(path));
        // A part sees the words of the whole that it is a part of.
        let is_part = |of: &str| {
            module
                .strip_prefix(of)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let seen = seen.filter(|seen| !is_part(seen)).collect();
        edges.insert(module.clone(), seen);
    }
    edges
}
