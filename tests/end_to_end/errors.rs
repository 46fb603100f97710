//! Errors: one form, every violation at once, and the path of each field.

use anyhow::{Result, ensure};
use countersign_testkit::{
    Backend, app_proof, pin_proof, v1,
    v1::{operation::Operation, settings_change::Change},
};

use crate::{
    harness::Suite,
    world::{World, login, settings, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend(
        "errors::an_empty_request_of_every_method_names_its_fields",
        empty,
    );
    suite.on_each_backend(
        "errors::every_violation_of_an_operation_is_named_at_once",
        operations,
    );
    suite.on_each_backend(
        "errors::every_violation_of_a_settings_change_is_named_at_once",
        changes,
    );
    suite.on_each_backend("errors::every_violation_of_proofs_is_named_at_once", proofs);
    suite.on_each_backend(
        "errors::every_violation_of_an_enrolment_is_named_at_once",
        enrolment,
    );
}

async fn empty(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut confirmations = world.client.confirmations();
    let mut identifiers = world.client.identifiers();
    let (mut pins, mut totp) = (world.client.pins(), world.client.totp());
    let both = ["subject_id", "confirmation_id"];
    let identifier = ["subject_id", "identifier_id"];
    let create = confirmations
        .create(v1::ConfirmationServiceCreateRequest::default())
        .await;
    ensure!(wrong_fields(create)? == ["subject_id", "operation"]);
    let get = confirmations
        .get(v1::ConfirmationServiceGetRequest::default())
        .await;
    ensure!(wrong_fields(get)? == both);
    let submit = confirmations
        .submit_proof(v1::ConfirmationServiceSubmitProofRequest::default())
        .await;
    ensure!(wrong_fields(submit)? == ["subject_id", "confirmation_id", "proofs"]);
    let cancel = confirmations
        .cancel(v1::ConfirmationServiceCancelRequest::default())
        .await;
    ensure!(wrong_fields(cancel)? == both);
    let redeem = confirmations
        .redeem(v1::ConfirmationServiceRedeemRequest::default())
        .await;
    ensure!(wrong_fields(redeem)? == ["subject_id", "confirmation_id", "operation"]);
    let list = identifiers
        .list(v1::IdentifierServiceListRequest {
            page_size: -1,
            ..Default::default()
        })
        .await;
    ensure!(wrong_fields(list)? == ["subject_id", "page_size"]);
    let get = identifiers
        .get(v1::IdentifierServiceGetRequest::default())
        .await;
    ensure!(wrong_fields(get)? == identifier);
    let switch = identifiers
        .set_purposes(v1::IdentifierServiceSetPurposesRequest::default())
        .await;
    ensure!(wrong_fields(switch)? == ["subject_id", "identifier_id", "switch_on"]);
    let rename = identifiers
        .rename(v1::IdentifierServiceRenameRequest::default())
        .await;
    ensure!(wrong_fields(rename)? == ["subject_id", "identifier_id", "label"]);
    let set = pins.set(v1::PinServiceSetRequest::default()).await;
    ensure!(wrong_fields(set)? == ["subject_id", "new_pin"]);
    let change = pins.change(v1::PinServiceChangeRequest::default()).await;
    ensure!(wrong_fields(change)? == ["subject_id", "new_pin"]);
    let begin = totp
        .begin_enable(v1::TotpServiceBeginEnableRequest::default())
        .await;
    ensure!(wrong_fields(begin)? == ["subject_id"]);
    let confirm = totp
        .confirm_enable(v1::TotpServiceConfirmEnableRequest::default())
        .await;
    ensure!(wrong_fields(confirm)? == identifier);
    let disable = totp.disable(v1::TotpServiceDisableRequest::default()).await;
    ensure!(wrong_fields(disable)? == identifier);
    empty_of_codes_and_events(&world).await
}

async fn empty_of_codes_and_events(world: &World) -> Result<()> {
    let identifier = ["subject_id", "identifier_id"];
    let mut codes = world.client.backup_codes();
    let enable = v1::BackupCodeServiceEnableRequest {
        label: "a\nb".to_owned(),
        ..Default::default()
    };
    ensure!(wrong_fields(codes.enable(enable).await)? == ["subject_id", "label"]);
    let more = v1::BackupCodeServiceCreateMoreRequest::default();
    ensure!(wrong_fields(codes.create_more(more).await)? == identifier);
    let finish = v1::BackupCodeServiceFinishRequest::default();
    ensure!(wrong_fields(codes.finish(finish).await)? == ["subject_id", "list_id"]);
    let disable = v1::BackupCodeServiceDisableRequest {
        authorization: Some(
            v1::backup_code_service_disable_request::Authorization::ConfirmationId("x".to_owned()),
        ),
        ..Default::default()
    };
    let fields = wrong_fields(codes.disable(disable).await)?;
    ensure!(fields == ["subject_id", "identifier_id", "confirmation_id"]);
    let status = v1::BackupCodeServiceGetStatusRequest::default();
    ensure!(wrong_fields(codes.get_status(status).await)? == ["subject_id"]);
    let events = v1::IdentifierServiceListEventsRequest::default();
    let events = world.client.identifiers().list_events(events).await;
    ensure!(wrong_fields(events)? == ["subject_id"]);
    Ok(())
}

/// The wrong fields of a Create with this operation, beside those of the request itself.
async fn fields_of(world: &World, operation: Operation) -> Result<Vec<String>> {
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: "a\nb".to_owned(),
        request_id: "7".to_owned(),
        operation: Some(v1::Operation {
            operation: Some(operation),
        }),
        redeem_on_approval: false,
    };
    let mut fields = wrong_fields(world.client.confirmations().create(request).await)?;
    ensure!(fields.drain(..2).eq(["subject_id", "request_id"]));
    let prefix = "operation.";
    ensure!(
        fields.iter().all(|field| field.starts_with(prefix)),
        "{fields:?}"
    );
    Ok(fields
        .iter()
        .map(|field| field[prefix.len()..].to_owned())
        .collect())
}

