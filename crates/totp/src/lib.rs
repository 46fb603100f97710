//! Time-based one-time passwords (RFC 6238): the authenticator app as a factor
