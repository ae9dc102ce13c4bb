//! The public API and the admin API, black box: requests to the built server, and what clients, documents and pages rely on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin_api;
mod admin_tcp;
mod api_keys;
mod application;
mod apps;
mod audit;
mod clients;
mod cobalt;
mod config;
mod conventions;
mod credentials;
mod data_folder;
mod demo;
mod docs_page;
mod documented;
mod framing;
mod generated_clients;
mod linked_account;
mod metrics;
mod migrate_token;
mod openapi;
mod openapi_fuzz;
mod organisations;
mod otlp;
mod oversize;
mod pages;
mod readme;
mod sessions;
mod tls;
mod verification;
mod webhooks;
