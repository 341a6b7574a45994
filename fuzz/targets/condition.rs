//! A condition of a user's own rule.
#![no_main]

esp_tcpwatch_fuzz::target!("condition");
