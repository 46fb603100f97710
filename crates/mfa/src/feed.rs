//! The events that a host has to act on, as they come: one reader for all who watch.
//!
//! The reader goes through the feed while somebody watches, and hands each part to all. Whoever
//! begins further back reads what it lacks for itself, up to where the reader was when it joined.

mod actions;
mod token;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use countersign_primitives::SubjectId;
use tokio::{
    sync::{
        OwnedSemaphorePermit, Semaphore,
        broadcast::{self, error::RecvError},
        watch,
    },
    time::{sleep, timeout},
};

pub use self::actions::Action;
use self::token::Token;
use crate::{
    Error, EventView,
    list_events::unnamed_view,
    ports::{FeedItem, FeedPage, FeedPlace, FeedSource},
};

/// How often the feed is looked at: a person who is told within a quarter of a second is told at once.
const LOOK: Duration = Duration::from_millis(200);
/// How long is waited after the database was away.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How many events are read at a time.
const PAGE: u64 = 500;
/// How many parts of the feed are held for those who are slow; what is older they read for themselves.
const PARTS: usize = 64;
/// How many may watch: a host has a few services that do, each within its share.
const WATCHERS: usize = 512;
/// How long nothing is said, before a token is: so that it does not grow old.
const SILENCE: Duration = Duration::from_secs(15);

/// The feed, read once for all who watch.
pub struct Feed {
    source: Arc<dyn FeedSource>,
    places: Arc<Semaphore>,
    reader: Mutex<Option<Reader>>,
    stopping: watch::Sender<bool>,
}

/// The reader that is at work: where it is, and how its parts are heard.
struct Reader {
    parts: broadcast::Sender<Arc<Part>>,
    incarnation: [u8; 16],
    next: FeedPlace,
}

/// A part of the feed: what has to be acted on in it, and where it ends.
struct Part {
    incarnation: [u8; 16],
    news: Vec<Arc<News>>,
    next: FeedPlace,
}

/// An event that the host has to act on.
struct News {
    at: FeedPlace,
    subject: SubjectId,
    event: EventView,
    actions: Vec<Action>,
}

/// What somebody who watches is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose event it is, the event, and what to do. `None` only moves the token on.
    pub news: Option<(SubjectId, EventView, Vec<Action>)>,
    /// What to go on with, after this.
    pub token: String,
}

/// Somebody who watches.
pub struct Watcher {
    feed: Arc<Feed>,
    incarnation: [u8; 16],
    /// Everything before is told.
    place: FeedPlace,
    /// Up to where it reads for itself.
    joined_at: FeedPlace,
    /// What it has read of that and not told yet.
    waiting: VecDeque<Arc<News>>,
    parts: broadcast::Receiver<Arc<Part>>,
    stopping: watch::Receiver<bool>,
    /// Whether it was told where it is.
    has_begun: bool,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// The feed of a store.
    pub fn new(source: Arc<dyn FeedSource>) -> Self {
        Self {
            source,
            places: Arc::new(Semaphore::new(WATCHERS)),
            reader: Mutex::new(None),
            stopping: watch::Sender::new(false),
        }
    }

    /// Ends all watching: the server stops.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Watches from a token on, or from now on.
    ///
    /// # Errors
    /// [`Error::ResumeTokenInvalid`], [`Error::FeedRestarted`], [`Error::TooManyWatchers`],
    /// [`Error::Stopping`], and those of the store.
    pub async fn watch(self: &Arc<Self>, token: &str) -> Result<Watcher, Error> {
        let stopping = self.stopping.subscribe();
        if *stopping.borrow() {
            return Err(Error::Stopping);
        }
        let token = match token {
            "" => None,
            token => Some(
                token
                    .parse::<Token>()
                    .map_err(|_| Error::ResumeTokenInvalid)?,
            ),
        };
        let places = Arc::clone(&self.places);
        let held = places.try_acquire_owned();
        let held = held.map_err(|_| Error::TooManyWatchers)?;
        // Also tells whether the token is of this life of the database.
        let head = self.source.read_feed(None, 0).await?;
        if let Some(token) = &token {
            let is_ahead = token.place.place > head.head.max(1);
            if token.incarnation != head.incarnation || is_ahead {
                return Err(Error::FeedRestarted);
            }
        }
        let now = head.next;
        let (parts, joined_at) = self.join(head.incarnation, now);
        Ok(Watcher {
            feed: Arc::clone(self),
            incarnation: head.incarnation,
            place: token.map_or(now, |token| token.place),
            joined_at,
            waiting: VecDeque::new(),
            parts,
            stopping,
            has_begun: false,
            _place: held,
        })
    }

    /// Hears the reader, which begins at `now` where there is none, and says where it is.
    fn join(
        self: &Arc<Self>,
        incarnation: [u8; 16],
        now: FeedPlace,
    ) -> (broadcast::Receiver<Arc<Part>>, FeedPlace) {
        let mut reader = self.reader();
        match &*reader {
            Some(reader) if reader.incarnation == incarnation => {
                return (reader.parts.subscribe(), reader.next);
            }
            // It goes on in this life, and those who hear of the last one hear no more.
            Some(_) => {}
            None => {
                tokio::spawn(Arc::clone(self).read_on());
            }
        }
        let (parts, heard) = broadcast::channel(PARTS);
        *reader = Some(Reader {
            parts,
            incarnation,
            next: now,
        });
        (heard, now)
    }

