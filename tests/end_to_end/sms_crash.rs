//! A gateway that is killed at any moment of a message's life loses no message, and sends none more
//! than once too often.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use countersign_testkit::{BIN, Backend, Person, Phone, SMSC, Smsc, v1::DeliveryState};
use serde_json::json;

use crate::{
    harness::{Suite, rounds},
    sms_process::{Asker, Bank, folder, send_code, smpp},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend_with(
        &[BIN, SMSC],
        "sms_crash::killed_at_any_step_it_loses_nothing_and_repeats_at_most_once",
        killed,
    );
}

/// When the gateway is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The message is committed, and nobody has claimed it.
    Committed,
    /// It is claimed, and not noted as under way.
    Claimed,
    /// It is noted as under way, and not given to the carrier.
    UnderWay,
    /// The carrier took it, and has not answered.
    Taken,
    /// The carrier answered, and that is not noted.
    Answered,
    /// It is noted as sent, and the receipt is to come.
    Sent,
    /// Any of these: a moment after the request, a little later each time.
    Sometime,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Committed,
        Self::Claimed,
        Self::UnderWay,
        Self::Taken,
        Self::Answered,
        Self::Sent,
        Self::Sometime,
        Self::Sometime,
    ];

    /// How often the text comes to the phone.
    const fn arrivals(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Committed | Self::Claimed | Self::UnderWay | Self::Sent => 1..=1,
            Self::Taken | Self::Answered => 2..=2,
            Self::Sometime => 1..=2,
        }
    }
}

/// A trigger that holds a message at its place.
struct Hold {
    sqlite: &'static str,
    postgres: &'static str,
}

/// Keeps new messages from being claimed.
const NOT_DUE: Hold = Hold {
    sqlite: "CREATE TRIGGER hold AFTER INSERT ON message BEGIN UPDATE message SET \
             due_at = due_at + 60000 WHERE message_id = NEW.message_id; END",
    postgres: "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               NEW.due_at := NEW.due_at + 60000; RETURN NEW; END $$; \
               CREATE TRIGGER hold BEFORE INSERT ON message FOR EACH ROW EXECUTE FUNCTION hold()",
};

/// Keeps messages from being noted as under way.
const NOT_SENDING: Hold = Hold {
    sqlite: "CREATE TRIGGER hold BEFORE UPDATE ON message WHEN NEW.state = 'SENDING' \
             BEGIN SELECT RAISE(ABORT, 'held'); END",
    postgres: "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF NEW.state = 'SENDING' THEN RAISE EXCEPTION 'held'; END IF; RETURN NEW; END $$; \
               CREATE TRIGGER hold BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION hold()",
};

/// Keeps messages from being noted as sent.
const NOT_SENT: Hold = Hold {
    sqlite: "CREATE TRIGGER hold BEFORE UPDATE ON message WHEN NEW.state = 'SENT' \
             BEGIN SELECT RAISE(ABORT, 'held'); END",
    postgres: "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF NEW.state = 'SENT' THEN RAISE EXCEPTION 'held'; END IF; RETURN NEW; END $$; \
               CREATE TRIGGER hold BEFORE UPDATE ON message FOR EACH ROW EXECUTE FUNCTION hold()",
};

/// A gateway to be killed, and its carrier.
struct Campaign {
    bank: Bank,
    smsc: Smsc,
    people: Vec<(Person, Phone)>,
    duplicates: usize,
}

async fn killed(backend: Backend) -> Result<()> {
    let (smsc, folder) = (Smsc::start().await?, folder()?);
    // One at a time, so that one which is not answered keeps the next from being given.
    let settings = "window = 1\nresponse_timeout_seconds = 60\n";
    let provider = smpp("first", &smsc, folder.path(), settings)?;
    let bank = Bank::start(backend, "", &provider).await?;
    smsc.until("bound", |smsc| smsc.binds() == 1).await?;
    let rounds = rounds(8, 50);
    // One has two.
    let people = bank.people(&smsc, 0..2 * rounds).await?;
    let mut campaign = Campaign {
        bank,
        smsc,
        people,
        duplicates: 0,
    };
    for round in 0..rounds {
        let step = Step::ALL[round as usize % Step::ALL.len()];
        let done = campaign.round(round, step).await;
        done.with_context(|| format!("round {round}, killed when {step:?}"))?;
    }
    let states = campaign.bank.states().await?;
    let duplicates = campaign.duplicates;
    println!(
        "{}: killed {rounds} times: {states}, {duplicates} duplicates",
        backend.name()
    );
    ensure!(duplicates > 0, "nothing was sent again");
    Ok(())
}

