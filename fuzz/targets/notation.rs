//! A trace as text.
#![no_main]

esp_tcpwatch_fuzz::target!("notation");
