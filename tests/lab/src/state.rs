//! What a lab's run folder says about it, so that a later command can take it up again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Role;
use crate::release::{Distribution, Release};

/// The content of `lab.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) id: String,
    /// The third number of the subnet.
    pub(crate) network: u8,
    pub(crate) image: PathBuf,
    pub(crate) promote_seconds: Option<u32>,
    pub(crate) distribution: Distribution,
    pub(crate) release: Option<Release>,
    /// The roles of m1, m2 and so on.
    pub(crate) machines: Vec<Role>,
}

impl State {
    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join("lab.json");
        let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understand {}", path.display()))
    }

    pub(crate) fn save(&self, directory: &Path) -> Result<()> {
        let path = directory.join("lab.json");
        fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("write {}", path.display()))
    }
}
