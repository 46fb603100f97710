//! What stands around the methods: health, reflection, and what is no call of a method at all.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result, ensure};
use countersign_testkit::{Backend, Client, METHODS, Person, reason_of, v1};
use tokio_stream::StreamExt;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::AsciiMetadataValue,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{
    harness::Suite,
    world::{World, login, refused, well_formed, wrong_fields},
};

/// Every service that there is.
fn services() -> BTreeSet<&'static str> {
    let paths = METHODS
        .iter()
        .map(|method| method.path.trim_start_matches('/'));
    paths
        .filter_map(|path| Some(path.split_once('/')?.0))
        .collect()
}

/// Adds the tests of this file.
pub(crate) fn add(suite: &mut Suite) {
    suite.on_each_backend("edge::an_unknown_method_is_unimplemented", unknown_method);
    suite.on_each_backend("edge::an_oversize_message_is_refused", oversize);
    suite.on_each_backend(
        "edge::a_message_that_cannot_be_read_is_the_callers_mistake",
        unreadable,
    );
    suite.on_each_backend(
        "edge::a_caller_that_has_no_name_of_the_right_form_is_refused",
        callers,
    );
    suite.on_each_backend("edge::health_says_serving_for_every_service", health);
    suite.on_each_backend("edge::reflection_names_every_service", reflection);
}

async fn channel(world: &World) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(world.platform.endpoint().to_owned())?;
    Ok(endpoint.connect().await?)
}

async fn health(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut health = HealthClient::new(channel(&world).await?);
    for service in services().into_iter().chain([""]) {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        // The database is asked for the first time while the server begins to answer.
        let mut status = health.check(request.clone()).await?.into_inner().status();
        for _ in 0..100 {
            if status == ServingStatus::Serving {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            status = health.check(request.clone()).await?.into_inner().status();
        }
        ensure!(status == ServingStatus::Serving, "{service}");
    }
    let request = HealthCheckRequest {
        service: "countersign.v1.NoService".to_owned(),
    };
    let status = health.check(request).await.err().context("an error")?;
    ensure!(status.code() == Code::NotFound, "{status:?}");
    Ok(())
}

async fn reflection(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut reflection = ServerReflectionClient::new(channel(&world).await?);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let stream = reflection
        .server_reflection_info(tokio_stream::once(request))
        .await?;
    let answer = stream.into_inner().next().await.context("an answer")??;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        anyhow::bail!("no list: {answer:?}");
    };
    let names: Vec<&str> = list
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    ensure!(
        services().iter().all(|service| names.contains(service)),
        "{names:?}"
    );
    Ok(())
}

/// Calls a method by its path, with any message.
async fn call<T>(world: &World, path: &'static str, message: T) -> Result<(), Status>
where
    T: prost::Message + Default + 'static,
{
    let endpoint = Endpoint::from_shared(world.platform.endpoint().to_owned());
    let channel = endpoint
        .map_err(|error| Status::unknown(error.to_string()))?
        .connect_lazy();
    let mut grpc = Grpc::new(channel);
    grpc.ready()
        .await
        .map_err(|error| Status::unknown(error.to_string()))?;
    let path = PathAndQuery::from_static(path);
    grpc.unary(Request::new(message), path, ProstCodec::<T, ()>::default())
        .await
        .map(drop)
}

async fn unknown_method(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    for path in [
        "/countersign.v1.PinService/Guess",
        "/countersign.v1.NoService/Set",
        "/countersign.v2.PinService/Set",
        "/",
    ] {
        let answer = call(&world, path, ()).await;
        refused(answer, Code::Unimplemented, "METHOD_UNKNOWN")?;
    }
    Ok(())
}

async fn oversize(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let mut anna = Person::new();
    anna.subject = "s".repeat(70_000);
    let Err(status) = anna.create(&world.client, login("phone")).await else {
        anyhow::bail!("a message of 70 kB was taken");
    };
    well_formed(&status)?;
    let expected = [
        Code::ResourceExhausted,
        Code::OutOfRange,
        Code::InvalidArgument,
    ];
    ensure!(expected.contains(&status.code()), "{status:?}");
    ensure!(reason_of(&status) == "INVALID_FIELD", "{status:?}");
    Ok(())
}

async fn unreadable(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let path = "/countersign.v1.PinService/Set";
    // Field 1 is a string there: these are bytes that are no UTF-8, and a number.
    for answer in [
        call(&world, path, vec![0xFF_u8, 0xFE]).await,
        call(&world, path, 7_u64).await,
    ] {
        let Err(status) = answer else {
            anyhow::bail!("it was read");
        };
        well_formed(&status)?;
        ensure!(status.code() == Code::InvalidArgument, "{status:?}");
    }
    Ok(())
}

async fn callers(backend: Backend) -> Result<()> {
    let world = World::new(backend).await?;
    let nameless = Client::connect(world.platform.endpoint(), None).await?;
    let long = "a".repeat(2049);
    let names: [&[u8]; 7] = [
        b"two words",
        b"(operator)",
        b"",
        b"a\tb",
        b"<script>",
        b"\xFF\xFE",
        long.as_bytes(),
    ];
    for name in names {
        let mut request = Request::new(v1::IdentifierServiceListRequest {
            subject_id: "anna".to_owned(),
            ..Default::default()
        });
        let value = AsciiMetadataValue::try_from(name)?;
        request.metadata_mut().insert("x-countersign-caller", value);
        let answer = nameless.identifiers().list(request).await;
        ensure!(
            wrong_fields(answer)? == ["x-countersign-caller"],
            "{name:?}"
        );
    }
    Ok(())
}
