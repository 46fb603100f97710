//! What an SMS says: languages, templates, and how many parts a text takes.
