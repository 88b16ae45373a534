//! `towline cache`: what was fetched to this machine.

use std::time::Instant;

use crate::artifacts::{cache, manifest};
use crate::cli::{Cache, Environment};
use crate::distribution;
use crate::problem::{Code, ExitCode, problem};
use crate::run::Event;
use crate::run::report::Report;
use crate::ui::{Format, Ui};

pub(super) fn run(what: Cache, environment: &Environment, ui: &Ui) -> ExitCode {
    let folder = &environment.cache;
    let begun = Instant::now();
    let finish = |is_good| {
        let report = Report::without_hosts(begun, is_good);
        let code = report.exit_code();
        ui.show(Event::Finished { report });
        code
    };
    let distributions = distribution::ALL.iter();
    let done = distributions.map(|distribution| {
        let name = distribution.rules.product().name;
        let kept = match what {
            Cache::List => cache::list(folder, name),
            Cache::Clean => cache::clean(folder, name),
        };
        let named = |kept: Vec<_>| {
            kept.into_iter()
                .map(|kept| (name, kept))
                .collect::<Vec<_>>()
        };
        kept.map(named)
    });
    let done: Result<Vec<_>, _> = done.collect();
    let manifests = match what {
        Cache::List => manifest::list(folder),
        Cache::Clean => manifest::clean(folder),
    };
    let (kept, manifests) = match done.and_then(|kept| Ok((kept.concat(), manifests?))) {
        Ok(all) => all,
        Err(error) => {
            let problem = problem!(
                Code::CACHE_UNUSABLE,
                file = folder,
                "the cache cannot be used"
            );
            let problem = problem.because(error);
            ui.show(Event::Trouble { problem });
            return finish(false);
        }
    };
    if kept.is_empty() && manifests.is_empty() && ui.format == Format::Plain {
        ui.out(&format!("nothing is kept in {}", folder.display()));
    }
    for (distribution, kept) in kept {
        ui.show(Event::Cached {
            distribution: distribution.to_owned(),
            version: kept.version,
            architecture: kept.architecture,
            mirror: kept.mirror,
            path: kept.path.display().to_string(),
            bytes: kept.bytes,
            removed: what == Cache::Clean,
        });
    }
    for kept in manifests {
        ui.show(Event::CachedManifest {
            sha256: kept.sha256,
            path: kept.path.display().to_string(),
            bytes: kept.bytes,
            removed: what == Cache::Clean,
        });
    }
    finish(true)
}
