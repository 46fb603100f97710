//! Giving one message to a carrier, part by part.

use countersign_mfa::ports::sms::Submission;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Link, Shared,
    session::{Answer, Order, Part, Submit},
    settings::Address,
    status,
    text::Body,
    validity,
};

/// A message on its way into one session.
pub(super) struct Attempt<'a> {
    pub(super) shared: &'a Shared,
    pub(super) link: Link,
    pub(super) destination: Address,
    /// When the message is of no use any more.
    pub(super) until: Instant,
}

/// Why it is not known that the carrier has a part.
#[derive(Debug)]
pub(super) enum Miss {
    /// The carrier answered with this status.
    Status(u32),
    /// It was not given, since there is no session any more.
    NoSession,
    /// It was not given, since there was no room for it in time.
    NoRoom,
    /// It was not given, since it is of no use any more.
    Expired,
    /// The session ended before it was answered.
    Cut,
    /// It was not answered in time.
    Late,
}

impl Attempt<'_> {
    /// Gives a part, and waits for the carrier's answer: what it calls the part. Where the carrier
    /// has a part before it, this one is given again for a while when the carrier asks for less.
    pub(super) async fn give(&self, part: Part, body: &Body) -> Result<Option<String>, Miss> {
        let begun = Instant::now();
        let most = self.shared.settings.response_timeout;
        loop {
            match self.give_once(part, body).await {
                Err(Miss::Status(status))
                    if part.index > 0 && status::is_throttled(status) && begun.elapsed() < most => {
                }
                given => return given,
            }
        }
    }

    async fn give_once(&self, part: Part, body: &Body) -> Result<Option<String>, Miss> {
        let mut answer = self.send(part, body).await?;
        let most = self.shared.settings.response_timeout;
        let answer = match timeout(most, &mut answer).await {
            Ok(answer) => answer.map_err(|_| Miss::Cut)?,
            Err(_) => {
                // What comes from now on is reported; this may have come just now.
                answer.close();
                answer.try_recv().map_err(|_| Miss::Late)?
            }
        };
        match answer {
            Answer::Taken(id) => Ok(id),
            Answer::Status(status) => Err(Miss::Status(status)),
            Answer::NotGiven => Err(Miss::NoSession),
        }
    }

    /// Gives a part, in its turn: the answer comes through what is returned.
    pub(super) async fn send(
        &self,
        part: Part,
        body: &Body,
    ) -> Result<oneshot::Receiver<Answer>, Miss> {
        let place = self.place().await?;
        let left = self.until.saturating_duration_since(Instant::now());
        let validity = validity::relative(left).ok_or(Miss::Expired)?;
        let (answer, receiver) = oneshot::channel();
        let submit = Submit {
            part,
            destination: self.destination.clone(),
            body: body.clone(),
            validity,
            answer,
            place,
        };
        let order = Order::Submit(Box::new(submit));
        let sent = self.link.orders.send(order).await;
        sent.map(|()| receiver).map_err(|_| Miss::NoSession)
    }

    /// Waits for a place in the window, and for the turn that the pace gives.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Miss> {
        let most = self.shared.settings.response_timeout;
        let places = self.link.places.clone();
        let Ok(place) = timeout(most, places.acquire_owned()).await else {
            let _ = self.link.orders.try_send(Order::EndIfStuck);
            return Err(Miss::NoRoom);
        };
        let turn = self.shared.pace().turn(Instant::now(), most);
        sleep_until(turn.ok_or(Miss::NoRoom)?).await;
        place.map_err(|_| Miss::NoSession)
    }
}

impl Miss {
    /// What it means for the message when it happens to the part at this place.
    pub(super) fn submission(self, index: usize) -> Submission {
        let is_first = index == 0;
        match self {
            Self::Status(status) if is_first => status::submission(status),
            Self::NoSession if is_first => Submission::Unreachable(self.reason()),
            Self::NoRoom if is_first => Submission::Throttled(self.reason()),
            Self::Expired if is_first => Submission::Refused(self.reason()),
            Self::Late => Submission::TimedOut,
            _ => Submission::Cut(self.reason()),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Status(status) => status::reason(*status),
            Self::NoSession => "not bound".to_owned(),
            Self::NoRoom => "no room in the window".to_owned(),
            Self::Expired => "expired".to_owned(),
            Self::Cut => "the connection was cut".to_owned(),
            Self::Late => "not answered in time".to_owned(),
        }
    }
}
