//! Everything that the recorded CloudStack can prove, against its own events; and the same
//! for copies of it with other dates, names and ids.

mod recorded;
