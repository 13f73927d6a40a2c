//! The store in memory keeps the laws of the port.
#![cfg(feature = "test-util")]

use cloudstack_usage::store::MemoryStore;

cloudstack_usage::store_conformance!(MemoryStore::new());
