//! Plays a history: turns each command into a request, sends it, and compares.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Client, Clock, Database, Options, Person, TestClock, TestPlatform, new_request_id, v1,
};

use super::{
    command::{Command, Wait},
    listing::{Listing, listed},
    reference::{Drawn, Enrolled, Said, State, Subject},
    request::{Answer, Change, Millis, Request, Settings, View, codes_seen, send, view_of_wire},
    tally::Tally,
    throttle::{DAY, HOUR, MINUTE, REQUEST_LIFE, SECOND, STEP},
    watch::{Exchange, Watch},
};

/// A platform over a database, with the clock that it goes by.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) platform: TestPlatform,
    pub(crate) client: Client,
    /// Another caller.
    stranger: Client,
    clock: TestClock,
    starts: u64,
}

/// A request that was sent, and what came of it.
struct Sent {
    request: Request,
    id: String,
    at: Millis,
    said: Said,
}

/// Somebody whose life is played.
pub(crate) struct Player<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) subject: String,
    pub(crate) model: Subject,
    watch: Watch,
    pub(crate) listing: Listing,
    /// The apps and the papers that the player does not have.
    pub(crate) foreign: BTreeSet<String>,
    last: Option<Sent>,
    pub(crate) tally: Tally,
}

impl World {
    pub(crate) async fn new(backend: Backend) -> Result<Self> {
        let database = Database::fresh(backend).await?;
        let clock = TestClock::default();
        let platform = TestPlatform::start(&database, &clock, Options::default()).await?;
        Ok(Self {
            client: platform.client("model").await?,
            stranger: platform.client("another-service").await?,
            database,
            platform,
            clock,
            starts: 1,
        })
    }

    /// The caller that does everything, or another one.
    pub(crate) const fn client_for(&self, is_stranger: bool) -> &Client {
        if is_stranger {
            &self.stranger
        } else {
            &self.client
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.clock.now().as_millis()
    }

    pub(crate) fn advance(&self, by: Millis) {
        self.clock
            .advance(Duration::from_millis(u64::try_from(by).unwrap_or(0)));
    }

    async fn restart(&mut self) -> Result<()> {
        self.starts += 1;
        let options = Options {
            seed: self.starts,
            ..Options::default()
        };
        let next = TestPlatform::start(&self.database, &self.clock, options).await?;
        std::mem::replace(&mut self.platform, next).stop().await;
        self.client = self.platform.client("model").await?;
        self.stranger = self.platform.client("another-service").await?;
        Ok(())
    }
}

impl<'a> Player<'a> {
    pub(crate) fn new(world: &'a mut World) -> Self {
        // Somebody new begins in a step of their own, and not at its very beginning.
        world.advance(STEP + 7 * SECOND);
        Self {
            world,
            subject: Person::new().subject,
            model: Subject::default(),
            watch: Watch::default(),
            listing: Listing::default(),
            foreign: BTreeSet::new(),
            last: None,
            tally: Tally::default(),
        }
    }

    /// What was asked last will not be repeated.
    pub(crate) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Plays a command. What was asked and answered is returned, where something was.
    pub(crate) async fn play(&mut self, command: &Command) -> Result<Vec<(Request, Answer)>> {
        let mut exchanges = Vec::new();
        match command {
            Command::Story(story) => {
                for command in story.commands() {
                    exchanges.extend(Box::pin(self.play_one(&command)).await?);
                }
            }
            command => exchanges.extend(Box::pin(self.play_one(command)).await?),
        }
        Ok(exchanges)
    }

    async fn play_one(&mut self, command: &Command) -> Result<Option<(Request, Answer)>> {
        match command {
            Command::Wait(wait) => {
                self.world.advance(self.length(*wait));
                self.tally.note("wait");
            }
            Command::Restart => {
                self.world.restart().await?;
                self.tally.note("restart");
            }
            Command::Repeat => {
                if let Some(sent) = self.last.take() {
                    return self.repeat(sent).await.map(Some);
                }
            }
            command => {
                if let Some(request) = self.request(command) {
                    return self.ask(request, new_request_id()).await.map(Some);
                }
            }
        }
        self.listing = self.compare_listing(command).await?;
        Ok(None)
    }

    /// The list, which is that of the model.
    async fn compare_listing(&self, after: &impl Debug) -> Result<Listing> {
        let listing = listed(&self.world.client, &self.subject).await?;
        let expected = self.model.listing(self.world.now());
        ensure!(
            listing == expected,
            "after {after:?} the list is {listing:#?}, not {expected:#?}"
        );
        Ok(listing)
    }

    /// Sends a request and compares.
    async fn ask(&mut self, request: Request, id: String) -> Result<(Request, Answer)> {
        let now = self.world.now();
        let (answer, told) = send(self.world, &self.subject, &id, &request).await?;
        let drawn = match &answer {
            Answer::Begun { id, .. } | Answer::Opened(View { id, .. }) => Drawn {
                id: id.clone(),
                told: told.clone(),
                ..Drawn::default()
            },
            Answer::Listed { id, list, .. } => Drawn {
                id: id.clone(),
                list: list.clone(),
                told: told.clone(),
            },
            _ => Drawn::default(),
        };
        let said = self.model.answer(&request, drawn, now);
        let expected = &said.answer;
        ensure!(
            answer == *expected,
            "{request:?} is answered {answer:#?}, not {expected:#?}"
        );
        self.tally.answered(&request, &answer);

        let after = self.compare_listing(&request).await?;
        self.watch.see(&Exchange {
            request: &request,
            answer: &answer,
            told: &told,
            before: &self.listing,
            after: &after,
            now,
        })?;
        self.listing = after;
        self.compare_confirmation(&request, now).await?;
        self.compare_codes(&request, now).await?;
        if !request.is_by_operator() {
            self.last = Some(Sent {
                request: request.clone(),
                id,
                at: now,
                said,
            });
        }
        self.world.advance(1);
        Ok((request, answer))
    }

