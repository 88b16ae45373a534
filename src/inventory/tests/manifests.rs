//! Manifests of an inventory: what is read, and what is said of files that are none.

use std::fs;

use super::*;
use crate::inventory::{Inventory, Overrides, parse};

/// Reads an inventory whose manifests are these, beside these files.
fn read(list: &str, files: &[(&str, &str)]) -> Result<Inventory, String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, text).expect("written");
    }
    let text = format!(
        "cluster:\n  manifests: {list}\nhosts: {{m1: {{address: 10.0.0.1, role: server}}}}\n"
    );
    let file = folder.path().join("i.yaml");
    parse(&text, &file, None, &Overrides::default())
        .map_err(|errors| format!("{errors}").replace(&folder.path().display().to_string(), ""))
}

const POOL: &str = "# A pool.\n---\napiVersion: v1\nkind: ConfigMap\n";

#[test]
fn files_folders_and_urls_come_in_the_order_of_the_list() {
    let hash = "AB".repeat(32);
    let url = "https://example.org/v1/cni.yaml?x=y";
    let list = format!(
        "[last.json, more/, {{url: '{url}', sha256: {hash}}}, {{url: '{url}', sha256: {hash}, file_name: other.yml}}]"
    );
    let files = [
        (
            "last.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\"}",
        ),
        ("more/20.yml", POOL),
        ("more/10-a.yaml", "# Nothing yet.\n"),
        ("more/.hidden.yaml", "x"),
        ("more/README.md", "x"),
    ];
    let inventory = read(&list, &files).expect("an inventory");
    let manifests = &inventory.cluster.manifests;
    let names: Vec<_> = manifests.iter().map(|one| &*one.name).collect();
    assert_eq!(
        names,
        ["last.json", "10-a.yaml", "20.yml", "cni.yaml", "other.yml"]
    );
    assert_eq!(manifests[2].text(), POOL);
    let ManifestSource::Url { sha256, .. } = &manifests[3].source else {
        panic!("it is fetched later");
    };
    assert_eq!(*sha256, hash.to_ascii_lowercase());
}

#[test]
fn what_cannot_be_a_manifest_is_said_with_its_place() {
    let files = [
        ("good.yaml", POOL),
        ("good.json", POOL),
        ("Upper.yaml", POOL),
        ("coredns.yaml", POOL),
        ("text.yaml", "---\n# One.\n---\nhello there\n"),
        (
            "kind.yaml",
            "apiVersion: v1\nkind: A\n---\n\napiVersion: v1\n",
        ),
        ("broken.yaml", "apiVersion: v1\nkind: A\n---\na: [1\n"),
        ("empty/x.txt", ""),
    ];
    let table = [
        ("good.yaml", "must be a list"),
        (
            "[missing.yaml]",
            "`missing.yaml` cannot be read: No such file",
        ),
        (
            "[good.yaml, good.json]",
            "would be one manifest in the cluster, `good`",
        ),
        (
            "[Upper.yaml]",
            "`Upper.yaml` cannot be the name of a manifest",
        ),
        ("[coredns.yaml]", "`coredns` is a manifest of k3s itself"),
        (
            "[text.yaml]",
            "/text.yaml, line 4: this is no object in YAML",
        ),
        ("[kind.yaml]", "/kind.yaml, line 5: this object has no kind"),
        ("[broken.yaml]", "/broken.yaml, line "),
        ("[empty]", "in `empty` is no manifest"),
        (
            "[{url: 'https://example.org/a.yaml'}]",
            "this manifest has no `sha256`",
        ),
        ("[{url: 'ftp://x', sha256: ab}]", "this is no URL"),
        (
            "[{url: 'https://example.org/a', sha256: ab}]",
            "is not a SHA-256",
        ),
        ("[{path: a.yaml}]", "unknown key `path`"),
    ];
    for (list, said) in table {
        let errors = read(list, &files).expect_err(list);
        assert!(errors.contains(said), "{list}: {errors}");
        assert!(errors.contains("2:"), "{list}: {errors}");
    }
}

#[test]
fn the_values_of_secrets_are_known_as_secrets() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, data: {a: aHVudGVyMg==}}\n---\n\
                apiVersion: v1\nkind: Secret\nstringData:\n  b: hunter-three\n---\napiVersion: v1\nkind: ConfigMap\ndata: {c: plain}\n";
    let inventory = read("[a.yaml]", &[("a.yaml", text)]).expect("an inventory");
    let secrets: Vec<_> = inventory.secret_values.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["aHVudGVyMg==", "hunter-three"]);
    assert!(!format!("{inventory:?}").contains("hunter"));
}
