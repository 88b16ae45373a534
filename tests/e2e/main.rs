//! Proof on machines: the binary that users run, against servers that boot, lose power and forget.
//!
//! ```text
//!  place.rs      a lab and a user's folder beside it; on failure it tells all that was said
//!  towline.rs    runs the binary, also on a terminal; takes its events apart
//!  inventory.rs  the lab's inventory, changed line by line
//!  api.rs        the cluster's API as it is seen from outside
//!  asking.rs     a client that asks it over and over
//! ```
//!
//! Every test has a lab of its own, so any number of them runs at once; two cores are used best by
//! `cargo test --workspace --test e2e -- --test-threads=2`. They need root and what `tests/lab/prepare`
//! installs. Which k3s they run is the lab's choice (`TOWLINE_LAB_K3S`), and no test knows it:
//! deadlines are those of a real one on a slow machine, and nothing is asserted about time.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "these are tests, and what they say when they fail goes to standard error"
)]

mod api;
mod asking;
mod inventory;
mod place;
mod towline;

mod adopt;
mod bastion;
mod causes;
mod chains;
mod cloud;
mod containers;
mod data;
mod database;
mod deploy;
mod disk;
mod download;
mod drain;
mod elsewhere;
mod firewall;
mod grow;
mod interrupt;
mod k0s;
mod k0s_adopt;
mod k0s_typed;
mod kill;
mod labels;
mod logins;
mod nat;
mod own;
mod pages;
mod power;
mod proxy;
mod refusals;
mod reset;
mod root;
mod secrets;
mod security_key;
mod single;
mod snapshot;
mod supply;
mod together;
mod trust;
mod typed;
mod upgrade;
mod users;
mod words;
