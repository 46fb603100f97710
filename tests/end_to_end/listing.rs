//! The list of identifiers, page by page.

use anyhow::{Context, Result, ensure};
use countersign_testkit::{
    Backend, Client, Person, new_request_id, v1,
    v1::{IdentifierState, Purpose},
};
use tonic::{Code, Status};

use crate::{
    harness::Suite,
    world::{World, refused, wrong_fields},
};

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("listing::page_by_page_oldest_first", pages);
    suite.on_each_backend(
        "listing::a_token_belongs_to_its_caller_subject_and_list",
        tokens,
    );
    suite.on_each_backend("listing::what_changes_meanwhile_breaks_no_token", meanwhile);
    suite.on_each_backend("listing::one_identifier_and_its_name", one);
    suite.on_each_backend("listing::a_subject_never_heard_of_has_none", nobody);
}

async fn page(
    client: &Client,
    subject: &str,
    token: &str,
    show_disabled: bool,
) -> Result<v1::IdentifierServiceListResponse, Status> {
    let request = v1::IdentifierServiceListRequest {
        subject_id: subject.to_owned(),
        page_size: 1,
        page_token: token.to_owned(),
        show_disabled,
    };
    let answer = client.identifiers().list(request).await?;
    Ok(answer.into_inner())
}

async fn labels(client: &Client, person: &Person, show_disabled: bool) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(client, &person.subject, &token, show_disabled).await?;
        ensure!(page.identifiers.len() <= 1 && page.pin.is_some_and(|pin| pin.set));
        labels.extend(page.identifiers.into_iter().map(|one| one.label));
        if page.next_page_token.is_empty() {
            return Ok(labels);
        }
        token = page.next_page_token;
    }
}

async fn pages(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[Purpose::Login]).await?;
    world.another(&anna, &first, "second", &[]).await?;
    let third = world.another(&anna, &first, "third", &[]).await?;
    anna.begin(&world.client, "pending").await?;
    let proofs = vec![world.right(&third)];
    anna.disable(&world.client, &third, false, proofs)
        .await?
        .context("done")?;
    let shown = labels(&world.client, &anna, false).await?;
    ensure!(shown == ["Authenticator", "second", "pending"], "{shown:?}");
    let shown = labels(&world.client, &anna, true).await?;
    ensure!(
        shown == ["Authenticator", "second", "third", "pending"],
        "{shown:?}"
    );
    for size in [0, 4, 100, 101, i32::MAX] {
        let request = v1::IdentifierServiceListRequest {
            subject_id: anna.subject.clone(),
            page_size: size,
            show_disabled: true,
            ..Default::default()
        };
        let all = world.client.identifiers().list(request).await?.into_inner();
        ensure!(
            all.identifiers.len() == 4 && all.next_page_token.is_empty(),
            "{size}"
        );
    }
    Ok(())
}

async fn tokens(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[]).await?;
    world.another(&anna, &first, "second", &[]).await?;
    let (boris, other) = world.owner(&[]).await?;
    world.another(&boris, &other, "second", &[]).await?;
    let token = page(&world.client, &anna.subject, "", false)
        .await?
        .next_page_token;
    ensure!(!token.is_empty());
    let stranger = world.platform.client("another-service").await?;
    let forged = token.replacen(&first.id, &other.id, 1);
    ensure!(forged != token, "the test is void: {token}");
    let mut flipped = token.clone();
    let last = if flipped.pop() == Some('0') { '1' } else { '0' };
    flipped.push(last);
    let garbage = [
        "x",
        ".",
        "0.0",
        "\u{0}",
        "' OR 1=1",
        &flipped,
        &forged,
        &token[..token.len() - 1],
    ];
    let mut refusals = vec![
        page(&stranger, &anna.subject, &token, false).await,
        page(&world.client, &boris.subject, &token, false).await,
        page(&world.client, &anna.subject, &token, true).await,
    ];
    for token in garbage {
        refusals.push(page(&world.client, &anna.subject, token, false).await);
    }
    for answer in refusals {
        ensure!(wrong_fields(answer)? == ["page_token"]);
    }
    ensure!(
        page(&world.client, &anna.subject, &token, false)
            .await?
            .identifiers
            .len()
            == 1
    );
    Ok(())
}

async fn meanwhile(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, first) = world.owner(&[]).await?;
    world.another(&anna, &first, "second", &[]).await?;
    let token = page(&world.client, &anna.subject, "", false)
        .await?
        .next_page_token;
    world.platform.disable(&anna, &first).await?;
    let next = page(&world.client, &anna.subject, &token, false).await?;
    let shown: Vec<_> = next
        .identifiers
        .iter()
        .map(|one| one.label.as_str())
        .collect();
    ensure!(
        shown == ["second"],
        "the page after the one that is gone is {shown:?}"
    );
    Ok(())
}

async fn one(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let (anna, app) = world.owner(&[]).await?;
    let get = |id: &str| {
        let mut identifiers = world.client.identifiers();
        let request = v1::IdentifierServiceGetRequest {
            subject_id: anna.subject.clone(),
            identifier_id: id.to_owned(),
        };
        async move {
            identifiers
                .get(request)
                .await
                .map(tonic::Response::into_inner)
        }
    };
    let rename = |id: &str, label: &str| {
        let mut identifiers = world.client.identifiers();
        let request = v1::IdentifierServiceRenameRequest {
            subject_id: anna.subject.clone(),
            identifier_id: id.to_owned(),
            label: label.to_owned(),
            ..Default::default()
        };
        async move {
            identifiers
                .rename(request)
                .await
                .map(tonic::Response::into_inner)
        }
    };
    let longest = "ü".repeat(32);
    for (label, kept) in [("  work phone ", "work phone"), (&longest, &longest)] {
        let renamed = rename(&app.id, label)
            .await?
            .identifier
            .context("an identifier")?;
        ensure!(renamed.label == kept);
        ensure!(get(&app.id).await?.identifier == Some(renamed));
    }
    for label in ["", "   ", &"ü".repeat(33), "a\nb", "a\u{0}b", "\u{1b}[31m"] {
        ensure!(
            wrong_fields(rename(&app.id, label).await)? == ["label"],
            "{label:?}"
        );
    }
    let stranger = new_request_id();
    refused(get(&stranger).await, Code::NotFound, "IDENTIFIER_NOT_FOUND")?;
    refused(
        rename(&stranger, "x").await,
        Code::NotFound,
        "IDENTIFIER_NOT_FOUND",
    )?;
    world.platform.disable(&anna, &app).await?;
    let gone = get(&app.id).await?.identifier.context("an identifier")?;
    ensure!(gone.state() == IdentifierState::Disabled && gone.label == longest);
    refused(
        rename(&app.id, "x").await,
        Code::NotFound,
        "IDENTIFIER_NOT_FOUND",
    )?;
    Ok(())
}

async fn nobody(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let nobody = Person::new();
    let list = nobody.list(&world.client).await?;
    ensure!(list.identifiers.is_empty() && list.next_page_token.is_empty());
    ensure!(list.pin == Some(v1::PinStatus::default()));
    ensure!(world.rows("subject", &nobody)? == 0);
    Ok(())
}
