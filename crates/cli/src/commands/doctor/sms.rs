//! Codes sent by SMS: whether anybody can carry them, and whether they are carried.

use std::time::Duration;

use countersign_mfa::ports::StoreError;
use countersign_storage::SmsFound;

use super::{Line, database::chain};
use crate::{
    config::{Config, Sms},
    output::instant,
};

/// How long a message may wait: most are with a carrier within a second.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many closed prefixes are named.
const NAMED: usize = 10;

/// Judges the settings. What is not right in itself is a fault of the configuration.
pub(super) fn judge(config: &Config) -> Vec<Line> {
    let sms = &config.sms;
    let all: Vec<String> = sms
        .providers
        .outlines()
        .map(|provider| format!("{} ({})", provider.name, provider.kind))
        .collect();
    if all.is_empty() {
        let off =
            "off: `sms.providers` names nobody who carries messages, and phones cannot be enrolled";
        return vec![Line::ok("sms", off)];
    }
    let mut lines = vec![Line::ok("sms", format!("carried by {}", all.join(", ")))];
    lines.extend(folders(sms));
    lines.extend(webhooks(sms));
    lines.extend(countries(sms));
    lines.push(repeats(sms, config.approve_within()));
    if let Some(texts) = sms.texts() {
        let locales: Vec<&str> = texts.locales().collect();
        let fallback = texts.fallback().as_str();
        lines.push(Line::ok(
            "sms texts",
            format!(
                "in {}; {fallback} for whoever reads none of them",
                locales.join(", ")
            ),
        ));
    }
    lines
}

/// Providers that reach no phone.
fn folders(sms: &Sms) -> Vec<Line> {
    let folders = sms.providers.outlines().filter(|it| it.kind == "file");
    let line = |name: &str| {
        Line::warning(
            format!("sms.providers.{name}"),
            "writes messages, codes included, to a folder, and reaches no phone",
            "in production name a provider of another kind",
        )
    };
    folders.map(|provider| line(provider.name)).collect()
}

/// Whether those who report by webhook can.
fn webhooks(sms: &Sms) -> Option<Line> {
    let check = "sms webhooks";
    let reporters = sms.providers.outlines().filter(|it| it.has_webhook);
    let reporters: Vec<&str> = reporters.map(|provider| provider.name).collect();
    let named = reporters.join(", ");
    match (sms.webhooks(), reporters.as_slice()) {
        (None, []) => None,
        (None, _) => Some(Line::warning(
            check,
            format!(
                "{named} would report by webhook, and `sms.webhooks.listen` names no address: what \
                 becomes of messages will not be known"
            ),
            "name in `sms.webhooks.listen` an address and a port that your proxy hands the reports to",
        )),
        (Some(address), []) => Some(Line::warning(
            check,
            format!("taken on {address}, and no provider reports by webhook"),
            "remove `sms.webhooks`, or give the provider what its reports are checked with",
        )),
        (Some(address), _) => Some(Line::ok(check, format!("of {named}, taken on {address}"))),
    }
}

/// Whether there is a provider for each country.
fn countries(sms: &Sms) -> Option<Line> {
    let check = "sms countries";
    let outlines = || sms.providers.outlines();
    if outlines().any(|provider| provider.countries.is_empty()) {
        return None;
    }
    let is_served =
        |country: &&String| outlines().any(|provider| provider.countries.contains(country));
    let advice =
        "name those that a provider takes in `sms.countries`, or have a provider take more";
    let unserved = sms.countries().iter().filter(|it| !is_served(it));
    let unserved: Vec<&str> = unserved.map(String::as_str).collect();
    if unserved.is_empty() {
        return None;
    }
    Some(Line::warning(
        check,
        format!(
            "no provider takes numbers of {}, so none is enrolled or sent to",
            unserved.join(", ")
        ),
        advice,
    ))
}

/// Whether a confirmation can have the messages that it may ask for.
fn repeats(sms: &Sms, approve_within: Duration) -> Line {
    let check = "sms repeats";
    let (sends, last) = sms.sends();
    let found = format!("a confirmation may ask for {sends} messages (`sms.sends`)");
    if let Some((limit, hour)) = sms.narrow_limits().first() {
        return Line::warning(
            check,
            format!("{found}, and `sms.limits.{limit}` lets {hour} out in an hour"),
            format!("lower `sms.sends`, or raise `sms.limits.{limit}.hour`"),
        );
    }
    if last >= approve_within {
        return Line::warning(
            check,
            format!(
                "{found}, and the last could go out after {} s, when the confirmation has ended: it \
                 has {} s",
                last.as_secs(),
                approve_within.as_secs()
            ),
            "lower `sms.sends` or `sms.resend_seconds`, or raise `confirmation.approve_within_seconds`",
        );
    }
    Line::ok(check, found)
}

/// Judges what the database has of messages. Where no codes are sent and none wait there is nothing
/// to say.
pub(super) fn messages(found: &Result<SmsFound, StoreError>, is_on: bool) -> Vec<Line> {
    let check = "sms outbox";
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            return vec![Line::wrong(
                check,
                chain(error),
                "see that the user of `database.url` may read the tables message and spend",
            )];
        }
    };
    let waiting = found.waiting;
    if !is_on && waiting.messages == 0 {
        return Vec::new();
    }
    vec![outbox(found, is_on), prefixes(found)]
}

fn outbox(found: &SmsFound, is_on: bool) -> Line {
    let check = "sms outbox";
    let Some(oldest) = found.waiting.oldest else {
        return Line::ok(check, "no message waits to be sent");
    };
    let age = oldest.until(found.now);
    let count = match found.waiting.messages {
        1 => "1 message waits".to_owned(),
        count => format!("{count} messages wait"),
    };
    let said = format!("{count} to be sent, the oldest for {} s", age.as_secs());
    if age <= LONGEST_WAIT {
        return Line::ok(check, said);
    }
    let advice = if is_on {
        "see that a gateway runs, and in its log why no provider takes messages"
    } else {
        "name providers in `sms.providers`: nobody sends these"
    };
    Line::warning(check, said, advice)
}

fn prefixes(found: &SmsFound) -> Line {
    let check = "sms prefixes";
    if found.closed.is_empty() {
        return Line::ok(check, "none is closed");
    }
    let named = found.closed.iter().take(NAMED);
    let named = named.map(|(prefix, until)| format!("{prefix} until {}", instant(*until)));
    let mut named: Vec<String> = named.collect();
    if found.closed.len() > NAMED {
        named.push(format!("{} more", found.closed.len() - NAMED));
    }
    Line::warning(
        check,
        format!(
            "nothing is sent to numbers that begin with {}: too few of their codes came back",
            named.join(", ")
        ),
        "see whether somebody pumps messages to them, or whether their carrier loses messages; they open \
         by themselves",
    )
}

#[cfg(test)]
mod tests;
