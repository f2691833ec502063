//! sys: the only unsafe; one file per kernel facility, each with safe signatures.
#![allow(unsafe_code)]
