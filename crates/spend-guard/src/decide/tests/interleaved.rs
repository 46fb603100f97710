//! Many who decide at once, each in two steps, over a table whose rows they lock one by one.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{properties::any_rates, *};

/// One message on its way through.
struct Sender {
    subject: SubjectId,
    number: [u8; 32],
    prefix: &'static str,
    is_enrolment: bool,
    state: State,
}

enum State {
    /// Looks at all rows next.
    Looks,
    /// Takes the locks of these one by one, from the first on; so many it has.
    Locks(Vec<RowKey>, usize),
    Done(Option<Refusal>),
}

/// The table, who has which rows, and what was sent.
struct World {
    rules: SpendRules,
    table: Table,
    locked: BTreeSet<RowKey>,
    now: Timestamp,
    sent: Vec<(Timestamp, usize)>,
    looked_again: u32,
}

impl World {
    fn new(rules: SpendRules) -> Self {
        Self {
            rules,
            table: Table::default(),
            locked: BTreeSet::new(),
            now: START,
            sent: Vec::new(),
            looked_again: 0,
        }
    }

    /// One step of a sender: false where it has to wait for a lock, or is done.
    fn step(&mut self, which: usize, senders: &mut [Sender], pick: u64) -> bool {
        let Sender {
            subject,
            number,
            prefix,
            is_enrolment,
            state,
        } = &mut senders[which];
        let send = Send {
            prefix,
            is_enrolment: *is_enrolment,
            ..send(subject, number)
        };
        let (keys, is_locked) = match state {
            State::Done(_) => return false,
            State::Looks => (self.rules.keys(&send), false),
            State::Locks(keys, has) if *has < keys.len() => {
                if !self.locked.insert(keys[*has].clone()) {
                    return false;
                }
                *has += 1;
                return true;
            }
            State::Locks(keys, _) => (keys.clone(), true),
        };
        let rows = self.table.read(&keys);
        let ruling = self
            .rules
            .decide(&send, &keys, &rows, HONEST, self.now, pick);
        if is_locked {
            for key in &keys {
                self.locked.remove(key);
            }
        }
        *state = match ruling {
            Ruling::Reserved(rows) if is_locked => {
                assert!(rows.iter().all(|row| keys.contains(&row.key)));
                self.table.write(rows);
                self.sent.push((self.now, which));
                State::Done(None)
            }
            Ruling::Reserved(rows) => {
                State::Locks(rows.into_iter().map(|row| row.key).collect(), 0)
            }
            Ruling::Refused(refusal) => State::Done(Some(refusal)),
            Ruling::LookAgain => {
                assert!(is_locked, "all were looked at");
                self.looked_again += 1;
                State::Looks
            }
            Ruling::PrefixCloses { .. } => panic!("all convert"),
        };
        true
    }

    /// Lets senders step in an order that is given, and then all of them to their ends.
    fn run(&mut self, senders: &mut [Sender], order: &[(usize, u64, u64)]) {
        for (which, pick, millis) in order {
            self.now = self.now.plus(Duration::from_millis(*millis));
            self.step(which % senders.len(), senders, *pick);
        }
        let mut pick = 0_u64;
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for which in 0..senders.len() {
                pick = pick.wrapping_add(0x9e37_79b9_7f4a_7c15);
                goes_on |= self.step(which, senders, pick);
            }
        }
        let is_done = |sender: &Sender| matches!(sender.state, State::Done(_));
        assert!(senders.iter().all(is_done), "they wait for each other");
        assert!(self.locked.is_empty());
    }

    /// The most messages of some senders that any window of this length has.
    fn most(&self, seconds: u64, is_of: impl Fn(usize) -> bool) -> u32 {
        let window = Duration::from_secs(seconds);
        let of: Vec<Timestamp> = self
            .sent
            .iter()
            .filter(|(_, who)| is_of(*who))
            .map(|(at, _)| *at)
            .collect();
        let from = |start: &Timestamp| {
            let is_in = |at: &&Timestamp| *at >= start && **at < start.plus(window);
            of.iter().filter(is_in).count()
        };
        u32::try_from(of.iter().map(from).max().unwrap_or(0)).unwrap()
    }
}

fn senders(count: u32, subjects: u32, prefixes: &[&'static str]) -> Vec<Sender> {
    let sender = |number: u32| Sender {
        subject: subject(number % subjects),
        number: index(number / 2),
        prefix: prefixes[number as usize % prefixes.len()],
        is_enrolment: number.is_multiple_of(3),
        state: State::Looks,
    };
    (0..count).map(sender).collect()
}

fn order(millis: u64) -> impl Strategy<Value = Vec<(usize, u64, u64)>> {
    vec((any::<usize>(), any::<u64>(), 0..=millis), 0..1_500)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn those_who_send_at_once_get_all_of_the_total_and_not_one_more(
        total in 60..110_u32,
        order in order(0),
    ) {
        let rules = SpendRules {
            total: rates(total, total + 10),
            enrolments: rates(total - 1, total),
            ..SpendRules::default()
        };
        let mut world = World::new(rules);
        let mut senders = senders(130, 130, &["7912", "7913"]);
        world.run(&mut senders, &order);
        prop_assert_eq!(world.sent.len(), total as usize);
        for sender in &senders {
            if let State::Done(Some(refusal)) = sender.state {
                prop_assert_eq!(refusal.limit, Limit::TotalHour);
            }
        }
    }

    #[test]
    fn no_limit_is_passed_by_those_who_send_at_once(
        limits in [any_rates(), any_rates(), any_rates(), any_rates(), any_rates()],
        order in order(60_000),
    ) {
        let [one, number, prefix, enrolments, total] = limits;
        let rules = SpendRules {
            subject: one,
            number,
            prefix,
            enrolments,
            total,
            country: rates(64, 80),
            ..SpendRules::default()
        };
        let mut world = World::new(rules.clone());
        let mut all = senders(120, 30, &["7912", "7913", "7914"]);
        world.run(&mut all, &order);
        prop_assert!(!world.sent.is_empty());
        let holds = |limit: Rates, is_of: &dyn Fn(&Sender) -> bool| {
            let hour = world.most(3_600, |who| is_of(&all[who]));
            let day = world.most(86_400, |who| is_of(&all[who]));
            assert!(hour <= limit.hour && day <= limit.day, "{hour} and {day} of {limit:?}");
        };
        holds(rules.total, &|_| true);
        holds(rules.country, &|_| true);
        holds(rules.enrolments, &|sender| sender.is_enrolment);
        for prefix in ["7912", "7913", "7914"] {
            holds(rules.prefix, &|sender| sender.prefix == prefix);
        }
        for number in 0..60 {
            holds(rules.number, &|sender| sender.number == index(number));
            holds(rules.subject, &|sender| sender.subject == subject(number));
        }
    }
}

#[test]
fn the_last_places_are_fought_for_and_found() {
    let rules = SpendRules {
        total: rates(512, 512),
        enrolments: rates(511, 511),
        prefix: rates(1_000, 1_000),
        ..SpendRules::default()
    };
    let mut world = World::new(rules);
    let mut senders = senders(600, 600, &["7912"]);
    for sender in &mut senders {
        sender.is_enrolment = false;
    }
    world.run(&mut senders, &[]);
    assert_eq!(world.sent.len(), 512);
    assert!(world.looked_again > 0, "nobody came too late to a slot");
}