async fn operations(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let fields = fields_of(
        &world,
        Operation::Login(v1::Login {
            ip_address: "1".repeat(65),
            user_agent: "a\u{7}".to_owned(),
            device_id: "d".repeat(257),
        }),
    )
    .await?;
    ensure!(
        fields == ["login.ip_address", "login.user_agent", "login.device_id"],
        "{fields:?}"
    );

    let mut fields = fields_of(
        &world,
        Operation::Withdrawal(v1::Withdrawal {
            source_account: String::new(),
            amount: Some(v1::Money {
                currency_code: "eur".to_owned(),
                units: i64::MIN,
                nanos: 1_000_000_000,
            }),
            destination: "d".repeat(257),
            payment_method: "a\u{0}".to_owned(),
        }),
    )
    .await?;
    fields.sort_unstable();
    let expected = [
        "withdrawal.amount",
        "withdrawal.amount.currency_code",
        "withdrawal.amount.nanos",
        "withdrawal.destination",
        "withdrawal.payment_method",
        "withdrawal.source_account",
    ];
    ensure!(fields == expected, "{fields:?}");
    let fields = fields_of(
        &world,
        Operation::Withdrawal(v1::Withdrawal {
            source_account: "s".to_owned(),
            destination: "d".to_owned(),
            ..Default::default()
        }),
    )
    .await?;
    ensure!(fields == ["withdrawal.amount"], "{fields:?}");

    let custom = |kind: &str, fields: Vec<(String, String)>| {
        Operation::Custom(v1::CustomOperation {
            kind: kind.to_owned(),
            fields: fields.into_iter().collect(),
        })
    };
    let long = |key: &str| (key.to_owned(), "v".repeat(1025));
    let few = custom(
        "Kind",
        vec![long(""), ("a".to_owned(), String::new()), long("b")],
    );
    let fields = fields_of(&world, few).await?;
    let expected = [
        "custom.kind",
        "custom.fields[0].key",
        "custom.fields[0].value",
        "custom.fields[2].value",
    ];
    ensure!(fields == expected, "{fields:?}");
    // One that is wrong all over is told a part of it, since details travel in headers.
    let many = (0..900).map(|number: u32| (format!("{number:03}"), "\n".to_owned()));
    let many = many.collect();
    let fields = fields_of(&world, custom("Kind", many)).await?;
    ensure!(
        fields.len() == 22 && fields[1] == "custom.fields",
        "{fields:?}"
    );
    Ok(())
}

