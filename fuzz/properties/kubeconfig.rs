//! What a server sends as its kubeconfig.

#![expect(
    clippy::missing_panics_doc,
    reason = "it is all that this function does"
)]

use super::{Kubeconfig, parse, rewrite, wire};

/// Where the API is from here.
const SERVER: &str = "https://203.0.113.10:6443";

/// Its text.
pub fn kubeconfig(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let rewritten = rewrite(&source, SERVER, "home");
    let (given, made) = match (parse(&source), rewritten) {
        (Ok(given), Ok(made)) => (given, made),
        (Err(_), Err(problem)) => {
            // No line of it is told: it may be the one with the key.
            let told = problem.to_string();
            assert!(told.len() < 1000, "{told}");
            return;
        }
        (given, made) => panic!("{given:?} and {made:?}"),
    };
    assert_eq!(
        made,
        Kubeconfig {
            server: SERVER.to_owned(),
            context: "home".to_owned(),
            ..given.clone()
        }
    );
    assert_eq!(
        given.at_the_address_of(&made).map(|one| one.server),
        Some(made.server.clone())
    );
    let _ends = made.ends();

    let text = wire::to_yaml(&wire::written(&made)).expect("YAML");
    assert_eq!(parse(&text).as_ref(), Ok(&made), "{text}");
    assert_eq!(text.matches("https://").count(), 1, "{text}");
    assert!(text.is_ascii() && text.lines().count() == 18, "{text}");
    // As it came, it is written in such a way that it reads back, too.
    let text = wire::to_yaml(&wire::written(&given)).expect("YAML");
    assert_eq!(parse(&text), Ok(given), "{text}");
}
