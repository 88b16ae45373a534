//! Kubeconfigs that hold several clusters: one taken out, one put in.

use std::path::Path;

use serde_json::{Value, json};

use super::file::{Lock, existing, put, real_target};
use super::wire::{LISTS, YamlTree, entries, name, to_yaml, tree, written};
use super::{Kubeconfig, Written, not_usable, usable};
use crate::problem::{Code, Problem, problem};

/// Puts a kubeconfig into a file that may hold others: its entries replace those of the same name,
/// everything else stays. What was there before is kept beside it. The current context is set when
/// there was none, or when `use_it` asks for it. Meanwhile no kubectl writes the file; this may wait
/// some seconds for one that does.
///
/// # Errors
/// A file that is no kubeconfig, and an entry of the same name that another context uses.
pub fn merge(path: &Path, kubeconfig: &Kubeconfig, use_it: bool) -> Result<Written, Problem> {
    let _lock = Lock::on(path)?;
    let target = real_target(path)?;
    let before = existing(path, &target)?;
    let Some(before) = before.filter(|before| !before.text.trim().is_empty()) else {
        return super::write(path, kubeconfig);
    };
    let text = merged(&before.text, kubeconfig, use_it).map_err(|why| not_merged(path, &why))?;
    put(&target, &text, Some(&before), true)
}

/// One context of a file, with its cluster and user: the named one, or the current one.
///
/// # Errors
/// A file or context that is not there, or that is no client certificate and no address.
pub fn pick(path: &Path, context: Option<&str>) -> Result<Kubeconfig, Problem> {
    let target = real_target(path)?;
    let Some(file) = existing(path, &target)? else {
        return Err(problem!(
            Code::KUBECONFIG_MISSING,
            file = path,
            "there is no such file"
        )
        .next("name the kubeconfig")
        .flag("--kubeconfig FILE"));
    };
    let whole =
        tree(&file.text).map_err(|why| problem!(Code::KUBECONFIG_INVALID, file = path, "{why}"))?;
    let current = whole.get("current-context").and_then(Value::as_str);
    let names: Vec<_> = entries(&whole, "contexts").filter_map(name).collect();
    let Some(name) = context.or(current).filter(|name| names.contains(name)) else {
        let wanted = context.or(current).unwrap_or("(none is current)");
        return Err(problem!(
            Code::KUBECONFIG_CONTEXT,
            file = path,
            "there is no context {wanted}"
        )
        .because(format!("it has {}", names.join(", ")))
        .next("name one of them")
        .flag("--context NAME"));
    };
    let one = alone(&whole, name).ok_or_else(|| {
        problem!(
            Code::KUBECONFIG_CONTEXT,
            file = path,
            "the context {name} names a cluster or user that is not in it"
        )
    })?;
    usable(&one)
        .map_err(not_usable)
        .map_err(|problem| problem.because(format!("the context {name} of {}", path.display())))
}

fn not_merged(path: &Path, why: &str) -> Problem {
    problem!(
        Code::KUBECONFIG_NOT_REPLACED,
        file = path,
        "nothing was put into this file"
    )
    .because(why)
    .next("choose another file, or another name")
    .flag("--context NAME")
}

/// The tree of one context only.
fn alone(tree: &YamlTree, context: &str) -> Option<YamlTree> {
    let find = |list: &str, wanted: &str| {
        entries(tree, list)
            .find(|entry| name(entry) == Some(wanted))
            .map(|entry| json!([entry]))
    };
    let entry = find("contexts", context)?;
    let of = |key: &str| entry[0].get("context")?.get(key)?.as_str();
    Some(YamlTree::from_iter([
        ("clusters".into(), find("clusters", of("cluster")?)?),
        ("users".into(), find("users", of("user")?)?),
        ("contexts".into(), entry),
    ]))
}

