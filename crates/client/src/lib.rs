//! What a login or withdrawal service links: typed client with a connection helper
