//! From records to used time: streams, clean windows, placement within the windows.

mod attachment;
mod common;
mod events;
mod grid;
mod joined;
mod placement;
mod run;
mod shown;
mod slot;
mod stream;
mod streams;
mod window;

pub(crate) use attachment::Attachments;
pub(crate) use events::Events;
pub(crate) use grid::Grid;
pub(crate) use placement::{Placed, by_window, place, share_of, spread};
#[cfg(test)]
pub(crate) use run::Entry;
pub(crate) use run::Run;
pub(crate) use shown::Shown;
pub(crate) use stream::{Stream, StreamKey};
pub(crate) use streams::Streams;
pub(crate) use window::{Clean, Doubt, clean};
