//! What is said of each thing that certificates can be.

use super::{
    super::report::Status::{self, Ok as Sound, Warning, Wrong},
    *,
};

const DAY: i64 = 24 * 3600 * 1000;

fn day(number: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + number * DAY)
}

fn life(from: i64, until: i64) -> Life {
    Life {
        from: day(from),
        until: day(until),
    }
}

/// One that is valid for 90 days, from day 0 on.
fn chain() -> ChainFound {
    ChainFound {
        certificates: 1,
        leaf: life(0, 90),
        first_end: day(90),
        id: Ok("spiffe://bank.example/gateway".parse().unwrap()),
        has_names: true,
        vouched: Vouched::Yes,
    }
}

fn complaints(chain: &ChainFound, now: Timestamp) -> Vec<(String, Status, String)> {
    let lines = judge_chain(chain, now).into_iter();
    let lines = lines.filter(|line| line.status != Sound);
    lines
        .map(|line| {
            let said = format!("{} -> {}", line.found, line.advice.unwrap_or_default());
            (line.check, line.status, said)
        })
        .collect()
}

#[test]
fn days_left_are_always_told_and_few_are_a_warning() {
    for (now, status, part) in [
        (0, Sound, "90 days left"),
        (83, Sound, "7 days left"),
        (84, Warning, "6 days left"),
        (90, Warning, "0 days 0 h 0 min left"),
        (91, Wrong, "1 days 0 h ago"),
        (-1, Wrong, "not yet"),
    ] {
        let line = judge_expiry(&chain(), day(now));
        assert_eq!(line.status, status, "{now}: {line:?}");
        assert!(line.found.contains(part), "{line:?}");
    }
}

#[test]
fn a_short_life_is_near_its_end_in_its_last_fifth_only() {
    let mut hourly = chain();
    let minutes = |minutes: i64| Timestamp::from_millis(day(0).as_millis() + minutes * 60_000);
    hourly.leaf.until = minutes(60);
    hourly.first_end = minutes(60);
    assert_eq!(judge_expiry(&hourly, minutes(48)).status, Sound);
    assert_eq!(judge_expiry(&hourly, minutes(49)).status, Warning);
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates() {
    let mut chain = chain();
    chain.first_end = day(10);
    assert_eq!(judge_expiry(&chain, day(11)).status, Wrong);
}

#[test]
fn what_callers_would_refuse_is_told() {
    assert_eq!(complaints(&chain(), day(0)), []);
    let mut no_svid = chain();
    no_svid.id = Err("the certificate has no URI".to_owned());
    let mut nameless = chain();
    nameless.has_names = false;
    let mut unvouched = chain();
    unvouched.vouched = Vouched::No("no authority vouches for it".to_owned());
    for (chain, check, status, part) in [
        (no_svid, CERTIFICATE, Wrong, "X.509-SVID"),
        (
            nameless,
            "certificate's names",
            Warning,
            "clients that check names",
        ),
        (
            unvouched,
            CERTIFICATE,
            Wrong,
            "tls.bundles.\"bank.example\"",
        ),
    ] {
        let complaints = complaints(&chain, day(0));
        let [(its_check, its_status, said)] = complaints.as_slice() else {
            panic!("{complaints:?}");
        };
        assert_eq!((its_check.as_str(), *its_status), (check, status));
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_bundle_is_wrong_when_all_of_it_has_expired() {
    for (authorities, status) in [
        (vec![life(0, 3650)], Sound),
        (vec![life(0, 3650), life(0, 104)], Warning),
        (vec![life(0, 3650), life(0, 99)], Warning),
        (vec![life(0, 99), life(0, 98)], Wrong),
    ] {
        let bundle = BundleFound { authorities };
        let domain = "bank.example".parse().unwrap();
        let line = judge_bundle("bundle", &domain, &bundle, day(100));
        assert_eq!(line.status, status, "{line:?}");
        let parts = ["left", "ago"];
        assert!(parts.iter().any(|part| line.found.contains(part)));
    }
}
