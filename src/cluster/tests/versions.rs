//! Which version a deploy is about.

use super::*;
use crate::cluster::{WantedVersion, wanted_version};

fn wanted(
    cluster: &str,
    versions: &[(&str, Option<&'static str>)],
) -> Result<WantedVersion, String> {
    let mut lab = Lab::new(&format!("cluster: {{{cluster}}}{THREE}"));
    for (host, version) in versions {
        lab = lab.with(host, member).with(host, |facts| {
            facts.node.version = version.map(str::to_owned);
        });
    }
    wanted_version(&K3s, &lab.inventory, &lab.facts, &lab.selected).map_err(|problems| {
        problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()
    })
}

#[test]
fn a_channel_is_asked_only_for_a_new_cluster() {
    let exact = |version: &str| Ok(WantedVersion::Exact(version.into()));
    let (old, new) = (Some("v1.35.1+k3s1"), Some(VERSION));
    assert_eq!(
        wanted("channel: latest", &[]),
        Ok(WantedVersion::Channel("latest".into()))
    );
    assert_eq!(wanted("", &[]), Ok(WantedVersion::Channel("stable".into())));
    assert_eq!(
        wanted("channel: latest", &[("m2", old)]),
        exact("v1.35.1+k3s1")
    );
    assert_eq!(
        wanted("version: v1.36.3+k3s1", &[("m1", new)]),
        exact(VERSION)
    );
    assert_eq!(wanted("version: v1.36.3+k3s1", &[]), exact(VERSION));
}

#[test]
fn an_upgrade_is_never_a_side_effect() {
    insta::assert_snapshot!(wanted("version: v1.36.3+k3s1", &[("m1", Some("v1.35.1+k3s1"))]).expect_err("refused"), @r"
    the inventory says v1.36.3+k3s1, and other versions run
      m1 runs v1.35.1+k3s1
      an upgrade is a command of its own
      → to see what an upgrade would do:
        towline upgrade -i lab.yaml --plan
      → to keep the version that runs:
        cluster: {version: v1.35.1+k3s1}
    ");
    let older = wanted("version: v1.36.3-rc1+k3s1", &[("m1", Some(VERSION))]).expect_err("refused");
    assert!(
        older.contains("does not go back to an older version"),
        "{older}"
    );
    let mixed =
        wanted("", &[("m1", Some("v1.35.1+k3s1")), ("m2", Some(VERSION))]).expect_err("refused");
    assert!(
        mixed.starts_with("the hosts run different versions\n"),
        "{mixed}"
    );
    // A cluster whose binary was lost is no reason to take the newest one.
    let mute = wanted("", &[("m1", None)]).expect_err("refused");
    assert!(
        mute.starts_with("m1 has a cluster's data, and no k3s that tells its version\n"),
        "{mute}"
    );
    assert_eq!(
        wanted("version: v1.36.3+k3s1", &[("m1", None)]),
        Ok(WantedVersion::Exact(VERSION.into()))
    );
}

#[test]
fn a_binary_that_was_never_started_is_no_running_version() {
    let lab = Lab::new(THREE).with("m1", |facts| {
        facts.node.version = Some("v1.30.0+k3s1".into());
    });
    assert_eq!(
        wanted_version(&K3s, &lab.inventory, &lab.facts, &lab.selected),
        Ok(WantedVersion::Channel("stable".into()))
    );
}

#[test]
fn an_agent_that_is_only_read_may_stay_behind() {
    let lab = || {
        let old = |facts: &mut Facts| facts.node.version = Some("v1.35.1+k3s1".into());
        let lab = Lab::new(&format!("cluster: {{version: {VERSION}}}{THREE}"));
        let joined = agent("https://10.0.0.1:6443");
        lab.with("m1", member).with("w1", joined).with("w1", old)
    };
    let wanted = |lab: &Lab| wanted_version(&K3s, &lab.inventory, &lab.facts, &lab.selected);
    assert!(wanted(&lab()).is_err());
    let limited = lab().only(&["m2"]);
    assert_eq!(wanted(&limited), Ok(WantedVersion::Exact(VERSION.into())));
}
