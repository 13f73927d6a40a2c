//! What the tests of this crate share.

pub(crate) mod events;
pub(crate) mod recording;