impl Campaign {
    async fn round(&mut self, round: u32, step: Step) -> Result<()> {
        let two = self.people.split_off(self.people.len() - 2);
        let mut askers = self.bank.askers(&self.smsc, &two).await?;
        let asker = askers.remove(0);
        let mut expected = vec![(asker.clone(), step.arrivals())];
        if step == Step::UnderWay {
            // What is in the way is taken by the carrier, and so comes twice.
            let before = askers.remove(0);
            self.stick(&before).await?;
            expected.push((before, Step::Taken.arrivals()));
        }
        self.bring_to(step, round, &asker).await?;
        let beside = self.bank.database.backend() == Backend::Postgres && round.is_multiple_of(2);
        let binds = self.smsc.binds();
        if beside && step != Step::Sometime {
            self.bank.kill_beside_another().await?;
            self.let_go()?;
        } else {
            self.bank.kill().await?;
            self.let_go()?;
            self.bank.restart().await?;
        }
        let is_bound = |smsc: &Smsc| smsc.binds() > binds;
        self.smsc.until("bound again", is_bound).await?;
        for (asker, arrivals) in expected {
            self.check(&asker, arrivals).await?;
        }
        Ok(())
    }

    /// Asks for a code, until the message is where the step wants it.
    async fn bring_to(&self, step: Step, round: u32, asker: &Asker) -> Result<()> {
        let Self { bank, smsc, .. } = self;
        let held = match step {
            Step::Committed => Some(NOT_DUE),
            Step::Claimed => Some(NOT_SENDING),
            Step::Answered => Some(NOT_SENT),
            _ => None,
        };
        if let Some(hold) = held {
            bank.database.query(match bank.database.backend() {
                Backend::Sqlite => hold.sqlite,
                Backend::Postgres => hold.postgres,
            })?;
        }
        if step == Step::Taken {
            return self.stick(asker).await;
        }
        let submits = smsc.all("submit").len();
        let client = bank.client.clone();
        let asked = {
            let asker = asker.clone();
            tokio::spawn(async move { send_code(&client, &asker).await })
        };
        if step == Step::Sometime {
            // It asks again until the successor answers.
            let after = u64::from(round * 7 % 40);
            tokio::time::sleep(Duration::from_millis(after)).await;
            return Ok(());
        }
        asked.await??;
        match step {
            Step::Committed => bank.counted("state = 'QUEUED' AND claim = 0", 1).await,
            Step::Claimed => bank.counted("state = 'QUEUED' AND claim > 0", 1).await,
            Step::UnderWay => bank.counted("state = 'SENDING'", 2).await,
            Step::Answered => {
                smsc.wait("submit", submits + 1).await?;
                // It cannot be noted, which is said.
                bank.gateway
                    .has_said("a message cannot be sent now", 1)
                    .await
            }
            _ => bank.delivery_becomes(asker, DeliveryState::Sent).await,
        }
    }

    /// Asks for a code that the carrier takes and does not answer.
    async fn stick(&self, asker: &Asker) -> Result<()> {
        let submits = self.smsc.all("submit").len();
        let never = json!({ "answer": "never", "times": 1 });
        self.smsc.tell(&never).await?;
        send_code(&self.bank.client, asker).await?;
        self.smsc.wait("submit", submits + 1).await?;
        Ok(())
    }

    /// Ends what holds messages.
    fn let_go(&self) -> Result<()> {
        let database = &self.bank.database;
        database.query(match database.backend() {
            Backend::Sqlite => "DROP TRIGGER IF EXISTS hold",
            Backend::Postgres => "DROP FUNCTION IF EXISTS hold() CASCADE",
        })?;
        Ok(())
    }

    /// Has the carrier report that the last message to a phone arrived.
    async fn deliver(&self, asker: &Asker) -> Result<()> {
        let number = asker.phone.number.trim_start_matches('+');
        let mut submits = self.smsc.all("submit");
        submits.retain(|submit| submit["to"] == number);
        let id = submits.last().and_then(|submit| submit["id"].as_str());
        let id = id.context("the carrier has no such message")?;
        let receipt = json!({ "deliver": {
            "source_addr": number,
            "destination_addr": "Example",
            "esm_class": 4,
            "short_message": format!(
                "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 \
                 stat:DELIVRD err:000 text:"
            ),
        }});
        self.smsc.tell(&receipt).await
    }

    /// That the message comes as often as it should, arrives, and has a code that is good.
    async fn check(
        &mut self,
        asker: &Asker,
        arrivals: std::ops::RangeInclusive<usize>,
    ) -> Result<()> {
        let bank = &self.bank;
        bank.delivery_becomes(asker, DeliveryState::Sent).await?;
        // By whoever is bound now.
        self.deliver(asker).await?;
        let delivered = DeliveryState::Delivered;
        bank.delivery_becomes(asker, delivered).await?;
        let (code, times) = asker.code(&self.smsc)?;
        ensure!(arrivals.contains(&times), "it came {times} times");
        self.duplicates += times - 1;
        ensure!(self.bank.takes(asker, &code).await?, "the code is no good");
        Ok(())
    }
}
