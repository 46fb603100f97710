//! What callers may switch identifiers on and off for.

use super::*;

/// Every set of purposes.
fn subsets() -> Vec<Vec<Purpose>> {
    let all = [Purpose::Login, Purpose::Withdrawal, Purpose::Other];
    let subset = |bits: usize| {
        let chosen = all
            .iter()
            .enumerate()
            .filter(|(place, _)| bits & (1 << place) != 0);
        chosen.map(|(_, purpose)| *purpose).collect()
    };
    (0..8).map(subset).collect()
}

fn numbers(purposes: &[Purpose]) -> Vec<i32> {
    purposes.iter().copied().map(i32::from).collect()
}

/// What every request that names purposes says, with these.
async fn switch(client: &Client, on: &[Purpose], off: &[Purpose]) -> Vec<Status> {
    let subject_id = || "anna".to_owned();
    let mut identifiers = client.identifiers();
    let set = identifiers.set_purposes(v1::IdentifierServiceSetPurposesRequest {
        subject_id: subject_id(),
        request_id: new_request_id(),
        identifier_id: new_request_id(),
        switch_on: numbers(on),
        switch_off: numbers(off),
        authorization: None,
    });
    let mut said = vec![set.await.map(drop)];
    let change = settings(Change::SetPurposes(v1::SetPurposesChange {
        identifier_id: new_request_id(),
        switch_on: numbers(on),
        switch_off: numbers(off),
    }));
    said.push(Err(ask(client, &change, false).await));
    if off.is_empty() {
        let mut totp = client.totp();
        let confirm = totp.confirm_enable(v1::TotpServiceConfirmEnableRequest {
            subject_id: subject_id(),
            request_id: new_request_id(),
            identifier_id: new_request_id(),
            code: "123456".to_owned(),
            purposes: numbers(on),
            authorization: None,
        });
        said.push(confirm.await.map(drop));
        let mut sms = client.sms();
        let confirm = sms.confirm_enable(v1::SmsServiceConfirmEnableRequest {
            subject_id: subject_id(),
            request_id: new_request_id(),
            identifier_id: new_request_id(),
            code: "123456".to_owned(),
            purposes: numbers(on),
            authorization: None,
        });
        said.push(confirm.await.map(drop));
        let change = settings(Change::EnableSms(v1::EnableSmsChange {
            identifier_id: new_request_id(),
            purposes: numbers(on),
        }));
        said.push(Err(ask(client, &change, false).await));
        let change = settings(Change::EnableTotp(v1::EnableTotpChange {
            identifier_id: new_request_id(),
            purposes: numbers(on),
        }));
        said.push(Err(ask(client, &change, false).await));
    }
    let statuses = said.into_iter().map(|answer| answer.err());
    statuses
        .map(|status| status.unwrap_or_else(|| Status::ok("")))
        .collect()
}

pub(super) async fn purposes(backend: Backend) -> Result<()> {
    let named = METHODS
        .iter()
        .filter(|row| row.limits == MethodLimits::Purposes);
    let named: Vec<&str> = named.map(|row| row.name).collect();
    ensure!(
        named
            == [
                "IdentifierService.SetPurposes",
                "SmsService.ConfirmEnable",
                "TotpService.ConfirmEnable"
            ]
    );
    let names: Vec<String> = (0..8).map(|bits| format!("caller-{bits}")).collect();
    let rows = names.iter().zip(subsets()).map(|(name, purposes)| {
        let mut row = all();
        row.purposes = set(&purposes);
        (name.as_str(), row)
    });
    let world = world(backend, &rows.collect::<Vec<_>>()).await?;
    let (mut allowed, mut denied) = (0, 0);
    for (name, may) in names.iter().zip(subsets()) {
        let client = world.platform.client(name).await?;
        for on in subsets() {
            for off in subsets() {
                if on.iter().any(|purpose| off.contains(purpose)) {
                    continue;
                }
                let is_allowed = on.iter().chain(&off).all(|purpose| may.contains(purpose));
                for status in switch(&client, &on, &off).await {
                    ensure!(
                        is_refused(&status)? != is_allowed,
                        "{may:?}: on {on:?}, off {off:?}: {status:?}"
                    );
                    if !is_allowed {
                        ensure!(lacks(&status)? == "purposes", "{status:?}");
                    }
                    *(if is_allowed {
                        &mut allowed
                    } else {
                        &mut denied
                    }) += 1;
                }
            }
        }
    }
    println!("callers x purposes: {allowed} allowed, {denied} refused");
    Ok(())
}

fn set(purposes: &[Purpose]) -> PurposeSet {
    let one = |purpose: &Purpose| match purpose {
        Purpose::Login => Some(Switch::Login),
        Purpose::Withdrawal => Some(Switch::Withdrawal),
        Purpose::Other => Some(Switch::Other),
        Purpose::Unspecified => None,
    };
    purposes.iter().filter_map(one).collect()
}
