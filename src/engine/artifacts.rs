//! The distribution's binary on its way to the hosts: what is known of it before they are asked, and
//! what has to be here before they are changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::context::Context;
use super::refusal::Refusal;
use crate::artifacts::fetch::{self, DownloadProgress, Fetch};
use crate::artifacts::{Architecture, BinaryArtifact, Download, local, manifest};
use crate::distribution;
use crate::inventory::{BinarySource, LARGEST_MANIFEST, ManifestSource};
use crate::plan::Judged;
use crate::problem::{Code, Problem, problem};
use crate::run::Event;
use crate::task::{Action, Verdict};

/// A binary for hosts, and how it is fetched where it is not a file of this machine.
pub struct Artifact {
    /// The file, its hash and its architecture.
    pub binary: BinaryArtifact,
    /// The download, where the file is not on this machine already.
    pub fetch: Option<Fetch>,
}

impl Context {
    /// Fetches what hosts need from here, before any of them is changed.
    pub async fn bring(&self, fetches: &[(PathBuf, Fetch)]) -> Result<(), Refusal> {
        for (_, fetch) in fetches {
            let (fetch, events) = (fetch.clone(), self.events.clone());
            let fetched = blocking(move || {
                fetch::fetch(&fetch, &|progress| events.send(told(&fetch, progress)))
            });
            self.or_interrupted(async { Ok(fetched.await?) }).await?;
        }
        Ok(())
    }

    /// Fetches the manifests that the inventory has by their URLs, or takes them from the cache.
    pub async fn fetch_manifests(&mut self) -> Result<(), Refusal> {
        for index in 0..self.inventory.cluster.manifests.len() {
            let manifest = &self.inventory.cluster.manifests[index];
            let ManifestSource::Url { url, sha256 } = manifest.source.clone() else {
                continue;
            };
            let (cache, proxy, events) =
                (self.cache.clone(), self.proxy.clone(), self.events.clone());
            let fetched = {
                let (url, what) = (url.clone(), format!("the manifest {}", manifest.name));
                blocking(move || {
                    let tell = || events.send(Event::Fetching { what: what.clone() });
                    manifest::fetch(
                        &url,
                        &sha256,
                        LARGEST_MANIFEST,
                        &cache,
                        proxy.as_ref(),
                        &tell,
                    )
                })
            };
            let text = self.or_interrupted(async { Ok(fetched.await?) }).await?;
            let filled = self.inventory.cluster.manifests[index].fill(text);
            let secrets = filled.map_err(|(line, what)| {
                let url = manifest::shown(&url);
                problem!(Code::MANIFEST_INVALID, "{url}, line {line}: {what}")
            })?;
            for secret in secrets {
                self.redactor.learn(&secret);
            }
        }
        Ok(())
    }

    /// The binary for an architecture. Of a release only the hashes are read.
    pub async fn artifact(
        &self,
        architecture: Architecture,
        version: &str,
    ) -> Result<Artifact, Problem> {
        let cluster = &self.inventory.cluster;
        let pinned = cluster.binary_sha256.get(architecture.name()).cloned();
        let (mirror, proxy) = match &cluster.binary {
            BinarySource::Path(path) => {
                let path = path.clone();
                let mut binary = blocking(move || local(&path)).await?;
                if binary.architecture != architecture {
                    return Err(problem!(
                        Code::BINARY_ARCHITECTURE,
                        "{} is made for {}",
                        binary.path.display(),
                        binary.architecture
                    )
                    .because(format!("there are hosts that are {architecture}"))
                    .next("to fetch the right one for every host")
                    .inventory("cluster: {binary: {source: push}}"));
                }
                if let Some(pinned) = pinned.filter(|pinned| *pinned != binary.sha256) {
                    return Err(problem!(
                        Code::BINARY_HASH,
                        "{} is not the file that the inventory names",
                        binary.path.display()
                    )
                    .because(format!("expected sha256 {pinned}"))
                    .because(format!("the file has sha256 {}", binary.sha256)));
                }
                binary.version.get_or_insert_with(|| version.to_owned());
                return Ok(Artifact {
                    binary,
                    fetch: None,
                });
            }
            BinarySource::Push { mirror } => (mirror, None),
            BinarySource::Download { mirror, proxy } => (mirror, Some(proxy)),
        };
        let fetch = Fetch {
            releases: &distribution::of(&self.inventory).releases,
            version: version.to_owned(),
            architecture,
            mirror: mirror.clone(),
            cache_dir: self.cache.clone(),
            proxy: self.proxy.clone(),
            sha256: pinned,
        };
        let download = proxy.map(|proxy| {
            Ok::<_, Problem>(Download {
                url: fetch::address(&fetch)?,
                proxy: proxy.clone(),
            })
        });
        let announced = fetch.clone();
        let mut binary = blocking(move || fetch::announced(&announced)).await?;
        binary.download = download.transpose()?;
        Ok(Artifact {
            binary,
            fetch: Some(fetch),
        })
    }

    /// The version that a channel names today.
    pub async fn resolve(&self, channel: String) -> Result<String, Problem> {
        let releases = &distribution::of(&self.inventory).releases;
        let mirror = match &self.inventory.cluster.binary {
            BinarySource::Download { mirror, .. } | BinarySource::Push { mirror } => mirror.clone(),
            BinarySource::Path(path) => {
                return Err(Problem::new(
                    Code::BINARY_VERSION,
                    "binary: {source: path} needs to know which version the file is",
                )
                .because(format!(
                    "the inventory names the file {} and no version",
                    path.display()
                ))
                .next(format!(
                    "set the version, as `{} --version` says it",
                    releases.name
                ))
                .inventory(format!("cluster: {{version: {}}}", releases.example)));
            }
        };
        let (proxy, name) = (self.proxy.clone(), channel.clone());
        let version =
            blocking(move || releases.resolve(&name, mirror.as_deref(), proxy.as_ref())).await?;
        self.events.send(Event::Note {
            text: format!("channel {channel} is {version} today"),
        });
        Ok(version)
    }
}

/// What is told of a file that is fetched.
fn told(fetch: &Fetch, progress: DownloadProgress) -> Event {
    let what = format!(
        "{} {} for {}",
        fetch.releases.name, fetch.version, fetch.architecture
    );
    match progress {
        DownloadProgress::Downloading => Event::Fetching { what },
        DownloadProgress::Waiting => Event::Note {
            text: format!("another towline is fetching {what}; waiting for it"),
        },
        DownloadProgress::Damaged(path) => Event::Note {
            text: format!(
                "{}: the cached file is damaged; fetching it again",
                path.display()
            ),
        },
    }
}

/// Waits for something that blocks.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| Problem::new(Code::INTERNAL, error.to_string()))?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_another_towline_and_a_damaged_cache_are_notes_of_the_run() {
        let fetch = Fetch {
            releases: &distribution::k3s::DISTRIBUTION.releases,
            version: "v1.36.3+k3s1".to_owned(),
            architecture: Architecture::Arm64,
            mirror: None,
            cache_dir: "/cache".into(),
            proxy: None,
            sha256: None,
        };
        for (progress, words) in [
            (
                DownloadProgress::Waiting,
                "another towline is fetching k3s v1.36.3+k3s1 for arm64; waiting for it",
            ),
            (
                DownloadProgress::Damaged("/cache/k3s".into()),
                "/cache/k3s: the cached file is damaged; fetching it again",
            ),
        ] {
            let Event::Note { text } = told(&fetch, progress) else {
                panic!("no note");
            };
            assert_eq!(text, words);
        }
    }
}
