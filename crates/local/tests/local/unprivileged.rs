//! Without root.
