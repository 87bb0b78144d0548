//! The local platform: machines are sandboxes of namespaces over an overlay file system, images are layers in a store.

pub mod sandbox;