    /// Sends a request again: what was written down is answered again, and nothing is done.
    async fn repeat(&mut self, sent: Sent) -> Result<(Request, Answer)> {
        let is_remembered = sent.said.is_written && self.world.now() < sent.at + REQUEST_LIFE;
        if !is_remembered {
            return self.ask(sent.request, sent.id).await;
        }
        let (answer, _) = send(self.world, &self.subject, &sent.id, &sent.request).await?;
        let expected = match sent.said.answer.clone() {
            Answer::Begun { id, until, .. } => Answer::Begun {
                id,
                until,
                has_secret: false,
            },
            Answer::Listed {
                list, id, until, ..
            } => Answer::Listed {
                list,
                id,
                until,
                has_codes: false,
            },
            other => other,
        };
        ensure!(
            answer == expected,
            "repeated, {:?} is answered {answer:#?}, not {expected:#?}",
            sent.request
        );
        self.tally.note("repeated");
        self.listing = self.compare_listing(&sent.request).await?;
        let request = sent.request.clone();
        self.last = Some(sent);
        Ok((request, answer))
    }

    /// Looks at the confirmation of the request, or else at the latest.
    async fn compare_confirmation(&mut self, request: &Request, now: Millis) -> Result<()> {
        let named = match request.confirmation() {
            Some(id) => self
                .model
                .confirmations
                .iter()
                .find(|other| other.id == *id),
            None => self.model.confirmations.last(),
        };
        let Some(confirmation) = named else {
            return Ok(());
        };
        let ask = v1::ConfirmationServiceGetRequest {
            subject_id: self.subject.clone(),
            confirmation_id: confirmation.id.clone(),
        };
        let got = self
            .world
            .client
            .confirmations()
            .get(ask)
            .await?
            .into_inner();
        let got = got
            .confirmation
            .as_ref()
            .and_then(view_of_wire)
            .context("a view")?;
        let expected = self.model.shown(confirmation, now);
        ensure!(
            got == expected,
            "after {request:?} it is {got:#?}, not {expected:#?}"
        );
        self.watch.look_at(&got)
    }

    /// Looks at the backup codes, where the request may have changed their lists.
    async fn compare_codes(&self, after: &Request, now: Millis) -> Result<()> {
        let is_about_lists = match after {
            Request::Settings(Settings { change, .. }) => !matches!(change, Change::Switch { .. }),
            other => matches!(other, Request::Finish { .. }) || other.is_by_operator(),
        };
        if is_about_lists {
            let seen = codes_seen(&self.world.client, &self.subject).await?;
            let expected = self.model.codes_seen(now);
            ensure!(
                seen == expected,
                "after {after:?} the codes are {seen:?}, not {expected:?}"
            );
        }
        Ok(())
    }

    /// One event for each change, numbered without a gap.
    pub(crate) fn compare_events(&self) -> Result<()> {
        let sql = format!(
            "SELECT count(*), coalesce(min(version), 1), coalesce(max(version), 0) FROM event \
             WHERE subject_id = '{}'",
            self.subject
        );
        let found = self.world.database.query(&sql)?;
        let writes = self.model.writes;
        let expected = format!("{writes}|1|{writes}");
        ensure!(
            found == expected,
            "events: {found}, not {expected} (count, first, last)"
        );
        Ok(())
    }

    fn length(&self, wait: Wait) -> Millis {
        let now = self.world.now();
        match wait {
            Wait::Second => SECOND,
            Wait::Step => STEP,
            Wait::Minutes => 5 * MINUTE,
            Wait::Hour => HOUR,
            Wait::Day => DAY,
            Wait::End { pick, just_before } => {
                let ends: Vec<Millis> = self.ends().into_iter().filter(|end| now < *end).collect();
                let Some(end) = ends.get(usize::from(pick) % ends.len().max(1)) else {
                    return SECOND;
                };
                end - now - Millis::from(just_before)
            }
            Wait::List => {
                let last = self.lists_end().max().unwrap_or(now);
                (last - now).max(SECOND)
            }
            Wait::Locks => {
                let last = self.locks().into_iter().max().unwrap_or(now);
                (last - now).max(STEP)
            }
        }
    }

    fn locks(&self) -> BTreeSet<Millis> {
        let now = self.world.now();
        let identifiers = self.model.identifiers.iter();
        let own = identifiers.flat_map(|found| found.throttles.values());
        let pin = self.model.pin.iter().map(|pin| &pin.throttle);
        own.chain(pin).filter_map(|run| run.lock(now)).collect()
    }

    /// The moments at which lists that wait lapse.
    fn lists_end(&self) -> impl Iterator<Item = Millis> {
        let paper = self.model.set().and_then(Enrolled::paper);
        let waiting = paper.and_then(|paper| paper.waiting(self.world.now()));
        waiting.map(|list| list.until).into_iter()
    }

    /// The moments at which something ends by itself.
    fn ends(&self) -> BTreeSet<Millis> {
        let mut ends = self.locks();
        ends.extend(
            self.model
                .confirmations
                .iter()
                .map(|confirmation| confirmation.ends()),
        );
        ends.extend(self.model.enrolment_failures.iter().map(|at| at + HOUR));
        ends.extend(self.lists_end());
        let identifiers = self.model.identifiers.iter();
        ends.extend(identifiers.filter_map(|found| match found.state {
            State::Pending { until } => Some(until),
            State::Enabled | State::Capped => None,
        }));
        ends.extend(self.last.iter().map(|sent| sent.at + REQUEST_LIFE));
        ends
    }
}
