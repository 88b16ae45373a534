//! Every recipe of docs/recipes.md is planned as it stands on the page.

use super::*;

/// The recipes of the page: what each is called, and its files.
fn recipes(page: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let sections = page.split("\n## ").skip(1).map(|section| {
        let name = section.lines().next().unwrap_or_default();
        let blocks = section.split("```yaml\n# ").skip(1).map(|block| {
            let block = block.split("```").next().unwrap_or_default();
            block.split_once('\n').expect("the name of a file")
        });
        (name, blocks.collect())
    });
    sections.collect()
}

#[test]
fn every_recipe_is_planned() {
    let page = fs::read_to_string("docs/recipes.md").expect("the page");
    let recipes = recipes(&page);
    let blocks: usize = recipes.iter().map(|(_, files)| files.len()).sum();
    assert_eq!(
        page.matches("```").count(),
        2 * blocks,
        "a block has no name"
    );
    let mut planned = String::new();
    for (name, files) in recipes {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in &files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let (first, inventory) = files.first().expect(name);
        assert_eq!(*first, "inventory.yaml", "{name}");
        let scenario = Scenario {
            about: name.to_owned(),
            inventory: format!("{inventory}hosts: {{m1: {{address: 10.0.0.1, role: server}}}}\n"),
            hosts: [(
                "m1".to_owned(),
                Is {
                    state: State::Bare,
                    config: None,
                    nodes: BTreeMap::new(),
                    labels: BTreeMap::new(),
                    taints: BTreeMap::new(),
                    manifests: Vec::new(),
                    ufw: false,
                },
            )]
            .into(),
            limit: None,
            upgrade: None,
        };
        let told = tell(&scenario, &folder.path().join("home.yaml"));
        assert!(!told.contains("refused"), "{name}: {told}");
        planned += &format!("{name}\n");
        let own = told.lines().map(str::trim).filter(|line| {
            line.contains("manifests/")
                || line.starts_with("+flannel")
                || line.starts_with("+disable")
        });
        own.for_each(|line| planned += &format!("  {line}\n"));
    }
    insta::assert_snapshot!("recipes", planned);
}
