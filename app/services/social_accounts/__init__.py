"""WeChat identities: accounts, session_keys, open data, and linking to users."""
