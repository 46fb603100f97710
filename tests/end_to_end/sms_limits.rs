//! Each limit by its name: what refuses, for how long, and what is offered in place.

use anyhow::{Result, ensure};
use countersign_testkit::{
    App, Backend, Client, MoneyRules, Options, Person, Phone, Prices, Rates, SpendRules,
    TestPlatform, v1,
};

use crate::{
    harness::Suite,
    sms_world::{ALL, limit_of, number, unlimited, with_app_and_phone, with_sms},
    world::{CALLER, HOUR, MINUTE, World, login},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("sms_limits::each_limit_refuses_by_its_name", each);
    suite.on_each_backend(
        "sms_limits::enrolments_have_limits_of_their_own",
        enrolments,
    );
    suite.on_each_backend("sms_limits::a_prefix_that_does_not_convert_closes", closes);
}

/// How many messages each limit here lets pass.
const MOST: usize = 3;

type User = (Person, App, Phone);

/// A platform with narrow limits over a world of people who enrolled long ago.
struct Narrow<'a> {
    world: &'a World,
    _platform: TestPlatform,
    client: Client,
}

impl<'a> Narrow<'a> {
    async fn over(world: &'a World, seed: u64, change: fn(&mut SpendRules)) -> Result<Self> {
        // Whatever was sent before is forgotten.
        world.pass(25 * HOUR);
        let mut options = with_sms(|sms| {
            sms.spend = wide();
            change(&mut sms.spend);
            sms.prices = Prices::new([("7".to_owned(), 10)]);
        });
        options.seed = seed;
        options.carrier = world.carrier().clone();
        let clock = &world.platform.clock;
        let platform = TestPlatform::start(&world.database, clock, options).await?;
        let client = platform.client(CALLER).await?;
        Ok(Self {
            world,
            _platform: platform,
            client,
        })
    }

    /// Has a code sent to somebody, for a login that is then withdrawn.
    async fn send(&self, user: &User) -> Result<Result<v1::SentCode, tonic::Status>> {
        let (person, _, phone) = user;
        let open = person.open(&self.client, login("tablet")).await?;
        let carrier = self.world.carrier();
        let before = carrier.messages_to(&phone.number).len();
        let answer = person.send_code(&self.client, &open, Some(phone)).await;
        if answer.is_ok() {
            carrier.nth_message_to(&phone.number, before + 1).await;
        }
        person.cancel(&self.client, &open.confirmation_id).await?;
        Ok(answer)
    }
}

fn wide() -> SpendRules {
    let Options { settings, .. } = unlimited();
    let sms = settings.sms.map(|sms| sms.spend.clone());
    sms.unwrap_or_default()
}

const NARROW: Rates = Rates {
    hour: 3,
    day: 1_000,
};
const DAILY: Rates = Rates { hour: 3, day: 3 };

