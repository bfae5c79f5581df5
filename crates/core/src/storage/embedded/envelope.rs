//! Envelope encryption: each value under a key of its own, that key under the master key.
//!
//! AES-256-GCM both times. The name and the version of a secret are authenticated with it, so a
//! sealed value moved to another row does not open.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use zeroize::Zeroizing;

use super::fault::Fault;
use crate::random::Random;
use crate::storage::StorageErrorKind;

pub(super) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// The key under which the keys of all secrets are wrapped.
pub(super) struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

/// A sealed value and its wrapped key, each with its nonce before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) wrapped_key: Vec<u8>,
    pub(super) sealed: Vec<u8>,
}

/// Which value it is: what must not be exchanged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) name: &'a str,
    pub(super) version: i64,
}

impl Label<'_> {
    /// No name holds a zero byte, so no two labels look alike.
    fn data(self, purpose: &str) -> Vec<u8> {
        let mut data = format!("dilux secret\0{purpose}\0{}\0", self.name).into_bytes();
        data.extend(self.version.to_be_bytes());
        data
    }
}

impl MasterKey {
    pub(super) fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    pub(super) fn seal(
        &self,
        label: Label<'_>,
        value: &[u8],
        random: &dyn Random,
    ) -> Result<Envelope, Fault> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        random.fill(key.as_mut());
        Ok(Envelope {
            wrapped_key: encrypt(&self.0, key.as_ref(), &label.data("key"), random)?,
            sealed: encrypt(&key, value, &label.data("value"), random)?,
        })
    }

    pub(super) fn open(
        &self,
        label: Label<'_>,
        envelope: &Envelope,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let unwrapped = decrypt(&self.0, &envelope.wrapped_key, &label.data("key"))?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if unwrapped.len() != key.len() {
            return Err(unopened());
        }
        key.copy_from_slice(&unwrapped);
        decrypt(&key, &envelope.sealed, &label.data("value"))
    }

    /// Something that only this key opens.
    pub(super) fn proof(&self, random: &dyn Random) -> Result<Vec<u8>, Fault> {
        encrypt(&self.0, b"", b"dilux master key", random)
    }

    /// Whether `proof` was made with this key.
    pub(super) fn made(&self, proof: &[u8]) -> bool {
        decrypt(&self.0, proof, b"dilux master key").is_ok()
    }
}

fn encrypt(
    key: &[u8; KEY_BYTES],
    value: &[u8],
    data: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, Fault> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce);
    let payload = Payload {
        msg: value,
        aad: data,
    };
    let sealed = cipher(key)
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| {
            Fault::refused(
                StorageErrorKind::Internal,
                "a secret could not be encrypted",
            )
        })?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8; KEY_BYTES], sealed: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let (nonce, sealed) = sealed
        .split_first_chunk::<NONCE_BYTES>()
        .ok_or_else(unopened)?;
    let payload = Payload {
        msg: sealed,
        aad: data,
    };
    let opened = cipher(key).decrypt(&Nonce::from(*nonce), payload);
    opened.map(Zeroizing::new).map_err(|_| unopened())
}

fn cipher(key: &[u8; KEY_BYTES]) -> Aes256Gcm {
    Aes256Gcm::new(<&Key<Aes256Gcm>>::from(key))
}

fn unopened() -> Fault {
    Fault::corrupt(
        "a secret does not open: its row was changed, or the key file is not the one that it was \
         sealed with; enter the secret again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    const LABEL: Label<'_> = Label {
        name: "engine-1",
        version: 7,
    };

    fn key(byte: u8) -> MasterKey {
        MasterKey::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    fn envelope() -> Envelope {
        key(1).seal(LABEL, b"hunter2", &SystemRandom).unwrap()
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(
            key(1).open(LABEL, &envelope()).unwrap().as_slice(),
            b"hunter2"
        );
    }

    #[test]
    fn another_name_version_or_key_does_not_open_it() {
        let envelope = envelope();
        assert!(
            key(1)
                .open(
                    Label {
                        name: "engine-2",
                        ..LABEL
                    },
                    &envelope
                )
                .is_err()
        );
        assert!(
            key(1)
                .open(
                    Label {
                        version: 8,
                        ..LABEL
                    },
                    &envelope
                )
                .is_err()
        );
        assert!(key(2).open(LABEL, &envelope).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let whole = envelope();
        for index in 0..whole.sealed.len() {
            let mut changed = whole.clone();
            changed.sealed[index] ^= 1;
            assert!(
                key(1).open(LABEL, &changed).is_err(),
                "byte {index} of the value"
            );
        }
        for index in 0..whole.wrapped_key.len() {
            let mut changed = whole.clone();
            changed.wrapped_key[index] ^= 1;
            assert!(
                key(1).open(LABEL, &changed).is_err(),
                "byte {index} of the key"
            );
        }
    }

    #[test]
    fn two_seals_of_one_value_share_nothing() {
        let (one, other) = (envelope(), envelope());
        assert_ne!(one.sealed, other.sealed);
        assert_ne!(one.wrapped_key, other.wrapped_key);
        let mixed = Envelope {
            wrapped_key: one.wrapped_key,
            sealed: other.sealed,
        };
        assert!(key(1).open(LABEL, &mixed).is_err());
    }

    #[test]
    fn sealed_bytes_do_not_show_the_value() {
        let sealed = envelope().sealed;
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
    }
}
