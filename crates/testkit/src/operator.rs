//! What an operator does on the server's own machine.

use anyhow::{Context, Result};
use countersign_client::v1;
use countersign_mfa::{ImportTotp, Imported, Reason, Sight};
use countersign_primitives::{Label, SubjectId};
use countersign_security_identifiers::Purpose;
use countersign_totp::{Algorithm, Authenticator, Digits};

use crate::{App, Person, TestPlatform};

impl TestPlatform {
    /// Ends the locks of somebody.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn unlock(&self, person: &Person) -> Result<()> {
        let subject = SubjectId::parse(&*person.subject)?;
        Ok(self.platform.admin_unlock(&subject, &reason()?).await?)
    }

    /// Disables an app of somebody.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn disable(&self, person: &Person, app: &App) -> Result<()> {
        let subject = SubjectId::parse(&*person.subject)?;
        let id = app.id.parse()?;
        let reason = reason()?;
        self.platform.admin_disable(&subject, id, &reason).await?;
        Ok(())
    }

    /// Removes the PIN of somebody.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn reset_pin(&self, person: &Person) -> Result<()> {
        let subject = SubjectId::parse(&*person.subject)?;
        Ok(self.platform.admin_reset_pin(&subject, &reason()?).await?)
    }

    /// Takes apps with these seeds over for somebody, or finds out what would become of them.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn import(
        &self,
        person: &Person,
        seeds: &[&str],
        label: &str,
        purposes: &[Purpose],
        is_dry_run: bool,
    ) -> Result<Vec<Imported>> {
        let subject = SubjectId::parse(&*person.subject)?;
        let mut apps = Vec::new();
        for seed in seeds {
            apps.push(ImportTotp {
                label: Some(Label::parse(label)?),
                authenticator: Authenticator::from_base32(seed, Algorithm::Sha1, Digits::Six)?,
                purposes: purposes.iter().copied().collect(),
            });
        }
        let reason = reason()?;
        let import = self
            .platform
            .admin_import(&subject, &apps, &reason, is_dry_run);
        Ok(import.await?)
    }

    /// Makes what somebody used since a backup useless, as after a restore.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn after_restore(&self, person: &Person) -> Result<()> {
        let subject = SubjectId::parse(&*person.subject)?;
        let reason = reason()?;
        Ok(self.platform.admin_after_restore(&subject, &reason).await?)
    }

    /// Removes somebody, for a reason of its own.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn erase(&self, person: &Person, reason: &str) -> Result<()> {
        let subject = SubjectId::parse(&*person.subject)?;
        let reason = Reason::parse(reason).context("a reason")?;
        Ok(self.platform.admin_erase(&subject, &reason).await?)
    }

    /// What an operator sees of somebody.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn show(&self, person: &Person) -> Result<Sight> {
        let subject = SubjectId::parse(&*person.subject)?;
        Ok(self.platform.admin_show(&subject).await?)
    }
}

impl App {
    /// The app of six digits with this seed, as an operator took it over.
    ///
    /// # Errors
    /// When it was not, or the seed is no base32.
    pub fn imported(outcome: Imported, seed: &str) -> Result<Self> {
        let Imported::New(id) = outcome else {
            anyhow::bail!("not taken over: {outcome:?}");
        };
        Self::told(&v1::TotpServiceBeginEnableResponse {
            identifier_id: id.to_string(),
            secret_base32: seed.to_owned(),
            ..Default::default()
        })
    }
}

fn reason() -> Result<Reason> {
    Reason::parse("ticket 4711").context("a reason")
}
