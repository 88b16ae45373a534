//! The snapshots of a cluster's data.

use std::time::SystemTime;

use super::Style;
use super::table::layout;
use crate::run::event::SnapshotRow;

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// How long ago something was, as kubectl says it.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Snapshots of a cluster's data, and those that failed.
pub(super) fn table(snapshots: &[SnapshotRow], style: Style) -> String {
    if snapshots.is_empty() {
        return "there are no snapshots".to_owned();
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    let titles = ["snapshot", "host", "size", "age", "location"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(snapshots.iter().map(|one| {
        let failure = one.failure.as_ref().map(|why| format!("FAILED: {why}"));
        let location = failure.or_else(|| one.location.clone());
        vec![
            one.snapshot.clone(),
            one.host.clone(),
            one.bytes.map_or_else(|| "-".to_owned(), size),
            one.taken
                .map_or_else(|| "-".to_owned(), |taken| age(now.saturating_sub(taken))),
            location.unwrap_or_default(),
        ]
    }));
    layout(&rows, &["size", "age"], style, |title, text, cell| {
        match (title, text) {
            ("host", _) => style.cyan(&cell),
            ("location", text) if text.starts_with("FAILED") => style.red(&cell),
            _ => cell,
        }
    })
}
