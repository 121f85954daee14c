//! Byte layouts of encoded rows.
