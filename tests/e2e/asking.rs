//! A client that asks the API over and over while servers are restarted.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::api::Api;

/// How long a request may take, in seconds. When the leader of etcd goes down, the others elect one
/// in a second or two, and a request that needs it waits inside its server: that is a delay and no
/// outage. Measured on two busy cores: at most 2.1, 2.8 and 3.1 s without an answer.
const PATIENCE_OF_A_CLIENT: u32 = 10;

/// How long the API may go without an answer. Where an election takes longer than on those two
/// cores, etcd gives up a read after some seven seconds and every server refuses the request; only
/// the requests after it show whether the API is gone.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// What curl says when nothing listens at the address.
const NOBODY_LISTENS: &str = "curl: (7)";

/// What came of asking over and over.
#[derive(Default)]
struct Asked {
    answers: u32,
    /// The requests that no server answered, each with what the servers said.
    failures: Vec<Vec<String>>,
    /// The longest time from one answer to the next, or to the end.
    longest: Duration,
}

/// Asks over and over until `stop`. A request goes to all servers at once, to each only once, and
/// the first answer counts, however long the others take. It is a read that needs etcd's quorum.
fn ask_until(api: &Api, addresses: &[String], stop: &AtomicBool) -> Asked {
    let (mut asked, mut last) = (Asked::default(), Instant::now());
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            let (sender, answers) = mpsc::channel();
            for address in addresses {
                let sender = sender.clone();
                scope.spawn(move || {
                    let path = "/api/v1/namespaces/default";
                    let answer = api.ask_within(PATIENCE_OF_A_CLIENT, address, address, path);
                    // Nothing waits for the second answer.
                    let _ = sender.send(answer.map_err(|error| format!("{address}: {error}")));
                });
            }
            drop(sender);
            let mut errors = Vec::new();
            let mut answers = answers.iter();
            if answers.any(|answer| answer.map_err(|error| errors.push(error)).is_ok()) {
                asked.answers += 1;
                asked.longest = asked.longest.max(last.elapsed());
                last = Instant::now();
            } else {
                asked.failures.push(errors);
            }
            thread::sleep(Duration::from_millis(250));
        }
        asked.longest = asked.longest.max(last.elapsed());
    });
    asked
}

/// Does something under a client that asks the API at all of these addresses, and asserts that it was never
/// gone: some server was always up.
#[track_caller]
pub fn never_without_an_answer<T>(api: &Api, addresses: &[String], work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    let (done, asked) = thread::scope(|scope| {
        let poller = scope.spawn(|| ask_until(api, addresses, &stop));
        // Whatever becomes of the work, the poller has to be told.
        let done = catch_unwind(AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let told = poller.join().unwrap();
        match done {
            Ok(done) => (done, told),
            Err(panic) => resume_unwind(panic),
        }
    });
    eprintln!(
        "{} answers while servers were restarted, the longest gap {:.1} s, not answered: {:?}",
        asked.answers,
        asked.longest.as_secs_f32(),
        asked.failures
    );
    assert!(
        asked.longest < LONGEST_GAP,
        "the API was gone for {:?}: {:?}",
        asked.longest,
        asked.failures
    );
    for failure in &asked.failures {
        let is_up = |error: &String| !error.contains(NOBODY_LISTENS);
        assert!(failure.iter().any(is_up), "no server was up: {failure:?}");
    }
    assert!(asked.answers > 10, "only {} answers", asked.answers);
    done
}
