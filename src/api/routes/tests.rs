//! Routes as a client meets them.
