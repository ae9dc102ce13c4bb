//! The public API and the admin API, black box: requests to the built server, and the documents and pages that clients
//! use.

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
mod connected;
mod conventions;
mod credentials;
mod data_folder;
mod demo;
mod docs_page;
mod documented;
mod first_days;
mod framing;
mod generated_clients;
mod json_output;
mod linked_account;
mod metrics;
mod migrate_token;
mod mock_provider;
mod oauth_clients;
mod openapi;
mod openapi_examples;
mod openapi_fuzz;
mod organisations;
mod otlp;
mod oversize;
mod pages;
mod readme;
mod rejection_limits;
mod renewal;
mod sessions;
mod tls;
mod unread_bodies;
mod verification;
mod verify;
mod webhooks;
mod wrong_inputs;
