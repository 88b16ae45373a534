//! The way of events to the user interface.

use tokio::sync::{mpsc, oneshot};

use super::Event;

/// What goes to the user interface.
#[derive(Debug)]
enum Message {
    Event(Event),
    /// Answered when everything before this was told.
    Told(oneshot::Sender<()>),
}

/// Takes events to the user interface.
#[derive(Debug, Clone)]
pub struct Events(mpsc::UnboundedSender<Message>);

impl Events {
    /// A sender and the receiver that the user interface reads.
    pub fn channel() -> (Self, Receiver) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Receiver(receiver))
    }

    /// Says what happened. A user interface that has gone away does not stop the work.
    pub fn send(&self, event: Event) {
        tracing::debug!("{}", serde_json::to_string(&event).unwrap_or_default());
        drop(self.0.send(Message::Event(event)));
    }

    /// Ends when everything that was sent before was told, or the user interface has gone.
    pub async fn told(&self) {
        let (sender, receiver) = oneshot::channel();
        drop(self.0.send(Message::Told(sender)));
        drop(receiver.await);
    }
}

/// Where the user interface finds what happened.
#[derive(Debug)]
pub struct Receiver(mpsc::UnboundedReceiver<Message>);

impl Receiver {
    /// The next event; none when all senders are gone. Asking for it means that those before were told.
    pub async fn recv(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await? {
                Message::Event(event) => return Some(event),
                Message::Told(waiting) => drop(waiting.send(())),
            }
        }
    }

    /// Everything that has happened by now.
    #[cfg(test)]
    pub fn drain(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(message) = self.0.try_recv() {
            if let Message::Event(event) = message {
                events.push(event);
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn an_event_is_told_when_the_next_one_is_asked_for() {
        let note = || Event::Note {
            text: String::new(),
        };
        let (events, mut receiver) = Events::channel();
        events.send(note());
        let mut told = Box::pin(events.told());
        assert!(told.as_mut().now_or_never().is_none());
        assert!(receiver.recv().await.is_some());
        assert!(told.as_mut().now_or_never().is_none());
        events.send(note());
        assert!(receiver.recv().await.is_some());
        assert!(told.now_or_never().is_some());
        drop(receiver);
        events.told().await;
    }
}
