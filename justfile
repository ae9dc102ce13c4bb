# What CI runs, and the long forms of its proofs. Each recipe is one command, so that it also works without `just`.

# List the recipes.
default:
    @just --list

# All that CI runs, from nothing.
ci:
    .ci/run

# Formatting is as rustfmt leaves it.
fmt:
    .ci/run fmt

# clippy has no warning.
lint:
    .ci/run lint

# The API documentation of the crates builds without a warning.
docs:
    .ci/run docs

# Where crates come from, and under which licences.
supply-chain:
    .ci/run supply-chain

# All tests, in the form that CI runs.
test:
    .ci/run test

# The long forms of the tests: more requests, rounds and projects of the same kinds.
test-long:
    KEYFERRY_TESTS=long cargo test --workspace

# The demo, once.
demo:
    cargo run --release -- demo --once

# The guide as a book, in target/book. Needs mdbook.
book:
    mdbook build

# The long form of every proof, hours of it. Writes tests/RELIABILITY.md.
soak: test-long
    cargo run --release -p keyferry-tests -- reliability

# Kills and power cuts under load.
soak-endings:
    cargo run --release -p keyferry-tests -- endings

# The corpus of hostile plugins, again and again, beside a good neighbour.
soak-hostile:
    cargo run --release -p keyferry-tests -- hostile

# Mutated requests.
soak-mutants:
    cargo run --release -p keyferry-tests -- mutants

# Whether the time of an API key's look-up depends on the key.
soak-timing:
    cargo run --release -p keyferry-tests -- timing

# One import of a million rows through twenty kills, taken back at its end.
soak-import:
    cargo run --release -p keyferry-tests -- import --rows 1000000

# How much longer requests take beside an import.
soak-beside:
    cargo run --release -p keyferry-tests -- beside

# Every fuzz target for a minute. Needs cargo-fuzz.
fuzz seconds="60":
    fuzz/run --seconds {{seconds}}

# All benchmarks on a quiet machine. Needs Node.js 20, npm, PostgreSQL 15, valgrind and strace. Writes docs/performance.md.
bench:
    cargo run --profile dist -p keyferry-bench -- all

# What a release needs beyond CI: see docs/release-checklist.md.
release-check:
    cargo deny --locked check
    cargo package -p keyferry-plugin
    cargo semver-checks -p keyferry-plugin