/// The text of a file with a kubeconfig put into it, or why it cannot be.
fn merged(before: &str, kubeconfig: &Kubeconfig, use_it: bool) -> Result<String, String> {
    let mut whole = tree(before)?;
    let own = written(kubeconfig);
    let own_name = &*kubeconfig.context;
    // Another context may use a cluster or user of this name, and would then lead elsewhere.
    for context in entries(&whole, "contexts").filter(|entry| name(entry) != Some(own_name)) {
        let of = |key: &str| {
            context
                .get("context")
                .and_then(|inner| inner.get(key)?.as_str())
        };
        if of("cluster") == Some(own_name) || of("user") == Some(own_name) {
            let other = name(context).unwrap_or_default();
            return Err(format!(
                "its context {other} uses a cluster or user named {own_name}, which would be replaced"
            ));
        }
    }
    for (list, _) in LISTS {
        let Some(entry) = entries(&own, list).next().cloned() else {
            continue;
        };
        let all = whole.entry(list).or_insert_with(|| json!([]));
        if !all.is_array() {
            *all = json!([]);
        }
        let Some(all) = all.as_array_mut() else {
            continue;
        };
        match all.iter_mut().find(|one| name(one) == Some(own_name)) {
            Some(one) => *one = entry,
            None => all.push(entry),
        }
    }
    let has_current = whole
        .get("current-context")
        .and_then(Value::as_str)
        .is_some_and(|current| !current.is_empty());
    if use_it || !has_current {
        whole.insert("current-context".into(), json!(own_name));
    }
    for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
        whole.entry(key).or_insert_with(|| json!(value));
    }
    to_yaml(&whole)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{credentials, source};
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    /// One cluster, whatever it is called and wherever it is.
    fn at(server: &str, context: &str) -> Kubeconfig {
        static SOURCE: std::sync::LazyLock<String> =
            std::sync::LazyLock::new(|| source(&credentials()));
        super::super::rewrite(&SOURCE, server, context).expect("it is one")
    }

    fn kubeconfig(context: &str) -> Kubeconfig {
        at("https://203.0.113.10:6443", context)
    }

    fn backup(path: &Path) -> std::path::PathBuf {
        path.with_added_extension("towline-backup")
    }

    const OTHERS: &str = "apiVersion: v1\nkind: Config\npreferences: {colors: true}\ncurrent-context: work\n\
        clusters:\n- name: work\n  cluster: {server: https://work.example:6443, certificate-authority: /ca.crt}\n\
        contexts:\n- name: work\n  context: {cluster: work, user: me, namespace: mine}\n\
        users:\n- name: me\n  user:\n    exec: {command: login, apiVersion: v1}\n";

    #[test]
    fn everything_else_is_kept_and_a_backup_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        fs::write(&path, OTHERS).expect("written");
        assert_eq!(
            merge(&path, &kubeconfig("home"), false),
            Ok(Written::Kept(backup(&path)))
        );
        let text = fs::read_to_string(&path).expect("read");
        let whole = tree(&text).expect("a kubeconfig");
        let old = tree(OTHERS).expect("a kubeconfig");
        for (list, _) in LISTS {
            assert_eq!(
                entries(&whole, list).next(),
                entries(&old, list).next(),
                "{list}"
            );
            assert_eq!(entries(&whole, list).count(), 2, "{list}");
        }
        assert_eq!(whole["preferences"], old["preferences"]);
        assert_eq!(whole["current-context"], "work");
        assert_eq!(fs::read_to_string(backup(&path)).expect("a backup"), OTHERS);
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&backup(&path))), (0o600, 0o600));
        assert_eq!(
            merge(&path, &kubeconfig("home"), false),
            Ok(Written::Unchanged)
        );
        assert_eq!(pick(&path, Some("home")), Ok(kubeconfig("home")));
        assert!(pick(&path, None).is_err(), "it would run a program");
    }

    #[test]
    fn entries_of_the_same_name_are_replaced_and_current_only_when_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        fs::write(&path, OTHERS).expect("written");
        merge(&path, &kubeconfig("home"), false).expect("merged");
        let moved = at("https://198.51.100.7:6443", "home");
        merge(&path, &moved, true).expect("merged");
        let whole = tree(&fs::read_to_string(&path).expect("read")).expect("a kubeconfig");
        assert_eq!(entries(&whole, "clusters").count(), 2);
        assert_eq!(whole["current-context"], "home");
        assert_eq!(pick(&path, None), Ok(moved));
        // The first backup is what was there before towline came.
        assert_eq!(fs::read_to_string(backup(&path)).expect("a backup"), OTHERS);
        let second = folder.path().join("config.towline-backup.2");
        assert_eq!(pick(&second, Some("home")), Ok(kubeconfig("home")));
    }

    #[test]
    fn kubectl_and_towline_wait_for_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        let lock = folder.path().join("config.lock");
        fs::write(&path, OTHERS).expect("written");
        fs::write(&lock, "").expect("written");
        let problem = merge(&path, &kubeconfig("home"), false)
            .expect_err("it is locked")
            .to_string();
        assert!(problem.contains("config.lock"), "{problem}");
        assert_eq!(fs::read_to_string(&path).expect("read"), OTHERS);
        let held = lock.clone();
        let kubectl = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            fs::remove_file(held).expect("removed");
        });
        merge(&path, &kubeconfig("home"), false).expect("kubectl has ended");
        kubectl.join().expect("it ended");
        assert!(!lock.exists(), "and leaves none behind");
    }

    #[test]
    fn another_contexts_cluster_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        fs::write(&path, OTHERS).expect("written");
        let problem = merge(&path, &kubeconfig("me"), false)
            .expect_err("refused")
            .to_string();
        assert!(
            problem.contains("its context work uses a cluster or user named me"),
            "{problem}"
        );
        assert_eq!(fs::read_to_string(&path).expect("read"), OTHERS);
        for text in ["- a\n", "a: [\n", "hello: world\n", "clusters: no\n"] {
            fs::write(&path, text).expect("written");
            assert!(merge(&path, &kubeconfig("home"), false).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
    }

    #[test]
    fn a_context_that_is_not_there_is_said_with_those_that_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config");
        fs::write(&path, OTHERS).expect("written");
        let problem = pick(&path, Some("home"))
            .expect_err("not there")
            .to_string();
        assert!(
            problem.contains("there is no context home") && problem.contains("it has work"),
            "{problem}"
        );
    }
}
