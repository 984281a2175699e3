"""The built-in session profiles: one TOML file a protocol, in the language a user writes."""
