//! No file sees another that sees it, be it over others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{READ, source};

/// Files that still see each other in a circle: without these uses there is none. What a file takes
/// from the module that it is a part of is no circle. The table only gets shorter.
const CIRCLES: &[(&str, &str)] = &[];

#[test]
fn no_files_see_each_other_in_a_circle() {
    let mut edges = source::edges(&READ);
    let reaches = |edges: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str| {
        let (mut next, mut seen) = (vec![from.to_owned()], BTreeSet::new());
        while let Some(file) = next.pop() {
            let of_file = edges.get(&file).into_iter().flatten();
            next.extend(of_file.filter(|file| seen.insert((*file).clone())).cloned());
        }
        seen.contains(to)
    };
    let mut wrong = String::new();
    for (from, to) in CIRCLES {
        if !edges.get_mut(*from).is_some_and(|seen| seen.remove(*to)) {
            let _ = writeln!(wrong, "{from} no longer sees {to}");
        }
    }
    for (from, to) in CIRCLES {
        if !reaches(&edges, to, from) {
            let _ = writeln!(wrong, "{from} may see {to}: that is no circle any more");
        }
    }
    for (from, seen) in &edges {
        for to in seen.iter().filter(|to| reaches(&edges, to, from)) {
            let _ = writeln!(wrong, "{from} sees {to}, which sees it, be it over others");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
