//! A machine's disk: what lies over the image. Removing it and making it anew is what `wipe` means.
//!
//! `upper` and `work` are the overlay; the folders of [`Distribution::data_folders`] are bound to their places in
//! `/var/lib`, because an overlay cannot hold the overlays that containerd makes there.

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::run;
use crate::release::Distribution;

const ROOT: u32 = 0;
/// As `useradd` numbers them in image.sh: home folder and user id of everybody who may log in.
const USERS: [(&str, u32); 3] = [("root", ROOT), ("home/admin", 1000), ("home/asker", 1001)];

/// Server keys as Debian's OpenSSH makes them, without RSA, whose making takes a second.
const KEY_TYPES: [&str; 2] = ["ed25519", "ecdsa"];

/// A node is Ready when its containerd has found such a file. k0s lets a pod write it, whose image no machine can pull.
/// No pod ever runs by it.
const CONFLIST: &str = r#"{"cniVersion": "1.0.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "kube-bridge",
  "isDefaultGateway": true, "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.255.0/24"}]]}}]}
"#;

/// What is written to a new disk.
pub(crate) struct Identity<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) address6: Ipv6Addr,
    pub(crate) gateway6: Ipv6Addr,
    /// The public key that may log in, one line.
    pub(crate) authorized_key: &'a str,
    pub(crate) promote_seconds: Option<u32>,
    pub(crate) distribution: Distribution,
}

/// Makes a new disk at `disk`, in place of any old one: new host keys, no machine-id, nothing installed.
pub(crate) fn create(disk: &Path, identity: &Identity<'_>) -> Result<()> {
    if disk.exists() {
        fs::remove_dir_all(disk)
            .with_context(|| format!("remove the old disk {}", disk.display()))?;
    }
    let Identity {
        name,
        address,
        gateway,
        address6,
        gateway6,
        distribution,
        ..
    } = identity;
    let upper = disk.join("upper");
    for part in ["", "upper", "work"] {
        directory(&disk.join(part), 0o755, ROOT)?;
    }
    for (path, mode) in [
        ("etc", 0o755),
        ("etc/ssh", 0o755),
        ("home", 0o755),
        ("var", 0o755),
        ("var/lib", 0o755),
    ] {
        directory(&upper.join(path), mode, ROOT)?;
    }
    for folder in distribution.data_folders() {
        directory(&disk.join(folder), 0o755, ROOT)?;
        directory(&upper.join("var/lib").join(folder), 0o755, ROOT)?;
    }
    file(
        &upper.join("etc/hostname"),
        &format!("{name}\n"),
        0o644,
        ROOT,
    )?;
    file(
        &upper.join("etc/hosts"),
        &format!("127.0.0.1 localhost\n127.0.1.1 {name}\n"),
        0o644,
        ROOT,
    )?;
    // Empty, so that the machine makes its own at its first boot; shared ones are a fault that towline finds.
    file(&upper.join("etc/machine-id"), "", 0o444, ROOT)?;
    // The host answers no DNS there, so a lookup fails at once instead of after a timeout.
    file(
        &upper.join("etc/resolv.conf"),
        &format!("nameserver {gateway}\n"),
        0o644,
        ROOT,
    )?;
    file(
        &upper.join("etc/lab-network"),
        &format!(
            "ADDRESS={address}/24\nGATEWAY={gateway}\nADDRESS6={address6}/64\nGATEWAY6={gateway6}\n"
        ),
        0o644,
        ROOT,
    )?;
    if let Some(seconds) = identity.promote_seconds {
        let knobs = upper.join(format!("etc/{distribution}-standin"));
        directory(&knobs, 0o755, ROOT)?;
        file(
            &knobs.join("promote-seconds"),
            &format!("{seconds}\n"),
            0o644,
            ROOT,
        )?;
    }
    if *distribution == Distribution::K0s {
        let folder = upper.join("etc/cni/net.d");
        directory(&upper.join("etc/cni"), 0o755, ROOT)?;
        directory(&folder, 0o755, ROOT)?;
        file(&folder.join("10-lab.conflist"), CONFLIST, 0o644, ROOT)?;
    }
    for (home, user) in USERS {
        let home = upper.join(home);
        directory(&home, 0o700, user)?;
        directory(&home.join(".ssh"), 0o700, user)?;
        file(
            &home.join(".ssh/authorized_keys"),
            &format!("{}\n", identity.authorized_key),
            0o600,
            user,
        )?;
    }
    for key_type in KEY_TYPES {
        generate_key(
            &upper.join(format!("etc/ssh/ssh_host_{key_type}_key")),
            key_type,
            &format!("root@{name}"),
        )?;
    }
    Ok(())
}

/// Makes a key pair without a passphrase at `path` and `path`.pub.
pub(crate) fn generate_key(path: &Path, key_type: &str, comment: &str) -> Result<()> {
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", key_type, "-N", "", "-C", comment, "-f"])
        .arg(path))?;
    Ok(())
}

/// The lines of a `known_hosts` file for the keys which this disk holds now.
pub(crate) fn known_hosts_lines(disk: &Path, address: impl Into<IpAddr>) -> Result<String> {
    let address = address.into();
    let ssh = disk.join("upper/etc/ssh");
    let mut keys: Vec<PathBuf> = fs::read_dir(&ssh)
        .with_context(|| format!("read the host keys in {}", ssh.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("_key.pub"))
        .collect();
    keys.sort();
    let mut lines = String::new();
    for key in keys {
        let text = fs::read_to_string(&key)?;
        let mut words = text.split_whitespace();
        if let (Some(key_type), Some(key)) = (words.next(), words.next()) {
            let _ = writeln!(lines, "{address} {key_type} {key}");
        }
    }
    Ok(lines)
}

fn directory(path: &Path, mode: u32, owner: u32) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
    own(path, mode, owner)
}

fn file(path: &Path, text: &str, mode: u32, owner: u32) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    own(path, mode, owner)
}

fn own(path: &Path, mode: u32, owner: u32) -> Result<()> {
    chown(path, Some(owner), Some(owner))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .with_context(|| format!("set owner and mode of {}", path.display()))
}
