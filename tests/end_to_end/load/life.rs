//! What one person does: a request after the other, each asked until it is answered.

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::{
    App, Codes, Person, app_proof, new_request_id, now, pin_proof, reason_of, v1,
    v1::{
        Purpose, confirmation_service_create_response as created,
        totp_service_confirm_enable_response as enabled,
    },
};
use futures::future::{try_join, try_join_all};

use super::{Journal, Load};
use crate::campaign::{is_accepted, login};

impl Load {
    /// One person's life: a PIN, an app or backup codes, three logins with one code at once, one approval redeemed.
    pub(super) async fn live(&self, number: usize) -> Result<Journal> {
        let mut journal = Journal {
            anna: Person::new(),
            changes: 0,
            confirmations: Vec::new(),
            redeemed: None,
        };
        let set = v1::PinServiceSetRequest {
            subject_id: journal.anna.subject.clone(),
            request_id: new_request_id(),
            new_pin: journal.anna.pin.clone(),
            authorization: None,
        };
        self.ask(number, |client| {
            let set = set.clone();
            async move { client.pins().set(set).await }
        })
        .await??;
        journal.changes += 1;
        let proof = if number.is_multiple_of(2) {
            let codes = self.print(number, &mut journal).await?;
            codes.proof(1)
        } else {
            let Some(app) = self.enrol(number, &mut journal).await? else {
                return Ok(journal);
            };
            app_proof(&app, &app.code(now()))
        };
        let anna = journal.anna.clone();
        let logins = try_join_all((0..3).map(|more| self.open(number + more, &anna))).await?;
        let submits = logins
            .iter()
            .enumerate()
            .map(|(more, id)| self.submit(number + more, &anna, id, proof.clone()));
        let accepted = try_join_all(submits).await?;
        journal.changes += 2 * logins.len();
        journal.confirmations = logins.into_iter().zip(accepted).collect();
        let approved = journal.confirmations.iter().find(|(_, accepted)| *accepted);
        if let Some((id, _)) = approved.cloned() {
            let redeem = |more| self.redeem(number + more, &anna, &id);
            let redeemed = try_join(redeem(0), redeem(1)).await?;
            ensure!(
                redeemed.0 != redeemed.1,
                "{}: redeemed {redeemed:?}",
                anna.subject
            );
            journal.changes += 1;
            journal.redeemed = Some(id);
        }
        Ok(journal)
    }

    /// Backup codes that are on for logins. Where the answer with the codes was lost, the step is
    /// taken again.
    async fn print(&self, number: usize, journal: &mut Journal) -> Result<Codes> {
        use v1::{
            backup_code_service_enable_request::Authorization,
            backup_code_service_enable_response::Outcome,
        };
        let anna = journal.anna.clone();
        let codes = loop {
            let enable = v1::BackupCodeServiceEnableRequest {
                subject_id: anna.subject.clone(),
                request_id: new_request_id(),
                label: String::new(),
                authorization: Some(Authorization::Proofs(v1::Proofs {
                    proofs: vec![pin_proof(&anna.pin)],
                })),
            };
            let answer = self
                .ask(number, |client| {
                    let enable = enable.clone();
                    async move { client.backup_codes().enable(enable).await }
                })
                .await??;
            journal.changes += 1;
            match answer.outcome {
                Some(Outcome::List(list)) if list.secret_already_delivered => {}
                Some(Outcome::List(list)) => {
                    break Codes {
                        id: list.identifier_id,
                        list: list.list_id,
                        codes: list.codes,
                    };
                }
                other => bail!("no list: {other:?}"),
            }
        };
        let finish = v1::BackupCodeServiceFinishRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            list_id: codes.list.clone(),
        };
        self.ask(number, |client| {
            let finish = finish.clone();
            async move { client.backup_codes().finish(finish).await }
        })
        .await??;
        let switch = v1::IdentifierServiceSetPurposesRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            identifier_id: codes.id.clone(),
            switch_on: vec![Purpose::Login.into()],
            switch_off: Vec::new(),
            authorization: Some(
                v1::identifier_service_set_purposes_request::Authorization::Proofs(v1::Proofs {
                    proofs: vec![codes.proof(0)],
                }),
            ),
        };
        self.ask(number, |client| {
            let switch = switch.clone();
            async move { client.identifiers().set_purposes(switch).await }
        })
        .await??;
        journal.changes += 2;
        Ok(codes)
    }

    /// An app, unless its seed was lost with the answer that held it.
    async fn enrol(&self, number: usize, journal: &mut Journal) -> Result<Option<App>> {
        use v1::totp_service_confirm_enable_request::Authorization;
        let anna = &journal.anna;
        let begin = v1::TotpServiceBeginEnableRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            ..Default::default()
        };
        let begun = self
            .ask(number, |client| {
                let begin = begin.clone();
                async move { client.totp().begin_enable(begin).await }
            })
            .await??;
        journal.changes += 1;
        if begun.secret_already_delivered {
            return Ok(None);
        }
        let app = App::told(&begun)?;
        for _ in 0..5 {
            let confirm = v1::TotpServiceConfirmEnableRequest {
                subject_id: anna.subject.clone(),
                request_id: new_request_id(),
                identifier_id: app.id.clone(),
                code: app.earlier_code(now()),
                purposes: vec![Purpose::Login as i32],
                authorization: Some(Authorization::Proofs(v1::Proofs {
                    proofs: vec![pin_proof(&anna.pin)],
                })),
            };
            let answer = self
                .ask(number, |client| {
                    let confirm = confirm.clone();
                    async move { client.totp().confirm_enable(confirm).await }
                })
                .await??;
            journal.changes += 1;
            // A rejection means that the step ended meanwhile.
            if matches!(answer.outcome, Some(enabled::Outcome::Done(_))) {
                return Ok(Some(app));
            }
        }
        bail!("{}: an enrolment is not confirmed", anna.subject);
    }

    async fn open(&self, number: usize, anna: &Person) -> Result<String> {
        let create = v1::ConfirmationServiceCreateRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            operation: Some(v1::Operation {
                operation: Some(login()),
            }),
            redeem_on_approval: false,
        };
        let answer = self
            .ask(number, |client| {
                let create = create.clone();
                async move { client.confirmations().create(create).await }
            })
            .await??;
        match answer.outcome {
            Some(created::Outcome::Confirmation(open)) => Ok(open.confirmation_id),
            other => bail!("nothing to confirm: {other:?}"),
        }
    }

    async fn submit(
        &self,
        number: usize,
        anna: &Person,
        confirmation: &str,
        proof: v1::Proof,
    ) -> Result<bool> {
        let submit = v1::ConfirmationServiceSubmitProofRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            proofs: vec![proof],
        };
        let answer = self
            .ask(number, |client| {
                let submit = submit.clone();
                async move { client.confirmations().submit_proof(submit).await }
            })
            .await??;
        is_accepted(&answer)
    }

    async fn redeem(&self, number: usize, anna: &Person, confirmation: &str) -> Result<bool> {
        let redeem = v1::ConfirmationServiceRedeemRequest {
            subject_id: anna.subject.clone(),
            request_id: new_request_id(),
            confirmation_id: confirmation.to_owned(),
            operation: Some(v1::Operation {
                operation: Some(login()),
            }),
        };
        let answer = self
            .ask(number, |client| {
                let redeem = redeem.clone();
                async move { client.confirmations().redeem(redeem).await }
            })
            .await?;
        match answer {
            Ok(_) => Ok(true),
            Err(status) if reason_of(&status) == "ALREADY_REDEEMED" => Ok(false),
            Err(status) => Err(status).context("a redeem"),
        }
    }
}
