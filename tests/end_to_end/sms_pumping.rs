//! Somebody who earns by each message, among people who confirm logins: what it costs, and whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Countries, MoneyRules, Options, Person, Phone, PhoneNumber, Prices, Rates, SpendRules,
    Timestamp, accepted as carried, v1::Purpose,
};
use futures::{StreamExt, stream};

use crate::{
    harness::{Suite, rounds},
    sms_world::{is_busy, limit_of, number, with_sms},
    world::{MINUTE, World, login},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_pumping::it_costs_no_more_than_the_budgets_and_hardly_anybody_honest",
        pump,
    );
}

/// How far apart rounds are.
const ROUND: u64 = 20 * MINUTE;
/// How many people confirm a login in each, and how many there are.
const CONFIRM: usize = 6;
const HONEST: usize = 36;
/// In which of the rounds somebody confirms whose prefix is attacked.
const VICTIM_EVERY: u32 = 5;
/// Requests of the attacker in each round.
const REQUESTS: u32 = 100;
/// And of each of its accounts, none of which is used twice: no more enrolments may be unfinished.
const EACH: u32 = 2;

/// Where numbers are bought: all valid, in many countries.
const RANGES: [&str; 16] = [
    "+4474000", "+4477000", "+4915123", "+4917012", "+3361234", "+3362345", "+3460012", "+3933312",
    "+4670123", "+4850123", "+9053212", "+9198123", "+6281212", "+7903123", "+7916123", "+3725123",
];

fn rules() -> SpendRules {
    let rates = |hour, day| Rates { hour, day };
    let mut rules = SpendRules {
        prefix: rates(30, 500),
        country: rates(60, 900),
        caller: rates(90, 1_500),
        enrolments: rates(40, 300),
        total: rates(100, 1_600),
        money: Some(MoneyRules {
            per_day: 40_000_000,
            enrolments_per_day: 12_000_000,
            dearest: 90_000,
        }),
        ..SpendRules::default()
    };
    rules.conversion.enough = 5;
    rules.conversion.latest = 20;
    rules
}

fn prices() -> Prices {
    let price = |digits: &str, price| (digits.to_owned(), price);
    Prices::new([price("", 90_000), price("7", 30_000), price("44", 45_000)])
}

fn options() -> Options {
    with_sms(|sms| {
        sms.spend = rules();
        sms.prices = prices();
    })
}

/// A message as the operator pays for it.
struct Paid {
    at: Timestamp,
    number: PhoneNumber,
    is_enrolment: bool,
    cost: u64,
}

/// The most that anything of this scope took in any window of this length.
fn most(paid: &[Paid], window: u64, of: impl Fn(&Paid) -> Option<(String, u64)>) -> u64 {
    let mut scopes: BTreeMap<String, Vec<(Timestamp, u64)>> = BTreeMap::new();
    for one in paid {
        if let Some((scope, amount)) = of(one) {
            scopes.entry(scope).or_default().push((one.at, amount));
        }
    }
    let window = Duration::from_secs(window);
    let sums = scopes.values().flat_map(|spent| {
        spent.iter().map(move |(last, _)| {
            let within = spent
                .iter()
                .filter(move |(at, _)| at <= last && at.plus(window) > *last);
            within.map(|(_, amount)| amount).sum::<u64>()
        })
    });
    sums.max().unwrap_or(0)
}

