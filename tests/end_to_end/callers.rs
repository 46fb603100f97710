//! Who may call what: the table of callers against every method, operation, purpose and amount.

mod purposes;
mod shares;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use countersign_security_identifiers::{Purpose as Switch, PurposeSet};
use countersign_testkit::{
    Backend, Callers, Ceiling, Client, METHODS, MethodLimits, OperationKind, Options,
    PaymentMethods, Row, Share, new_request_id, reason_of, retry_after, v1,
    v1::{Purpose, operation::Operation, settings_change::Change},
};
use futures::future::join_all;
use tonic::{
    Code, Request, Status, client::Grpc, codegen::http::uri::PathAndQuery, metadata::MetadataValue,
    transport::Channel,
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use crate::{
    harness::Suite,
    world::{World, accepted, custom, login, refused, settings},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "callers::each_may_call_the_methods_of_its_row_and_no_other",
        methods,
    );
    suite.on_each_backend(
        "callers::each_may_have_the_operations_of_its_row_confirmed_and_no_other",
        operations,
    );
    suite.on_each_backend(
        "callers::withdrawals_are_bounded_by_payment_method_and_amount",
        withdrawals,
    );
    suite.on_each_backend(
        "callers::each_may_switch_the_purposes_of_its_row_and_no_other",
        purposes::purposes,
    );
    suite.on_each_backend(
        "callers::what_may_not_be_asked_is_refused_whether_it_exists_or_not",
        existence,
    );
    suite.on_each_backend(
        "callers::who_may_act_for_another_acts_on_its_confirmations_and_on_no_others",
        acting_for,
    );
    suite.on_each_backend(
        "callers::a_flood_of_one_leaves_room_for_another",
        shares::flood,
    );
    suite.on_each_backend(
        "callers::who_watches_takes_of_its_share_until_it_stops",
        shares::watching,
    );
    suite.on_each_backend(
        "callers::who_comes_too_often_is_told_when_to_come_again",
        shares::rate,
    );
}

/// More than any test takes.
const PLENTY: Share = Share {
    per_second: std::num::NonZeroU32::MAX,
    at_once: 64,
};

