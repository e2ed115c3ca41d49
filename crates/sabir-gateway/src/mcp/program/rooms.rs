//! How many programs may run: of all keys together, and of each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use sabir::{Error, ErrorKind, Result};
use tokio::sync::watch;

/// The most programs at once.
const MOST: usize = 256;
/// The most of one key.
const MOST_OF_KEY: usize = 32;
/// When it may be tried again: programs end within seconds when their sessions do.
const AGAIN: Duration = Duration::from_secs(5);

/// Counts the programs that run, until they are gone. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Rooms(Arc<All>);

#[derive(Default)]
struct All {
    /// How many each key has; `None` is whoever needs none.
    taken: Mutex<BTreeMap<Option<String>, usize>>,
    /// Has a receiver in each room.
    last: watch::Sender<()>,
}

/// One program's place; it is free again when this is dropped.
pub(super) struct Room {
    rooms: Rooms,
    key: Option<String>,
    /// Who waits for all to be gone is told by its end.
    _taken: watch::Receiver<()>,
}

impl Rooms {
    /// A place for a program of this key's, or of anybody's where none are asked for.
    ///
    /// # Errors
    /// 429 where the key has too many, 503 where there are too many in all.
    pub(super) fn take(&self, key: Option<&str>) -> Result<Room> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key.map(str::to_owned);
        let refuse = |status, message| {
            Err(Error::new(ErrorKind::RateLimit, message).with_status(status).with_retry_after(AGAIN))
        };
        if taken.values().sum::<usize>() >= MOST {
            let message = format!("{MOST} programs run here for MCP; try again when some sessions have ended");
            return refuse(StatusCode::SERVICE_UNAVAILABLE, message);
        }
        let own = taken.entry(key.clone()).or_default();
        if *own >= MOST_OF_KEY {
            let message = format!("{MOST_OF_KEY} programs run for this key; end a session (DELETE), then try again");
            return refuse(StatusCode::TOO_MANY_REQUESTS, message);
        }
        *own += 1;
        drop(taken);
        Ok(Room { rooms: self.clone(), key, _taken: self.0.last.subscribe() })
    }

    /// Ready when no program runs.
    pub(crate) async fn are_empty(&self) {
        self.0.last.closed().await;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut taken = self.rooms.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_key_and_in_all() {
        let rooms = Rooms::default();
        let mut of_ada: Vec<Room> = (0..MOST_OF_KEY).map(|_| rooms.take(Some("ada")).expect("room")).collect();
        let refused = |rooms: &Rooms, key| rooms.take(key).err().expect("no room").status();
        assert_eq!(refused(&rooms, Some("ada")), Some(StatusCode::TOO_MANY_REQUESTS));
        assert!(rooms.take(None).is_ok(), "others have their own");
        of_ada.pop();
        of_ada.push(rooms.take(Some("ada")).expect("room again"));
        let more = (0..).map_while(|number| rooms.take(Some(&number.to_string())).ok());
        let all: Vec<Room> = more.take(MOST).collect();
        assert_eq!(all.len() + of_ada.len(), MOST);
        assert_eq!(refused(&rooms, Some("bob")), Some(StatusCode::SERVICE_UNAVAILABLE));
        drop((all, of_ada));
        assert!(rooms.0.taken.lock().expect("no panic").is_empty());
    }
}
