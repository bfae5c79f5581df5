//! Sign-in through an identity provider: which tokens are accepted, and who comes in with them.

mod arrivals;
mod code_flow;
mod issuer;
mod refused;
mod rotation;
