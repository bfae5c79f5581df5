//! The life of jobs in a real processor over the embedded store, with a database server that is
//! only played: lines, limits, losses.
#![cfg(test)]

mod limits;
mod losses;
mod played;
mod timing;
mod world;
