//! What a number, a language and a word must be, and what the messages say.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use countersign_testkit::{Backend, Countries, TestPlatform, v1};

use crate::{
    harness::Suite,
    sms_world::{ALL, number, with_app_and_phone, with_sms},
    world::{CALLER, World, login, precondition, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "sms_input::what_cannot_be_sent_to_is_refused_by_its_field_and_leaves_nothing",
        refused,
    );
    suite.on_each_backend("sms_input::a_country_must_be_in_the_list", countries);
    suite.on_each_backend(
        "sms_input::messages_are_in_the_readers_language_and_bear_the_word",
        languages,
    );
}

fn request(number: &str, locale: &str, word: &str) -> v1::SmsServiceBeginEnableRequest {
    v1::SmsServiceBeginEnableRequest {
        phone_number: number.to_owned(),
        locale: locale.to_owned(),
        word: word.to_owned(),
        ..Default::default()
    }
}

async fn refused(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let anna = world.somebody().await?;
    let (good, long) = (number(1), format!("+7{}", "9".repeat(60)));
    let numbers = [
        "",
        "+",
        "79120000001",
        "89120000001",
        "+7912000000",
        "+791200000011",
        "+7912000000a",
        "+7 912 000-00-01 ext. 7",
        "+999123456789",
        "+0123456789",
        "+74951234567",
        "+78003339999",
        "+18002345678",
        "+449012345678",
        "+٧٩١٢٠٠٠٠٠٠١",
        "+7912\u{200b}0000001",
        "tel:+79120000001",
        long.as_str(),
    ];
    let before = world.all_rows()?;
    let mut cases: Vec<(&str, v1::SmsServiceBeginEnableRequest)> = Vec::new();
    cases.extend(numbers.map(|typed| ("phone_number", request(typed, "", ""))));
    let locales = [
        "?",
        "e",
        "en_",
        "en-",
        "english-is-no-language-tag-at-all",
        "ru\n",
    ];
    cases.extend(locales.map(|typed| ("locale", request(&good, typed, ""))));
    let words = [
        "an overlong word indeed, it is",
        "code 1234",
        "a.b",
        "a/b",
        "{ $code }",
        "line\nbreak",
        "\u{202e}evil",
        "   ",
    ];
    cases.extend(words.map(|typed| ("word", request(&good, "", typed))));
    for (field, case) in cases {
        let shown = format!("{case:?}");
        let answer = anna.begin_sms(&world.client, case).await;
        let fields = wrong_fields(answer);
        let fields = fields.map_err(|error| error.context(shown.clone()))?;
        ensure!(fields == [field], "{shown}: {fields:?}");
    }
    let all = request("1", "?", "a.b");
    let answer = anna.begin_sms(&world.client, all).await;
    let fields: BTreeSet<String> = wrong_fields(answer)?.into_iter().collect();
    ensure!(fields.len() == 3, "only {fields:?} are named");
    ensure!(world.all_rows()? == before, "something was stored");
    world.nothing_was_sent_since(0).await
}

async fn countries(backend: Backend) -> Result<()> {
    let options = with_sms(|sms| sms.countries = Countries::Only(["RU".to_owned()].into()));
    let world = World::with(backend, options).await?;
    let anna = world.somebody().await?;
    for elsewhere in ["+77012345678", "+447400123456", "+12025550123"] {
        let begun = anna.begin_phone(&world.client, elsewhere).await;
        let fields = wrong_fields(begun)?;
        ensure!(fields == ["phone_number"], "{elsewhere}: {fields:?}");
    }
    anna.begin_phone(&world.client, &number(1)).await?;
    world.carrier().nth_message_to(&number(1), 1).await;
    ensure!(world.carrier().messages().len() == 1);

    // Nor is anything sent to a number that was enrolled before it was taken off the list.
    let (boris, _, _) = with_app_and_phone(&world, &number(2), ALL).await?;
    let mut options = with_sms(|sms| sms.countries = Countries::Only(["KZ".to_owned()].into()));
    options.seed = 2;
    options.carrier = world.carrier().clone();
    let clock = &world.platform.clock;
    let narrower = TestPlatform::start(&world.database, clock, options).await?;
    let client = narrower.client(CALLER).await?;
    let open = boris.open(&client, login("tablet")).await?;
    precondition(
        boris.send_code(&client, &open, None).await,
        "SMS_UNAVAILABLE",
    )?;
    Ok(())
}

async fn languages(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let cases = [
        ("ru", "Маяк", "[Маяк] ", "привязки телефона"),
        ("ru-RU", "", "", "привязки телефона"),
        ("en-GB", "Red boat 7", "[Red boat 7] ", "to add this phone"),
        ("", "", "", "to add this phone"),
        // There are no texts in it.
        ("tlh", "", "", "to add this phone"),
        ("fr-CA", "", "", "to add this phone"),
    ];
    for (n, (locale, word, first, part)) in (1..).zip(cases) {
        let anna = world.somebody().await?;
        anna.begin_sms(&world.client, request(&number(n), locale, word))
            .await?;
        let text = world.carrier().nth_message_to(&number(n), 1).await.text;
        ensure!(
            text.starts_with(first),
            "{text:?} does not begin with the word"
        );
        ensure!(text.contains(part), "{text:?} is not of {locale:?}");
    }
    Ok(())
}
