//! The provider over SMPP against a carrier that nobody here wrote.

// Said of each, so that helpers may panic as tests may.
#[cfg(test)]
mod carrier;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod load;
#[cfg(test)]
mod messages;
