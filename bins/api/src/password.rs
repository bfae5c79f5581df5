//! Passwords: hashed with Argon2id, a few at a time, off the threads that answer requests.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use dilux_core::model::PasswordHash;
use dilux_core::random::SharedRandom;
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use tokio::sync::{OnceCell, Semaphore};

/// Memory in KiB, passes and lanes: the least that OWASP's Password Storage Cheat Sheet takes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes computed at once: each takes [`MEMORY_KIB`] and a core.
const AT_ONCE: usize = 2;

/// Random bytes of a salt.
const SALT_BYTES: usize = 16;

/// Shortest and longest password.
const LEAST_CHARACTERS: usize = 12;
const MOST_BYTES: usize = 1024;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    random: SharedRandom,
    /// The hash that is verified against when there is none, so that the answer takes as long.
    decoy: OnceCell<PasswordHash>,
}

impl Passwords {
    /// Draws salts from `random`.
    pub(crate) fn new(random: SharedRandom) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            random,
            decoy: OnceCell::new(),
        }
    }

    /// The hash of a password, with a salt of its own.
    pub(crate) async fn hash(&self, password: SecretValue) -> Result<PasswordHash> {
        let mut salt = [0_u8; SALT_BYTES];
        self.random.fill(&mut salt);
        let hashed = self.run(move || {
            argon2()?
                .hash_password_with_salt(password.expose().as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| Error::internal("hash a password", error.to_string()))
        });
        Ok(PasswordHash::new(hashed.await??))
    }

    /// Whether this is the password of `hash`; takes as long when there is no hash.
    pub(crate) async fn verify(
        &self,
        password: SecretValue,
        hash: Option<&PasswordHash>,
    ) -> Result<bool> {
        let decoy = || self.hash(SecretValue::new("nobody has this password"));
        let decoy = self.decoy.get_or_try_init(decoy).await?;
        let text = hash.unwrap_or(decoy).as_str().to_owned();
        let is_right = self.run(move || {
            let outcome = argon2()?.verify_password(password.expose().as_bytes(), text.as_str());
            Ok::<bool, Error>(outcome.is_ok())
        });
        Ok(is_right.await?? && hash.is_some())
    }

    /// Runs a computation when its turn comes.
    async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|error| Error::internal("hash a password", error))?;
        let computed = tokio::task::spawn_blocking(move || {
            let computed = compute();
            drop(permit);
            computed
        });
        computed
            .await
            .map_err(|error| Error::internal("hash a password", error))
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::internal("set Argon2 up", error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Fails on `field` unless the password may be chosen by the owner of `email`.
pub(crate) fn require_choosable(field: &str, password: &SecretValue, email: &str) -> Result<()> {
    let text = password.expose();
    let reason = if text.chars().count() < LEAST_CHARACTERS {
        "must have at least 12 characters"
    } else if text.len() > MOST_BYTES {
        "must be at most 1024 bytes long"
    } else if text.to_lowercase().contains(&email.to_lowercase()) {
        "must not contain your e-mail"
    } else if text.chars().all(|c| text.starts_with(c)) {
        "must not be one character again and again"
    } else {
        return Ok(());
    };
    Err(Error::invalid(field, reason))
}

#[cfg(test)]
mod tests {
    use dilux_core::random::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_and_nothing_opens_none() {
        let passwords = Passwords::new(Arc::new(SystemRandom));
        let word = || SecretValue::new("correct horse battery");
        let first = passwords.hash(word()).await.unwrap();
        let second = passwords.hash(word()).await.unwrap();
        assert!(
            first
                .as_str()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert_ne!(first, second, "each has a salt of its own");
        assert!(passwords.verify(word(), Some(&first)).await.unwrap());
        let other = SecretValue::new("correct horse batterz");
        assert!(!passwords.verify(other, Some(&first)).await.unwrap());
        assert!(!passwords.verify(word(), None).await.unwrap());
        let broken = PasswordHash::new("no hash".to_owned());
        assert!(!passwords.verify(word(), Some(&broken)).await.unwrap());
    }

    #[test]
    fn weak_passwords_are_refused_with_what_would_be_right() {
        let choose = |text: &str| {
            require_choosable("password", &SecretValue::new(text), "ann@example.com").is_ok()
        };
        for weak in [
            "",
            "short",
            "12345678901",
            "aaaaaaaaaaaaaaaa",
            "x ANN@example.com y",
        ] {
            assert!(!choose(weak), "{weak}");
        }
        assert!(!choose(&"ab".repeat(513)));
        assert!(choose("correct horse"));
        assert!(choose("ключ от двери"), "characters count, not bytes");
    }
}
