//! From records to used time: streams, clean windows, placement within the windows.

mod attachment;
mod grid;
mod joined;
mod placement;
mod stream;
mod window;

pub(crate) use attachment::Attachments;
pub(crate) use grid::Grid;
pub(crate) use placement::{Placed, place, spread};
pub(crate) use stream::{Run, Shown, Stream, StreamKey, Streams};
pub(crate) use window::{Clean, Doubt, clean};
