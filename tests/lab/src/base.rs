//! The image below every machine's disk: a Debian without anything that a bare server would not have (no curl, no
//! Python). Made once by debootstrap, cached under the hash of its recipe, never written afterwards.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::command::run;
use crate::{places, say};

const SUITE: &str = "bookworm";
const PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iputils-ping,ca-certificates,procps,\
                        kmod,iptables,nftables,util-linux";

/// What is done to the fresh tree, inside it.
const IMAGE: &str = include_str!("image.sh");

/// Modules that k3s or its operators ask for, and the kernel option which compiles each of them in.
const MODULES: [(&str, &str); 12] = [
    ("br_netfilter", "BRIDGE_NETFILTER"),
    ("ip_tables", "IP_NF_IPTABLES"),
    ("iptable_filter", "IP_NF_FILTER"),
    ("iptable_nat", "IP_NF_NAT"),
    ("ip_vs", "IP_VS"),
    ("nf_conntrack", "NF_CONNTRACK"),
    ("nf_tables", "NF_TABLES"),
    ("overlay", "OVERLAY_FS"),
    ("tun", "TUN"),
    ("veth", "VETH"),
    ("vxlan", "VXLAN"),
    ("wireguard", "WIREGUARD"),
];

/// The kernel's modules as the host has them, to be shown to the machines; none where everything is compiled in.
pub(crate) fn host_modules() -> Option<PathBuf> {
    let modules = Path::new("/lib/modules").join(kernel_release());
    modules.is_dir().then_some(modules)
}

/// Returns the image's folder, and makes it first where the cache has none; this takes a minute.
pub fn ensure() -> Result<PathBuf> {
    let images = places::cache()?.join("base");
    fs::create_dir_all(&images)?;
    let modules = compiled_in();
    let image = images.join(recipe_hash(&modules));
    if image.is_dir() {
        return Ok(image);
    }
    let _lock = places::lock(&images.join("lock"))?;
    if image.is_dir() {
        return Ok(image);
    }
    let unfinished = images.join("unfinished");
    remove(&unfinished)?;
    let log = images.join("debootstrap.log");
    say::progress(&format!(
        "making the machines' image (once, about a minute; log: {})",
        log.display()
    ));
    let began = Instant::now();
    build(&unfinished, &log, &modules)?;
    fs::rename(&unfinished, &image)
        .with_context(|| format!("move the image to {}", image.display()))?;
    say::progress(&format!(
        "image made in {} s: {}",
        began.elapsed().as_secs(),
        image.display()
    ));
    Ok(image)
}

fn build(target: &Path, log: &Path, modules: &[&str]) -> Result<()> {
    let output = fs::File::create(log)?;
    // In a mount namespace, so that a killed debootstrap leaves no mounted /proc behind.
    let mut debootstrap = Command::new("unshare");
    debootstrap
        .args([
            "--mount",
            "--propagation",
            "private",
            "debootstrap",
            "--variant=minbase",
        ])
        .arg(format!("--include={PACKAGES}"))
        .arg(SUITE)
        .arg(target)
        .args(host_mirror())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let status = debootstrap.status().context("start debootstrap")?;
    if !status.success() {
        let said = fs::read_to_string(log).unwrap_or_default();
        bail!(
            "debootstrap failed ({status}); the end of {}:\n{}",
            log.display(),
            tail(&said, 8)
        );
    }
    let mut image = Command::new("chroot");
    image
        .arg(target)
        .args(["/bin/sh", "-c", IMAGE, "image.sh", &kernel_release()])
        .args(modules)
        .env("LC_ALL", "C");
    run(&mut image).context("make the fresh Debian a server (image.sh)")?;
    Ok(())
}

/// The last lines of what a program said.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

fn recipe_hash(modules: &[&str]) -> String {
    let kernel = if modules.is_empty() {
        String::new()
    } else {
        kernel_release()
    };
    let mut hasher = DefaultHasher::new();
    (SUITE, PACKAGES, IMAGE, modules, kernel).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn kernel_release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Which of [`MODULES`] this kernel has inside; unknown where it does not show its configuration, and beside the
/// point where the host has module files, which are bound into the machines.
fn compiled_in() -> Vec<&'static str> {
    if host_modules().is_some() {
        return Vec::new();
    }
    let config = run(Command::new("zcat").arg("/proc/config.gz")).unwrap_or_default();
    let has = |option: &str| {
        config
            .lines()
            .any(|line| line == format!("CONFIG_{option}=y"))
    };
    MODULES
        .into_iter()
        .filter(|(_, option)| has(option))
        .map(|(module, _)| module)
        .collect()
}

/// The Debian mirror of this host's own apt sources; none, and debootstrap takes its default.
fn host_mirror() -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(
        fs::read_dir("/etc/apt/sources.list.d")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    files.sort();
    files
        .iter()
        .find_map(|file| mirror_in(&fs::read_to_string(file).ok()?))
}

/// Understands both forms, `deb [options] URI suite component` and `URIs: URI`.
fn mirror_in(sources: &str) -> Option<String> {
    sources
        .lines()
        .filter_map(|line| {
            line.strip_prefix("deb ")
                .or_else(|| line.strip_prefix("URIs:"))
        })
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .find(|uri| uri.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_hosts_own() {
        for (sources, expected) in [
            ("# deb http://old.example/debian x main\n", None),
            (
                "deb [arch=amd64] http://mirror.example/debian/ bookworm main\n",
                Some("http://mirror.example/debian/"),
            ),
            (
                "Types: deb\nURIs: https://mirror.example/debian\nSuites: trixie\n",
                Some("https://mirror.example/debian"),
            ),
            ("URIs: https://mirror.example/debian-security\n", None),
            ("deb http://archive.example/ubuntu noble main\n", None),
        ] {
            assert_eq!(mirror_in(sources).as_deref(), expected, "{sources}");
        }
    }

    #[test]
    fn a_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("", 2), "");
    }
}
