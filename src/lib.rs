//! towline: one binary that turns bare Linux machines into a Kubernetes cluster over SSH.
//!
//! Data flows one way: docs/architecture.md has the picture and a sentence for every room.
//!
//! Everything that decides is pure and takes data: `inventory`, `convert`, `facts`,
//! `cluster`, `playbook`, `task`, `plan`. One place talks to hosts (`run`, over `ssh`), one place
//! prints (`ui`). `engine` goes from an inventory to hosts that are as it says, `adhoc` makes
//! the inventory of a typed line, [`commands`] has one file per command. `tests/architecture/rooms.rs`
//! reads what every file names and fails on an edge that points back.

#![warn(clippy::missing_docs_in_private_items)]

mod adhoc;
mod artifacts;
pub mod cli;
mod cluster;
pub mod commands;
mod convert;
mod digest;
mod distribution;
mod engine;
mod facts;
mod inventory;
mod kubernetes;
mod plan;
mod playbook;
pub mod problem;
mod run;
mod shell;
mod ssh;
mod task;
mod ui;
mod vagrant;
mod vars;

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/properties/mod.rs"]
pub mod fuzzing;

#[cfg(test)]
#[path = "../tests/scenarios.rs"]
mod scenarios;
