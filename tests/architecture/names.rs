//! One name, one meaning: a type's name is defined once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use syn::visit::{self, Visit};
use syn::{Ident, ItemEnum, ItemMod, ItemStruct, ItemTrait, ItemType};

use super::{source::for_tests, sources};

#[derive(Default)]
struct Defined(Vec<String>);

impl Defined {
    fn add(&mut self, name: &Ident) {
        self.0.push(name.to_string());
    }
}

impl Visit<'_> for Defined {
    fn visit_item_struct(&mut self, item: &ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &ItemTrait) {
        self.add(&item.ident);
    }

    fn visit_item_type(&mut self, item: &ItemType) {
        self.add(&item.ident);
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        if !for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

#[test]
fn a_name_of_a_type_is_defined_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, path) in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        let mut defined = Defined::default();
        defined.visit_file(&syn::parse_file(&text).expect("Rust"));
        for name in defined.0 {
            places
                .entry(name)
                .or_default()
                .push(path.display().to_string());
        }
    }
    let mut wrong = String::new();
    for (name, places) in places.iter().filter(|(_, places)| places.len() > 1) {
        let _ = writeln!(wrong, "{name}: {}", places.join(", "));
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
