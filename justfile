# Short names for the commands that people and CI share.

# Everything that has to hold.
test:
    scripts/test

# The rules of the house alone.
tidy:
    cargo xtask tidy

# What is made from providers.toml.
generate:
    cargo xtask generate

# Format and let clippy repair what it can.
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# The documentation, opened.
docs:
    cargo doc --workspace --no-deps --open

# Licences, bans and advisories; needs cargo-deny.
deny:
    cargo deny check

# Kills a process that keeps a ledger, 100 times; `scripts/test` does it 20 times.
kills:
    SABIR_KILLS=100 cargo test -p sabir-tests --test ledger -- --nocapture