/// A limit, how it is set, and who of the people asks in turn.
type Case = (&'static str, fn(&mut SpendRules), [usize; 3], u64);

const CASES: [Case; 13] = [
    ("subject-hour", |it| it.subject = NARROW, [0; 3], HOUR),
    ("subject-day", |it| it.subject = DAILY, [0; 3], 24 * HOUR),
    ("number-hour", |it| it.number = NARROW, [0, 1, 0], HOUR),
    ("number-day", |it| it.number = DAILY, [0, 1, 1], 24 * HOUR),
    ("prefix-hour", |it| it.prefix = NARROW, [0, 1, 2], HOUR),
    ("prefix-day", |it| it.prefix = DAILY, [0, 1, 2], 24 * HOUR),
    ("country-hour", |it| it.country = NARROW, [0, 2, 3], HOUR),
    ("country-day", |it| it.country = DAILY, [0, 2, 3], 24 * HOUR),
    ("caller-hour", |it| it.caller = NARROW, [0, 2, 3], HOUR),
    ("caller-day", |it| it.caller = DAILY, [0, 2, 3], 24 * HOUR),
    ("total-hour", |it| total(it, NARROW), [0, 2, 3], HOUR),
    ("total-day", |it| total(it, DAILY), [0, 2, 3], 24 * HOUR),
    (
        "money-day",
        |it| it.money = Some(MONEY),
        [0, 2, 3],
        24 * HOUR,
    ),
];

const MONEY: MoneyRules = MoneyRules {
    per_day: 30,
    enrolments_per_day: 20,
    dearest: 10,
};

fn total(rules: &mut SpendRules, rates: Rates) {
    rules.enrolments = Rates { hour: 2, day: 2 };
    rules.total = rates;
}

async fn each(backend: Backend) -> Result<()> {
    let world = World::with(backend, unlimited()).await?;
    let mut users = Vec::new();
    // The first two have one phone; the last one has another prefix.
    for phone in [number(1), number(1), number(2), "+79031234567".to_owned()] {
        users.push(with_app_and_phone(&world, &phone, ALL).await?);
    }
    for (seed, (name, change, who, window)) in (10..).zip(CASES) {
        let narrow = Narrow::over(&world, seed, change).await?;
        for user in who {
            narrow.send(&users[user]).await??;
            world.pass(2 * MINUTE);
        }
        // Who has sent the least, so that only the limit is in the way.
        let next = &users[who[0]];
        world.pass(4 * MINUTE);
        let (limit, wait, others) = limit_of(narrow.send(next).await?)?;
        ensure!(limit == format!("sms:{name}"), "{limit} in place of {name}");
        let due = window - 2 * MINUTE * u64::try_from(MOST)? - 4 * MINUTE;
        ensure!(wait == due, "{name}: {wait} in place of {due}");
        if name.starts_with("subject") {
            ensure!(others.is_empty(), "{name}: {others:?}");
        } else {
            let offered = others.iter().filter_map(|it| it.authenticator.clone());
            let offered: Vec<String> = offered
                .filter_map(|it| match it {
                    v1::stage_option::Authenticator::Identifier(it) => Some(it.identifier_id),
                    v1::stage_option::Authenticator::Pin(_) => None,
                })
                .collect();
            ensure!(offered == [next.1.id.clone()], "{name}: {offered:?}");
        }
        world.pass(wait - 1);
        let (again, left, _) = limit_of(narrow.send(next).await?)?;
        ensure!(again == limit && left == 1, "{again} for {left}");
        world.pass(1);
        narrow.send(next).await??;
    }
    Ok(())
}

async fn enrolments(backend: Backend) -> Result<()> {
    let world = World::with(backend, unlimited()).await?;
    type Tighten = fn(&mut SpendRules);
    let cases: [(&str, Tighten, u64); 3] = [
        ("enrolments-hour", |it| it.enrolments = NARROW, HOUR),
        ("enrolments-day", |it| it.enrolments = DAILY, 24 * HOUR),
        (
            "enrolments-money-day",
            |it| {
                it.money = Some(MoneyRules {
                    per_day: 1_000,
                    enrolments_per_day: 30,
                    dearest: 10,
                });
            },
            24 * HOUR,
        ),
    ];
    let user = with_app_and_phone(&world, &number(1), ALL).await?;
    for (round, (name, change, wait)) in (1..).zip(cases) {
        let narrow = Narrow::over(&world, 10 + u64::from(round), change).await?;
        let begin = async |n: u32| {
            let somebody = world.somebody().await?;
            let phone = number(round * 100 + n);
            anyhow::Ok(somebody.begin_phone(&narrow.client, &phone).await)
        };
        for n in 0..3 {
            begin(n).await??;
        }
        let (limit, told, others) = limit_of(begin(3).await?)?;
        ensure!(limit == format!("sms:{name}"), "{limit} in place of {name}");
        ensure!(told == wait && others.is_empty(), "{told} {others:?}");
        // What they have used up is not what confirmations need.
        narrow.send(&user).await??;
        world.pass(wait);
        begin(4).await??;
    }
    Ok(())
}

/// Confirmations and enrolments are judged apart, and closed apart.
async fn closes(backend: Backend) -> Result<()> {
    let world = World::with(backend, unlimited()).await?;
    let user = with_app_and_phone(&world, &number(1), ALL).await?;
    let change: fn(&mut SpendRules) = |it| {
        it.conversion.enough = 3;
        it.conversion.latest = 10;
    };
    let narrow = Narrow::over(&world, 10, change).await?;
    let begin = async |n: u32| {
        let somebody = world.somebody().await?;
        let begun = somebody.begin_phone(&narrow.client, &number(n)).await;
        if begun.is_ok() {
            world.carrier().nth_message_to(&number(n), 1).await;
        }
        anyhow::Ok((somebody, begun))
    };
    for n in 100..103 {
        begin(n).await?.1?;
    }
    // Nobody has had all the time to type a code: nobody is judged.
    world.pass(5 * MINUTE - 1);
    begin(103).await?.1?;
    world.pass(MINUTE);
    let (somebody, refused) = begin(104).await?;
    let (limit, told, others) = limit_of(refused)?;
    ensure!(limit == "sms:prefix-closed", "{limit}");
    ensure!(told == HOUR && others.is_empty(), "{told} {others:?}");
    paused_once(&world, &somebody).await?;
    // Who has confirmed a number of that prefix is sent codes.
    for _ in 0..3 {
        narrow.send(&user).await??;
        world.pass(2 * MINUTE);
    }
    world.pass(3 * MINUTE);
    let sent = world.message_states()?;
    for wait in [HOUR, HOUR - 10] {
        let (limit, told, others) = limit_of(narrow.send(&user).await?)?;
        ensure!(limit == "sms:prefix-closed", "{limit}");
        ensure!(told == wait && others.len() == 1, "{told} {others:?}");
        world.pass(10);
    }
    ensure!(world.message_states()? == sent, "something was queued");
    paused_once(&world, &user.0).await
}

/// Somebody is told once that no codes are sent for a while.
async fn paused_once(world: &World, person: &Person) -> Result<()> {
    let facts = world.facts(person)?;
    ensure!(facts.matches("PREFIX_CLOSED").count() == 1, "{facts}");
    let events = person.events(&world.client).await?;
    let paused = v1::SecurityFactKind::SendingPaused;
    let told = events.iter().flat_map(|event| &event.facts);
    ensure!(told.filter(|fact| fact.kind() == paused).count() == 1);
    Ok(())
}
