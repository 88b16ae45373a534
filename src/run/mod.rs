//! The one place that talks to hosts: connects, asks, acts, and says what happened as events.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Semaphore, watch};

use crate::inventory::Host;
use crate::problem::{Code, Problem};
use crate::ssh::Remote;
use event::Events;

pub mod event;
mod exchange;
pub mod gather;
mod guard;
mod lasting;
mod notice;
mod planned;
pub mod report;
mod schema;
mod stage;
pub mod state;
mod step;
mod sudo;
pub mod trace;

#[cfg(test)]
mod tests;

pub use event::Event;
pub use planned::planned;
pub use report::{Outcome, Report};
pub use schema::schema;

/// How a connection that was asked for came out.
pub type Connected<'a> =
    Pin<Box<dyn Future<Output = Result<Arc<dyn Remote>, gather::Unreached>> + Send + 'a>>;

/// Opens connections: over SSH in the program, from a script in tests.
pub trait Connector: Send + Sync {
    /// Opens the one connection of a host.
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a>;
}

/// How far the run is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interrupt {
    /// Not at all.
    None,
    /// The running actions end, nothing new begins.
    Finish,
    /// The connections are dropped.
    Drop,
}

/// What every part of a run needs.
#[derive(Clone)]
pub struct Runner {
    /// What tells this run from all others where two of them meet.
    pub run: Arc<str>,
    /// The hosts that are connected.
    pub remotes: BTreeMap<String, Arc<dyn Remote>>,
    /// Where events go.
    pub events: Events,
    /// So many hosts are worked on at once.
    pub limit: Arc<Semaphore>,
    /// Whether the run is interrupted.
    pub interrupt: watch::Receiver<Interrupt>,
    /// Time between two looks at something that is under way.
    pub pause: Duration,
}

/// Why a host goes no further.
#[derive(Debug)]
enum Stop {
    /// A step failed.
    Failed(Problem),
    /// A step would harm the cluster now, for this reason.
    Held(String),
    /// The run was interrupted.
    Interrupted,
}

/// What comes of the work on a host. Where towline itself fails at it, the other hosts go on.
async fn contained<T>(work: impl Future<Output = T>) -> Result<T, Problem> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.map_err(|panic| {
        let words = panic.downcast_ref::<&str>().copied();
        let words = words.or(panic.downcast_ref::<String>().map(|words| &**words));
        Problem::new(Code::INTERNAL, "towline itself failed").because(words.unwrap_or("panic"))
    })
}

impl Runner {
    fn interrupted(&self) -> bool {
        *self.interrupt.borrow() != Interrupt::None
    }

    /// Waits, or less when interrupted.
    async fn rest(&self, time: Duration) {
        let mut interrupt = self.interrupt.clone();
        let asked = interrupt.wait_for(|interrupt| *interrupt != Interrupt::None);
        // A closed channel means that no one asks any more.
        let asked = async {
            if asked.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = asked => {}
        }
    }
}
