//! Connections, exchanges and logins against servers inside the test process.

mod authentication;
mod connection;
mod exchange;
mod host_certificate;
mod host_key;
mod lies;
mod server;
mod sudo;
pub(super) mod world;
