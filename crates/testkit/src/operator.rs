//! What an operator does on the server's own machine.

use anyhow::{Context, Result};
use countersign_mfa::Reason;
use countersign_primitives::SubjectId;

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
}

fn reason() -> Result<Reason> {
    Reason::parse("ticket 4711").context("a reason")
}
