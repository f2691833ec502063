//! metrics: registry, naming and label rules; each room registers its own.
#![forbid(unsafe_code)]
