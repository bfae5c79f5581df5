//! Dumps through the pipeline into a store and back, with everything that can go wrong between.
#![cfg(test)]

mod cancel;
mod commit;
mod corruption;
mod embedded;
mod faults;
mod round_trip;
mod source_failures;
mod support;
