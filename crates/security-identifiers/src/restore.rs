//! A subject in a database that was restored from a backup.

use countersign_backup_codes::UsedCodes;
use countersign_primitives::Timestamp;
use countersign_totp::Step;

use crate::{Factor, Registry, SecurityIdentifier};

impl Registry {
    /// Makes what was used since a backup of the database useless, once it was restored from it:
    /// codes of apps count from the step after the next on, and lists of backup codes and whatever
    /// waits are void. Confirmations from before are void by [`Self::restored_at`].
    pub fn distrust(&mut self, now: Timestamp) {
        self.identifiers.retain(SecurityIdentifier::counts);
        for identifier in &mut self.identifiers {
            match &mut identifier.factor {
                Factor::Totp { last_used, .. } => {
                    *last_used = (*last_used).max(Some(Step::at(now).next()));
                }
                Factor::Sms(_) => {}
                Factor::BackupCodes(codes) => {
                    codes.list.clear();
                    codes.used = UsedCodes::default();
                    codes.pending = None;
                }
            }
        }
        self.open.clear();
        self.restored_at = Some(now);
    }

    /// When the database was last restored from a backup: what was created before is void.
    pub const fn restored_at(&self) -> Option<Timestamp> {
        self.restored_at
    }
}
