//! What the lab's tests share.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use towline_lab::Options;

/// That many machines, and nothing to install.
pub fn machines(servers: u8, agents: u8) -> Options {
    Options {
        servers,
        agents,
        release: false,
        ..Options::default()
    }
}

/// Everything on this host which carries one of these ids: processes, cgroups, links, routes, tables of
/// nftables, mounts, folders.
pub fn traces(id: &str) -> Vec<String> {
    let mut traces = Vec::new();
    let mut note = |kind: &str, text: &str| {
        traces.extend(
            text.lines()
                .filter(|line| line.contains(id))
                .map(|line| format!("{kind}: {line}")),
        );
    };
    note(
        "mount",
        &fs::read_to_string("/proc/self/mountinfo").unwrap(),
    );
    note("link", &output("ip", &["-brief", "link"]));
    note("route", &output("ip", &["route", "show", "table", "all"]));
    note("table", &output("nft", &["list", "tables"]));
    note(
        "cgroup",
        &output(
            "find",
            &["/sys/fs/cgroup", "-type", "d", "-path", &format!("*{id}*")],
        ),
    );
    note("process", &output("ps", &["-eww", "-o", "args"]));
    note(
        "folder",
        &output(
            "find",
            &["/var/tmp/towline-lab", "/run/towline-lab", "-maxdepth", "2"],
        ),
    );
    // The commands that look are processes, too.
    traces.retain(|trace| !trace.starts_with("process: find "));
    traces
}

/// Standard output of a command of this host.
pub fn output(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(
        Command::new(program)
            .args(arguments)
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap()
}

/// Nothing may be left, at the latest when the kernel has cleared up.
#[track_caller]
pub fn assert_no_traces(id: &str) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let traces = traces(id);
        if traces.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "still there:\n{}",
            traces.join("\n")
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until it is so. A machine that boots takes a minute and more when every core is busy.
pub fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for five minutes");
        thread::sleep(Duration::from_millis(200));
    }
}
