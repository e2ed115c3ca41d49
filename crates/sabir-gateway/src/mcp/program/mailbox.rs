//! Messages of a program that wait until a client reads them, up to a bound.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// How many bytes may wait; a message that comes to nothing else waits whatever its length.
const MOST: usize = 1 << 20;
/// How many messages may wait.
const MOST_MESSAGES: usize = 1_000;

/// What comes out of a mailbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// A notification or a request of the program's.
    Message(Bytes),
    /// The answer to what was asked, the last that comes; `error` is the code of one that is an error.
    Answer { message: Bytes, error: Option<i64> },
}

/// Where messages wait for one reader. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Mailbox(Arc<(Mutex<Waiting>, Notify)>);

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
    answer: Option<(Bytes, Option<i64>)>,
    is_closed: bool,
}

impl Mailbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether both are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Puts a message in; `false` where too much waits already.
    pub(super) fn put(&self, message: Bytes) -> bool {
        let mut waiting = self.waiting();
        let is_full = waiting.bytes + message.len() > MOST || waiting.messages.len() >= MOST_MESSAGES;
        if waiting.is_closed || (is_full && !waiting.messages.is_empty()) {
            return false;
        }
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.0.1.notify_one();
        true
    }

    /// Puts the answer in, for which there is always room, and closes.
    pub(super) fn answer(&self, message: Bytes, error: Option<i64>) {
        self.waiting().answer = Some((message, error));
        self.close();
    }

    /// No more comes.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.0.1.notify_one();
    }

    /// The next, in the order in which they came; `None` when no more comes. Nothing is lost where it is dropped before it
    /// is ready.
    pub(super) async fn next(&self) -> Option<Letter> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some(message) = waiting.messages.pop_front() {
                    waiting.bytes -= message.len();
                    return Some(Letter::Message(message));
                }
                if let Some((message, error)) = waiting.answer.take() {
                    return Some(Letter::Answer { message, error });
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.0.1.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_and_an_answer_always_fits() {
        let mailbox = Mailbox::default();
        let long = Bytes::from(vec![b'x'; MOST + 1]);
        assert!(mailbox.put(long.clone()), "one message may be as long as it is");
        assert!(!mailbox.put("more".into()));
        mailbox.answer("a".into(), None);
        assert!(!mailbox.put("late".into()));
        assert_eq!(mailbox.next().await, Some(Letter::Message(long)));
        assert_eq!(mailbox.next().await, Some(Letter::Answer { message: "a".into(), error: None }));
        assert_eq!(mailbox.next().await, None);
        let mailbox = Mailbox::default();
        let fit = (0..2 * MOST_MESSAGES).filter(|_| mailbox.put("x".into())).count();
        assert_eq!(fit, MOST_MESSAGES);
        for _ in 0..fit {
            mailbox.next().await;
        }
        assert!(mailbox.put("x".into()), "there is room again");
    }
}
