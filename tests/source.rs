//! The sources, held against captures that are written here octet by octet.

#[path = "source/octets.rs"]
mod octets;

#[path = "source/feeds.rs"]
mod feeds;
#[path = "source/files.rs"]
mod files;
#[cfg(feature = "live")]
#[path = "source/live.rs"]
mod live;
#[path = "source/recordings.rs"]
mod recordings;
#[path = "source/streams.rs"]
mod streams;
