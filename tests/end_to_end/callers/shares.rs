//! How much of the server a caller may take.

use tonic::transport::Endpoint;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;

async fn create_login(client: &Client, subject: &str) -> Result<(), Status> {
    let request = v1::ConfirmationServiceCreateRequest {
        subject_id: subject.to_owned(),
        request_id: new_request_id(),
        operation: Some(v1::Operation {
            operation: Some(login("phone")),
        }),
        redeem_on_approval: false,
    };
    client.confirmations().create(request).await.map(drop)
}

pub(super) async fn flood(backend: Backend) -> Result<()> {
    let mut few = all();
    few.share.at_once = 4;
    let rows = ["flood", "logins"].map(|name| (name.to_owned(), few.clone()));
    let mut options = Options {
        callers: Callers::Table(rows.into()),
        ..Options::default()
    };
    // A hash takes so long that a flood of them is at work for the whole test.
    options.settings.hash_cost = countersign_primitives::HashCost::OWASP;
    options.settings.requests_at_once = 8;
    let world = World::with(backend, options).await?;
    let (flooding, logins) = (
        world.platform.client("flood").await?,
        world.platform.client("logins").await?,
    );
    let wave = || {
        let set = |_| {
            let mut flooding = flooding.pins();
            async move {
                let request = v1::PinServiceSetRequest {
                    subject_id: new_request_id(),
                    request_id: new_request_id(),
                    new_pin: "80314527".to_owned(),
                    authorization: None,
                };
                flooding.set(request).await.map(drop)
            }
        };
        join_all((0..64).map(set))
    };
    let calm = async {
        for number in 0..100 {
            create_login(&logins, &format!("person-{number}")).await?;
        }
        anyhow::Ok(())
    };
    let waves = async {
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.extend(wave().await);
        }
        answers
    };
    let (calm, answers) = tokio::join!(calm, waves);
    calm.context("the other caller was held up")?;
    let mut busy = 0;
    for answer in answers {
        let Err(status) = answer else { continue };
        refused::<()>(Err(status.clone()), Code::ResourceExhausted, "CALLER_BUSY")?;
        ensure!(retry_after(&status).is_some(), "{status:?}");
        busy += 1;
    }
    ensure!(busy > 0, "the flood was let in whole");
    Ok(())
}

pub(super) async fn rate(backend: Backend) -> Result<()> {
    let mut seldom = all();
    seldom.share.per_second = std::num::NonZeroU32::MIN;
    let world = world(backend, &[("seldom", seldom), ("logins", all())]).await?;
    let client = world.platform.client("seldom").await?;
    create_login(&client, "anna").await?;
    let mut status = None;
    // On a machine that is very busy a second may pass.
    for _ in 0..20 {
        if let Err(refusal) = create_login(&client, "anna").await {
            status = Some(refusal);
            break;
        }
    }
    let status = status.context("it may come as often as it likes")?;
    refused::<()>(Err(status.clone()), Code::ResourceExhausted, "CALLER_BUSY")?;
    let wait = retry_after(&status).context("RetryInfo")?;
    ensure!(wait.as_secs_f64() <= 1.0, "{wait:?}");
    let others = world.platform.client("logins").await?;
    for _ in 0..5 {
        create_login(&others, "boris").await?;
    }
    Ok(())
}

pub(super) async fn watching(backend: Backend) -> Result<()> {
    let mut few = all();
    few.share.at_once = 3;
    let world = world(backend, &[("notifier", few), ("logins", all())]).await?;
    let client = world.platform.client("notifier").await?;
    let watch = || async {
        let request = v1::EventServiceWatchRequest::default();
        let stream = client.events().watch(request).await?;
        Ok::<_, Status>(stream.into_inner())
    };
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = watch().await?;
        stream.message().await?;
        streams.push(stream);
    }
    let answer = watch().await.map(drop);
    refused(answer, Code::ResourceExhausted, "CALLER_BUSY")?;
    let others = world.platform.client("logins").await?;
    create_login(&others, "anna").await?;
    // It hears all the same whether the gateway is well, and so does a stranger, now and then.
    health(&world, "notifier").await?;
    health(&world, "stranger").await?;
    let mut refusal = None;
    for _ in 0..100 {
        refusal = refusal.or(health(&world, "stranger").await.err());
    }
    let refusal = refusal.context("a stranger may ask as often as it likes")?;
    refused::<()>(Err(refusal), Code::ResourceExhausted, "CALLER_BUSY")?;
    // Who goes away gives its place back, as soon as the server hears of it.
    streams.pop();
    for _ in 0..500 {
        match watch().await {
            Ok(_) => return Ok(()),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    anyhow::bail!("a place did not come free")
}

/// Asks whether the gateway is well.
async fn health(world: &World, caller: &'static str) -> Result<(), Status> {
    let endpoint = Endpoint::from_shared(world.platform.endpoint().to_owned());
    let endpoint = endpoint.map_err(|error| Status::unknown(error.to_string()))?;
    let name = move |mut request: Request<()>| {
        let name = MetadataValue::from_static(caller);
        request.metadata_mut().insert("x-countersign-caller", name);
        Ok(request)
    };
    let mut client = HealthClient::with_interceptor(endpoint.connect_lazy(), name);
    client.check(HealthCheckRequest::default()).await.map(drop)
}
