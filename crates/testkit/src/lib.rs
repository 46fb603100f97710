//! For tests only: a running platform on a free port, with a clock that can be moved
