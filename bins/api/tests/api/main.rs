//! The API in process, over the embedded store, with a clock that stands still.
#![cfg(test)]

mod accounts;
mod backups;
mod canary;
mod connections;
mod databases;
mod databases_changed;
mod databases_listed;
mod dead_letters;
mod discovery;
mod document;
mod door;
mod downloads;
mod engines;
mod engines_changed;
mod faults;
mod health;
mod jobs;
mod jobs_watched;
mod policies;
mod policies_refused;
mod policies_removed;
mod postgres;
mod restores;
mod retention;
mod rpo;
mod schedules;
mod seeds;
mod server;
mod sessions;
mod start;
mod tokens;
mod viewers;
mod who_may;
mod wire;
mod world;
