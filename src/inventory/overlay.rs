//! Several files of one inventory, laid over each other in the order in which they were named.

use super::language::{Kind, Object};
use super::node::{Entry, Node, Tree};
use super::source::Sources;

/// Lays what a later file says over what earlier ones say. Maps are joined key by key; what else the
/// later file says stands in place of the earlier. There, `null` takes away what was said before, and
/// nothing at all leaves it; in a `config`, both mean that k3s does not get the key, as in one file.
pub(super) fn lay(base: &mut Node, above: Node, object: &'static Object, sources: &Sources) {
    join(base, above, Kind::Object(object), sources);
}

fn join(base: &mut Node, above: Node, kind: Kind, sources: &Sources) {
    let Tree::Map(entries) = above.tree else {
        *base = above;
        return;
    };
    let Tree::Map(before) = &mut base.tree else {
        *base = Node {
            tree: Tree::Map(entries),
            ..above
        };
        return;
    };
    for entry in entries {
        add(before, entry, kind, sources);
    }
}

fn add(before: &mut Vec<Entry>, entry: Entry, kind: Kind, sources: &Sources) {
    let Some(at) = before.iter().position(|known| known.key == entry.key) else {
        before.push(entry);
        return;
    };
    let inner = match kind {
        Kind::Object(object) => object.key(&entry.key).map_or(Kind::Text, |key| key.kind),
        Kind::Objects(object) => Kind::Object(object),
        Kind::Config => Kind::Config,
        _ => Kind::Text,
    };
    let is_null = matches!(entry.value.tree, Tree::Null);
    if is_null && !matches!(kind, Kind::Config) {
        if !sources.written(entry.value.span).is_empty() {
            before.remove(at);
        }
        return;
    }
    let are_maps = [&before[at].value, &entry.value].map(|node| matches!(node.tree, Tree::Map(_)));
    if are_maps == [true, true] {
        join(&mut before[at].value, entry.value, inner, sources);
    } else {
        before[at] = entry;
    }
}
