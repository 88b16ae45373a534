use super::*;

#[test]
fn merged_it_goes_where_kubectl_looks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (missing, there) = (folder.path().join("missing"), folder.path().join("there"));
    std::fs::write(&there, "").expect("written");
    let place = |given: Option<&str>, merge: bool, listed: &[&PathBuf]| {
        let file = KubeconfigFile {
            kubeconfig: given.map(PathBuf::from),
            context: None,
            merge,
            use_context: false,
        };
        let environment = Environment {
            home: "/home/me".into(),
            kubeconfigs: listed.iter().map(|path| (*path).clone()).collect(),
            ..Environment::read()
        };
        KubeconfigTarget::new(&file, &environment).path
    };
    let usual = Some(PathBuf::from("/home/me/.kube/config"));
    assert_eq!(place(None, true, &[&missing, &there]), Some(there.clone()));
    assert_eq!(place(None, true, &[&missing]), Some(missing));
    assert_eq!(place(None, true, &[]), usual);
    assert_eq!(place(Some("x"), true, &[&there]), Some("x".into()));
    assert_eq!(place(None, false, &[&there]), None);
}

#[test]
fn what_to_type_names_the_context_where_another_one_may_be_current() {
    let target = |usual, merge| KubeconfigTarget {
        path: None,
        context: None,
        usual,
        merge,
        use_it: false,
    };
    let next = |target: KubeconfigTarget| target.next(Path::new("/tmp/my config"), "home");
    assert_eq!(
        next(target(false, false)),
        "\n  export KUBECONFIG='/tmp/my config'\n  kubectl get nodes"
    );
    assert_eq!(
        next(target(false, true)),
        "\n  export KUBECONFIG='/tmp/my config'\n  kubectl --context home get nodes"
    );
    assert_eq!(
        next(target(true, true)),
        "\n  kubectl --context home get nodes"
    );
}
