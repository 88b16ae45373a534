//! Real machines on one machine: Debian with systemd and OpenSSH in systemd-nspawn containers, on a bridge of
//! their own, as many as a test wants, in seconds.
//!
//! ```text
//!  Lab::up ──► sweep      what dead runs left goes first
//!          ──► base       the image, made once by debootstrap, cached
//!          ──► release    which binary of k3s or k0s: named, official, or the stand-in
//!          ──► network    a bridge and a free 10.77.n.0/24; nat, where a test wants it
//!          ──► disk       per machine: overlay, host keys, users, address
//!          ──► machine    boot, cut, wipe, ssh          (launch.sh, cgroup)
//!  Lab::down ◄── Drop, `towline-lab down`, sweep, guard  (host.sh)
//! ```
//!
//! A lab is a run folder, `/var/tmp/towline-lab/<id>/`, and everything it has on the host carries its id: the
//! cgroups `towline-<id>-m1`, the bridge `tl<id>`, the interfaces `vb-<id>-m1`, the table `towline_<id>` of
//! nftables. So two labs never meet, and a lab can be removed by anybody who knows its id. Its mounts live in a mount
//! namespace of each machine and end with it.
//!
//! Who removes it: `Drop`, also while panicking; a guard process, when the owner was killed; the sweep of the next
//! start, when even the guard was. A lab that was marked by [`Lab::keep`] stays until somebody takes it [`Lab::down`].
//!
//! Where the lab is not a real machine: all machines share the host's kernel (so its global sysctls, its clock and
//! its modules), and a power cut loses no written data, since the page cache is the host's.
//!
//! [`Audit`] records which programs run, here and on the machines, by the kernel that they share.
//!
//! Environment: `TOWLINE_LAB_RUN` (run folders), `TOWLINE_LAB_CACHE` (image, official releases), `TOWLINE_LAB_K3S`
//! and `TOWLINE_LAB_K0S` (binaries), `TOWLINE_LAB_K3S_OLDER` and `TOWLINE_LAB_K0S_OLDER` (binaries of other versions
//! beside those, `FILE[:FILE…]`, for [`Lab::release_of`]).

mod audit;
mod base;
mod cgroup;
mod claim;
mod command;
mod disk;
mod inventory;
mod lab;
mod machine;
mod mirror;
mod nat;
mod network;
mod packages;
mod places;
mod reach;
mod release;
pub mod say;
mod state;
mod sweep;

pub use audit::Audit;
pub use base::ensure as image;
pub use lab::{Lab, Options};
pub use machine::{Machine, Role};
pub use mirror::{Fault, Mirror};
pub use reach::{Answer, SUDO_PASSWORD};
pub use release::{Distribution, Release, Source, find as find_release};
pub use sweep::{Listed, list, sweep, take_down};
