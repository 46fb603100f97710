//! How many requests may be at work at once.
//!
//! What comes beyond that is refused at once, and told to come again: a line that only grows
//! answers everybody too late.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::Error;

/// The room there is, and how much of it is taken.
#[derive(Debug)]
pub(crate) struct Room {
    size: usize,
    taken: Arc<AtomicUsize>,
}

/// A request's place in the room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    room: &'a Room,
    is_inside: bool,
}

impl Room {
    /// A room of this size, whose taken places are counted here.
    pub(crate) const fn new(size: usize, taken: Arc<AtomicUsize>) -> Self {
        Self { size, taken }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.size
    }

    /// Takes a place, if there is one.
    pub(crate) fn enter(&self) -> Result<Place<'_>, Error> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.size {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::ServerBusy);
        }
        Ok(Place {
            room: self,
            is_inside: true,
        })
    }

    /// Lets somebody in even if it is full.
    pub(crate) fn let_in(&self) -> Place<'_> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place {
            room: self,
            is_inside: true,
        }
    }
}

impl Place<'_> {
    /// Waits for something outside the room, such as a hash, which has a line of its own. Whoever
    /// was let in once comes in again, even if it is full: the hash would have been for nothing.
    pub(crate) async fn outside<T>(&mut self, wait: impl Future<Output = T>) -> T {
        self.leave();
        let waited = wait.await;
        self.room.taken.fetch_add(1, Ordering::Relaxed);
        self.is_inside = true;
        waited
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_inside) {
            self.room.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_room_refuses_until_somebody_leaves() {
        let room = Room::new(2, Arc::default());
        let first = room.enter().unwrap();
        let _second = room.enter().unwrap();
        assert!(room.is_full());
        assert!(matches!(room.enter(), Err(Error::ServerBusy)));
        let third = room.let_in();
        drop(first);
        assert!(room.is_full(), "who was let in counts too");
        drop(third);
        let _fourth = room.enter().unwrap();
    }

    #[tokio::test]
    async fn who_waits_outside_leaves_a_place_and_comes_in_again() {
        let room = Room::new(1, Arc::default());
        let mut first = room.enter().unwrap();
        {
            let mut waiting = Box::pin(first.outside(std::future::pending::<()>()));
            assert!(futures::poll!(&mut waiting).is_pending());
            let _other = room.enter().unwrap();
        }
        drop(first);
        let mut first = room.enter().unwrap();
        let _ = first.outside(async {}).await;
        assert!(room.is_full());
        drop(first);
        assert!(!room.is_full());
    }
}
