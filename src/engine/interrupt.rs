//! Ctrl-C: once to finish what is running and stop, twice to drop everything.

use tokio::sync::watch;

use crate::run::event::Events;
use crate::run::{Event, Interrupt};

/// Watches for Ctrl-C and SIGTERM until the receiver is gone.
pub fn watch(events: Events) -> watch::Receiver<Interrupt> {
    let (sender, receiver) = watch::channel(Interrupt::None);
    tokio::spawn(async move {
        for interrupt in [Interrupt::Finish, Interrupt::Drop] {
            tokio::select! {
                () = asked() => {}
                // The user interface tells until the last sender of events is gone.
                () = sender.closed() => return,
            }
            let again = interrupt == Interrupt::Drop;
            events.send(Event::Interrupted { again });
            if sender.send(interrupt).is_err() {
                return;
            }
        }
        // The receiver of the last word acts on it; the channel stays open until then.
        sender.closed().await;
    });
    receiver
}

async fn asked() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

/// Ends when the run is interrupted so far.
pub async fn until(much: Interrupt, mut interrupt: watch::Receiver<Interrupt>) {
    if interrupt.wait_for(|asked| *asked >= much).await.is_err() {
        std::future::pending::<()>().await;
    }
}
