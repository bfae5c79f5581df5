//! The one error type of use cases. It knows nothing of HTTP.

use std::time::Duration;

use crate::storage::{ETag, StorageError, StorageErrorKind};

/// Result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a field of a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Path of the field, dots between levels: `database.port`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// Why a use case did not do what was asked. Messages are written for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing named does not exist.
    #[error("{what} '{id}' not found")]
    NotFound {
        /// Kind of thing, capitalised: `Database`.
        what: &'static str,
        /// The id asked for.
        id: String,
    },
    /// Something with that identity exists already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The request cannot be carried out as written.
    #[error("{}", describe(.0))]
    Invalid(Vec<FieldProblem>),
    /// The request is well-formed, but the present state forbids it.
    #[error("{0}")]
    Refused(String),
    /// The thing is in a state in which this cannot be done to it.
    #[error("{0}")]
    WrongState(String),
    /// Somebody else changed the thing in the meantime.
    #[error("{0}")]
    Conflict(String),
    /// The caller named a version that is not the present one.
    #[error("it was changed since you read it; read it again and repeat your change")]
    Stale {
        /// The present version.
        current: ETag,
    },
    /// The caller did not say who they are.
    #[error("sign in first: send the token as 'Authorization: Bearer …'")]
    Unauthenticated,
    /// The caller said who they are, and is not let in.
    #[error("{0}")]
    SignInRefused(String),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The caller tried too often; the same call may succeed later.
    #[error("{message}")]
    TooManyAttempts {
        /// What was tried too often.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// A dependency does not answer; the same call may succeed later.
    #[error("{message}")]
    Unavailable {
        /// What does not answer.
        message: String,
        /// When to try again, where known.
        retry_after: Option<Duration>,
        /// The technical cause, for logs.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A defect or a damaged row. The message may be shown; the source goes to the log.
    #[error("{message}")]
    Internal {
        /// What failed, verb and object.
        message: String,
        /// The technical cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// A single invalid field.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem {
            field: field.into(),
            reason: reason.into(),
        }])
    }

    /// An internal error with its cause.
    pub fn internal(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}

fn describe(problems: &[FieldProblem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.field, problem.reason))
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error.kind() {
            StorageErrorKind::PreconditionFailed => {
                Self::Conflict("it was changed by somebody else in the meantime".to_owned())
            }
            StorageErrorKind::AlreadyExists => Self::AlreadyExists("it exists already".to_owned()),
            StorageErrorKind::Unavailable
            | StorageErrorKind::Throttled
            | StorageErrorKind::Denied => Self::Unavailable {
                message: "storage does not answer; try again in a moment".to_owned(),
                retry_after: error.retry_after(),
                source: Some(Box::new(error)),
            },
            StorageErrorKind::Protected => Self::Refused(format!(
                "the store protects it by an immutability policy or a legal hold: {error}"
            )),
            StorageErrorKind::NotFound
            | StorageErrorKind::Invalid
            | StorageErrorKind::Full
            | StorageErrorKind::Corrupt
            | StorageErrorKind::Internal => Self::Internal {
                message: "storage refused an operation".to_owned(),
                source: Some(Box::new(error)),
            },
        }
    }
}