async fn changes(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let enable = Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: "x".to_owned(),
        purposes: vec![1, 0, 99],
    });
    let disable = Change::DisableIdentifier(v1::DisableIdentifierChange::default());
    let switch = Change::SetPurposes(v1::SetPurposesChange {
        identifier_id: "x".to_owned(),
        switch_on: vec![1, -1],
        switch_off: vec![1, 7],
    });
    let cases = [
        (
            enable,
            vec![
                "enable_totp.purposes[1]",
                "enable_totp.purposes[2]",
                "enable_totp.identifier_id",
            ],
        ),
        (disable, vec!["disable_identifier.identifier_id"]),
        (
            switch,
            vec![
                "set_purposes.switch_on[1]",
                "set_purposes.switch_off[1]",
                "set_purposes.switch_off",
                "set_purposes.identifier_id",
            ],
        ),
    ];
    for (change, expected) in cases {
        let fields = fields_of(&world, settings(change)).await?;
        let expected: Vec<String> = expected
            .iter()
            .map(|field| format!("settings_change.{field}"))
            .collect();
        ensure!(fields == expected, "{fields:?}");
    }
    let repeated = Change::EnableTotp(v1::EnableTotpChange {
        identifier_id: "x".to_owned(),
        purposes: vec![1; 10_000],
    });
    let fields = fields_of(&world, settings(repeated)).await?;
    ensure!(fields[0] == "settings_change.enable_totp.purposes" && fields.len() == 2);
    let none = Operation::SettingsChange(v1::SettingsChange { change: None });
    ensure!(fields_of(&world, none).await? == ["settings_change"]);
    Ok(())
}

async fn proofs(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[v1::Purpose::Login]).await?;
    let id = anna
        .open(&world.client, login("phone"))
        .await?
        .confirmation_id;
    let long = "9".repeat(65);
    let nameless = v1::Proof {
        authenticator: None,
        code: long.clone(),
    };
    let mut odd = app_proof(&app, "1");
    odd.authenticator = Some(v1::proof::Authenticator::IdentifierId("x".to_owned()));
    let given = vec![pin_proof(&long), nameless, odd, app_proof(&app, &long)];
    let expected = [
        "proofs[0].code",
        "proofs[1]",
        "proofs[1].code",
        "proofs[2].identifier_id",
        "proofs[3].code",
    ];
    let fields = wrong_fields(anna.submit(&world.client, &id, given.clone()).await)?;
    ensure!(fields == expected, "{fields:?}");
    let fields = wrong_fields(anna.disable(&world.client, &app, true, given).await)?;
    ensure!(
        fields
            .iter()
            .eq(&expected.map(|field| format!("proofs.{field}"))),
        "{fields:?}"
    );
    ensure!(
        anna.get(&world.client, &id).await?.attempts_left == 5,
        "an attempt was counted"
    );
    Ok(())
}

async fn enrolment(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let request = v1::TotpServiceBeginEnableRequest {
        label: "l".repeat(65),
        algorithm: 9,
        digits: 7,
        account_name: "a".repeat(129),
        ..Default::default()
    };
    let fields = wrong_fields(anna.begin_enable(&world.client, request).await)?;
    ensure!(
        fields == ["label", "algorithm", "digits", "account_name"],
        "{fields:?}"
    );
    let long = "1".repeat(65);
    let purposes = [v1::Purpose::Unspecified];
    let proofs = vec![pin_proof(&long)];
    let answer = anna
        .confirm_enable(&world.client, &app, &long, &purposes, proofs)
        .await;
    let fields = wrong_fields(answer)?;
    ensure!(
        fields == ["code", "purposes[0]", "proofs.proofs[0].code"],
        "{fields:?}"
    );
    // The longest names that are allowed still fit on a QR code.
    let request = v1::TotpServiceBeginEnableRequest {
        algorithm: v1::TotpAlgorithm::Sha512.into(),
        account_name: "ü".repeat(64),
        ..Default::default()
    };
    anna.begin_enable(&world.client, request).await?;
    Ok(())
}
