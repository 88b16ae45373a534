//! Vagrant's machines, as lxc containers. The story is a script, which people run by `make vagrant-test`.

use std::process::Command;

#[test]
fn vagrants_machines_become_a_cluster_and_stay_one() {
    let k3s = towline_lab::find_release(towline_lab::Distribution::K3s).unwrap();
    // However this process ends, the script is told, and cleans up.
    let output = Command::new("setpriv")
        .args(["--pdeathsig", "TERM"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/vagrant/test"))
        .env("TOWLINE", env!("CARGO_BIN_EXE_towline"))
        .env("TOWLINE_IMAGE", towline_lab::image().unwrap())
        .env("TOWLINE_K3S", k3s.path)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    eprintln!("{said}");
    assert!(output.status.success(), "{}: {said}", output.status);
}
