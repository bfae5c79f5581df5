//! What the secret store of a world keeps.

use dilux_core::custody::Cleaning;
use jiff::SignedDuration;

use super::World;

impl World {
    /// The one password whose name begins so; `None` when there is none.
    pub(crate) async fn password(&self, stem: &str) -> Option<String> {
        let secrets = &self.installation.storage.secrets;
        let mut names = secrets.list().await.unwrap();
        names.retain(|name| name.as_str().starts_with(stem));
        assert!(names.len() < 2, "{names:?}");
        let secret = secrets.get(names.first()?).await.unwrap();
        secret.map(|secret| secret.expose().to_owned())
    }

    /// Lets a day pass, after which passwords that no row names are gone.
    pub(crate) async fn clean_secrets(&self) -> Cleaning {
        self.clock.advance(SignedDuration::from_hours(25));
        self.installation.custody().clean().await.unwrap()
    }
}
