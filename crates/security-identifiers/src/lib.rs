//! The registry: the whole security state of one subject as one aggregate
