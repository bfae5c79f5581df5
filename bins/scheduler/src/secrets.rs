//! Secrets that changes left behind, cleaned up beside the health monitor.

use crate::Scheduler;

impl Scheduler {
    /// Deletes passwords that no row names. What fails here fails nothing else: the next run finds
    /// the rest.
    pub(crate) async fn clean_secrets(&self) {
        match self.installation.custody().clean().await {
            Ok(cleaning) => tracing::info!(
                deleted = cleaning.deleted,
                named = cleaning.named,
                waiting = cleaning.waiting,
                unclear = cleaning.unclear,
                "unused secrets are cleaned up"
            ),
            Err(error) => tracing::warn!(%error, "unused secrets could not be cleaned up"),
        }
    }
}
