//! `towline explain`.

use super::{folder, screen, text, towline};

#[test]
fn a_code_is_explained_as_it_is_copied_and_a_wrong_one_names_the_nearest() {
    let folder = folder("");
    for code in ["unit-masked", "error[unit-masked]:"] {
        let screen = screen(&towline(folder.path(), &["explain", code]));
        assert!(screen.starts_with("status 0"), "{screen}");
        assert!(screen.contains("    systemctl unmask UNIT\n"), "{screen}");
    }
    insta::assert_snapshot!(screen(&towline(folder.path(), &["explain", "unit-mask"])), @r"
    status 2
    --- standard output
    --- standard error
    error[command-line]: there is no code `unit-mask`
      → towline explain unit-masked
    nothing was changed
    for more, type:  towline explain command-line
    ");
    let list = towline(folder.path(), &["explain"]);
    let list = text(&list.stdout);
    assert!(
        list.lines()
            .any(|line| line.starts_with("  host-key-unknown ")
                && line.ends_with("The host showed a key that no `known_hosts` file has.")),
        "{list}"
    );
    let json = towline(folder.path(), &["explain", "no-quorum", "--output", "json"]);
    let json = text(&json.stdout);
    assert!(
        json.starts_with(r#"{"event":"explained","code":"no-quorum","cause":"#)
            && json.contains(r#"{"event":"finished""#),
        "{json}"
    );
}