    /// Reads, and hands on, until nobody watches.
    async fn read_on(self: Arc<Self>) {
        // Should it panic, the next who watches finds no reader, and starts one.
        let _end = End(&self);
        let mut was_away = false;
        loop {
            let Some((life, from)) = self.needed_from() else {
                return;
            };
            match self.source.read_feed(Some(from), PAGE).await {
                Ok(page) => {
                    was_away = false;
                    let is_last = page.is_last;
                    self.hand_on(life, page);
                    if is_last {
                        sleep(LOOK).await;
                    }
                }
                Err(error) => {
                    if !was_away {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "the feed cannot be read; those who watch wait"
                        );
                    }
                    was_away = true;
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Where to read on, in which life; `None` once nobody watches: then there is no reader any more.
    fn needed_from(&self) -> Option<([u8; 16], FeedPlace)> {
        let mut reader = self.reader();
        let found = reader.as_ref()?;
        if found.parts.receiver_count() > 0 {
            return Some((found.incarnation, found.next));
        }
        *reader = None;
        None
    }

    /// Under one lock: whoever joins has the part, or is told to read it for itself.
    fn hand_on(&self, life: [u8; 16], page: FeedPage) {
        let part = Arc::new(Part::of(page));
        let mut reader = self.reader();
        match &mut *reader {
            // Somebody has begun in another life meanwhile.
            Some(reader) if reader.incarnation != life => {}
            Some(reader) if part.incarnation == life => {
                reader.next = part.next;
                // An error means that nobody watches any more.
                let _ = reader.parts.send(part);
            }
            // Its life has ended: those who hear of it hear no more.
            _ => *reader = None,
        }
    }

    fn reader(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the reader's work, however it comes.
struct End<'a>(&'a Feed);

impl Drop for End<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0.reader() = None;
        }
    }
}

impl Part {
    fn of(page: FeedPage) -> Self {
        Self {
            incarnation: page.incarnation,
            news: page.items.into_iter().filter_map(News::of).collect(),
            next: page.next,
        }
    }
}

impl News {
    /// What has to be acted on in an event, if anything has.
    fn of(item: FeedItem) -> Option<Arc<Self>> {
        let event = unnamed_view(item.event);
        let actions = Action::of_event(&event);
        (!actions.is_empty()).then(|| {
            Arc::new(Self {
                at: item.at,
                subject: item.subject,
                event,
                actions,
            })
        })
    }
}

impl Watcher {
    /// What is next.
    ///
    /// # Errors
    /// Why there is nothing more: [`Error::FeedRestarted`], [`Error::Stopping`], and those of the store.
    /// After each, watching can be begun anew with the last token, save after `FeedRestarted`.
    pub async fn next(&mut self) -> Result<Told, Error> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(self.told(None));
        }
        let mut stopping = self.stopping.clone();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|is_stopping| *is_stopping) => Err(Error::Stopping),
            told = timeout(SILENCE, self.advance()) => {
                // Nothing was taken from the line where the time is over.
                told.unwrap_or_else(|_| Ok(self.told(None)))
            }
        }
    }

    /// Waits for the next news.
    async fn advance(&mut self) -> Result<Told, Error> {
        loop {
            while let Some(news) = self.waiting.pop_front() {
                if news.at >= self.place {
                    self.place = news.at.next();
                    return Ok(self.told(Some(&news)));
                }
            }
            let part = if self.place < self.joined_at {
                self.catch_up().await?
            } else {
                self.hear().await?
            };
            if part.incarnation != self.incarnation {
                return Err(Error::FeedRestarted);
            }
            let is_new = |news: &&Arc<News>| news.at >= self.place;
            self.waiting = part.news.iter().filter(is_new).cloned().collect();
            if self.waiting.is_empty() {
                self.place = self.place.max(part.next);
            }
        }
    }

    /// Reads for itself what the reader had read before.
    async fn catch_up(&self) -> Result<Arc<Part>, Error> {
        let page = self.feed.source.read_feed(Some(self.place), PAGE).await?;
        Ok(Arc::new(Part::of(page)))
    }

    /// What the reader hands on. Whoever has not listened for long reads for itself what it missed.
    async fn hear(&mut self) -> Result<Arc<Part>, Error> {
        match self.parts.recv().await {
            Ok(part) => Ok(part),
            Err(RecvError::Closed) => Err(Error::FeedRestarted),
            Err(RecvError::Lagged(_)) => {
                let (parts, joined_at) = self.feed.join(self.incarnation, self.place);
                (self.parts, self.joined_at) = (parts, joined_at);
                self.catch_up().await
            }
        }
    }

    fn told(&self, news: Option<&Arc<News>>) -> Told {
        let token = Token {
            incarnation: self.incarnation,
            place: self.place,
        };
        let news = news.map(|news| {
            let News {
                subject,
                event,
                actions,
                ..
            } = &**news;
            (subject.clone(), event.clone(), actions.clone())
        });
        Told {
            news,
            token: token.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
