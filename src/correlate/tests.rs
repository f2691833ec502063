//! The worked examples of spec/rules.md 13, and what this room adds to OSSEC's judgement.

mod beyond;
mod counting;
mod lists;
