//! Who is asking: passwords, tokens, and tokens that count no more.
//!
//! [`Auth`] is the door-keeper. A login proves a password and gets a pair of tokens; a token counts
//! while it is signed by us, within its time, not revoked, and the stored user still is what it was
//! when the token was given out. Tokens of other issuers are taken from those that are configured.
//! The role always comes from the stored user.
//!
//! What a role may do is decided where it is done. Addresses are taken as they are told: whether a
//! proxy may be believed is the business of the doors.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(missing_docs)]

mod auth;
mod error;

mod login_limit;
mod outside;
mod password;
mod revocation;
mod token;

mod metrics;
mod secret;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use auth::{Auth, AuthOptions, Identity, RootOutcome, Tokens};
pub use error::AuthError;
pub use outside::{FileKeys, IssuerOptions, KEY_SET_BYTES_MAX, KeyFetch, KeyOptions, KeySource, KeySourceError};
pub use password::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN};
pub use secret::{Secret, SecretError};
