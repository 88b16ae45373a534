//! When an exchange has taken too long.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::seconds;

/// How long a channel may stay open and silent after its command ended: something in the
/// background holds it.
const LINGER: Duration = Duration::from_secs(10);
/// A file may take as long as it takes to send it at this rate, bytes a second: slower than any
/// line that a cluster can be run over.
const SLOWEST: u64 = 32 * 1024;

/// The time limits of an exchange.
pub(super) struct Timer {
    begun: Instant,
    limit: Duration,
    /// The size of the file that is sent. With a file the limit starts again with every progress.
    size: Option<u64>,
    /// The last progress, or the beginning.
    last: Mutex<Instant>,
}

impl Timer {
    pub fn new(begun: Instant, limit: Duration, size: Option<u64>) -> Self {
        Self {
            begun,
            limit,
            size,
            last: Mutex::new(begun),
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn progress(&self) {
        if self.size.is_some() {
            *self.last() = Instant::now();
        }
    }

    /// Returns when a limit has passed, and which; sooner when the command has ended.
    pub async fn passed(&self, ended: bool) -> String {
        let lingered = Instant::now() + LINGER;
        let whole = self
            .size
            .map(|size| self.limit + Duration::from_secs(size.div_ceil(SLOWEST)));
        loop {
            let stalled = *self.last() + self.limit;
            let mut end = whole.map_or(stalled, |whole| stalled.min(self.begun + whole));
            if ended {
                end = end.min(lingered);
            }
            let now = Instant::now();
            if now >= end {
                return match whole {
                    Some(whole) if now < stalled => format!(
                        "{} MB did not arrive within {}: that is less than {} KiB a second",
                        self.size.unwrap_or_default().div_ceil(1_000_000),
                        seconds(whole),
                        SLOWEST / 1024
                    ),
                    _ => format!("no answer within {}", seconds(self.limit)),
                };
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
