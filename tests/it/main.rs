//! The one integration binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say so")]

mod cli;
mod discovery;
mod elf;
mod house;

#[path = "../compat/patterns.rs"]
mod patterns;

#[path = "../compat/judgement.rs"]
mod judgement;

#[path = "../compat/own.rs"]
mod own;

#[path = "../compat/agreement.rs"]
mod agreement;

#[path = "../compat/forgery.rs"]
mod forgery;

#[path = "../guests/mod.rs"]
mod guests;

#[path = "../bench/mod.rs"]
mod bench;
