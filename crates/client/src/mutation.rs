//! Requests that change something, sent so that each has one effect.

use std::future::Future;

use countersign_proto::v1;
use tonic::{Response, Status};

use crate::{CallError, new_request_id, retry::retry_unavailable};

/// How often a request is sent in all.
const TRIES: u32 = 4;

/// A request that changes something, and so has a request id.
pub trait Mutation: Clone {
    /// Its request id; empty where it has none yet.
    fn request_id(&mut self) -> &mut String;
}

/// Sends a request that changes something, and the same again while the answer is `UNAVAILABLE`, four
/// times at most. A request without an id is given one first, and keeps it: whatever becomes of the
/// answers, there is one effect. Where it [may be done](CallError::may_be_done), ask again with the
/// same request.
///
/// ```no_run
/// # use countersign_client::{CallError, Client, mutate, v1};
/// # async fn example(client: &Client) -> Result<(), CallError> {
/// let mut request = v1::ConfirmationServiceCreateRequest {
///     subject_id: "anna".to_owned(),
///     ..Default::default()
/// };
/// let created = mutate(&mut request, |request| async move {
///     client.confirmations().create(request).await
/// })
/// .await?;
/// # let _ = created;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The last answer.
pub async fn mutate<R, T, F>(request: &mut R, mut call: impl FnMut(R) -> F) -> Result<T, CallError>
where
    R: Mutation,
    F: Future<Output = Result<Response<T>, Status>>,
{
    if request.request_id().is_empty() {
        *request.request_id() = new_request_id();
    }
    let answer = retry_unavailable(TRIES, || call(request.clone())).await?;
    Ok(answer.into_inner())
}

macro_rules! mutations {
    ($($request:ident),+ $(,)?) => {$(
        impl Mutation for v1::$request {
            fn request_id(&mut self) -> &mut String {
                &mut self.request_id
            }
        }
    )+};
}

mutations! {
    BackupCodeServiceCreateMoreRequest,
    BackupCodeServiceDisableRequest,
    BackupCodeServiceEnableRequest,
    BackupCodeServiceFinishRequest,
    ConfirmationServiceCancelRequest,
    ConfirmationServiceCreateRequest,
    ConfirmationServiceRedeemRequest,
    ConfirmationServiceSendCodeRequest,
    ConfirmationServiceSubmitProofRequest,
    IdentifierServiceRenameRequest,
    IdentifierServiceSetPurposesRequest,
    PinServiceChangeRequest,
    PinServiceSetRequest,
    SmsServiceBeginEnableRequest,
    SmsServiceConfirmEnableRequest,
    SmsServiceDisableRequest,
    TotpServiceBeginEnableRequest,
    TotpServiceConfirmEnableRequest,
    TotpServiceDisableRequest,
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, fs};

    use super::*;

    type Request = v1::PinServiceSetRequest;

    /// The ids that were sent while so many answers were lost.
    async fn sent(request: &mut Request, lost: usize) -> (Result<(), CallError>, Vec<String>) {
        let ids = RefCell::new(Vec::new());
        let answer = mutate(request, |request: Request| {
            ids.borrow_mut().push(request.request_id);
            let is_lost = ids.borrow().len() <= lost;
            async move {
                if is_lost {
                    Err(Status::unavailable("lost"))
                } else {
                    Ok(Response::new(()))
                }
            }
        })
        .await;
        (answer, ids.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn every_try_has_the_same_id_and_the_request_keeps_it() {
        let mut request = Request::default();
        let (answer, ids) = sent(&mut request, 2).await;
        assert!(answer.is_ok());
        assert_eq!(ids.len(), 3);
        assert!(
            ids.iter()
                .all(|id| !id.is_empty() && *id == request.request_id)
        );
        let (_, again) = sent(&mut request, 0).await;
        assert_eq!(again[0], ids[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_that_was_given_stays_and_tries_have_an_end() {
        let mut request = Request {
            request_id: "own".to_owned(),
            ..Default::default()
        };
        let (answer, ids) = sent(&mut request, 99).await;
        assert!(answer.unwrap_err().may_be_done());
        assert_eq!(ids, ["own"; 4]);
    }

    #[test]
    fn every_request_of_the_wire_that_has_an_id_is_a_mutation() {
        let generated = "../proto/src/gen/countersign.v1.rs";
        let text = fs::read_to_string(generated).unwrap();
        let mut with_id: Vec<&str> = Vec::new();
        let mut present = "";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("pub struct ") {
                present = name.trim_end_matches([' ', '{']);
            } else if line.starts_with("pub request_id:") {
                with_id.push(present);
            }
        }
        with_id.sort_unstable();
        let source = include_str!("mutation.rs");
        let listed = source.split("mutations! {").nth(1).unwrap();
        let listed = listed.split('}').next().unwrap();
        let listed: Vec<&str> = listed
            .lines()
            .map(|line| line.trim().trim_matches(','))
            .collect();
        let listed: Vec<&str> = listed.into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(listed, with_id);
    }
}
