use base64::Engine as _;

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

#[test]
fn the_days_that_a_servers_certificates_have_left_are_counted() {
    let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut made = rcgen::CertificateParams::default();
    made.not_after = ends.into();
    let made = made.self_signed(&key).expect("a certificate").pem();
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let credentials = (
        encode(made.clone()),
        encode(made),
        encode(key.serialize_pem()),
    );
    let mut facts = crate::cluster::tests::bare("m1", "10.0.0.1");
    assert_eq!(days_left(&facts, ends), None);
    let source = crate::kubernetes::kubeconfig::tests::source(&credentials);
    facts.node.kubeconfig = Some(Secret::new(&source));
    let day = Duration::from_hours(24);
    assert_eq!(days_left(&facts, ends - day * 59), Some(59));
    assert_eq!(days_left(&facts, ends - day / 2), Some(0));
    assert_eq!(days_left(&facts, ends + day), Some(0));
}
