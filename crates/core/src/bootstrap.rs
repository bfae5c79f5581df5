//! The bootstrap token: the way in while nobody is registered. It is good for making the first admin
//! and for nothing else, and is spent as soon as anybody is registered
//! (docs/adr/2026-11-22-bootstrap-token.md).

use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::installation::Installation;
use crate::model::SecretHash;
use crate::private_file;
use crate::random::hex_text;
use crate::repository::{BootstrapRow, InstallationRepository};
use crate::secret::{SecretName, SecretValue};

/// How every bootstrap token begins.
const PREFIX: &str = "dilux_bootstrap_";

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// How names of secrets begin that hold a bootstrap token.
const SECRET_NAMES: &str = "dilux-bootstrap-";

/// The secret of installations whose token was an admin for ever.
const FORMER_SECRET: &str = "dilux-bootstrap-token";

/// How often a token is looked for that others make and spend at the same time.
const RACES: usize = 5;

/// What a start found, or made.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// There was no token; this one was made here. Its text is to be told to a person now.
    Made(SecretValue),
    /// The token of an earlier start, or of another process.
    Kept(SecretValue),
    /// Somebody is registered, so there is none.
    Spent,
}

/// The bootstrap token of an installation.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    installation: Installation,
}

impl Bootstrap {
    /// The token of this installation.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Finds the token or makes one, and sees to it that the settings' file holds it with mode 0600,
    /// if that can be written.
    /// As soon as anybody is registered, removes what is left of it. Processes that do this at the
    /// same time agree on one token, and one of them is told that it made it.
    pub async fn prepare(&self) -> Result<Found> {
        self.forget_former().await?;
        if !self.is_first_run().await? {
            self.spend().await?;
            return Ok(Found::Spent);
        }
        let found = self.find_or_make().await?;
        if let Found::Made(text) | Found::Kept(text) = &found {
            self.write_file(text).await;
        }
        // The first admin may have been made since we looked.
        if self.is_first_run().await? {
            Ok(found)
        } else {
            self.spend().await?;
            Ok(Found::Spent)
        }
    }

    /// Whether `text` is the token, and nobody is registered.
    pub async fn is_opened_by(&self, text: &str) -> Result<bool> {
        if !Self::is_token(text) {
            return Ok(false);
        }
        let row = self.rows().bootstrap_token().await?;
        let is_right = row.is_some_and(|row| row.value.hash == SecretHash::of(text));
        Ok(is_right && self.is_first_run().await?)
    }

    /// Whether a text looks like a bootstrap token.
    pub fn is_token(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Removes the token from the secret store, and its file. That somebody is registered is what
    /// makes it worthless: what cannot be removed now is removed by the next start.
    pub async fn spend(&self) -> Result<()> {
        let removed = self.remove_secret().await;
        self.remove_file().await.and(removed)
    }

    async fn remove_secret(&self) -> Result<()> {
        if let Some(row) = self.rows().bootstrap_token().await? {
            // The row goes last: it says which secret there is to remove.
            let secrets = &self.installation.storage.secrets;
            secrets.delete(&row.value.secret).await?;
            self.rows().forget_bootstrap_token(&row.version).await?;
        }
        Ok(())
    }

    fn rows(&self) -> &InstallationRepository {
        &self.installation.repositories.installation
    }

    async fn is_first_run(&self) -> Result<bool> {
        Accounts::new(self.installation.clone())
            .is_first_run()
            .await
    }

    async fn find_or_make(&self) -> Result<Found> {
        let secrets = &self.installation.storage.secrets;
        for _ in 0..RACES {
            if let Some(row) = self.rows().bootstrap_token().await? {
                let text = secrets.get(&row.value.secret).await?;
                match text.filter(|text| row.value.hash == SecretHash::of(text.expose())) {
                    Some(text) => return Ok(Found::Kept(text)),
                    // Nobody can present a token whose text is lost.
                    None => self.rows().forget_bootstrap_token(&row.version).await?,
                }
            }
            if let Some(text) = self.make().await? {
                return Ok(Found::Made(text));
            }
        }
        Err(Error::Unavailable {
            message: "others make and spend bootstrap tokens all the time".to_owned(),
            retry_after: None,
            source: None,
        })
    }

    /// Makes a token; `None` when another process was faster. The row names a secret that is there
    /// already, so whoever reads it finds the text.
    async fn make(&self) -> Result<Option<SecretValue>> {
        let random = &*self.installation.random;
        let secrets = &self.installation.storage.secrets;
        let text = SecretValue::new(format!("{PREFIX}{}", hex_text(random, TOKEN_BYTES)));
        let row = BootstrapRow {
            secret: SecretName::new(format!("{SECRET_NAMES}{}", hex_text(random, 8)))?,
            hash: SecretHash::of(text.expose()),
        };
        secrets.set(&row.secret, &text).await?;
        self.rows().propose_bootstrap_token(&row).await?;
        let named = self.rows().bootstrap_token().await?;
        if named.is_some_and(|named| named.value == row) {
            Ok(Some(text))
        } else {
            secrets.delete(&row.secret).await?;
            Ok(None)
        }
    }

    /// Writes the settings' file. Whoever saw the text does not need it, so that a place which takes no
    /// files keeps nobody out.
    async fn write_file(&self, text: &SecretValue) {
        let file = &self.installation.settings.token_file;
        let written = private_file::write(file, text, &*self.installation.random).await;
        if let Err(error) = written {
            tracing::error!(
                %error,
                file = %file.display(),
                "the bootstrap token could not be written to its file; set DILUX_TOKEN_FILE to one \
                 that can be"
            );
        }
    }

    /// Removes the settings' file, unless it holds something else.
    async fn remove_file(&self) -> Result<()> {
        let file = &self.installation.settings.token_file;
        let removed = async {
            let held = private_file::read(file).await?;
            match held {
                Some(held) if is_ours(held.expose()) => private_file::remove(file).await,
                _ => Ok(()),
            }
        };
        let removed = removed.await;
        removed.map_err(|error| Error::internal("remove the bootstrap token's file", error))
    }

    async fn forget_former(&self) -> Result<()> {
        let secrets = &self.installation.storage.secrets;
        let name = SecretName::new(FORMER_SECRET)?;
        if secrets.get(&name).await?.is_some() {
            secrets.delete(&name).await?;
        }
        Ok(())
    }
}

/// Whether a text is a bootstrap token, also one from when they were admins for ever.
fn is_ours(text: &str) -> bool {
    let former = |rest: &str| rest.len() == 64 && rest.chars().all(|c| c.is_ascii_hexdigit());
    Bootstrap::is_token(text) || text.strip_prefix("dilux_").is_some_and(former)
}
