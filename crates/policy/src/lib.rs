//! Which stages an operation asks for, or why it is denied
