//! The one integration binary.

mod house;
