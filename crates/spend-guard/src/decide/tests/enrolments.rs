//! What anybody can begin, and what that leaves to those who confirm.

use super::*;

#[test]
fn enrolments_that_nobody_confirms_close_their_prefix_to_enrolments_alone() {
    let rules = SpendRules::default();
    let (subject, index) = (subject(1), index(1));
    let confirms = send(&subject, &index);
    let enrols = Send {
        is_enrolment: true,
        ..confirms
    };
    for (one, other) in [(enrols, confirms), (confirms, enrols)] {
        let mut table = Table::default();
        let keys = rules.keys(&one);
        let nobody = Conversion {
            sent: 30,
            confirmed: 0,
        };
        let ruling = rules.decide(&one, &keys, &[], nobody, START, 0);
        let Ruling::PrefixCloses { row, .. } = ruling else {
            panic!("{ruling:?}");
        };
        assert_eq!(row.key, RowKey::judging("7912", one.is_enrolment));
        table.write(vec![row]);
        let later = START.plus(Duration::from_secs(60));
        let ruling = table.send(&rules, &one, later, 0);
        assert!(matches!(ruling, Ruling::Refused(_)), "{ruling:?}");
        let ruling = table.send(&rules, &other, later, 0);
        assert!(matches!(ruling, Ruling::Reserved(_)), "{ruling:?}");
    }
}

#[test]
fn enrolments_use_up_half_of_a_prefix() {
    let rules = SpendRules {
        prefix: rates(9, 100),
        ..SpendRules::default()
    };
    let (subject, index) = (subject(1), index(1));
    let shape = Send {
        is_enrolment: true,
        ..send(&subject, &index)
    };
    let (sent, refusal) = until_refused(&rules, &shape);
    assert_eq!((sent, refusal.limit), (5, Limit::PrefixHour));
    let (sent, refusal) = until_refused(&rules, &send(&subject, &index));
    assert_eq!((sent, refusal.limit), (9, Limit::PrefixHour));
}
