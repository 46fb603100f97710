//! Key files, key ids, sealing and request MACs: one key per use
