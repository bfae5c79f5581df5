//! The bootstrap token: made at first start, kept in the secret store, written to a file that only
//! the operator can read, and compared by its hash.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use dilux_core::random::{Random, hex_text};
use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Name under which the secret store keeps the token.
const SECRET_NAME: &str = "dilux-bootstrap-token";

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

/// The token that opens the API until there are accounts. Holds the hash only.
#[derive(Debug, Clone)]
pub struct BootstrapToken {
    hash: [u8; 32],
}

impl BootstrapToken {
    /// The token of this text.
    pub fn of(text: &SecretValue) -> Self {
        Self {
            hash: Sha256::digest(text.expose().as_bytes()).into(),
        }
    }

    /// Reads the token from the secret store, or makes one, and sees to it that `file` holds it
    /// with mode 0600.
    pub async fn ensure(
        secrets: &dyn SecretStore,
        file: &Path,
        random: &dyn Random,
    ) -> anyhow::Result<Self> {
        let name = SecretName::new(SECRET_NAME)?;
        let text = if let Some(text) = secrets.get(&name).await? {
            text
        } else {
            let text = SecretValue::new(format!("dilux_{}", hex_text(random, TOKEN_BYTES)));
            secrets.set(&name, &text).await?;
            text
        };
        let token = Self::of(&text);
        let path = file.to_owned();
        let part = file.with_extension(hex_text(random, 8));
        let is_written = tokio::task::spawn_blocking(move || write(&path, part, &text)).await??;
        if is_written {
            tracing::info!(file = %file.display(), "wrote the bootstrap token");
        }
        Ok(token)
    }

    /// Whether `presented` is the token; takes the same time whatever differs.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.hash.ct_eq(&hash).into()
    }

    /// Twelve hexadecimal digits that tell installations apart and say nothing about the token.
    pub(crate) fn installation_id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"dilux installation|");
        hash.update(self.hash);
        data_encoding::HEXLOWER.encode(&hash.finalize()[..6])
    }
}

/// Writes the token under a name of its own and renames it, unless the file holds it already.
fn write(path: &Path, part: PathBuf, token: &SecretValue) -> anyhow::Result<bool> {
    if std::fs::read(path).is_ok_and(|held| held.trim_ascii() == token.expose().as_bytes()) {
        return Ok(false);
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(token.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(part, path)?;
    Ok(true)
}
