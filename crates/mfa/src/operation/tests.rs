//! A digest binds every field that it must, and no context.

use super::*;

fn subject() -> SubjectId {
    SubjectId::parse("anna").unwrap()
}

fn withdrawal() -> Withdrawal {
    Withdrawal {
        source_account: "main".to_owned(),
        amount: Money {
            currency: "EUR".to_owned(),
            units: 100,
            nanos: 0,
        },
        destination: "DE02".to_owned(),
        payment_method: "sepa".to_owned(),
    }
}

fn digest(withdrawal: Withdrawal) -> Digest {
    Operation::Withdrawal(withdrawal).digest(&subject())
}

#[test]
fn any_change_of_a_withdrawal_changes_its_digest() {
    let money = |currency: &str, units, nanos| Money {
        currency: currency.to_owned(),
        units,
        nanos,
    };
    let others = [
        Withdrawal {
            source_account: "other".to_owned(),
            ..withdrawal()
        },
        Withdrawal {
            amount: money("USD", 100, 0),
            ..withdrawal()
        },
        Withdrawal {
            amount: money("EUR", 101, 0),
            ..withdrawal()
        },
        Withdrawal {
            amount: money("EUR", 100, 1),
            ..withdrawal()
        },
        Withdrawal {
            destination: "DE03".to_owned(),
            ..withdrawal()
        },
        Withdrawal {
            payment_method: "swift".to_owned(),
            ..withdrawal()
        },
        Withdrawal {
            destination: "DE02s".to_owned(),
            payment_method: "epa".to_owned(),
            ..withdrawal()
        },
    ];
    for other in others {
        assert_ne!(digest(other.clone()), digest(withdrawal()), "{other:?}");
    }
    let boris = SubjectId::parse("boris").unwrap();
    let of_boris = Operation::Withdrawal(withdrawal()).digest(&boris);
    assert_ne!(of_boris, digest(withdrawal()));
}

#[test]
fn a_login_binds_the_device_and_not_its_context() {
    let digest = |login: Login| Operation::Login(login).digest(&subject());
    let login = Login {
        ip_address: "192.0.2.1".to_owned(),
        user_agent: "browser".to_owned(),
        device_id: "phone".to_owned(),
    };
    let elsewhere = Login {
        ip_address: "192.0.2.2".to_owned(),
        user_agent: "other".to_owned(),
        ..login.clone()
    };
    assert_eq!(digest(login.clone()), digest(elsewhere));
    let other_device = Login {
        device_id: "laptop".to_owned(),
        ..login.clone()
    };
    assert_ne!(digest(login), digest(other_device));
}

#[test]
fn settings_changes_bind_their_parameters() {
    let one = IdentifierId::from_bytes([1; 16]);
    let two = IdentifierId::from_bytes([2; 16]);
    let login = PurposeSet::from_iter([Purpose::Login]);
    let none = PurposeSet::default();
    let changes = [
        SettingsChange::SetPin,
        SettingsChange::ChangePin,
        SettingsChange::Disable {
            identifier: one,
            confirm_last: false,
        },
        SettingsChange::Disable {
            identifier: one,
            confirm_last: true,
        },
        SettingsChange::Disable {
            identifier: two,
            confirm_last: false,
        },
        SettingsChange::EnableTotp {
            identifier: one,
            purposes: none,
        },
        SettingsChange::EnableTotp {
            identifier: one,
            purposes: login,
        },
        SettingsChange::SetPurposes {
            identifier: one,
            on: login,
            off: none,
        },
        SettingsChange::SetPurposes {
            identifier: one,
            on: none,
            off: login,
        },
    ];
    let digests: Vec<Digest> = changes
        .map(|change| Operation::SettingsChange(change).digest(&subject()))
        .to_vec();
    for (position, digest) in digests.iter().enumerate() {
        assert!(!digests[..position].contains(digest), "{position}");
    }
}

#[test]
fn an_amount_is_read_as_it_is() {
    for (units, nanos, text) in [
        (1000, 0, "1000"),
        (1000, 500_000_000, "1000.50"),
        (0, 1_000, "0.000001"),
        (i64::MAX, 999_999_999, "9223372036854775807.999999999"),
    ] {
        let currency = "USDT".to_owned();
        let money = Money {
            currency,
            units,
            nanos,
        };
        assert_eq!(money.text(), text);
    }
}
