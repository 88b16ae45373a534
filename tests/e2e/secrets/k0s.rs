//! What hosts of k0s join with: tokens that towline makes for a run and takes back.

use std::fs;

use serde_json::Value;
use towline_lab::{Distribution, Mirror, Options};

use super::record::now;
use super::story::Story;
use crate::place::Place;
use crate::single::Desk;

/// Steps of the user's that keep what a worker joins with, once as it is and once as k0s takes it.
const KEEPS: [(&str, &str, &str); 2] = [
    ("admit", "tokens", "{{ k0s.tokens | json }}"),
    ("worker", "packed", "{{ k0s.token }}"),
];

/// A controller and a worker from nothing, and their end.
pub fn cluster() -> Story {
    let place = Place::with(&Options {
        servers: 1,
        agents: 1,
        distribution: Distribution::K0s,
        ..Options::default()
    });
    let gateway = place.lab.gateway().into();
    let mirror = Mirror::release_on(gateway, place.lab.release()).unwrap();
    let story = Story::of(Desk { mirror, place });
    let place = &story.desk.place;
    let playbooks = concat!(env!("CARGO_MANIFEST_DIR"), "/playbooks/k0s");
    for (playbook, name, text) in KEEPS {
        let own = fs::read_to_string(format!("{playbooks}/{playbook}.yml")).unwrap();
        let step = format!(
            "- name: {name}\n  file: {{path: /root/{name}, template: site/{name}, mode: \"0600\"}}\n"
        );
        story.write(
            &format!("mine/playbooks/k0s/{playbook}.yml"),
            &(step + &own),
        );
        story.write(&format!("mine/templates/site/{name}"), text);
    }
    fs::create_dir_all(place.file("trace")).unwrap();
    story.since.set(now());
    let all = place.inventory();
    let deploy = place
        .towline("deploy", &all)
        .args("--overrides mine --output json");
    story.loud(deploy).run().ends(0);
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    let tokens: Value = serde_json::from_str(&m1.succeed("cat /root/tokens")).unwrap();
    story.learn(
        "the token of a worker",
        tokens[0]["secret"].as_str().unwrap(),
    );
    // All that is packed begins in the same way.
    story.learn("a packed token", &m2.succeed("cat /root/packed")[24..]);
    story.look_at_machines();
    story.run("deploy", &all).ends(0);
    story.run("reset --yes", &all).ends(0);
    story.look_at_machines();
    story
}
