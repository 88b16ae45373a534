//! The distribution's binary on its way to the hosts: what is known of it before they are asked, and
//! what has to be here before they are changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::context::{Context, Survey};
use super::refusal::Refusal;
use crate::cluster::{Situation, Topology};
use crate::distribution::k3s::fetch::{self, Fetch};
use crate::distribution::{Architecture, BinaryArtifact, Download, local};
use crate::error::Problem;
use crate::inventory::Binary;
use crate::plan::Judged;
use crate::run::Event;
use crate::task::{Action, Verdict};

impl Context {
    /// Fetches what hosts need from here, before any of them is changed.
    pub async fn bring(&self, survey: &Survey) -> Result<(), Refusal> {
        for fetch in &survey.fetches {
            let (fetch, events) = (fetch.clone(), self.events.clone());
            let what = format!("k3s {} for {}", fetch.version, fetch.architecture);
            let told = std::cell::Cell::new(false);
            let fetched = blocking(move || {
                fetch::fetch(&fetch, &|_, _| {
                    if !told.replace(true) {
                        events.send(Event::Fetching { what: what.clone() });
                    }
                })
            });
            self.or_asked_for_the_end(async { Ok(fetched.await?) })
                .await?;
        }
        Ok(())
    }

    /// The binary for every architecture among the hosts that take part, and how it is fetched
    /// where it is not a file of this machine. Of a release only the hashes are read.
    pub async fn binaries(
        &self,
        situation: &Situation<'_>,
        topology: &Topology,
        version: &str,
    ) -> Result<(BTreeMap<Architecture, BinaryArtifact>, Vec<Fetch>), Refusal> {
        let takes_part = |name: &String| {
            topology.specs.contains_key(name) || topology.waiting.contains_key(name)
        };
        let facts = situation
            .reach
            .iter()
            .filter(|(name, _)| takes_part(name))
            .filter_map(|(_, reach)| reach.facts());
        let architectures: BTreeSet<_> = facts
            .filter_map(crate::facts::Facts::release_architecture)
            .collect();
        let (mut binaries, mut fetches) = (BTreeMap::new(), Vec::new());
        for architecture in architectures {
            let pinned = self
                .inventory
                .cluster
                .binary_sha256
                .get(architecture.name())
                .cloned();
            let (mirror, proxy) = match &self.inventory.cluster.binary {
                Binary::Path(path) => {
                    let path = path.clone();
                    let mut binary = blocking(move || local::local(&path)).await?;
                    if binary.architecture != architecture {
                        return Err(Problem::new(format!(
                            "{} is made for {}",
                            binary.path.display(),
                            binary.architecture
                        ))
                        .because(format!("there are hosts that are {architecture}"))
                        .next("binary: {source: push}  fetches the right one for every host")
                        .into());
                    }
                    if let Some(pinned) = pinned.filter(|pinned| *pinned != binary.sha256) {
                        return Err(Problem::new(format!(
                            "{} is not the file that the inventory names",
                            binary.path.display()
                        ))
                        .because(format!("expected sha256 {pinned}"))
                        .because(format!("the file has sha256 {}", binary.sha256))
                        .into());
                    }
                    binary.version.get_or_insert_with(|| version.to_owned());
                    binaries.insert(architecture, binary);
                    continue;
                }
                Binary::Push { mirror } => (mirror, None),
                Binary::Download { mirror, proxy } => (mirror, Some(proxy)),
            };
            let fetch = Fetch {
                version: version.to_owned(),
                architecture,
                mirror: mirror.clone(),
                cache_dir: self.cache.clone(),
                proxy: self.proxy.clone(),
                sha256: pinned,
            };
            fetches.push(fetch.clone());
            let download = match proxy {
                None => None,
                Some(proxy) => Some(Download {
                    url: fetch::address(&fetch)?,
                    proxy: proxy.clone(),
                }),
            };
            let mut binary = blocking(move || fetch::announced(&fetch)).await?;
            binary.download = download;
            binaries.insert(architecture, binary);
        }
        Ok((binaries, fetches))
    }
}

/// Waits for something that blocks.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Problem::new(error.to_string()))?
}

/// The files that hosts are sent.
pub fn sent(judged: &Judged) -> BTreeSet<&Path> {
    let lanes = judged.stages.iter().flat_map(|(_, _, lanes)| lanes);
    let verdicts = lanes.flat_map(|(_, steps)| steps.iter().map(|step| &step.verdict));
    let remedies = verdicts.filter_map(|verdict| match verdict {
        Ok(Verdict::Drifted(remedy)) => Some(remedy),
        _ => None,
    });
    let actions = remedies.flat_map(|remedy| &remedy.actions);
    let files = actions.filter_map(|action| match action {
        Action::Put(upload) => Some(&*upload.source),
        Action::Run(_) => None,
    });
    files.collect()
}