async fn pump(backend: Backend) -> Result<()> {
    let world = World::with(backend, options()).await?;
    let mut honest = Vec::new();
    for n in 0..HONEST {
        let phone = number(u32::try_from(n)?);
        honest.push(world.phoned(&phone, &[Purpose::Login]).await?);
        // So many that their prefix has room for.
        world.pass(5 * MINUTE);
    }
    // Somebody whose operator's numbers the attacker buys too.
    let victim = world.phoned("+79031234567", &[Purpose::Login]).await?;
    world.pass(25 * 60 * MINUTE);
    let paid = Arc::new(Mutex::new(Vec::new()));
    let began = Arc::new(Mutex::new(world.now()));
    let (notes, of_round) = (Arc::clone(&paid), Arc::clone(&began));
    world.carrier().set_script(move |message| {
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        let at = *of_round.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((at, message.clone()));
        carried(message)
    });

    let (mut asked, mut served, mut requests) = (0, 0, 0);
    let (mut victim_asked, mut victim_served) = (0, 0);
    let mut refusals: BTreeMap<String, u32> = BTreeMap::new();
    let mut sent = world.carrier().messages().len();
    let short = match backend {
        Backend::Postgres => 50,
        Backend::Sqlite => 10,
    };
    for round in 0..rounds(short, 1_000) {
        // When it was allowed is what counts, not when a carrier was given it.
        *began.lock().unwrap_or_else(PoisonError::into_inner) = world.now();
        for turn in 0..CONFIRM {
            let (person, phone) = &honest[(round as usize * CONFIRM + turn) % HONEST];
            asked += 1;
            let is_served = confirms(&world, person, phone).await?;
            served += usize::from(is_served);
            sent += usize::from(is_served);
        }
        if round.is_multiple_of(VICTIM_EVERY) {
            let is_served = confirms(&world, &victim.0, &victim.1).await?;
            victim_asked += 1;
            victim_served += usize::from(is_served);
            sent += usize::from(is_served);
        }
        let accounts = stream::iter(0..REQUESTS / EACH);
        let attack = accounts.map(|n| attempts(&world, round * REQUESTS + n * EACH, EACH));
        let outcomes: Vec<Result<Vec<Option<String>>>> =
            attack.buffer_unordered(16).collect().await;
        for outcomes in outcomes {
            for outcome in outcomes? {
                requests += 1;
                match outcome {
                    Some(limit) => *refusals.entry(limit).or_insert(0) += 1,
                    None => sent += 1,
                }
            }
        }
        // All that was paid for in this round is noted as of this round.
        for wait in 0_u32.. {
            if world.carrier().messages().len() >= sent {
                break;
            }
            ensure!(wait < 6_000, "a message was never sent");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.pass(ROUND);
    }
    let notes = paid.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let paid: Vec<Paid> = notes
        .into_iter()
        .map(|(at, message)| {
            let number = PhoneNumber::parse(&message.number, &Countries::All)?;
            let cost = prices().cost(&number, 1);
            let is_enrolment = message.text.contains("add this phone");
            Ok(Paid {
                at,
                number,
                is_enrolment,
                cost,
            })
        })
        .collect::<Result<_>>()?;
    within_budgets(&paid)?;
    let wasted = paid.iter().filter(|one| one.is_enrolment);
    let (pumped, cost) = wasted.fold((0, 0), |(n, cost), one| (n + 1, cost + one.cost));
    println!(
        "{}: of {requests} requests to pump {pumped} messages were sent, for {} in the currency of \
         the prices; of {asked} honest logins {served} were confirmed, and of {victim_asked} by a \
         number like the attacker's {victim_served}; refused: {refusals:?}",
        backend.name(),
        cost / 1_000_000,
    );
    ensure!(
        served * 100 >= asked * 99,
        "{served} of {asked} were served"
    );
    ensure!(
        victim_served * 100 >= victim_asked * 99,
        "{victim_served} of {victim_asked} were served"
    );
    ensure!(refusals.contains_key("sms:prefix-closed"), "{refusals:?}");
    let sql = "SELECT count(*) FROM event WHERE facts LIKE '%PREFIX_CLOSED%'";
    ensure!(world.database.query(sql)? != "0", "nothing tells of it");
    Ok(())
}

/// Somebody logs in by a code. Whether they could.
async fn confirms(world: &World, person: &Person, phone: &Phone) -> Result<bool> {
    let open = person.open(&world.client, login("tablet")).await?;
    let before = world.carrier().messages_to(&phone.number).len();
    if person.send_code(&world.client, &open, None).await.is_err() {
        person.cancel(&world.client, &open.confirmation_id).await?;
        return Ok(false);
    }
    let code = world.code_after(phone, before).await;
    world.takes(person, &open, phone, &code).await
}

/// A fresh account that begins to enrol fresh numbers: each sent, or refused by this limit.
async fn attempts(world: &World, first: u32, count: u32) -> Result<Vec<Option<String>>> {
    let person = world.somebody().await?;
    let mut outcomes = Vec::new();
    for n in first..first + count {
        let range = RANGES[n as usize % RANGES.len()];
        let nth = n / 16;
        let made = (4_usize..8).map(|left| format!("{range}{:0left$}", nth % 10_u32.pow(4)));
        let mut valid = made.filter(|it| PhoneNumber::parse(it, &Countries::All).is_ok());
        let number = valid.next().context("no such range")?;
        let outcome = loop {
            match person.begin_phone(&world.client, &number).await {
                Ok(_) => break None,
                Err(status) if is_busy(&status) => {}
                refused => break Some(limit_of(refused)?.0),
            }
        };
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Counts what the carrier was given against every budget.
fn within_budgets(paid: &[Paid]) -> Result<()> {
    type Scope = fn(&Paid) -> Option<(String, u64)>;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let rules = rules();
    let counts: [(&str, Rates, Scope); 4] = [
        ("prefix", rules.prefix, |it| Some((it.number.prefix(), 1))),
        ("country", rules.country, |it| {
            Some((it.number.country(), 1))
        }),
        ("enrolments", rules.enrolments, |it| {
            it.is_enrolment.then(|| (String::new(), 1))
        }),
        ("total", rules.total, |_| Some((String::new(), 1))),
    ];
    for (name, rates, scope) in counts {
        let (hour, day) = (most(paid, HOUR, scope), most(paid, DAY, scope));
        ensure!(hour <= u64::from(rates.hour), "{name}: {hour} in an hour");
        ensure!(day <= u64::from(rates.day), "{name}: {day} in a day");
    }
    let money = rules.money.unwrap_or(MoneyRules {
        per_day: 0,
        enrolments_per_day: 0,
        dearest: 0,
    });
    let all = most(paid, DAY, |it| Some((String::new(), it.cost)));
    ensure!(all <= money.per_day, "{all} in a day");
    let part = most(paid, DAY, |it| {
        it.is_enrolment.then(|| (String::new(), it.cost))
    });
    ensure!(part <= money.enrolments_per_day, "{part} for enrolments");
    let prefixes: BTreeSet<String> = paid.iter().map(|it| it.number.prefix()).collect();
    ensure!(prefixes.len() > 8, "the attack came from {prefixes:?}");
    Ok(())
}
