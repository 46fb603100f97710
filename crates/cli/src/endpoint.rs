//! Where a platform answers, for commands that are its clients.

use anyhow::{Context, Result, bail};
use countersign_client::{Client, ConnectError};

/// The endpoint of `countersign dev` where none is named.
pub(crate) const DEFAULT: &str = "http://127.0.0.1:50051";

/// An endpoint of an argument.
pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    match text.strip_prefix("http://") {
        Some(authority) if !authority.is_empty() => Ok(text.to_owned()),
        _ => Err("it must be like http://127.0.0.1:50051".to_owned()),
    }
}

/// A connection to a platform, as this caller.
pub(crate) async fn connect(endpoint: &str, caller: &str) -> Result<Client> {
    match Client::connect(endpoint, Some(caller)).await {
        Err(ConnectError::Unreachable { .. }) => bail!(
            "nobody answers at {endpoint}: start `countersign dev` in another terminal, or \
             name the address of a running platform with --endpoint"
        ),
        connected => connected.context("--endpoint is not right"),
    }
}
