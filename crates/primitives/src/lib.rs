//! Subject ids, time, digests, the throttle: the words every other crate uses
