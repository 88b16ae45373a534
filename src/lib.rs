//! towline: one binary that turns bare Linux machines into a Kubernetes cluster over SSH.
//!
//! Data flows one way: docs/architecture.md has the picture and a sentence for every room.
//!
//! Everything that decides is pure and takes data: [`inventory`], [`convert`], [`facts`],
//! [`cluster`], [`playbook`], [`task`], [`plan`]. One place talks to hosts ([`run`], over [`ssh`]), one place
//! prints ([`ui`]). `engine` goes from an inventory to hosts that are as it says, `adhoc` makes
//! the inventory of a typed line, [`commands`] has one file per command. `tests/architecture.rs`
//! reads what every file names and fails on an edge that points back.

mod adhoc;
pub mod artifacts;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod convert;
pub mod digest;
pub mod distribution;
mod engine;
pub mod facts;
pub mod inventory;
pub mod kubernetes;
pub mod plan;
pub mod playbook;
pub mod problem;
pub mod run;
pub mod shell;
pub mod ssh;
pub mod task;
pub mod ui;
mod vagrant;
pub mod vars;
