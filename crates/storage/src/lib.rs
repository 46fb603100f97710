//! Load and apply on SQLite and PostgreSQL: the only crate that knows sea-orm
