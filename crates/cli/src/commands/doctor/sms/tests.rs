//! What is said of the settings of SMS, and of messages that wait.

use std::fs;

use countersign_mfa::ports::sms::Waiting;
use countersign_primitives::Timestamp;

use super::{
    super::report::Status::{self, Ok as Sound, Warning},
    *,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_100_000);

/// What is said of a configuration that has this.
fn judged(sms: &str) -> Vec<Line> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.toml");
    let head = "insecure = true\ndatabase.url = 'sqlite:x.db'\nkeys.file = 'keys.toml'\n";
    fs::write(&path, format!("{head}{sms}")).unwrap();
    let (config, _) = Config::examine(&path);
    judge(&config.unwrap())
}

/// The one warning about a configuration.
fn warned(sms: &str) -> (String, String) {
    let lines = judged(sms);
    let warnings: Vec<&Line> = lines.iter().filter(|it| it.status != Sound).collect();
    let [line] = warnings[..] else {
        panic!("{sms}: {lines:#?}");
    };
    assert_eq!(line.status, Warning);
    let advice = line.advice.as_deref().unwrap();
    (line.check.clone(), format!("{} -> {advice}", line.found))
}

fn smsc(more: &str) -> String {
    format!(
        "[sms.providers.main]\nkind = 'smsc'\nurl = 'https://smsc.example/send'\nlogin = 'me'\npassword = {{ env = 'X' }}\nsender = 'Me'\n{more}\n"
    )
}

#[test]
fn without_a_provider_sms_is_off_and_nothing_is_wrong_with_that() {
    let lines = judged("sms.countries = ['RU']\n");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].status, lines[0].check.as_str()), (Sound, "sms"));
    assert!(lines[0].found.starts_with("off"), "{:?}", lines[0]);
}

#[test]
fn a_sound_configuration_is_told_in_a_few_lines() {
    let lines = judged(&smsc(""));
    let checks: Vec<(&str, Status)> = lines
        .iter()
        .map(|line| (line.check.as_str(), line.status))
        .collect();
    let expected = ["sms", "sms repeats", "sms texts"].map(|check| (check, Sound));
    assert_eq!(checks, expected, "{lines:?}");
    assert_eq!(lines[0].found, "carried by main (smsc)");
    assert!(lines[2].found.contains("en for whoever"), "{lines:?}");
}

#[test]
fn what_cannot_work_is_said_with_what_to_do() {
    let folder = "[sms.providers.staging]\nkind = 'file'\ndirectory = 'sms'\n";
    let hook = "callback_secret = { env = 'Y' }";
    for (sms, check, parts) in [
        (
            folder.to_owned(),
            "sms.providers.staging",
            ["reaches no phone", "another kind"],
        ),
        (
            smsc(hook),
            "sms webhooks",
            ["main would report", "`sms.webhooks.listen`"],
        ),
        (
            format!("sms.webhooks.listen = '127.0.0.1:8081'\n{}", smsc("")),
            "sms webhooks",
            ["127.0.0.1:8081", "remove `sms.webhooks`"],
        ),
        (
            format!(
                "sms.countries = ['RU', 'KZ']\n{}",
                smsc("countries = ['RU']")
            ),
            "sms countries",
            ["numbers of KZ, so none is", "`sms.countries`"],
        ),
        (
            format!("sms.sends = 9\n{}", smsc("")),
            "sms repeats",
            ["9 messages", "`sms.limits.number.hour`"],
        ),
        (
            format!("sms.sends = 6\n{}", smsc("")),
            "sms repeats",
            ["after 930 s", "`sms.resend_seconds`"],
        ),
    ] {
        let (of, said) = warned(&sms);
        assert_eq!(of, check);
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing in {said}");
        }
    }
    let both = format!(
        "sms.webhooks.listen = '127.0.0.1:8081'\nsms.countries = ['RU']\n{}",
        smsc(&format!("{hook}\ncountries = ['RU', 'KZ']"))
    );
    let lines = judged(&both);
    assert!(lines.iter().all(|it| it.status == Sound), "{lines:#?}");
}

fn found(messages: u64, seconds: i64) -> SmsFound {
    let queued = Timestamp::from_millis(NOW.as_millis() - seconds * 1000);
    SmsFound {
        waiting: Waiting {
            messages,
            oldest: (messages > 0).then_some(queued),
        },
        closed: Vec::new(),
        now: NOW,
    }
}

#[test]
fn messages_that_wait_are_a_warning_after_a_minute() {
    for (messages, seconds, is_on, status, said) in [
        (0, 0, true, Sound, "no message waits"),
        (
            1,
            60,
            true,
            Sound,
            "1 message waits to be sent, the oldest for 60 s",
        ),
        (
            2,
            61,
            true,
            Warning,
            "2 messages wait to be sent, the oldest for 61 s",
        ),
        (2, 61, false, Warning, "2 messages wait"),
        // A clock that is behind.
        (1, -5, true, Sound, "the oldest for 0 s"),
    ] {
        let lines = super::messages(&Ok(found(messages, seconds)), is_on);
        assert_eq!(lines[0].status, status, "{:?}", lines[0]);
        assert!(lines[0].found.contains(said), "{:?}", lines[0]);
        assert_eq!((lines.len(), lines[1].status), (2, Sound), "{lines:?}");
    }
    let advice = |is_on| {
        let mut lines = super::messages(&Ok(found(1, 90)), is_on);
        lines.remove(0).advice.unwrap()
    };
    assert!(advice(true).contains("a gateway runs"));
    assert!(advice(false).contains("`sms.providers`"));
    assert!(super::messages(&Ok(found(0, 0)), false).is_empty());
}

#[test]
fn closed_prefixes_are_named_as_far_as_there_is_room() {
    let until = Timestamp::from_millis(1_700_000_000_000);
    let closed = |count| SmsFound {
        closed: (0..count).map(|it| (format!("+7912{it}"), until)).collect(),
        ..found(0, 0)
    };
    let line = |count| super::messages(&Ok(closed(count)), true).remove(1);
    let one = line(1);
    assert_eq!(one.status, Warning);
    assert!(
        one.found.contains("+79120 until 2023-11-14T22:13:20Z:"),
        "{one:?}"
    );
    let many = line(NAMED + 2);
    assert!(many.found.contains("2 more"), "{many:?}");
    assert!(!many.found.contains(&format!("+7912{NAMED} ")), "{many:?}");
}
