//! What parts of a k0s.yaml mean: texts that differ may tell k0s the same.

use std::collections::BTreeMap;

use serde_json::Value;

/// Whether a value is as good as none: k0s's defaults are on where they are not said.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(true) => false,
    }
}

/// Whether a configuration says all that a part of another one does.
pub(super) fn says(all: Option<&Value>, part: &Value) -> bool {
    match (all.unwrap_or(&Value::Null), part) {
        (all, Value::Object(part)) => part.iter().all(|(key, part)| says(all.get(key), part)),
        (all, part) if is_empty(part) => is_empty(all),
        (Value::Array(all), Value::Array(part)) => {
            let mut pairs = all.iter().zip(part);
            all.len() == part.len() && pairs.all(|(all, part)| says(Some(all), part))
        }
        (all, part) => plain(all) == plain(part),
    }
}

/// A value as text: `10` and `"10"` are the same to k0s, and it writes `1h` as `1h0m0s`.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text
        .strip_suffix("m0s")
        .map_or(text.clone(), |rest| format!("{rest}m"));
    text.strip_suffix("h0m")
        .map_or(text.clone(), |rest| format!("{rest}h"))
}

/// The values in a tree by their path (RFC 6901); a list is one value.
pub(super) fn values(tree: &Value) -> BTreeMap<String, &Value> {
    fn collect<'a>(tree: &'a Value, path: String, all: &mut BTreeMap<String, &'a Value>) {
        match tree {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    collect(value, format!("{path}/{key}"), all);
                }
            }
            value => drop(all.insert(path, value)),
        }
    }
    let mut all = BTreeMap::new();
    collect(tree, String::new(), &mut all);
    all.remove("");
    all
}

/// Sets a value by its path, in maps that are made where they are missing.
pub(super) fn set(tree: &mut Value, path: &str, value: Value) {
    let keys = path.split('/').skip(1);
    let place = keys.fold(tree, |tree, key| {
        if !tree.is_object() {
            *tree = serde_json::json!({});
        }
        &mut tree[key.replace("~1", "/").replace("~0", "~")]
    });
    *place = value;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_the_same_is_known() {
        let running = json!({
            "api": {"address": "10.0.0.1", "port": 6443, "ca": {"expiresAfter": "87600h0m0s"}},
            "network": {"dualStack": {"enabled": false}, "provider": "kuberouter"},
            "workerProfiles": [{"name": "small", "values": {"maxPods": 20}}],
        });
        for (part, expected) in [
            (json!({}), true),
            (json!({"api": {"port": "6443"}}), true),
            (json!({"api": {"ca": {"expiresAfter": "87600h"}}}), true),
            (json!({"api": {"ca": {"expiresAfter": "8760h"}}}), false),
            (json!({"telemetry": {"enabled": false}}), true),
            (json!({"telemetry": {"enabled": true}}), false),
            (json!({"network": {"provider": null}}), false),
            (json!({"network": {"dualStack": {"enabled": true}}}), false),
            (json!({"workerProfiles": [{"name": "small"}]}), true),
            (json!({"workerProfiles": [{"name": "large"}]}), false),
            (json!({"workerProfiles": []}), false),
        ] {
            assert_eq!(says(Some(&running), &part), expected, "{part}");
        }
    }

    #[test]
    fn values_are_found_and_set_by_their_path() {
        let tree = json!({"api": {"sans": ["a"], "extraArgs": {"x/y": 1}}, "storage": {}});
        let found = values(&tree);
        let paths: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/api/extraArgs/x~1y", "/api/sans", "/storage"]);
        let mut made = Value::Null;
        for (path, value) in found {
            set(&mut made, &path, value.clone());
        }
        assert_eq!(made, tree);
    }
}