/// A row that allows these methods.
fn may(methods: &[&'static str]) -> Row {
    let mut row = Row::nothing(PLENTY);
    row.methods = methods.iter().copied().collect();
    row
}

/// A row that allows everything.
fn all() -> Row {
    let mut row = Row::nothing(PLENTY);
    row.methods = METHODS.iter().map(|method| method.name).collect();
    row.operations = [
        OperationKind::Login,
        OperationKind::Withdrawal,
        OperationKind::SettingsChange,
        OperationKind::Custom,
    ]
    .into();
    row.purposes = Switch::ALL.into_iter().collect();
    row.payment_methods = PaymentMethods::Any;
    row.other_ceiling = Some(Ceiling::Unlimited);
    row
}

async fn world(backend: Backend, rows: &[(&str, Row)]) -> Result<World> {
    let rows: BTreeMap<String, Row> = rows
        .iter()
        .map(|(name, row)| ((*name).to_owned(), row.clone()))
        .chain([(crate::world::CALLER.to_owned(), all())])
        .collect();
    let options = Options {
        callers: Callers::Table(rows),
        ..Options::default()
    };
    World::with(backend, options).await
}

/// Calls a method with a message that says nothing.
async fn bare(channel: &Channel, caller: &str, path: &'static str) -> Result<Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await?;
    let mut request = Request::new(());
    let name = MetadataValue::try_from(caller)?;
    request.metadata_mut().insert("x-countersign-caller", name);
    let path = PathAndQuery::from_static(path);
    // A stream that is answered with an error is refused before anything else.
    let answer = grpc
        .server_streaming(request, path, ProstCodec::<(), ()>::default())
        .await;
    match answer {
        Err(status) => Ok(status),
        Ok(_) => Ok(Status::ok("it was let in")),
    }
}

fn is_refused(status: &Status) -> Result<bool> {
    let is_denied = status.code() == Code::PermissionDenied;
    ensure!(
        is_denied == (reason_of(status) == "CALLER_NOT_PERMITTED"),
        "{status:?}"
    );
    Ok(is_denied)
}

/// The key of the table that a refusal names.
fn lacks(status: &Status) -> Result<String> {
    let info = status.get_details_error_info().context("an ErrorInfo")?;
    Ok(info.metadata.get("lacks").context("lacks")?.clone())
}

async fn methods(backend: Backend) -> Result<()> {
    let names: Vec<String> = METHODS
        .iter()
        .map(|row| format!("only-{}", row.name))
        .collect();
    let mut rows: Vec<(&str, Row)> = vec![("nothing", may(&[])), ("all", all())];
    for (name, method) in names.iter().zip(METHODS) {
        rows.push((name, may(&[method.name])));
    }
    let world = world(backend, &rows).await?;
    let endpoint = tonic::transport::Endpoint::from_shared(world.platform.endpoint().to_owned())?;
    let channel = endpoint.connect().await?;
    // Whatever else is asked for is let in, or not, like a method.
    for path in [
        "/x/y",
        "/countersign.v1.PinService/Guess",
        "/countersign.v2.PinService/Set",
        "/",
    ] {
        let status = bare(&channel, "stranger", path).await?;
        ensure!(is_refused(&status)?, "{path}: {status:?}");
        let status = bare(&channel, "nothing", path).await?;
        ensure!(status.code() == Code::Unimplemented, "{path}: {status:?}");
    }
    let (mut allowed, mut denied) = (0, 0);
    let strangers = [("stranger", None)];
    let known = rows.iter().map(|(name, row)| (*name, Some(row)));
    for (caller, row) in known.chain(strangers) {
        for method in METHODS {
            let status = bare(&channel, caller, method.path).await?;
            let may = row.is_some_and(|row| row.methods.contains(method.name));
            let busy = row.is_none() && reason_of(&status) == "CALLER_BUSY";
            ensure!(
                is_refused(&status)? != may || busy,
                "{caller} {}: {status:?}",
                method.name
            );
            if !may && !busy {
                let key = if row.is_some() { "methods" } else { "callers" };
                ensure!(lacks(&status)? == key, "{status:?}");
            }
            *(if may { &mut allowed } else { &mut denied }) += 1;
        }
    }
    ensure!(allowed == 2 * METHODS.len(), "{allowed} {denied}");
    println!("callers x methods: {allowed} allowed, {denied} refused");
    Ok(())
}

/// An operation, the kinds of a row that allow it, and its name.
fn kinds() -> Vec<(&'static str, Operation, Vec<OperationKind>)> {
    use OperationKind as Kind;
    let of = |kind: &str| Kind::CustomOf(kind.to_owned());
    let other = Operation::Custom(v1::CustomOperation {
        kind: "api-key.delete".to_owned(),
        fields: [].into(),
    });
    let set_pin = settings(Change::SetPin(v1::SetPinChange {}));
    vec![
        ("login", login("phone"), vec![Kind::Login]),
        (
            "withdrawal",
            crate::world::payout(7),
            vec![Kind::Withdrawal],
        ),
        ("settings", set_pin, vec![Kind::SettingsChange]),
        (
            "create a key",
            custom("all"),
            vec![Kind::Custom, of("api-key.create")],
        ),
        (
            "delete a key",
            other,
            vec![Kind::Custom, of("api-key.delete")],
        ),
    ]
}

async fn ask(client: &Client, operation: &Operation, is_redeem: bool) -> Status {
    let operation = Some(v1::Operation {
        operation: Some(operation.clone()),
    });
    let subject_id = "anna".to_owned();
    let answer = if is_redeem {
        let request = v1::ConfirmationServiceRedeemRequest {
            subject_id,
            request_id: new_request_id(),
            confirmation_id: new_request_id(),
            operation,
        };
        client.confirmations().redeem(request).await.map(drop)
    } else {
        let request = v1::ConfirmationServiceCreateRequest {
            subject_id,
            request_id: new_request_id(),
            operation,
            redeem_on_approval: false,
        };
        client.confirmations().create(request).await.map(drop)
    };
    answer.err().unwrap_or_else(|| Status::ok("it was let in"))
}

const CREATE_AND_REDEEM: [&str; 2] = ["ConfirmationService.Create", "ConfirmationService.Redeem"];

async fn operations(backend: Backend) -> Result<()> {
    let choices: Vec<BTreeSet<OperationKind>> = vec![
        [].into(),
        [OperationKind::Login].into(),
        [OperationKind::Withdrawal].into(),
        [OperationKind::SettingsChange].into(),
        [OperationKind::Custom].into(),
        [OperationKind::CustomOf("api-key.create".to_owned())].into(),
        [OperationKind::CustomOf("api-key".to_owned())].into(),
        [
            OperationKind::Login,
            OperationKind::CustomOf("api-key.delete".to_owned()),
        ]
        .into(),
        all().operations,
    ];
    let names: Vec<String> = (0..choices.len())
        .map(|number| format!("caller-{number}"))
        .collect();
    let rows = names.iter().zip(&choices).map(|(name, operations)| {
        let mut row = all();
        row.methods = CREATE_AND_REDEEM.into();
        row.operations.clone_from(operations);
        (name.as_str(), row)
    });
    let world = world(backend, &rows.collect::<Vec<_>>()).await?;
    let (mut allowed, mut denied) = (0, 0);
    for (name, choice) in names.iter().zip(&choices) {
        let client = world.platform.client(name).await?;
        for (what, operation, by) in kinds() {
            for is_redeem in [false, true] {
                let status = ask(&client, &operation, is_redeem).await;
                let may = by.iter().any(|kind| choice.contains(kind));
                ensure!(is_refused(&status)? != may, "{choice:?} {what}: {status:?}");
                if !may {
                    ensure!(lacks(&status)? == "operations", "{status:?}");
                }
                *(if may { &mut allowed } else { &mut denied }) += 1;
            }
        }
    }
    // An approval that redeems takes what Redeem takes.
    let mut row = all();
    row.methods.remove("ConfirmationService.Redeem");
    let world = self::world(backend, &[("approves", row)]).await?;
    let client = world.platform.client("approves").await?;
    for redeem_on_approval in [false, true] {
        let request = v1::ConfirmationServiceCreateRequest {
            subject_id: "anna".to_owned(),
            request_id: new_request_id(),
            operation: Some(v1::Operation {
                operation: Some(login("phone")),
            }),
            redeem_on_approval,
        };
        let answer = client.confirmations().create(request).await;
        ensure!(answer.is_err() == redeem_on_approval, "{answer:?}");
    }
    println!("callers x operations: {allowed} allowed, {denied} refused");
    Ok(())
}

fn payout(currency: &str, units: i64, nanos: i32, payment_method: &str) -> Operation {
    Operation::Withdrawal(v1::Withdrawal {
        source_account: "main".to_owned(),
        amount: Some(v1::Money {
            currency_code: currency.to_owned(),
            units,
            nanos,
        }),
        destination: "DE02120300000000202051".to_owned(),
        payment_method: payment_method.to_owned(),
    })
}

async fn withdrawals(backend: Backend) -> Result<()> {
    let mut bounded = may(&CREATE_AND_REDEEM);
    bounded.operations = [OperationKind::Withdrawal].into();
    bounded.payment_methods = PaymentMethods::Only(["sepa".to_owned(), String::new()].into());
    bounded.ceilings = [
        ("EUR".to_owned(), Ceiling::UpTo("10000.50".parse()?)),
        ("USDT".to_owned(), Ceiling::Unlimited),
        ("RUB".to_owned(), Ceiling::UpTo("0".parse()?)),
    ]
    .into();
    let mut open = bounded.clone();
    open.payment_methods = PaymentMethods::Any;
    open.other_ceiling = Some(Ceiling::UpTo("1".parse()?));
    let world = world(backend, &[("bounded", bounded), ("open", open)]).await?;
    let half = 500_000_000;
    for (caller, operation, lack) in [
        ("bounded", payout("EUR", 10_000, half, "sepa"), None),
        ("bounded", payout("EUR", 10_000, half, ""), None),
        ("bounded", payout("EUR", 0, 1, "sepa"), None),
        (
            "bounded",
            payout("EUR", 10_000, half + 1, "sepa"),
            Some("ceilings"),
        ),
        (
            "bounded",
            payout("EUR", 10_001, 0, "sepa"),
            Some("ceilings"),
        ),
        (
            "bounded",
            payout("EUR", i64::MAX, 999_999_999, "sepa"),
            Some("ceilings"),
        ),
        (
            "bounded",
            payout("USDT", i64::MAX, 999_999_999, "sepa"),
            None,
        ),
        ("bounded", payout("RUB", 0, 1, "sepa"), Some("ceilings")),
        ("bounded", payout("USD", 1, 0, "sepa"), Some("ceilings")),
        (
            "bounded",
            payout("EUR", 1, 0, "swift"),
            Some("payment_methods"),
        ),
        (
            "bounded",
            payout("EUR", 1, 0, "SEPA"),
            Some("payment_methods"),
        ),
        ("bounded", payout("EUR", 1, 0, "*"), Some("payment_methods")),
        ("open", payout("EUR", 1, 0, "swift"), None),
        ("open", payout("USD", 1, 0, "swift"), None),
        ("open", payout("USD", 1, 1, "swift"), Some("ceilings")),
        ("open", payout("EUR", 10_001, 0, "swift"), Some("ceilings")),
    ] {
        let client = world.platform.client(caller).await?;
        for is_redeem in [false, true] {
            let status = ask(&client, &operation, is_redeem).await;
            ensure!(
                is_refused(&status)? == lack.is_some(),
                "{operation:?}: {status:?}"
            );
            if let Some(lack) = lack {
                ensure!(lacks(&status)? == lack, "{operation:?}: {status:?}");
            }
        }
    }
    Ok(())
}

async fn existence(backend: Backend) -> Result<()> {
    let mut logins = may(&CREATE_AND_REDEEM);
    logins.operations = [OperationKind::Login].into();
    let world = world(backend, &[("logins", logins), ("nothing", may(&[]))]).await?;
    let (anna, _) = world.owner(&[Purpose::Login]).await?;
    let open = anna.open(&world.client, crate::world::payout(7)).await?;
    let events = world.rows("event", &anna)?;
    for caller in ["logins", "nothing"] {
        let client = world.platform.client(caller).await?;
        let mut said = Vec::new();
        let known = (anna.subject.clone(), open.confirmation_id.clone());
        let stranger = ("nobody".to_owned(), new_request_id());
        for (subject_id, confirmation_id) in [known, stranger] {
            let redeem = v1::ConfirmationServiceRedeemRequest {
                subject_id: subject_id.clone(),
                request_id: new_request_id(),
                confirmation_id: confirmation_id.clone(),
                operation: Some(v1::Operation {
                    operation: Some(crate::world::payout(7)),
                }),
            };
            let get = v1::ConfirmationServiceGetRequest {
                subject_id,
                confirmation_id,
            };
            said.push((
                client.confirmations().redeem(redeem).await.map(drop),
                client.confirmations().get(get).await.map(drop),
            ));
        }
        let mut bytes = Vec::new();
        for (redeemed, got) in said {
            let mut both = Vec::new();
            for answer in [redeemed, got] {
                let status = refused(answer, Code::PermissionDenied, "CALLER_NOT_PERMITTED")?;
                both.push((status.message().to_owned(), status.details().to_vec()));
            }
            bytes.push(both);
        }
        ensure!(
            bytes[0] == bytes[1],
            "what exists is told from what does not"
        );
    }
    ensure!(world.rows("event", &anna)? == events);
    Ok(())
}

async fn acting_for(backend: Backend) -> Result<()> {
    let rows: BTreeMap<String, Row> = [crate::world::CALLER, "logins", "portal", "payouts"]
        .into_iter()
        .map(|name| (name.to_owned(), all()))
        .collect();
    let mut options = Options {
        callers: Callers::Table(rows),
        ..Options::default()
    };
    let caller = |name: &str| countersign_mfa::Caller::parse(name);
    options
        .settings
        .grants
        .add(caller("portal")?, &caller("logins")?);
    let world = World::with(backend, options).await?;
    let [logins, portal, payouts] = [
        world.platform.client("logins").await?,
        world.platform.client("portal").await?,
        world.platform.client("payouts").await?,
    ];
    let person = countersign_testkit::Person::new();
    person.set_pin(&logins).await?;
    let app = person
        .enrol(&logins, &[Purpose::Login], world.now())
        .await?;

    let id = person.open(&logins, login("phone")).await?.confirmation_id;
    refused(
        person.get(&payouts, &id).await,
        Code::NotFound,
        "CONFIRMATION_NOT_FOUND",
    )?;
    person.get(&portal, &id).await?;
    let answer = person.submit(&portal, &id, vec![world.right(&app)]).await?;
    ensure!(accepted(&answer));
    let redeemed = person.redeem(&payouts, &id, login("phone")).await;
    refused(redeemed, Code::NotFound, "CONFIRMATION_NOT_FOUND")?;
    person.redeem(&portal, &id, login("phone")).await?;
    let again = person.redeem(&logins, &id, login("phone")).await;
    refused(again, Code::FailedPrecondition, "ALREADY_REDEEMED")?;

    // Not the other way round, and not by way of a third.
    let id = person.open(&portal, login("phone")).await?.confirmation_id;
    refused(
        person.cancel(&logins, &id).await,
        Code::NotFound,
        "CONFIRMATION_NOT_FOUND",
    )?;
    let id = person.open(&payouts, login("phone")).await?.confirmation_id;
    refused(
        person.cancel(&portal, &id).await,
        Code::NotFound,
        "CONFIRMATION_NOT_FOUND",
    )?;
    let id = person.open(&logins, login("phone")).await?.confirmation_id;
    person.cancel(&portal, &id).await?;
    Ok(())
}
