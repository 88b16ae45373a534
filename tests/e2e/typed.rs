//! A reset by a user at a terminal, who is asked for the cluster's name.

use crate::place::{Place, wait_for};
use crate::reset::{kernel, same_lines, tree};
use crate::towline::Answer;
use crate::towline::terminal::CTRL_C;

const QUESTION: &str = "Type the cluster's name, demo, to go on";

/// Asserts that what is asked about was read before the question.
#[track_caller]
fn showed_the_plan_first(answer: &Answer) {
    let place = |text: &str| {
        let found = answer.stdout.find(text);
        found.unwrap_or_else(|| panic!("{text:?} is not in:\n{}", answer.stdout))
    };
    let parts = [
        "k3s and its data are removed from m1",
        "stop and disable k3s",
        "remove /var/lib/rancher/k3s",
        "This cannot be undone",
        QUESTION,
    ];
    assert!(parts.map(place).is_sorted(), "{}", answer.stdout);
    // Hidden and never shown again is how a cursor is lost.
    let last = |sequence: &str| answer.stdout.rfind(sequence);
    assert!(last("\u{1b}[?25l") <= last("\u{1b}[?25h"));
}

#[test]
fn a_reset_on_a_terminal_begins_when_the_clusters_name_was_typed_and_only_then() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    let inventory = place.inventory();
    let bare = (tree(m1), kernel(m1));
    place.deploy(&inventory).ends(0);
    // But for what a k3s that runs writes, and adds to the kernel, by itself.
    let alive = || {
        let unit = m1.succeed(
            "systemctl show -p MainPID,ActiveState,UnitFileState k3s; cat /var/lib/rancher/k3s/server/token",
        );
        let files = tree(m1);
        let own = |line: &&str| !line.contains("/lib/rancher") && !line.contains("/lib/kubelet");
        (
            unit,
            files.lines().filter(own).collect::<Vec<_>>().join("\n"),
        )
    };
    let before = (alive(), kernel(m1));
    let ask = || {
        let mut running = place.towline("reset", &inventory).on_a_terminal();
        running.shows(QUESTION);
        running
    };

    for wrong in ["other\r", "DEMO\r", "\r"] {
        let mut running = ask();
        running.types(wrong);
        let ended = running.wait().ends(2);
        showed_the_plan_first(&ended);
        ended.says(&[
            "what was typed is not the cluster's name, demo",
            "nothing was changed",
        ]);
    }

    let mut running = ask();
    running.types("dem");
    wait_for("the end", || {
        // It may end between the look and the key, and nothing reads the key then.
        if running.is_running() {
            let _ = running.presses(CTRL_C);
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        (!running.is_running()).then_some(())
    });
    let ended = running.wait().ends(1);
    showed_the_plan_first(&ended);
    ended.says(&["interrupted; nothing was changed"]);
    assert_eq!(before.0, alive());
    let now = kernel(m1);
    let gone = before.1.lines().find(|line| !now.contains(line));
    assert_eq!(gone, None, "in\n{now}");

    // While the user thinks, the server goes down: what was agreed to is not what would be done.
    let mut running = ask();
    m1.succeed("systemctl stop k3s");
    running.types("demo\r");
    wait_for("the question, once more", || {
        let said = running.said();
        let note = said.rfind("the hosts are no longer as they were when they were looked at");
        (note.is_some() && said.rfind(QUESTION) > note).then_some(())
    });
    m1.succeed("test -d /var/lib/rancher/k3s/server && systemctl is-enabled k3s");
    running.types("demo\r");
    let ended = running.wait().ends(0);
    showed_the_plan_first(&ended);
    same_lines("files", &bare.0, &tree(m1));
    same_lines("kernel", &bare.1, &kernel(m1));
    m1.succeed("! systemctl list-units --all --plain | grep -E 'k3s\\.service'");
}
