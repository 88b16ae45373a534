//! No file sees another that sees it, be it over others. What a file takes from the module that it is a part
//! of is no circle.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{READ, source};

#[test]
fn no_files_see_each_other_in_a_circle() {
    let edges = source::edges(&READ);
    let reaches = |from: &str, to: &str| {
        let (mut next, mut seen) = (vec![from.to_owned()], BTreeSet::new());
        while let Some(file) = next.pop() {
            let of_file = edges.get(&file).into_iter().flatten();
            next.extend(of_file.filter(|file| seen.insert((*file).clone())).cloned());
        }
        seen.contains(to)
    };
    let mut wrong = String::new();
    for (from, seen) in &edges {
        for to in seen.iter().filter(|to| reaches(to, from)) {
            let _ = writeln!(wrong, "{from} sees {to}, which sees it, be it over others");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
