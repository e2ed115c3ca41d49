//! The sessions of one server: by their ids, and those that no client has, which wait for the next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;

/// Sessions that are there. Who is no longer in it ends when the last request in it has.
#[derive(Default)]
pub(super) struct Table(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_id: HashMap<String, Arc<Session>>,
    spare: Vec<Arc<Session>>,
    is_closed: bool,
}

impl Table {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, session: &Arc<Session>) {
        let mut kept = self.kept();
        kept.by_id.retain(|_, session| !session.is_over());
        if !kept.is_closed {
            kept.by_id.insert(session.id.clone(), session.clone());
        }
    }

    /// One of this id, where this key may use it.
    pub(super) fn find(&self, id: &str, key: Option<&str>) -> Option<Arc<Session>> {
        let kept = self.kept();
        kept.by_id.get(id).filter(|session| session.key.as_deref() == key && !session.is_over()).cloned()
    }

    pub(super) fn remove(&self, session: &Session) {
        self.kept().by_id.remove(&session.id);
    }

    /// One without a client, of this key's.
    pub(super) fn spare(&self, key: Option<&str>) -> Option<Arc<Session>> {
        let mut kept = self.kept();
        kept.spare.retain(|session| !session.is_over());
        let place = kept.spare.iter().rposition(|session| session.key.as_deref() == key)?;
        Some(kept.spare.swap_remove(place))
    }

    /// Keeps one for the next request of its key.
    pub(super) fn keep(&self, session: Arc<Session>) {
        let mut kept = self.kept();
        kept.spare.retain(|session| !session.is_over());
        if !kept.is_closed {
            kept.spare.push(session);
        }
    }

    /// Lets all go, and takes no more.
    pub(super) fn close(&self) {
        let mut kept = self.kept();
        *kept = Kept { is_closed: true, ..Kept::default() };
    }
}
