//! Files that make no sense: they are refused, and nothing panics.

use proptest::prelude::*;

use super::*;

#[test]
fn a_file_nested_without_end_is_refused() {
    for piece in ["[", "{a: ", "- ", "? ", "[{"] {
        let source = piece.repeat(50_000);
        let file = Path::new("x.yaml");
        let errors = parse(&source, file, None, &Overrides::default()).unwrap_err();
        assert_eq!(errors.mistakes.len(), 1);
        assert!(errors.render(false, 100).len() < 2000);
    }
}

#[test]
fn aliases_nested_without_end_are_refused() {
    use std::fmt::Write;
    let mut source = String::from("a0: &a0 [1]\n");
    for index in 1..2000 {
        let _ = writeln!(source, "a{index}: &a{index} [*a{}]", index - 1);
    }
    let errors = parse(&source, Path::new("x.yaml"), None, &Overrides::default()).unwrap_err();
    assert_eq!(errors.mistakes.len(), 1, "{errors}");
}

/// Pieces of inventories, and what breaks them.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "hosts:",
        "cluster:",
        "groups:",
        "ssh:",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "a: ",
        "role: server",
        "{",
        "}",
        "[",
        "]",
        "[1:3]",
        "w[01:03]",
        ",",
        ":",
        "-",
        "- ",
        "&a",
        "*a",
        "<<: *a",
        "|",
        ">",
        "\"",
        "'",
        "#",
        "!!int",
        "!!binary",
        "token: ",
        "${A}",
        "${A:-b}",
        "${",
        "$${A}",
        "address: ",
        "10.0.0.1",
        "fd00::1",
        "http://a:b@c",
        "~",
        "é",
        "\u{1f600}",
        "\t",
        "0x1f",
        "1e999",
        ".nan",
        "yes",
        "null",
        "---\n",
        "? ",
        "config: ",
        "labels:",
        "taints: ",
        "\r\n",
        "\u{0}",
        "\u{85}",
        "key: ",
        "99999999999999999999",
        "%TAG",
        "@",
        "`",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn hostile_yaml_never_panics(source in hostile()) {
        let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
            home: None,
            overrides: &Overrides::default(),
            variables: |_| Some("a: [\u{e9}".into()),
            commands: None,
        };
        let result = load_text(&source, Path::new("x.yaml"), surroundings);
        if let Err(errors) = result {
            prop_assert!(!errors.mistakes.is_empty());
            errors.render(true, 20);
        }
    }

    #[test]
    fn hostile_files_over_each_other_never_panic(sources in prop::collection::vec(hostile(), 2..4)) {
        let folder = tempfile::tempdir().unwrap();
        let files = sources.iter().enumerate().map(|(index, source)| {
            let file = folder.path().join(index.to_string());
            fs::write(&file, source).unwrap();
            file
        });
        if let Err(errors) = layered(&files.collect::<Vec<_>>(), &Overrides::default()) {
            prop_assert!(!errors.mistakes.is_empty());
            errors.render(true, 20);
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = String::from_utf8_lossy(&bytes);
        if let Err(errors) = parse(&source, Path::new("x.yaml"), None, &Overrides::default()) {
            errors.render(false, 0);
        }
    }

    #[test]
    fn hostile_values_in_a_good_frame_never_panic(value in "\\PC{0,30}", key in "[a-z_]{1,12}") {
        let quoted = serde_json::to_string(&value).unwrap();
        for source in [
            format!("hosts: {{{quoted}: {{role: server, {key}: {quoted}}}}}"),
            format!("cluster: {{{key}: {quoted}, token: {quoted}}}\nhosts: {{a: {{role: server, address: {quoted}}}}}"),
        ] {
            if let Err(errors) = parse(&source, Path::new("x.yaml"), None, &Overrides::default()) {
                errors.render(false, 80);
            }
        }
    }
}
