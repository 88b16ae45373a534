//! Pages for people who change towline.

use std::fs;
use std::path::Path;

#[test]
fn the_page_about_the_house_names_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in ["docs/architecture.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(page)).expect("the page");
        let quoted = text.split('`').skip(1).step_by(2);
        let paths = quoted.filter(|word| {
            let first = word.split('/').next().unwrap_or_default();
            !word.contains(' ')
                && ["src", "tests", "docs", "playbooks", "templates"].contains(&first)
        });
        let missing: Vec<_> = paths.filter(|path| !root.join(path).exists()).collect();
        assert_eq!(missing, [""; 0], "{page}");
    }
}
